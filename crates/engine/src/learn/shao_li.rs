//! The second-order probabilistic model of Shao and Li: how often paths with a key convert, corrected by how often
//! paths with two keys do.
//!
//! With p(y|i) the conversion rate of the paths that have key i, and p(y|i,j) that of the paths that have both, a key
//! of a converting path with m distinct keys gets
//!
//! > C(i) = p(y|i) + 1 / (2 (m − 1)) · Σ over the path's other keys j of (p(y|i,j) − p(y|i) − p(y|j))
//!
//! and p(y|i) if it is alone. A key's effect is the sum of C over all conversions. The sum over keys means nothing by
//! itself, so credit is scaled to the conversions there were. C may fall below 0, where two keys together convert
//! worse than each alone: it then counts as 0 in credit, stays negative in the effect, and the model remarks it.
//!
//! Its probability is the mean of p(y|i,j) over all pairs of the path's keys that were ever seen together; of one key
//! p(y|i).
//!
//! ```
//! use tributary_engine::learn::{Learned, shao_li::ShaoLi};
//! use tributary_engine::paths::{Path, Paths};
//! let row = |steps: &str, conversions: f64, nulls: f64| Path {
//!     steps: steps.split(' ').map(str::to_owned).collect(), conversions, value: 0.0, nulls,
//! };
//! let rows = [row("C1 C2 C3", 1.0, 0.0), row("C1", 0.0, 1.0), row("C2 C3", 0.0, 1.0)];
//! let fitted = ShaoLi::fit(&Paths::of_rows(&rows))?;
//! // p(y|C1) = 1/2, p(y|C1,C2) = p(y|C1,C3) = 1: 1/2 + 1/4 · ((1 − 1/2 − 1/2) + (1 − 1/2 − 1/2)).
//! assert_eq!(fitted.credit()[0].effect, 0.5);
//! assert_eq!(fitted.credit()[1].effect, 0.375);
//! assert!((fitted.credit()[0].conversions - 0.4).abs() < 1e-12);
//! # Ok::<(), tributary_engine::learn::LearnError>(())
//! ```
//!
//! When it misleads: a key that comes late, when a deal is nearly won, has a high rate that it did not cause.
//!
//! Reference: Shao, Li 2011, Data-driven multi-touch attribution models, KDD.

use super::sets::{Sets, distinct};
use super::{Credit, LearnError, Learned, Remark, in_proportion, remarks_on, weigh_by_effect};
use crate::paths::{Paths, Steps};

/// The fitted second-order model.
#[derive(Clone, Debug)]
pub struct ShaoLi {
    credit: Vec<Credit>,
    rates: Rates,
    clamped: f64,
}

/// Conversion rates of keys, and of pairs of keys that share a path.
#[derive(Clone, Debug)]
struct Rates {
    single: Vec<f64>,
    /// For each key the others that share a path with it, sorted, with the rate of those paths.
    pairs: Vec<Vec<(u32, f64)>>,
}

impl ShaoLi {
    /// Fits on paths of which some converted.
    pub fn fit(paths: &Paths) -> Result<Self, LearnError> {
        let sets = Sets::of(paths);
        let totals = sets.totals();
        if totals.0 <= 0.0 {
            return Err(LearnError::NoConversions);
        }
        let rates = Rates::of(&sets, paths.walked.keys.len());
        let mut effects = vec![[0.0_f64; 3]; rates.single.len()];
        let mut clamped = 0.0;
        for (set, keys) in sets.all().enumerate() {
            let (conversions, value) = (sets.conversions[set], sets.value[set]);
            if conversions == 0.0 && value == 0.0 {
                continue;
            }
            for key in keys {
                let effect = rates.effect(*key, keys);
                let [signed, positive, worth] = &mut effects[*key as usize];
                *signed += conversions * effect;
                *positive += conversions * effect.max(0.0);
                *worth += value * effect.max(0.0);
                clamped += if effect < 0.0 { conversions } else { 0.0 };
            }
        }
        let column = |which: usize| effects.iter().map(|effect| effect[which]).collect::<Vec<f64>>();
        let credit = in_proportion(&column(0), &column(1), &column(2), totals);
        Ok(Self { credit, rates, clamped })
    }
}

impl Learned for ShaoLi {
    fn credit(&self) -> &[Credit] {
        &self.credit
    }

    fn weigh(&self, steps: Steps<'_>, out: &mut Vec<f64>) {
        let keys = distinct(steps.keys);
        let effects: Vec<f64> = keys.iter().map(|key| self.rates.effect(*key, &keys)).collect();
        weigh_by_effect(|key| keys.binary_search(&key).map_or(0.0, |place| effects[place]), steps, out);
    }

    fn probability(&self, steps: Steps<'_>) -> f64 {
        let keys = distinct(steps.keys);
        let (mut sum, mut count) = (0.0, 0.0);
        for (place, key) in keys.iter().enumerate() {
            for rate in keys[place + 1..].iter().filter_map(|other| self.rates.pair(*key, *other)) {
                sum += rate;
                count += 1.0;
            }
        }
        if count == 0.0 {
            sum = keys.iter().map(|key| self.rates.single[*key as usize]).sum();
            count = keys.len().max(1) as f64;
        }
        sum / count
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut out = remarks_on(&self.credit);
        if self.clamped > 0.0 {
            out.push(Remark::Clamped { conversions: self.clamped });
        }
        out
    }
}

impl Rates {
    fn of(sets: &Sets, keys: usize) -> Self {
        let rate = |positive: f64, negative: f64| {
            if positive + negative > 0.0 { positive / (positive + negative) } else { 0.0 }
        };
        let (mut single, mut pairs) = (Vec::with_capacity(keys), Vec::with_capacity(keys));
        let mut counts = vec![(0.0, 0.0); keys];
        for (key, own) in sets.by_key(keys).iter().enumerate() {
            let mut others = Vec::new();
            for set in own {
                let set = *set as usize;
                for other in sets.keys(set) {
                    let (positive, negative) = &mut counts[*other as usize];
                    if *positive == 0.0 && *negative == 0.0 {
                        others.push(*other);
                    }
                    *positive += sets.conversions[set];
                    *negative += sets.nulls[set];
                }
            }
            single.push(rate(counts[key].0, counts[key].1));
            others.sort_unstable();
            others.dedup();
            pairs.push(
                others
                    .into_iter()
                    .map(|other| {
                        let (positive, negative) = std::mem::take(&mut counts[other as usize]);
                        (other, rate(positive, negative))
                    })
                    .collect(),
            );
        }
        Self { single, pairs }
    }

    fn pair(&self, key: u32, other: u32) -> Option<f64> {
        let pairs = &self.pairs[key as usize];
        pairs.binary_search_by_key(&other, |pair| pair.0).ok().map(|place| pairs[place].1)
    }

    /// C of a key among the distinct keys of a path. A pair that was never seen says nothing.
    fn effect(&self, key: u32, keys: &[u32]) -> f64 {
        let single = |key: u32| self.single[key as usize];
        let second =
            |other: &u32| self.pair(key, *other).map_or(0.0, |pair| pair - single(key) - single(*other));
        let sum: f64 = keys.iter().filter(|other| **other != key).map(second).sum();
        single(key) + if keys.len() > 1 { sum / (2.0 * (keys.len() - 1) as f64) } else { 0.0 }
    }
}
