//! What splits a deal: a rule, or what was learned from the book. One face for both, so that every report takes either.
//!
//! Not responsible for how either weighs: that is `model` and `learn`.

use std::cell::LazyCell;
use std::sync::Arc;

use serde::Serialize;
use tributary_core::Currency;
use tributary_core::book::Columns;

use crate::credit::By;
use crate::journey::{Journey, Journeys};
use crate::learn::{Fitted, LearnError, Method, TrainingSet};
use crate::model::{Bound, Known, Model, Shape, Weights};
use crate::money::Rates;

/// A model as it is asked for, before it has seen a book.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// A rule.
    Rule(Box<Model>),
    /// A method that learns from the journeys that it is to split.
    Learned {
        /// The model's name.
        name: String,
        /// How it learns.
        method: Method,
    },
}

/// A model that can't be used on these journeys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model {name}: {source}")]
pub struct NotLearned {
    /// The model.
    pub name: String,
    /// Why.
    pub source: LearnError,
}

impl Choice {
    /// A built-in model, a preset, or a built-in method.
    pub fn builtin(name: &str) -> Option<Self> {
        let learned = Method::builtin(name).map(|method| Self::Learned { name: name.to_owned(), method });
        learned.or_else(|| Model::builtin(name).ok().map(Box::new).map(Self::Rule))
    }

    /// The names of what is built in, in the order of the documentation.
    pub fn names() -> Vec<String> {
        let methods = Method::names().iter().map(|name| (*name).to_owned()).collect();
        [Model::names(), methods, Model::presets()].concat()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Rule(model) => &model.name,
            Self::Learned { name, .. } => name,
        }
    }

    /// What it reads of a book beyond what finding journeys reads.
    pub fn columns(&self, fit_on: By) -> Columns {
        match self {
            Self::Rule(model) => model.columns(),
            Self::Learned { .. } => fit_on.columns(),
        }
    }
}

/// Makes models ready for journeys: rules are; methods learn from them, by the keys of one dimension.
pub fn ready(
    models: &[Choice],
    journeys: &Journeys<'_>,
    fit_on: By,
    rates: &Rates,
    reporting: Currency,
) -> Result<Vec<Splitter>, NotLearned> {
    let training_set = LazyCell::new(|| Arc::new(TrainingSet::of(journeys, fit_on, (rates, reporting))));
    let one = |model: &Choice| match model {
        Choice::Rule(model) => Ok(Splitter::Rule(model.clone())),
        Choice::Learned { name, method } => Fitted::new(name, method, &training_set)
            .map(|fitted| Splitter::Learned(Box::new(fitted)))
            .map_err(|source| NotLearned { name: name.clone(), source }),
    };
    models.iter().map(one).collect()
}

/// A model that is ready to split journeys.
#[derive(Clone, Debug)]
pub enum Splitter {
    /// A rule.
    Rule(Box<Model>),
    /// What was learned from these journeys.
    Learned(Box<Fitted>),
}

/// A model by reference.
#[derive(Clone, Copy, Debug)]
pub enum Splits<'m> {
    /// A rule.
    Rule(&'m Model),
    /// What was learned from the journeys.
    Learned(&'m Fitted),
}

impl<'m> From<&'m Model> for Splits<'m> {
    fn from(model: &'m Model) -> Self {
        Self::Rule(model)
    }
}

impl<'m> From<&'m Splitter> for Splits<'m> {
    fn from(splitter: &'m Splitter) -> Self {
        match splitter {
            Splitter::Rule(model) => Self::Rule(model),
            Splitter::Learned(fitted) => Self::Learned(fitted),
        }
    }
}

