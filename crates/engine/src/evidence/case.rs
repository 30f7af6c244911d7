//! A book as evidence looks at it: its paths, and what each model makes of any counting of them.
//!
//! Every test of a model asks the same question of a varied book: resampled, cut by time, or with other outcomes.
//! The paths stay, their counts vary, and a model answers with each key's share. Not responsible for the tests.

use std::ops::Range;

use tributary_core::{Currency, Time};

use crate::credit::By;
use crate::journey::Journeys;
use crate::learn::Method;
use crate::model::Model;
use crate::money::Rates;
use crate::paths::{Paths, counted};

/// A model to be judged.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// How it finds shares.
    pub kind: Kind,
}

/// How a model finds shares.
#[derive(Clone, Debug)]
pub enum Kind {
    /// By a rule: a path's weights do not depend on other paths.
    Rule(Split),
    /// By learning from all paths.
    Learned(Method),
}

/// What each path's conversion would be split into, by key.
#[derive(Clone, Debug, Default)]
pub struct Split {
    starts: Vec<usize>,
    parts: Vec<(u32, f64)>,
}

impl Split {
    fn path(&self, path: usize) -> &[(u32, f64)] {
        let range: Range<usize> = self.starts[path]..self.starts[path + 1];
        &self.parts[range]
    }

    fn push(&mut self, keys: &[u32], weights: &[f64], sums: &mut [f64]) {
        for (key, weight) in keys.iter().zip(weights) {
            sums[*key as usize] += weight;
        }
        let mut distinct = keys.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        for key in distinct {
            let weight = std::mem::take(&mut sums[key as usize]);
            if weight != 0.0 {
                self.parts.push((key, weight));
            }
        }
        self.starts.push(self.parts.len());
    }
}

/// The paths of a book's deals and of what came to nothing.
#[derive(Clone, Debug)]
pub struct Case {
    /// The paths; those with a deal in [`About::deal`](crate::paths::About::deal) closed, won or lost.
    pub paths: Paths,
    /// Days from each deal's creation to its end, by path; `None` without a deal or a creation.
    pub open_days: Vec<Option<f64>>,
    /// Of each key's touches, how many nobody is known to have made, by number of key.
    pub anonymous: Vec<u64>,
}

impl Case {
    /// The paths of journeys and of what came to nothing.
    pub fn new(
        (found, nulls): (&Journeys<'_>, &Journeys<'_>),
        by: By,
        rates: &Rates,
        reporting: Currency,
    ) -> Self {
        let paths = Paths::with_nulls(found, nulls, by, (rates, reporting));
        let book = found.book;
        let open_days = paths.walked.about.iter().map(|about| {
            let created = book.deals[about.deal? as usize].created_at?;
            Some(about.end.days_since(created).max(0.0))
        });
        let open_days = open_days.collect();
        let mut anonymous = vec![0; paths.walked.keys.len()];
        for (path, (journeys, journey)) in counted(found, nulls, rates, reporting).enumerate() {
            let keys = paths.walked.steps(path).keys;
            for (row, key) in journeys.touches(journey).iter().zip(keys) {
                if book.touches.person[row] == tributary_core::book::NOBODY {
                    anonymous[*key as usize] += 1;
                }
            }
        }
        Self { paths, open_days, anonymous }
    }

    /// A rule model's candidate for these paths, of these journeys and what came to nothing.
    pub fn rule(
        &self,
        (found, nulls): (&Journeys<'_>, &Journeys<'_>),
        model: &Model,
        rates: &Rates,
        reporting: Currency,
    ) -> Candidate {
        let (mut of_found, mut of_nulls) = (model.bind(found), model.bind(nulls));
        let mut split = Split { starts: vec![0], parts: Vec::new() };
        let (mut weights, mut sums) = (Vec::new(), vec![0.0; self.paths.walked.keys.len()]);
        for (path, (journeys, journey)) in counted(found, nulls, rates, reporting).enumerate() {
            let bound = if std::ptr::eq(journeys, found) { &mut of_found } else { &mut of_nulls };
            bound.weights(journeys, journey, &mut weights);
            split.push(self.paths.walked.steps(path).keys, &weights, &mut sums);
        }
        Candidate { name: model.name.clone(), kind: Kind::Rule(split) }
    }

    /// Whether a path is that of a closed deal.
    pub fn is_deal(&self, path: usize) -> bool {
        self.paths.walked.about[path].deal.is_some()
    }

    /// When a path ended.
    pub fn end(&self, path: usize) -> Time {
        self.paths.walked.about[path].end
    }

    /// Whether a path's deal was won.
    pub fn is_won(&self, path: usize) -> bool {
        self.paths.conversions[path] > 0.0
    }

    /// The numbers of the paths of closed deals.
    pub fn deals(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.paths.len()).filter(|path| self.is_deal(*path))
    }

    /// Another case's shares in the order of this one's keys: what it does not have has none.
    pub fn align(&self, other: &Self, shares: &[f64]) -> Vec<f64> {
        let theirs = &other.paths.walked.keys;
        let place = |key| theirs.binary_search(key).ok().map_or(0.0, |place| shares[place]);
        self.paths.walked.keys.iter().map(place).collect()
    }
}

impl Candidate {
    /// Why the model can't be used on these paths, if so.
    pub fn failure(&self, paths: &Paths) -> Option<String> {
        match &self.kind {
            Kind::Rule(_) => None,
            Kind::Learned(method) => method.fit(paths).err().map(|error| error.to_string()),
        }
    }

    /// Each key's share of the value (of the conversions, where they have none), by number of key; `None` where the
    /// model can't say.
    pub fn shares(&self, paths: &Paths) -> Option<Vec<f64>> {
        let worth = |path: usize| paths.value[path];
        let has_value = paths.value.iter().any(|value| *value != 0.0);
        let parts = match &self.kind {
            Kind::Rule(split) => {
                let mut sums = vec![0.0; paths.walked.keys.len()];
                for path in 0..paths.len() {
                    let amount = if has_value { worth(path) } else { paths.conversions[path] };
                    if amount != 0.0 {
                        for (key, weight) in split.path(path) {
                            sums[*key as usize] += amount * weight;
                        }
                    }
                }
                sums
            }
            Kind::Learned(method) => {
                let fitted = method.fit(paths).ok()?;
                let part =
                    |credit: &crate::learn::Credit| if has_value { credit.value } else { credit.conversions };
                fitted.credit().iter().map(part).collect()
            }
        };
        let whole: f64 = parts.iter().sum();
        (whole > 0.0 && whole.is_finite()).then(|| parts.iter().map(|part| part / whole).collect())
    }
}

/// Half the sum of the differences of two splits of a whole: the part that would have to move to make them equal.
pub fn moved(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}
