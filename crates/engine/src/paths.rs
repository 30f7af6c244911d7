//! The rule models on aggregated path files: `path` (steps joined by ` > `), `conversions`, `value`, `nulls`.
//!
//! Reading never fails: what can't be used comes back as a problem with its line, and the rest counts. A step is
//! any text, `(start)` included: start, conversion and null are never texts here.

mod columns;
mod file;
mod traits;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::learn::{LearnError, Method};
use crate::model::{Decay, IfAllExcluded, Model, Place};

pub(crate) use columns::counted;
pub use columns::{About, Paths, Steps, Walked};
pub use file::{FileError, parse};
pub use traits::Trait;

/// One path and how often it was walked.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Its steps in order; never empty.
    pub steps: Vec<String>,
    /// How often it ended in a conversion.
    pub conversions: f64,
    /// What those conversions were worth together.
    pub value: f64,
    /// How often it ended without one.
    pub nulls: f64,
}

/// A row that can't be used, or only in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line of the file, from 1.
    pub line: u64,
    /// Why, and what was done.
    pub reason: String,
}

/// What one row of a path file says, as text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw<'a> {
    /// The line of the file, from 1.
    pub line: u64,
    /// Steps joined by ` > `.
    pub path: &'a str,
    /// A number, 0 if blank.
    pub conversions: &'a str,
    /// A number, 0 if blank.
    pub value: &'a str,
    /// A number, 0 if blank.
    pub nulls: &'a str,
}

/// Reads one row.
pub fn read(raw: &Raw<'_>, problems: &mut Vec<Problem>) -> Option<Path> {
    let mut problem = |reason: String| problems.push(Problem { line: raw.line, reason });
    let steps: Vec<String> = raw.path.split('>').map(str::trim).map(str::to_owned).collect();
    let filled: Vec<String> = steps.iter().filter(|step| !step.is_empty()).cloned().collect();
    if filled.is_empty() {
        problem("the path is empty: the row is left out".to_owned());
        return None;
    }
    if filled.len() < steps.len() {
        problem(format!("{} blank steps are left out of the path", steps.len() - filled.len()));
    }
    let mut number = |name: &str, text: &str| {
        let text = text.trim();
        if text.is_empty() {
            return Some(0.0);
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => {
                problem(format!("{name} `{text}` is not a number: the row is left out"));
                None
            }
        }
    };
    let (conversions, value) = (number("conversions", raw.conversions)?, number("value", raw.value)?);
    let nulls = number("nulls", raw.nulls)?;
    if conversions < 0.0 || nulls < 0.0 {
        problem("conversions and nulls must be 0 or more: the row is left out".to_owned());
        return None;
    }
    let stray = conversions == 0.0 && value != 0.0;
    if stray {
        problem(format!("value {value} without a conversion: the value is left out"));
    }
    if conversions == 0.0 && nulls == 0.0 {
        problem("neither conversions nor nulls: the row is left out".to_owned());
        return None;
    }
    Some(Path { steps: filled, conversions, value: if stray { 0.0 } else { value }, nulls })
}

/// Credit of one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The step.
    pub key: String,
    /// Conversions credited to it.
    pub conversions: f64,
    /// Value credited to it.
    pub value: f64,
    /// Of all conversions.
    pub share: f64,
}

/// Credit of all steps, and what no step got.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Credited {
    /// By conversions, largest first, then by key.
    pub rows: Vec<Row>,
    /// Conversions of paths in which no step weighs anything.
    pub unattributed_conversions: f64,
    /// What those were worth.
    pub unattributed_value: f64,
}

/// Why a model can't be used on path files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A path has no clock.
    #[error(
        "model {0} needs the time of each touch, which path files do not have; use it on a store, or choose linear or position"
    )]
    NeedsTimes(String),
    /// A path has no milestones.
    #[error(
        "model {0} needs milestones ({1}), which path files do not have; use it on a store, or choose position"
    )]
    NeedsMilestones(String, String),
    /// A step is a channel and nothing else.
    #[error(
        "model {0} looks at {1}, and path files have only channels; use it on a store, or choose linear or position"
    )]
    NeedsDimension(String, String),
    /// A step has no weight of its own.
    #[error(
        "model {0} needs the touches' own weights, which path files do not have; use it on a store, or choose linear"
    )]
    NeedsWeights(String),
}

