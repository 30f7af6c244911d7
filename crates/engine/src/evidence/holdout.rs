//! Hold-out: what a model learned from deals that closed early, tried on those that closed later.
//!
//! Deals alone are learned from and foretold: a model is to tell won from lost, not an account in the pipeline from
//! one outside it. A path is foretold from what had been seen when the opportunity was created, and again from all of
//! it; no step that came later is read.

use serde::Serialize;
use tributary_core::Time;

use super::case::{Candidate, Case, Kind};
use super::score::{self, Forecast, kendall};
use crate::paths::{Paths, Steps};

/// The share of the deals, by time of closing, that models learn from.
pub const LEARNED_SHARE: f64 = 0.7;

/// The fewest won, and the fewest lost deals on either side for a hold-out to mean anything.
pub const FEWEST: usize = 20;

/// How a model did on later deals.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HeldOut {
    /// From the touches up to the opportunity's creation; learned models alone.
    pub at_opportunity: Option<Forecast>,
    /// From all touches up to the close; learned models alone.
    pub at_close: Option<Forecast>,
    /// Kendall's tau of the earlier shares with what the keys were worth later: the win rate of later deals with the
    /// key less that of those without.
    pub rank_agreement: Option<f64>,
}

/// Where a book is cut.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cut {
    /// Deals that closed before were learned from.
    pub before: Time,
    /// Won and lost deals learned from.
    pub learned: [usize; 2],
    /// Won and lost deals foretold.
    pub foretold: [usize; 2],
    /// The forecast of somebody who knows no more than the earlier win rate.
    pub base: Option<Forecast>,
}

impl Cut {
    /// Cuts the closed deals by time; `None` where either side has too few won or lost ones.
    pub fn of(case: &Case) -> Option<Self> {
        let mut ends: Vec<Time> = case.deals().map(|path| case.end(path)).collect();
        ends.sort_unstable();
        let before = *ends.get((ends.len() as f64 * LEARNED_SHARE) as usize)?;
        let (mut learned, mut foretold) = ([0; 2], [0; 2]);
        for path in case.deals() {
            let side = if case.end(path) < before { &mut learned } else { &mut foretold };
            side[usize::from(!case.is_won(path))] += 1;
        }
        if learned.iter().chain(&foretold).any(|count| *count < FEWEST) {
            return None;
        }
        let rate = learned[0] as f64 / (learned[0] + learned[1]) as f64;
        let later = case.deals().filter(|path| case.end(*path) >= before);
        let base = score::forecast(&later.map(|path| (rate, case.is_won(path))).collect::<Vec<_>>());
        Some(Self { before, learned, foretold, base })
    }

    /// The earlier deals alone.
    pub fn earlier(&self, case: &Case) -> Paths {
        case.paths.weighted(|path| if case.is_deal(path) && case.end(path) < self.before { 1.0 } else { 0.0 })
    }

    /// Tries a model.
    pub fn judge(&self, case: &Case, earlier: &Paths, candidate: &Candidate, later_worth: &[f64]) -> HeldOut {
        let shares = candidate.shares(earlier);
        let rank_agreement = shares.and_then(|shares| kendall(&shares, later_worth));
        let Kind::Learned(method) = &candidate.kind else {
            return HeldOut { rank_agreement, ..HeldOut::default() };
        };
        let Ok(fitted) = method.fit(earlier) else { return HeldOut { rank_agreement, ..HeldOut::default() } };
        let later = || case.deals().filter(|path| case.end(*path) >= self.before);
        let (mut at_opportunity, mut at_close) = (Vec::new(), Vec::new());
        let mut ages = Vec::new();
        for path in later() {
            let steps = case.paths.walked.steps(path);
            at_close.push((fitted.probability(steps), case.is_won(path)));
            let Some(open_days) = case.open_days[path] else { continue };
            let seen = steps.ages_days.partition_point(|age| *age >= open_days);
            if seen > 0 {
                ages.clear();
                ages.extend(steps.ages_days[..seen].iter().map(|age| age - open_days));
                let until = Steps { keys: &steps.keys[..seen], ages_days: &ages, ..steps };
                at_opportunity.push((fitted.probability(until), case.is_won(path)));
            }
        }
        HeldOut {
            at_opportunity: score::forecast(&at_opportunity),
            at_close: score::forecast(&at_close),
            rank_agreement,
        }
    }

    /// What each key was worth later: the win rate of later deals with it less that of those without, by key; 0 for
    /// keys that all or none of them have.
    pub fn later_worth(&self, case: &Case) -> Vec<f64> {
        let mut with = vec![[0_u32; 2]; case.paths.walked.keys.len()];
        let mut all = [0_u32; 2];
        let mut seen = vec![usize::MAX; with.len()];
        for path in case.deals().filter(|path| case.end(*path) >= self.before) {
            let side = usize::from(!case.is_won(path));
            all[side] += 1;
            for key in case.paths.walked.steps(path).keys {
                if std::mem::replace(&mut seen[*key as usize], path) != path {
                    with[*key as usize][side] += 1;
                }
            }
        }
        let rate = |[won, lost]: [u32; 2]| f64::from(won) / f64::from(won + lost);
        let worth = with.iter().map(|with| {
            let without = [all[0] - with[0], all[1] - with[1]];
            let both = with.iter().sum::<u32>() > 0 && without.iter().sum::<u32>() > 0;
            if both { rate(*with) - rate(without) } else { 0.0 }
        });
        worth.collect()
    }
}
