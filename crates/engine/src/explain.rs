//! One deal, touch by touch: weight, money and the rule that gave it, under each model.

use serde::Serialize;
use tributary_core::money;

use crate::credit::{Worth, worth};
use crate::journey::{Journey, Journeys};
use crate::money::Rates;
use crate::splitter::{Reason, Splits};

/// One touch of a journey.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Touch {
    /// The row of the book's touches.
    #[serde(skip)]
    pub row: usize,
    /// What each model gives it, in the order of the models.
    pub credits: Vec<Credit>,
}

/// What one model gives one touch.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Credit {
    /// Of the deal.
    pub weight: f64,
    /// Minor units of the reporting currency.
    pub credit_minor: i64,
    /// The rules that gave it, such as `first + lead`; empty where none did.
    pub rule: String,
    /// Why the model gives it nothing, where it leaves the touch out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// Explains one journey under some models.
pub fn explain<'m, M>(
    journeys: &Journeys<'_>,
    journey: &Journey,
    models: &'m [M],
    rates: &Rates,
    reporting: tributary_core::Currency,
) -> Vec<Touch>
where
    &'m M: Into<Splits<'m>>,
{
    let minor = match worth(journey, rates, reporting) {
        Worth::Minor(minor) => minor,
        Worth::Unconverted(_) => 0,
    };
    let rows = journeys.touches(journey);
    let mut touches: Vec<Touch> =
        rows.iter().map(|row| Touch { row, credits: Vec::with_capacity(models.len()) }).collect();
    let mut weights = Vec::new();
    for model in models {
        let mut rules = vec![Vec::new(); rows.len()];
        let mut left_out = vec![None; rows.len()];
        let mut weigher = model.into().bind(journeys);
        weigher.weigh(journeys, journey, &mut weights, &mut |touch, reason| match reason {
            Reason::Gives(rule) => rules[touch].push(rule),
            Reason::LeavesOut(rule) => left_out[touch] = Some(rule),
        });
        let mut shares = Vec::new();
        money::split(minor, &weights, &mut shares);
        for (index, touch) in touches.iter_mut().enumerate() {
            let (weight, credit_minor) = (weights[index], shares[index]);
            let rule = if weight > 0.0 { rules[index].join(" + ") } else { String::new() };
            let left_out = left_out[index].take().filter(|_| weight <= 0.0);
            touch.credits.push(Credit { weight, credit_minor, rule, left_out });
        }
    }
    touches
}
