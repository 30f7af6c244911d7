//! What each key brings in by its place on journeys: Shapley values of the sum game as the first, second, … key.

use serde::Serialize;
use tributary_core::Currency;
use tributary_engine::learn::shapley::ordered;
use tributary_engine::paths::Paths;
use tributary_engine::{By, Goal, journeys};

use crate::question::Stamp;
use crate::{Coverage, Data, Question};

/// Shapley values by place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Order {
    /// The dimension.
    pub by: By,
    /// What is being credited.
    pub goal: Goal,
    /// The reporting currency; `None` for the goal `lead`.
    pub currency: Option<Currency>,
    /// By credit, largest first, then by key.
    pub rows: Vec<Row>,
    /// Minor units of all journeys with a touch.
    pub total_minor: i64,
    /// Those journeys.
    pub deals: u64,
    /// How it came about.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The key; `None` for touches without the dimension.
    pub key: Option<String>,
    /// Its Shapley value: what it gets at all places together, in minor units.
    pub credit_minor: f64,
    /// What it gets where it is the first of a journey's keys to touch, the second, and so on.
    pub places: Vec<Place>,
}

/// What a key gets at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Place {
    /// Parts of deals (leads).
    pub deals: f64,
    /// Minor units. Not rounded: a journey's keys all get the same part of it.
    pub credit_minor: f64,
}

/// Adds up what each key gets at each place. A key that touches again keeps the place that it had.
pub fn order(data: &Data, question: &Question, by: By) -> Order {
    let found = journeys(&data.book, &question.policy);
    let paths = Paths::of_journeys(&found, by, &data.rates, question.currency);
    let keys = paths.walked.keys.iter().zip(ordered(&paths));
    let mut rows: Vec<Row> = keys
        .map(|(key, places)| {
            let places: Vec<Place> = places
                .iter()
                .map(|place| Place { deals: place.conversions, credit_minor: place.value })
                .collect();
            let credit_minor = places.iter().map(|place| place.credit_minor).sum();
            Row { key: key.clone(), credit_minor, places }
        })
        .filter(|row| row.places.iter().any(|place| place.deals > 0.0))
        .collect();
    rows.sort_by(|a, b| b.credit_minor.total_cmp(&a.credit_minor).then_with(|| a.key.cmp(&b.key)));
    Order {
        by,
        goal: found.goal,
        currency: (found.goal != Goal::Lead).then_some(question.currency),
        rows,
        total_minor: paths.value.iter().sum::<f64>().round() as i64,
        deals: paths.conversions.iter().sum::<f64>().round() as u64,
        stamp: question.stamp(&[]).over(Coverage::of_journeys(data, &found)),
    }
}
