//! How credit as it is stands beside credit as it would be.

use tributary_answers::what_if::WhatIf;

use super::report::{change, credit, dimension, goal_in_words, key, note_coverage, unit};
use super::{Answer, Cell, Table};

impl Answer for WhatIf {
    fn tables(&self) -> Vec<Table> {
        let unit = unit(self.currency);
        let columns = [
            dimension(self.by),
            format!("Saved {unit}"),
            format!("Changed {unit}"),
            format!("Difference {unit}"),
            "Saved share".into(),
            "Changed share".into(),
        ];
        let title = format!("what if, {}: {}", self.model, goal_in_words(self.goal, self.deals));
        let mut table = Table::new(columns).title(title);
        for row in &self.rows {
            table.row(vec![
                key(self.by, row.key.as_ref(), row.label.as_ref()),
                credit(row.saved_minor, self.currency),
                credit(row.credit_minor, self.currency),
                change(row.difference_minor, self.currency),
                Cell::Share(row.saved_share),
                Cell::Share(row.share),
            ]);
        }
        let mut sums = |name: &str, saved: i64, changed: i64| {
            let share = |minor| Cell::Share(tributary_engine::credit::share_of(minor, self.total_minor));
            table.total(vec![
                Cell::Text(name.to_owned()),
                credit(saved, self.currency),
                credit(changed, self.currency),
                change(changed - saved, self.currency),
                share(saved),
                share(changed),
            ]);
        };
        if self.saved_unattributed_minor != 0 || self.unattributed_minor != 0 {
            sums("unattributed", self.saved_unattributed_minor, self.unattributed_minor);
        }
        sums("total", self.total_minor, self.total_minor);
        for it in &self.changes {
            table.note(format!("{}: {} instead of {}", it.name, it.to, it.from));
        }
        for note in &self.notes {
            table.note(format!("{}: {note}", self.model));
        }
        note_coverage(&mut table, self.stamp.coverage.as_ref());
        table.note("Nothing is saved: tributary.toml is as it was.");
        vec![table]
    }

    fn data(&self) -> Option<Table> {
        let mut table = Table::new([
            "model",
            "by",
            "goal",
            "key",
            "label",
            "saved",
            "credit",
            "difference",
            "currency",
            "saved_share",
            "share",
        ]);
        for row in &self.rows {
            table.row(vec![
                Cell::Text(self.model.clone()),
                Cell::Text(format!("{:?}", self.by).to_lowercase()),
                Cell::Text(format!("{:?}", self.goal).to_lowercase()),
                Cell::option(row.key.clone()),
                Cell::option(row.label.clone()),
                credit(row.saved_minor, self.currency),
                credit(row.credit_minor, self.currency),
                change(row.difference_minor, self.currency),
                Cell::option(self.currency.map(|currency| currency.to_string())),
                Cell::Share(row.saved_share),
                Cell::Share(row.share),
            ]);
        }
        Some(table)
    }
}
