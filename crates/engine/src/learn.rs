//! Data-driven models: what many paths teach about the keys (channels, campaigns, …) on them.
//!
//! A model is fitted on [`Paths`](crate::paths::Paths) and then answers alike, whichever it is: the credit of each key overall, how one
//! conversion is split over the steps of its path, and how likely a path is to convert. Nothing is simulated where a
//! closed form exists, and what needs chance takes a seed. Not responsible for money: `credit` rounds to the cent.

pub mod explain;
mod fitted;
pub mod hazard;
pub mod logistic;
pub mod markov;
pub mod method;
mod sets;
pub mod shao_li;
pub mod shapley;
pub mod shapley_rate;

use std::fmt::{self, Debug};

use serde::Serialize;

use self::markov::Removal;
use crate::paths::Steps;
pub use fitted::{Fitted, TrainingSet};
pub use method::Method;

/// A fitted data-driven model.
///
/// Steps are numbers of the keys of the [`Paths`](crate::paths::Paths) it was fitted on.
pub trait Learned: Debug + Send + Sync {
    /// The credit of each key over all paths, by number of key.
    fn credit(&self) -> &[Credit];

    /// How a conversion is split over the steps of its path: weights of 0 or more that sum to 1, or all 0 where no
    /// step has an effect.
    fn weigh(&self, steps: Steps<'_>, out: &mut Vec<f64>);

    /// How likely a path that has come so far is to convert, from 0 to 1. Reads no step that is not given.
    fn probability(&self, steps: Steps<'_>) -> f64;

    /// What a reader must know to read the credit rightly.
    fn remarks(&self) -> Vec<Remark> {
        remarks_on(self.credit())
    }
}

/// What a data-driven model credits one key with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Credit {
    /// The effect that the credit is in proportion to, in the model's own terms: a removal effect, a Shapley value.
    /// May be negative where the model allows it.
    pub effect: f64,
    /// Conversions. All keys' together are those of the paths, unless the model says otherwise.
    pub conversions: f64,
    /// Value, in the unit of the paths.
    pub value: f64,
}

/// What a reader must know of a fitted model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "remark", rename_all = "snake_case")]
pub enum Remark {
    /// What removing a key meant.
    Removed {
        /// The removal.
        removal: Removal,
    },
    /// Keys whose effect is below 0: they get no credit.
    Negative {
        /// How many.
        keys: usize,
    },
    /// On some conversions a key's effect fell below 0 and counted as 0.
    Clamped {
        /// On how many, one for each such key.
        conversions: f64,
    },
    /// No key has an effect above 0, so nothing is credited.
    NoEffect,
    /// Effects are means over permutations.
    Sampled {
        /// How many were drawn.
        permutations: usize,
        /// How far an effect is off at most, with probability 0.95 (Hoeffding).
        bound: f64,
        /// Half the widest 95 % interval of an effect, by the spread of batches.
        interval: f64,
    },
    /// The fit did not come to an end.
    NotConverged {
        /// After how many rounds it was given up.
        rounds: usize,
    },
    /// Keys beyond the most that have a coefficient: they get no credit.
    TooMany {
        /// How many.
        keys: usize,
    },
    /// No deals of both outcomes are there to compare, so accounts without a deal are compared too.
    BeyondDeals,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed { removal } => write!(f, "{removal}"),
            Self::Negative { keys: 1 } => {
                write!(f, "one key has an effect below 0 and gets no credit for it")
            }
            Self::Negative { keys } => {
                write!(f, "{keys} keys have an effect below 0 and get no credit for it")
            }
            Self::Clamped { conversions } => {
                write!(f, "{conversions} times a key's effect on a conversion fell below 0 and counts as 0")
            }
            Self::NoEffect => write!(f, "no key has an effect above 0: nothing is credited"),
            Self::Sampled { permutations, bound, interval } => write!(
                f,
                "effects are means over {permutations} permutations: surely within {bound:.4}, and by their own \
                 spread within {interval:.4}, 19 times of 20"
            ),
            Self::NotConverged { rounds } => {
                write!(f, "the fit was given up after {rounds} rounds: do not rely on it")
            }
            Self::TooMany { keys } => {
                write!(f, "the {keys} keys on the fewest paths have no coefficient and get no credit")
            }
            Self::BeyondDeals => {
                write!(
                    f,
                    "there are no won and lost deals to compare, so paths without a deal are compared too"
                )
            }
        }
    }
}

