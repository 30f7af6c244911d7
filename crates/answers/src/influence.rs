//! How much of what was won each key took part in. This is participation, not credit.

use serde::Serialize;
use tributary_engine::{By, influence as engine, journeys};

use crate::question::Stamp;
use crate::{Coverage, Data, Question};

/// Participation by one dimension.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Influence {
    /// Which deals each key touched, and their whole amount.
    #[serde(flatten)]
    pub influence: engine::Influence,
    /// How it came about.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// Adds up the deals that each key touched; no model has a part in it.
pub fn influence(data: &Data, question: &Question, by: By) -> Influence {
    let journeys = journeys(&data.book, &question.policy);
    let influence = engine::influence(&journeys, by, &data.rates, question.currency);
    Influence { influence, stamp: question.stamp(&[]).over(Coverage::of_journeys(data, &journeys)) }
}
