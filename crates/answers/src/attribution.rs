//! Credit by a dimension, and models side by side.

use serde::Serialize;
use tributary_engine::differ::{Why, differ};
use tributary_engine::{By, Model, attribute_all, compare as lay_out, journeys};

use crate::question::Stamp;
use crate::{Coverage, Data, Question};

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
pub fn attribute(data: &Data, question: &Question, models: &[Model], by: By) -> Vec<Attribution> {
    let journeys = journeys(&data.book, &question.policy);
    let coverage = Coverage::of_journeys(data, &journeys);
    let credited = attribute_all(&journeys, models, by, &data.rates, question.currency);
    models
        .iter()
        .zip(credited)
        .map(|(model, credit)| Attribution {
            credit,
            stamp: question.stamp(std::slice::from_ref(model)).over(coverage.clone()),
        })
        .collect()
}

/// Lays models side by side; `None` without any.
pub fn compare(data: &Data, question: &Question, models: &[Model], by: By) -> Option<Comparison> {
    let attributions = attribute(data, question, models, by);
    let coverage = attributions.first()?.stamp.coverage.clone();
    let attributions: Vec<_> = attributions.into_iter().map(|one| one.credit).collect();
    let comparison = lay_out::compare(&attributions)?;
    Some(Comparison { comparison, why: Vec::new(), stamp: Stamp { coverage, ..question.stamp(models) } })
}

/// As [`compare`], with the reasons why each other model differs from the first, deal by deal.
pub fn compare_with_reasons(
    data: &Data,
    question: &Question,
    models: &[Model],
    by: By,
) -> Option<Comparison> {
    let comparison = compare(data, question, models, by)?;
    let (first, others) = models.split_first()?;
    let journeys = journeys(&data.book, &question.policy);
    let why = |other| differ(&journeys, [first, other], by, &data.rates, question.currency);
    Some(Comparison { why: others.iter().map(why).collect(), ..comparison })
}