/// Why a model can't be fitted. A fragment that fits after "model NAME: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LearnError {
    /// Nothing converted.
    #[error("no path ends in a conversion: there is nothing to learn from")]
    NoConversions,
    /// Everything converted, and the model compares.
    #[error("no path ends without a conversion: there is nothing to compare with")]
    NoNulls,
    /// Paths without a clock, and the model needs times.
    #[error("it needs the time of each step, which path files do not have; use it on a store")]
    NeedsTimes,
    /// An option that makes no sense.
    #[error("{0}")]
    Option(&'static str),
    /// A Markov order that there is not.
    #[error("order {0} is not one of 1, 2, 3 and 4")]
    Order(u8),
    /// More keys than states can be numbered for.
    #[error(
        "{keys} keys are too many for order {order}; choose a lower order, or a dimension with fewer keys"
    )]
    TooManyKeys {
        /// How many keys there are.
        keys: usize,
        /// The order asked for.
        order: u8,
    },
    /// More states than can be solved in reasonable time.
    #[error(
        "the paths have {states} states, more than {limit}; choose a lower order, or a dimension with fewer keys"
    )]
    TooManyStates {
        /// How many states there are.
        states: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Iteration did not come to the precision that is promised.
    #[error("the chain can't be solved precisely: next to no path ends; choose order 1")]
    Unsolved,
}

/// Splits a conversion by the effect of each distinct key, evenly over the key's own steps. Effects below 0 count as 0.
pub(crate) fn weigh_by_effect(effect: impl Fn(u32) -> f64, steps: Steps<'_>, out: &mut Vec<f64>) {
    out.clear();
    let mut keys: Vec<u32> = steps.keys.to_vec();
    keys.sort_unstable();
    let count = |key: u32| {
        let from = keys.partition_point(|it| *it < key);
        keys[from..].partition_point(|it| *it == key) as f64
    };
    let whole: f64 = keys.chunk_by(|a, b| a == b).map(|same| effect(same[0]).max(0.0)).sum();
    let share = |key: u32| if whole > 0.0 { effect(key).max(0.0) / whole / count(key) } else { 0.0 };
    out.extend(steps.keys.iter().map(|key| share(*key)));
}

/// Credit in proportion to the conversions' positive effects, scaled to the totals. Value goes in proportion to the
/// effects on value, or, where the two disagree in sign, to those on conversions.
pub(crate) fn in_proportion(
    effects: &[f64],
    conversions: &[f64],
    value: &[f64],
    totals: (f64, f64),
) -> Vec<Credit> {
    let shares = |parts: &[f64]| {
        let whole: f64 = parts.iter().map(|part| part.max(0.0)).sum();
        (whole > 0.0 && whole.is_finite())
            .then(|| parts.iter().map(|part| part.max(0.0) / whole).collect::<Vec<_>>())
    };
    let Some(by_conversions) = shares(conversions) else {
        return effects.iter().map(|effect| Credit { effect: *effect, ..Credit::default() }).collect();
    };
    let by_value = if totals.1 > 0.0 { shares(value) } else { None };
    let by_value = by_value.unwrap_or_else(|| by_conversions.clone());
    (0..effects.len())
        .map(|key| Credit {
            effect: effects[key],
            conversions: by_conversions[key] * totals.0,
            value: by_value[key] * totals.1,
        })
        .collect()
}

/// What any credit calls for remarking.
pub(crate) fn remarks_on(credit: &[Credit]) -> Vec<Remark> {
    let keys = credit.iter().filter(|credit| credit.effect < 0.0 && credit.conversions == 0.0).count();
    let mut out = Vec::new();
    if keys > 0 {
        out.push(Remark::Negative { keys });
    }
    if credit.iter().all(|credit| credit.conversions == 0.0) {
        out.push(Remark::NoEffect);
    }
    out
}
