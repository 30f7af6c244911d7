//! The additive hazard model: each touch adds an intensity of converting that fades with time.
//!
//! A path whose steps lie Δᵢ days before its end converts there with the intensity
//!
//! > λ = Σᵢ β·ω·e^(−ω·Δᵢ)
//!
//! with β, what a touch of the key comes to in the long run, and ω, how fast it fades, for each key. Paths that did
//! not convert say that nothing happened up to their end. The likelihood Σ log λ − Σ β (1 − e^(−ω·Δ)), first over
//! conversions, then over all, is climbed by EM: a conversion is split over its steps by their part pᵢ of the
//! intensity, then
//!
//! > β = Σ p / Σ (1 − e^(−ω·Δ)),  ω = Σ p / Σ (p·Δ + β·Δ·e^(−ω·Δ))
//!
//! for each key, the new β and the old ω on the right, so that the likelihood never falls. Credit of a step is pᵢ.
//!
//! A touch a minute before the close would explain it all, with an ω without bound: ages below a day count as a day
//! (`floor_days`). The probability is that of converting at any time from the path's end on if it has not yet,
//! 1 − e^(−Σ β·e^(−ω·Δ)); without a clock every age is 0.
//!
//! ```
//! use std::sync::Arc;
//! use tributary_engine::learn::{Learned, hazard::{Hazard, Options}};
//! use tributary_engine::paths::{Paths, Walked};
//! // Two won deals with one touch, ten days before: a. One lost deal with one touch, b.
//! let walked = Walked {
//!     keys: vec![Some("a".to_owned()), Some("b".to_owned())],
//!     steps: vec![0, 0, 1], ages_days: vec![10.0, 10.0, 40.0], starts: vec![0, 1, 2, 3],
//!     ..Walked::default()
//! };
//! let outcome = |won: &[f64]| won.to_vec();
//! let paths = Paths { walked: Arc::new(walked), conversions: outcome(&[1.0, 1.0, 0.0]),
//!     value: outcome(&[5.0, 7.0, 0.0]), nulls: outcome(&[0.0, 0.0, 1.0]) };
//! let fitted = Hazard::fit(&Options::default(), &paths)?;
//! assert_eq!(fitted.credit()[0].value, 12.0);
//! assert_eq!(fitted.credit()[1].value, 0.0);
//! # Ok::<(), tributary_engine::learn::LearnError>(())
//! ```
//!
//! When it misleads: it knows when things happened and nothing else, so what comes last before a close, such as a
//! call to sign, is taken for its cause. It takes touches to add up, and never to get in each other's way.
//!
//! Reference: Zhang, Wei, Ren 2014, Multi-touch attribution in online advertising with survival theory, ICDM.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Credit, LearnError, Learned, Remark, remarks_on};
use crate::paths::{Paths, Steps};

const FIRST_BETA: f64 = 0.5;
const FIRST_OMEGA: f64 = 0.1;
/// What rounding may take from a likelihood, in parts of it.
const ROUNDING: f64 = 1e-12;
/// No effect fades faster than in a second, in days.
const FASTEST: f64 = 86_400.0;

/// Options of the additive hazard model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The least age of a touch in days.
    pub floor_days: f64,
    /// The most rounds of EM.
    pub rounds: u32,
    /// EM ends once a round raises the likelihood by less than this part of it.
    pub tolerance: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { floor_days: 1.0, rounds: 300, tolerance: 1e-8 }
    }
}

/// The fitted additive hazard model.
#[derive(Clone, Debug)]
pub struct Hazard {
    credit: Vec<Credit>,
    effects: Vec<Effect>,
    floor: f64,
    likelihoods: Vec<f64>,
    converged: bool,
}

/// What a touch of one key does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// β: the intensity that a touch adds, over all time to come.
    pub beta: f64,
    /// ω: how fast it fades, a day.
    pub omega: f64,
}

impl Effect {
    /// The logarithm of the intensity at an age.
    fn log(self, age: f64) -> f64 {
        self.beta.ln() + self.omega.ln() - self.omega * age
    }
}

/// What a round sums for one key.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// Conversions, and what they were worth.
    parts: f64,
    value: f64,
    /// Conversions times age.
    aged: f64,
    /// Σ (1 − e^(−ω·Δ)) and Σ Δ·e^(−ω·Δ) over all steps.
    spent: f64,
    slope: f64,
}

impl Hazard {
    /// Fits on paths with a clock of which some converted.
    pub fn fit(options: &Options, paths: &Paths) -> Result<Self, LearnError> {
        if !(options.floor_days >= 0.0 && options.floor_days.is_finite()) {
            return Err(LearnError::Option("floor_days must be a number of 0 or more"));
        }
        if paths.conversions.iter().sum::<f64>() <= 0.0 {
            return Err(LearnError::NoConversions);
        }
        if paths.walked.ages_days.is_empty() {
            return Err(LearnError::NeedsTimes);
        }
        let keys = paths.walked.keys.len();
        let order = in_order(paths);
        let mut effects = vec![Effect { beta: FIRST_BETA, omega: FIRST_OMEGA }; keys];
        let (mut likelihoods, mut converged) = (Vec::new(), false);
        let mut sums = vec![Sums::default(); keys];
        let mut before = effects.clone();
        for round in 0..=options.rounds {
            let likelihood = expect(paths, &order, &effects, options.floor_days, &mut sums);
            let gain = likelihoods.last().map_or(f64::INFINITY, |last| likelihood - last);
            // At the top rounding alone moves it, and what was before is as good.
            if gain < 0.0 && -gain <= ROUNDING * likelihood.abs() {
                effects.clone_from(&before);
                expect(paths, &order, &effects, options.floor_days, &mut sums);
                converged = true;
                break;
            }
            likelihoods.push(likelihood);
            converged = (0.0..=options.tolerance * likelihood.abs()).contains(&gain);
            if converged || round == options.rounds {
                break;
            }
            before.clone_from(&effects);
            maximise(&mut effects, &sums);
        }
        let credit = |sums: &Sums| Credit { effect: sums.parts, conversions: sums.parts, value: sums.value };
        let credit = sums.iter().map(credit).collect();
        Ok(Self { credit, effects, floor: options.floor_days, likelihoods, converged })
    }

