//! Why one path has the credit it has: what its end would be likely to be without each touch, and how many paths
//! like it say so.
//!
//! Works on any fitted model. Not responsible for money.

use serde::Serialize;

use super::Learned;
use super::sets::{Sets, distinct};
use crate::paths::{Paths, Steps};

/// The paths to compare one with, laid out so that a question takes one pass over their distinct sets of keys.
#[derive(Clone, Debug)]
pub struct Comparable {
    sets: Sets,
    keys: usize,
}

/// Comparable paths, and how many of them converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Support {
    /// How many there are.
    pub paths: f64,
    /// How many of them converted.
    pub conversions: f64,
}

/// What a model makes of one path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// How likely the path is to convert.
    pub probability: f64,
    /// The paths with all the keys of this one, and maybe others.
    pub with: Support,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// What a model makes of one step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The number of its key.
    pub key: u32,
    /// Its part of the credit.
    pub weight: f64,
    /// How likely the path would be to convert without this step.
    pub probability_without: f64,
    /// The paths with all the other keys of this one but not this key, and maybe others.
    pub without: Support,
}

impl Comparable {
    /// Lays out the paths that a model was fitted on.
    pub fn of(paths: &Paths) -> Self {
        Self { sets: Sets::of(paths), keys: paths.walked.keys.len() }
    }

    /// Explains a path, which need not be one of them, under a model fitted on them.
    pub fn explain(&self, model: &dyn Learned, steps: Steps<'_>) -> Explained {
        let wanted = distinct(steps.keys);
        let (with, without) = self.supports(&wanted);
        let mut weights = Vec::new();
        model.weigh(steps, &mut weights);
        let mut keys = Vec::with_capacity(steps.keys.len());
        let mut ages_days = Vec::with_capacity(steps.ages_days.len());
        let told = steps.keys.iter().zip(weights).enumerate().map(|(place, (key, weight))| {
            rest(steps.keys, place, &mut keys);
            rest(steps.ages_days, place, &mut ages_days);
            Step {
                key: *key,
                weight,
                probability_without: model.probability(Steps { keys: &keys, ages_days: &ages_days, ..steps }),
                without: wanted.binary_search(key).map_or_else(|_| Support::default(), |at| without[at]),
            }
        });
        let steps_told = told.collect();
        Explained { probability: model.probability(steps), with, steps: steps_told }
    }

    /// The paths with all these keys, and for each key those with all but that one.
    fn supports(&self, wanted: &[u32]) -> (Support, Vec<Support>) {
        let mut places = vec![None; self.keys];
        for (place, key) in wanted.iter().enumerate() {
            places[*key as usize] = Some(place);
        }
        let all: usize = (0..wanted.len()).sum();
        let (mut with, mut without) = (Support::default(), vec![Support::default(); wanted.len()]);
        for (set, keys) in self.sets.all().enumerate() {
            let (mut count, mut found) = (0, 0);
            for place in keys.iter().filter_map(|key| places[*key as usize]) {
                count += 1;
                found += place;
            }
            let support = if count == wanted.len() {
                &mut with
            } else if count + 1 == wanted.len() {
                &mut without[all - found]
            } else {
                continue;
            };
            support.paths += self.sets.conversions[set] + self.sets.nulls[set];
            support.conversions += self.sets.conversions[set];
        }
        (with, without)
    }
}

/// All but one.
fn rest<T: Copy>(all: &[T], place: usize, out: &mut Vec<T>) {
    out.clear();
    out.extend(all.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, it)| *it));
}
