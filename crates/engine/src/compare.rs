//! Models side by side, by any dimension, with their differences.

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_core::Currency;

use crate::credit::{Attribution, By, Unconverted};
use crate::journey::Goal;

/// One key under every model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The key; `None` for touches without the dimension.
    pub key: Option<String>,
    /// A readable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// A cell a model, in the order of [`Comparison::models`].
    pub cells: Vec<Cell>,
    /// The largest share minus the smallest.
    pub spread: f64,
}

/// One key under one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    /// Minor units.
    pub credit_minor: i64,
    /// Of the total.
    pub share: f64,
    /// Rank by credit, from 1.
    pub rank: u32,
    /// Minor units more than under the first model.
    pub difference_minor: i64,
}

/// Models side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The models' names.
    pub models: Vec<String>,
    /// The dimension.
    pub by: By,
    /// What is being credited.
    pub goal: Goal,
    /// The reporting currency; `None` for the goal `lead`.
    pub currency: Option<Currency>,
    /// By credit under the first model, largest first, then by key.
    pub lines: Vec<Line>,
    /// Unattributed money a model.
    pub unattributed_minor: Vec<i64>,
    /// Money that no rate converts.
    pub unconverted: Vec<Unconverted>,
    /// The total, the same under every model.
    pub total_minor: i64,
    /// Deals counted.
    pub deals: u64,
}

/// Lays attributions of the same journeys side by side; `None` without any.
pub fn compare(attributions: &[Attribution]) -> Option<Comparison> {
    let first = attributions.first()?;
    let mut lines: BTreeMap<(&Option<String>, &Option<String>), Vec<Cell>> = BTreeMap::new();
    for (index, attribution) in attributions.iter().enumerate() {
        for (rank, row) in attribution.rows.iter().enumerate() {
            let cells = lines
                .entry((&row.key, &row.label))
                .or_insert_with(|| vec![Cell::default(); attributions.len()]);
            cells[index] = Cell {
                credit_minor: row.credit_minor,
                share: row.share,
                rank: rank as u32 + 1,
                difference_minor: 0,
            };
        }
    }
    let mut lines: Vec<Line> = lines
        .into_iter()
        .map(|((key, label), mut cells)| {
            let base = cells[0].credit_minor;
            for cell in &mut cells {
                cell.difference_minor = cell.credit_minor - base;
            }
            let shares = cells.iter().map(|cell| cell.share);
            let spread = shares.clone().fold(f64::MIN, f64::max) - shares.fold(f64::MAX, f64::min);
            Line { key: key.clone(), label: label.clone(), cells, spread }
        })
        .collect();
    lines.sort_by(|a, b| {
        b.cells[0]
            .credit_minor
            .cmp(&a.cells[0].credit_minor)
            .then_with(|| (&a.key, &a.label).cmp(&(&b.key, &b.label)))
    });
    Some(Comparison {
        models: attributions.iter().map(|attribution| attribution.model.clone()).collect(),
        by: first.by,
        goal: first.goal,
        currency: first.currency,
        lines,
        unattributed_minor: attributions.iter().map(|attribution| attribution.unattributed_minor).collect(),
        unconverted: first.unconverted.clone(),
        total_minor: first.total_minor,
        deals: first.deals,
    })
}
