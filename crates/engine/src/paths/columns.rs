//! Paths as columns: what the data-driven models learn from, whether they come from a file or from a book.
//!
//! Not responsible for what a model makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_core::{Currency, Time};

use super::Path;
use super::traits::{Numbers, Trait};
use crate::credit::{By, Groups, Worth, worth};
use crate::journey::{Journey, Journeys, Subject, Value, null_journeys};
use crate::money::Rates;

/// Many paths, a column each for steps and outcomes. What does not change with the weights is shared by clones.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The steps and all else that a resampling leaves as it is.
    pub walked: Arc<Walked>,
    /// How often each path ended in a conversion.
    pub conversions: Vec<f64>,
    /// What those conversions were worth together: minor units from a book, the file's own unit from a file.
    pub value: Vec<f64>,
    /// How often each path ended without one.
    pub nulls: Vec<f64>,
}

/// The paths without their counts.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// What the steps are called, by number; sorted, `None` for touches without the dimension.
    pub keys: Vec<Option<String>>,
    /// Numbers of keys, path after path, in order of time.
    pub steps: Vec<u32>,
    /// Days from each step to its path's end, beside `steps`; empty where paths have no clock.
    pub ages_days: Vec<f64>,
    /// Where each path's steps begin, and a last entry where they all end.
    pub starts: Vec<usize>,
    /// What else is known of each path; empty for paths from a file.
    pub about: Vec<About>,
    /// The attributes that [`About::traits`] gives values of, sorted by name.
    pub traits: Vec<Trait>,
}

/// What a book knows of a path beside its steps.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// The row of the book's accounts: what is resampled together.
    pub account: u32,
    /// The row of the book's deals, if the path led to a deal, won or lost.
    pub deal: Option<u32>,
    /// When it ended.
    pub end: Time,
    /// The deal's amount, won or lost, in minor units of the currency that is reported; `None` without an amount,
    /// or one that no rate converts.
    pub amount_minor: Option<f64>,
    /// The number of the value of each of [`Walked::traits`], 0 for none; the deal's own before its account's.
    pub traits: Box<[u32]>,
}

/// One path's steps, and what is known beside them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps<'a> {
    /// Numbers of keys, in order of time; never empty in [`Paths`].
    pub keys: &'a [u32],
    /// Days from each step to the path's end, beside `keys`; empty without a clock.
    pub ages_days: &'a [f64],
    /// What else is known of the path.
    pub about: Option<&'a About>,
}

impl Walked {
    /// How many paths there are.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Whether there is no path.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The steps of a path.
    pub fn steps(&self, path: usize) -> Steps<'_> {
        let range = self.starts[path]..self.starts[path + 1];
        let ages_days = if self.ages_days.is_empty() { &[][..] } else { &self.ages_days[range.clone()] };
        Steps { keys: &self.steps[range], ages_days, about: self.about.get(path) }
    }

    /// The steps of all paths.
    pub fn all(&self) -> impl Iterator<Item = Steps<'_>> {
        (0..self.len()).map(|path| self.steps(path))
    }

    fn push(&mut self, steps: impl Iterator<Item = u32>) {
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        self.steps.extend(steps);
        self.starts.push(self.steps.len());
    }
}

impl Paths {
    /// Paths of a file.
    pub fn of_rows(rows: &[Path]) -> Self {
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        for step in rows.iter().flat_map(|row| &row.steps) {
            numbers.insert(step, 0);
        }
        for (number, slot) in numbers.values_mut().enumerate() {
            *slot = number as u32;
        }
        let keys = numbers.keys().map(|key| Some((*key).to_owned())).collect();
        let mut walked = Walked { keys, ..Walked::default() };
        for row in rows {
            walked.push(row.steps.iter().map(|step| numbers[step.as_str()]));
        }
        Self {
            walked: Arc::new(walked),
            conversions: rows.iter().map(|row| row.conversions).collect(),
            value: rows.iter().map(|row| row.value).collect(),
            nulls: rows.iter().map(|row| row.nulls).collect(),
        }
    }

    /// The paths of a book by one dimension: those of the journeys convert, those of the opposite outcome and of
    /// accounts (for leads: people) that came to nothing do not.
    ///
    /// Deals that no rate converts, and journeys without a touch, are no paths. An account with open deals alone is
    /// none either: how it ends is not known.
    pub fn of_journeys(found: &Journeys<'_>, dimension: By, rates: &Rates, reporting: Currency) -> Self {
        Self::with_nulls(found, &null_journeys(found), dimension, (rates, reporting))
    }

