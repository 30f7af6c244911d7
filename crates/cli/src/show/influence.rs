//! How participation looks: never like credit.

use tributary_answers::influence::Influence;

use super::report::{credit, dimension, goal_in_words, key, note_coverage, note_unconverted, unit};
use super::{Answer, Cell, Table};

impl Answer for Influence {
    fn tables(&self) -> Vec<Table> {
        let it = &self.influence;
        let columns = [
            dimension(it.by),
            "Deals touched".into(),
            "Of all deals".into(),
            format!("Their whole amount {}", unit(it.currency)),
            "Of the total".into(),
            "Touches".into(),
        ];
        let title = format!("influence, which is not credit: {}", goal_in_words(it.goal, it.deals));
        let mut table = Table::new(columns).title(title);
        for row in &it.rows {
            table.row(vec![
                key(it.by, row.key.as_ref(), row.label.as_ref()),
                Cell::Count(row.deals),
                Cell::Share(row.of_deals),
                credit(row.influenced_minor, it.currency),
                Cell::Share(row.of_total),
                Cell::Count(row.touches),
            ]);
        }
        let mut once = |name: &str, deals: u64, minor: i64| {
            table.total(vec![
                Cell::Text(name.to_owned()),
                Cell::Count(deals),
                Cell::Share(tributary_engine::credit::share_of(deals as i64, it.deals as i64)),
                credit(minor, it.currency),
                Cell::Share(tributary_engine::credit::share_of(minor, it.total_minor)),
                Cell::Nothing,
            ]);
        };
        if it.untouched_deals > 0 {
            once("touched by nothing", it.untouched_deals, it.untouched_minor);
        }
        once("all deals, each once", it.deals, it.total_minor);
        table.note(format!(
            "A deal counts in full for every {} that touched it, so the rows add up to {:.1} % of the total.",
            dimension(it.by).to_lowercase(),
            it.adds_up_to * 100.0
        ));
        table.note("Who earned what is `tributary attribute`.");
        note_unconverted(&mut table, &it.unconverted);
        note_coverage(&mut table, self.stamp.coverage.as_ref());
        vec![table]
    }

    fn data(&self) -> Option<Table> {
        let it = &self.influence;
        let mut table = Table::new([
            "by",
            "goal",
            "key",
            "label",
            "deals_touched",
            "of_deals",
            "influenced",
            "currency",
            "of_total",
            "touches",
        ]);
        for row in &it.rows {
            table.row(vec![
                Cell::Text(it.by.name()),
                Cell::Text(format!("{:?}", it.goal).to_lowercase()),
                Cell::option(row.key.clone()),
                Cell::option(row.label.clone()),
                Cell::Count(row.deals),
                Cell::Share(row.of_deals),
                credit(row.influenced_minor, it.currency),
                Cell::option(it.currency.map(|currency| currency.to_string())),
                Cell::Share(row.of_total),
                Cell::Count(row.touches),
            ]);
        }
        Some(table)
    }
}