    /// What a touch of each key does, by number of key.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// The log-likelihood before the first round, and after each.
    pub fn likelihoods(&self) -> &[f64] {
        &self.likelihoods
    }
}

impl Learned for Hazard {
    fn credit(&self) -> &[Credit] {
        &self.credit
    }

    fn weigh(&self, steps: Steps<'_>, out: &mut Vec<f64>) {
        out.clear();
        split(steps, &self.effects, self.floor, out);
    }

    fn probability(&self, steps: Steps<'_>) -> f64 {
        let left = |(place, key): (usize, &u32)| {
            let effect = self.effects[*key as usize];
            effect.beta * (-effect.omega * age(steps, place, 0.0)).exp()
        };
        -(-steps.keys.iter().enumerate().map(left).sum::<f64>()).exp_m1()
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut out = remarks_on(&self.credit);
        if !self.converged {
            out.push(Remark::NotConverged { rounds: self.likelihoods.len() - 1 });
        }
        out
    }
}

/// The paths that count, in an order of their own, so that sums do not depend on the order they came in.
fn in_order(paths: &Paths) -> Vec<usize> {
    let mut out: Vec<usize> =
        (0..paths.len()).filter(|path| paths.conversions[*path] + paths.nulls[*path] > 0.0).collect();
    let numbers = |path: usize| [paths.conversions[path], paths.nulls[path], paths.value[path]];
    out.sort_unstable_by(|a, b| {
        let (one, other) = (paths.walked.steps(*a), paths.walked.steps(*b));
        let floats = |one: &[f64], other: &[f64]| {
            let mut pairs = one.iter().zip(other).map(|(a, b)| a.total_cmp(b));
            pairs.find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        };
        one.keys
            .cmp(other.keys)
            .then_with(|| floats(one.ages_days, other.ages_days))
            .then_with(|| floats(&numbers(*a), &numbers(*b)))
    });
    out
}

fn age(steps: Steps<'_>, place: usize, floor: f64) -> f64 {
    steps.ages_days.get(place).map_or(floor, |age| age.max(floor))
}

/// Writes each step's part of the intensity at the path's end, and gives the logarithm of the whole.
fn split(steps: Steps<'_>, effects: &[Effect], floor: f64, out: &mut Vec<f64>) -> f64 {
    out.clear();
    let logs = steps.keys.iter().enumerate();
    out.extend(logs.map(|(place, key)| effects[*key as usize].log(age(steps, place, floor))));
    let largest = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        out.fill(0.0);
        return largest;
    }
    let mut whole = 0.0;
    for part in out.iter_mut() {
        *part = (*part - largest).exp();
        whole += *part;
    }
    for part in out.iter_mut() {
        *part /= whole;
    }
    largest + whole.ln()
}

/// Splits the conversions, and gives the log-likelihood.
fn expect(paths: &Paths, order: &[usize], effects: &[Effect], floor: f64, sums: &mut [Sums]) -> f64 {
    sums.fill(Sums::default());
    let (mut parts, mut likelihood) = (Vec::new(), 0.0);
    for path in order {
        let steps = paths.walked.steps(*path);
        let (won, value) = (paths.conversions[*path], paths.value[*path]);
        let count = won + paths.nulls[*path];
        if won > 0.0 {
            likelihood += won * split(steps, effects, floor, &mut parts);
            for (place, (key, part)) in steps.keys.iter().zip(&parts).enumerate() {
                let own = &mut sums[*key as usize];
                own.parts += won * part;
                own.value += value * part;
                own.aged += won * part * age(steps, place, floor);
            }
        }
        for (place, key) in steps.keys.iter().enumerate() {
            let age = age(steps, place, floor);
            let gone = (-effects[*key as usize].omega * age).exp_m1();
            let own = &mut sums[*key as usize];
            own.spent -= count * gone;
            own.slope += count * age * (1.0 + gone);
        }
    }
    likelihood - effects.iter().zip(sums).map(|(effect, sums)| effect.beta * sums.spent).sum::<f64>()
}

fn maximise(effects: &mut [Effect], sums: &[Sums]) {
    for (effect, sums) in effects.iter_mut().zip(sums) {
        if sums.spent > 0.0 {
            effect.beta = sums.parts / sums.spent;
        }
        let fades = sums.aged + effect.beta * sums.slope;
        if sums.parts > 0.0 && fades > 0.0 {
            effect.omega = (sums.parts / fades).min(FASTEST);
        }
    }
}