    /// The same where [what came to nothing](null_journeys) is found already.
    pub(crate) fn with_nulls(
        found: &Journeys<'_>,
        nulls: &Journeys<'_>,
        dimension: By,
        (rates, reporting): (&Rates, Currency),
    ) -> Self {
        let mut out = Builder {
            groups: Groups::new(found.book, dimension),
            traits: Numbers::of(found.book),
            paths: Self::empty(),
        };
        for (journeys, journey) in counted(found, nulls, rates, reporting) {
            let minor = minor(journey, rates, reporting);
            out.push(journeys, journey, minor.filter(|_| std::ptr::eq(journeys, found)), minor);
        }
        out.finish()
    }

    fn empty() -> Self {
        Self {
            walked: Arc::new(Walked::default()),
            conversions: Vec::new(),
            value: Vec::new(),
            nulls: Vec::new(),
        }
    }

    /// How many paths there are.
    pub fn len(&self) -> usize {
        self.conversions.len()
    }

    /// Whether there is no path.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same paths, each counted so many times: a resampling, or a part of them by weights of 0 and 1.
    #[must_use]
    pub fn weighted(&self, weight: impl Fn(usize) -> f64) -> Self {
        let times = |column: &[f64]| {
            column.iter().enumerate().map(|(path, count)| count * weight(path)).collect::<Vec<_>>()
        };
        Self {
            walked: Arc::clone(&self.walked),
            conversions: times(&self.conversions),
            value: times(&self.value),
            nulls: times(&self.nulls),
        }
    }
}

fn minor(journey: &Journey, rates: &Rates, reporting: Currency) -> Option<f64> {
    match worth(journey, rates, reporting) {
        Worth::Minor(minor) => Some(minor as f64),
        Worth::Unconverted(_) => None,
    }
}

/// The journeys that are paths, in the order of [`Paths::of_journeys`], each with the set that it is of.
pub(crate) fn counted<'a, 'b>(
    found: &'a Journeys<'b>,
    nulls: &'a Journeys<'b>,
    rates: &'a Rates,
    reporting: Currency,
) -> impl Iterator<Item = (&'a Journeys<'b>, &'a Journey)> {
    let won = found.list.iter().filter(move |journey| minor(journey, rates, reporting).is_some());
    let all = won.map(move |it| (found, it)).chain(nulls.list.iter().map(move |it| (nulls, it)));
    all.filter(|(_, journey)| !journey.touches.is_empty())
}

struct Builder<'b> {
    groups: Groups<'b>,
    traits: Numbers,
    paths: Paths,
}

impl Builder<'_> {
    fn push(
        &mut self,
        found: &Journeys<'_>,
        journey: &Journey,
        minor: Option<f64>,
        amount_minor: Option<f64>,
    ) {
        let rows = found.touches(journey);
        let walked = Arc::make_mut(&mut self.paths.walked);
        walked.push(rows.iter().map(|row| self.groups.of(found, journey, row)));
        let at = &found.book.touches.at;
        walked.ages_days.extend(rows.iter().map(|row| journey.end.days_since(at[row]).max(0.0)));
        let deal = if let Subject::Deal(deal) = journey.subject { Some(deal) } else { None };
        walked.about.push(About {
            account: journey.account as u32,
            deal: deal.map(|deal| deal as u32),
            end: journey.end,
            amount_minor: amount_minor.filter(|_| matches!(journey.value, Value::Money(_))),
            traits: self.traits.read(found.book, journey.account, deal),
        });
        self.paths.conversions.push(if minor.is_some() { 1.0 } else { 0.0 });
        self.paths.value.push(minor.unwrap_or(0.0));
        self.paths.nulls.push(if minor.is_some() { 0.0 } else { 1.0 });
    }

    /// Numbers the keys by their texts, so that the order of the book's terms reaches no result.
    fn finish(mut self) -> Paths {
        let groups = 0..self.groups.len() as u32;
        let mut sorted: Vec<(Option<String>, u32)> =
            groups.map(|group| (self.groups.name(group).0, group)).collect();
        sorted.sort();
        let mut renamed = vec![0; sorted.len()];
        for (place, (_, number)) in sorted.iter().enumerate() {
            renamed[*number as usize] = place as u32;
        }
        let walked = Arc::make_mut(&mut self.paths.walked);
        walked.keys = sorted.into_iter().map(|(key, _)| key).collect();
        for step in &mut walked.steps {
            *step = renamed[*step as usize];
        }
        walked.traits = self.traits.traits;
        self.paths
    }
}
