//! Which model deserves trust on this book, with the evidence.

use serde::Serialize;
use tributary_core::time::Zone;
use tributary_engine::evidence::{self, Effort};
use tributary_engine::{By, Choice, Goal, journeys};

use crate::question::Stamp;
use crate::{AnswerError, Coverage, Data, Question};

/// The evidence, and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The evidence.
    #[serde(flatten)]
    pub evidence: evidence::Evidence,
    /// How it came about.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// Gathers the evidence on models; `told` hears how many of how many steps are done.
///
/// Quarters are those of `zone`. Only goals that a deal can miss (won, lost) can be judged.
pub fn evidence(
    data: &Data,
    question: &Question,
    models: &[Choice],
    by: By,
    zone: &Zone,
    effort: Effort,
    told: &(dyn Fn(usize, usize) + Sync),
) -> Result<Evidence, AnswerError> {
    if !matches!(question.policy.goal, Goal::Won | Goal::Lost) {
        return Err(AnswerError::NoOutcome);
    }
    let journeys = journeys(&data.book, &question.policy);
    let money = (&data.rates, question.currency, zone);
    let evidence = evidence::gather(&journeys, models, by, money, effort, told);
    let coverage = Coverage::of_journeys(data, &journeys);
    Ok(Evidence { evidence, stamp: question.stamp(models).over(coverage) })
}
