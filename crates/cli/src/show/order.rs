//! How Shapley values by place look.

use tributary_answers::order::{Order, Place};

use super::report::{credit, dimension, goal_in_words, key, note_coverage, unit};
use super::{Answer, Cell, Table};

/// Places with a column of their own; what comes after is one more.
const PLACES: [&str; 4] = ["First", "Second", "Third", "Fourth"];

impl Answer for Order {
    fn tables(&self) -> Vec<Table> {
        let mut columns = vec![dimension(self.by), format!("Credit {}", unit(self.currency))];
        columns.extend(PLACES.map(str::to_owned));
        columns.push("Later".to_owned());
        let mut table = Table::new(columns)
            .title(format!("shapley, by place on the journey: {}", goal_in_words(self.goal, self.deals)));
        let cell = |minor: f64| credit(minor.round() as i64, self.currency);
        let sum = |places: &[Place]| {
            let is_any = places.iter().any(|place| place.deals > 0.0);
            if is_any { cell(places.iter().map(|place| place.credit_minor).sum()) } else { Cell::Nothing }
        };
        for row in &self.rows {
            let mut cells = vec![key(self.by, row.key.as_ref(), None), cell(row.credit_minor)];
            let (first, later) = row.places.split_at(row.places.len().min(PLACES.len()));
            cells.extend((0..PLACES.len()).map(|place| sum(first.get(place..=place).unwrap_or_default())));
            cells.push(sum(later));
            table.row(cells);
        }
        let mut total = vec![Cell::Text("total".to_owned()), credit(self.total_minor, self.currency)];
        total.resize(PLACES.len() + 3, Cell::Nothing);
        table.total(total);
        let own = dimension(self.by).to_lowercase();
        table.note(format!("A {own} has the place at which it first touches a deal."));
        table.note("All on a deal get the same part of it; amounts are rounded one by one.");
        note_coverage(&mut table, self.stamp.coverage.as_ref());
        vec![table]
    }

    fn data(&self) -> Option<Table> {
        let mut table = Table::new(["by", "goal", "key", "place", "deals", "credit", "currency"]);
        for row in &self.rows {
            for (place, it) in row.places.iter().enumerate().filter(|(_, it)| it.deals > 0.0) {
                table.row(vec![
                    Cell::Text(self.by.name()),
                    Cell::Text(format!("{:?}", self.goal).to_lowercase()),
                    Cell::option(row.key.clone()),
                    Cell::Count(place as u64 + 1),
                    Cell::Real(it.deals),
                    credit(it.credit_minor.round() as i64, self.currency),
                    Cell::option(self.currency.map(|currency| currency.to_string())),
                ]);
            }
        }
        Some(table)
    }
}
