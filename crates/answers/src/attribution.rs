//! Credit by a dimension, and models side by side.

use serde::Serialize;
use tributary_engine::differ::{Why, differ};
use tributary_engine::{By, Choice, attribute_all, compare as lay_out, journeys};

use crate::question::Stamp;
use crate::{AnswerError, Coverage, Data, Question};

/// Credit by one dimension under one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribution {
    /// The credit.
    #[serde(flatten)]
    pub credit: tributary_engine::Attribution,
    /// How it came about.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// Models side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The models.
    #[serde(flatten)]
    pub comparison: lay_out::Comparison,
    /// Why each other model differs from the first, if that was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<Why>,
    /// How it came about.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// Splits every deal's revenue over its touches, once for each model.
pub fn attribute(
    data: &Data,
    question: &Question,
    models: &[Choice],
    by: By,
) -> Result<Vec<Attribution>, AnswerError> {
    let journeys = journeys(&data.book, &question.policy);
    let coverage = Coverage::of_journeys(data, &journeys);
    let ready = question.ready(data, &journeys, models)?;
    let credited = attribute_all(&journeys, &ready, by, &data.rates, question.currency);
    let answers = models.iter().zip(credited).map(|(model, credit)| Attribution {
        credit,
        stamp: question.stamp(std::slice::from_ref(model)).over(coverage.clone()),
    });
    Ok(answers.collect())
}

/// Lays models side by side; `None` without any.
pub fn compare(
    data: &Data,
    question: &Question,
    models: &[Choice],
    by: By,
) -> Result<Option<Comparison>, AnswerError> {
    let attributions = attribute(data, question, models, by)?;
    let Some(coverage) = attributions.first().map(|one| one.stamp.coverage.clone()) else { return Ok(None) };
    let attributions: Vec<_> = attributions.into_iter().map(|one| one.credit).collect();
    let stamp = Stamp { coverage, ..question.stamp(models) };
    let laid_out = lay_out::compare(&attributions);
    Ok(laid_out.map(|comparison| Comparison { comparison, why: Vec::new(), stamp }))
}

/// As [`compare`], with the reasons why each other rule differs from the first, deal by deal. A model that learned has
/// no rule to give as a reason.
pub fn compare_with_reasons(
    data: &Data,
    question: &Question,
    models: &[Choice],
    by: By,
) -> Result<Option<Comparison>, AnswerError> {
    let comparison = compare(data, question, models, by)?;
    let mut rules = models.iter().filter_map(|model| match model {
        Choice::Rule(model) => Some(&**model),
        Choice::Learned { .. } => None,
    });
    let Some(first) = rules.next() else { return Ok(comparison) };
    let journeys = journeys(&data.book, &question.policy);
    let why = rules.map(|other| differ(&journeys, [first, other], by, &data.rates, question.currency));
    let why = why.collect();
    Ok(comparison.map(|comparison| Comparison { why, ..comparison }))
}
