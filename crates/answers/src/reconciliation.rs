//! Credit, unattributed and unconverted money against what was won.

use serde::Serialize;
use tributary_engine::reconcile;
use tributary_engine::{Choice, journeys};

use crate::question::Stamp;
use crate::{AnswerError, Coverage, Data, Question};

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
pub fn reconcile(
    data: &Data,
    question: &Question,
    models: &[Choice],
) -> Result<Vec<Reconciliation>, AnswerError> {
    let journeys = journeys(&data.book, &question.policy);
    let coverage = Coverage::of_journeys(data, &journeys);
    let ready = question.ready(data, &journeys, models)?;
    let answers = ready.iter().zip(models).map(|(ready, model)| Reconciliation {
        model: model.name().to_owned(),
        accounts: reconcile::reconcile(&journeys, ready, &data.rates, question.currency),
        stamp: question.stamp(std::slice::from_ref(model)).over(coverage.clone()),
    });
    Ok(answers.collect())
}