impl<'m> Splits<'m> {
    /// Its name.
    pub fn name(self) -> &'m str {
        match self {
            Self::Rule(model) => &model.name,
            Self::Learned(fitted) => &fitted.name,
        }
    }

    /// Prepares it for a set of journeys.
    pub fn bind(self, journeys: &Journeys<'_>) -> Weigher<'m> {
        match self {
            Self::Rule(model) => Weigher::Rule(Box::new(model.bind(journeys))),
            Self::Learned(fitted) => Weigher::Learned(fitted, Vec::new()),
        }
    }

    /// The rule, if it is one.
    pub fn rule(self) -> Option<&'m Model> {
        if let Self::Rule(model) = self { Some(model) } else { None }
    }
}

/// A model on a set of journeys. Keeps its buffers between journeys.
#[derive(Debug)]
pub enum Weigher<'m> {
    /// A rule.
    Rule(Box<Bound<'m>>),
    /// What was learned from the journeys.
    Learned(&'m Fitted, Vec<f64>),
}

impl Weigher<'_> {
    /// The weights of a journey's touches: they sum to 1, or all are 0 when nothing counts.
    pub fn weights(&mut self, journeys: &Journeys<'_>, journey: &Journey, out: &mut Vec<f64>) {
        match self {
            Self::Rule(bound) => bound.weights(journeys, journey, out),
            Self::Learned(fitted, _) => fitted.weights(journey, out),
        }
    }

    /// The same in the form that is quickest to add up, from what is known of the journey already.
    pub(crate) fn shape(
        &mut self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        known: Known<'_>,
    ) -> Shape<'_> {
        match self {
            Self::Rule(bound) => bound.shape(journeys, journey, known),
            Self::Learned(fitted, weights) => {
                fitted.weights(journey, weights);
                Shape { kept: None, weights: Weights::Each { weights, scale: 1.0 } }
            }
        }
    }

    /// As [`weights`](Self::weights), telling why each touch has what it has.
    pub fn weigh(
        &mut self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        out: &mut Vec<f64>,
        told: &mut dyn FnMut(usize, Reason),
    ) {
        match self {
            Self::Rule(bound) => {
                bound.weigh(journeys, journey, out, &mut |touch, rule| {
                    let words = rule.to_string();
                    told(
                        touch,
                        if rule.leaves_out() { Reason::LeavesOut(words) } else { Reason::Gives(words) },
                    );
                });
            }
            Self::Learned(fitted, _) => {
                fitted.weights(journey, out);
                for touch in 0..out.len() {
                    told(touch, Reason::Gives(format!("learned by {}", fitted.on().name())));
                }
            }
        }
    }
}

/// Why a touch has the weight it has, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule that gives it some.
    Gives(String),
    /// A rule that leaves it out.
    LeavesOut(String),
}

/// What a learned model says of all journeys together, beside its credit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lesson {
    /// The dimension that it was fitted on.
    pub fitted_on: By,
    /// What a reader must know to read it rightly.
    pub remarks: Vec<String>,
    /// Each key's credit over all paths, largest first, then by key.
    pub keys: Vec<Learnt>,
}

/// One key's credit over all paths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Learnt {
    /// The key; `None` for touches without the dimension.
    pub key: Option<String>,
    /// The effect in the model's own terms: a removal effect, a Shapley value.
    pub effect: f64,
    /// Of all value credited; of all conversions where they have no value.
    pub share: f64,
}

impl Fitted {
    /// What it says of all journeys together.
    pub fn lesson(&self) -> Lesson {
        let value: f64 = self.credit().map(|(_, credit)| credit.value).sum();
        let conversions: f64 = self.credit().map(|(_, credit)| credit.conversions).sum();
        let share = |credit: &crate::learn::Credit| match (value > 0.0, conversions > 0.0) {
            (true, _) => credit.value / value,
            (false, true) => credit.conversions / conversions,
            _ => 0.0,
        };
        let mut keys: Vec<Learnt> = self
            .credit()
            .map(|(key, credit)| Learnt { key: key.clone(), effect: credit.effect, share: share(credit) })
            .collect();
        keys.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.key.cmp(&b.key)));
        let remarks = self.remarks().iter().map(ToString::to_string).collect();
        Lesson { fitted_on: self.on(), remarks, keys }
    }
}
