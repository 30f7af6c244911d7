//! Credit, unattributed and unconverted money against what was won.

use serde::Serialize;
use tributary_engine::reconcile;
use tributary_engine::{Model, journeys};

use crate::question::Stamp;
use crate::{Coverage, Data, Question};

/// The accounts of one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// The model.
    pub model: String,
    /// The accounts.
    #[serde(flatten)]
    pub accounts: reconcile::Reconciliation,
    /// How it came about.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// Checks each model's credit against the deals themselves.
pub fn reconcile(data: &Data, question: &Question, models: &[Model]) -> Vec<Reconciliation> {
    let journeys = journeys(&data.book, &question.policy);
    let coverage = Coverage::of_journeys(data, &journeys);
    models
        .iter()
        .map(|model| Reconciliation {
            model: model.name.clone(),
            accounts: reconcile::reconcile(&journeys, model, &data.rates, question.currency),
            stamp: question.stamp(std::slice::from_ref(model)).over(coverage.clone()),
        })
        .collect()
}