/// Credits paths under one rule model, by step.
///
/// Exclusions and multipliers by channel see the steps; what a path does not have, a model may not ask for. Sums are
/// compensated, so that the order of the rows changes no printed digit.
pub fn attribute(paths: &[Path], model: &Model) -> Result<Credited, PathError> {
    check(model)?;
    let spec = model.spec();
    let excluded = spec.exclude.get("channel").map_or(&[][..], Vec::as_slice);
    let factors = spec.multiply.get("channel");
    let by_rank = spec.decay == Decay::Rank;
    let mut sums: BTreeMap<&str, (Sum, Sum)> = BTreeMap::new();
    let (mut total, mut unattributed) = (Sum::default(), (Sum::default(), Sum::default()));
    for path in paths {
        for step in &path.steps {
            sums.entry(step).or_default();
        }
        total.add(path.conversions);
        let mut kept: Vec<&str> = path.steps.iter().map(String::as_str).collect();
        kept.retain(|step| !excluded.iter().any(|name| name == step));
        if kept.is_empty() && spec.if_all_excluded == IfAllExcluded::Keep {
            kept = path.steps.iter().map(String::as_str).collect();
        }
        let place = Place { touches: kept.len(), anchors: &[] };
        let mut weights = model.weights_over(&place, &kept);
        if let Some(factors) = factors {
            for (step, weight) in kept.iter().zip(&mut weights) {
                *weight *= factors.get(*step).copied().unwrap_or(1.0);
            }
        }
        if by_rank {
            for (rank, weight) in weights.iter_mut().enumerate() {
                *weight *= (rank + 1) as f64;
            }
        }
        let whole: f64 = weights.iter().sum();
        if whole <= 0.0 || !whole.is_finite() {
            unattributed.0.add(path.conversions);
            unattributed.1.add(path.value);
            continue;
        }
        if factors.is_some() || by_rank {
            for weight in &mut weights {
                *weight /= whole;
            }
        }
        for (step, weight) in kept.iter().zip(weights) {
            if let Some((conversions, value)) = sums.get_mut(step) {
                conversions.add(path.conversions * weight);
                value.add(path.value * weight);
            }
        }
    }
    let all = total.get();
    let mut rows: Vec<Row> = sums
        .into_iter()
        .map(|(key, (conversions, value))| Row {
            key: key.to_owned(),
            conversions: conversions.get(),
            value: value.get(),
            share: if all > 0.0 { conversions.get() / all } else { 0.0 },
        })
        .collect();
    rows.sort_by(by_conversions);
    Ok(Credited {
        rows,
        unattributed_conversions: unattributed.0.get(),
        unattributed_value: unattributed.1.get(),
    })
}

/// Credits paths under a model that learns from them, by step, with what a reader must know.
pub fn learn(paths: &[Path], method: &Method) -> Result<(Credited, Vec<String>), LearnError> {
    let columns = Paths::of_rows(paths);
    let fitted = method.fit(&columns)?;
    let whole = |column: &[f64]| {
        let mut sum = Sum::default();
        for count in column {
            sum.add(*count);
        }
        sum.get()
    };
    let (all, worth) = (whole(&columns.conversions), whole(&columns.value));
    let keys = columns.walked.keys.iter().flatten();
    let mut rows: Vec<Row> = keys
        .zip(fitted.credit())
        .map(|(key, credit)| Row {
            key: key.clone(),
            conversions: credit.conversions,
            value: credit.value,
            share: if all > 0.0 { credit.conversions / all } else { 0.0 },
        })
        .collect();
    rows.sort_by(by_conversions);
    let nothing = rows.iter().all(|row| row.conversions == 0.0);
    let (unattributed_conversions, unattributed_value) = if nothing { (all, worth) } else { (0.0, 0.0) };
    let remarks = fitted.remarks().iter().map(ToString::to_string).collect();
    Ok((Credited { rows, unattributed_conversions, unattributed_value }, remarks))
}

/// Largest first, then by key.
fn by_conversions(a: &Row, b: &Row) -> Ordering {
    b.conversions.total_cmp(&a.conversions).then_with(|| a.key.cmp(&b.key))
}

/// Refuses a model that asks for more than a path has.
fn check(model: &Model) -> Result<(), PathError> {
    let name = || model.name.clone();
    let spec = model.spec();
    if model.needs_times() {
        return Err(PathError::NeedsTimes(name()));
    }
    let milestones: Vec<&str> = model.milestones().collect();
    if !milestones.is_empty() {
        return Err(PathError::NeedsMilestones(name(), milestones.join(", ")));
    }
    if let Some(what) = model.needs_more() {
        return Err(PathError::NeedsDimension(name(), what.to_owned()));
    }
    if spec.use_weight {
        return Err(PathError::NeedsWeights(name()));
    }
    Ok(())
}

/// A sum that keeps what rounding loses (Neumaier).
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let next = self.sum + value;
        self.lost +=
            if self.sum.abs() >= value.abs() { (self.sum - next) + value } else { (value - next) + self.sum };
        self.sum = next;
    }

    fn get(self) -> f64 {
        self.sum + self.lost
    }
}
