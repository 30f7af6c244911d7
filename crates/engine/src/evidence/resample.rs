//! The Poisson bootstrap: how much shares would change had other accounts come to the company.
//!
//! Accounts are drawn, not touches: touches of one account are not independent.

use serde::Serialize;
use tributary_core::dice::Dice;

use super::case::{Candidate, Case};
use super::score::{kendall, mean, quantile};

/// How sure a model is of one key's share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Interval {
    /// The share on the book as it is.
    pub share: f64,
    /// 2.5 % of the resampled shares lie below.
    pub low: f64,
    /// 2.5 % of the resampled shares lie above.
    pub high: f64,
    /// Standard deviation over mean of the resampled shares; `None` of a share of 0.
    pub variation: Option<f64>,
}

/// How a model's shares fare when accounts are drawn anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Resampled {
    /// By number of key; empty where the model could not be fitted.
    pub intervals: Vec<Interval>,
    /// Mean Kendall's tau of the resampled order of keys with that of the book.
    pub rank_stability: Option<f64>,
}

/// How often each path counts in each replicate: Poisson with mean 1 by account.
#[derive(Clone, Debug)]
pub struct Replicates {
    seed: u64,
    accounts: Vec<u32>,
    /// How many there are.
    pub count: usize,
}

impl Replicates {
    /// Replicates of a book by a seed.
    pub fn new(case: &Case, seed: u64, count: usize) -> Self {
        let accounts = case.paths.walked.about.iter().map(|about| about.account).collect();
        Self { seed, accounts, count }
    }

    /// How often each path counts in one of them.
    pub fn weights(&self, replicate: usize) -> Vec<f64> {
        let mut dice = Dice::new(self.seed, "replicate", replicate);
        let most = self.accounts.iter().max().map_or(0, |account| *account as usize + 1);
        let drawn: Vec<f64> = (0..most).map(|_| poisson(&mut dice)).collect();
        self.accounts.iter().map(|account| drawn[*account as usize]).collect()
    }

    /// How a model's shares vary over the replicates.
    pub fn judge(&self, case: &Case, candidate: &Candidate, shares: &[f64]) -> Resampled {
        let mut drawn: Vec<Vec<f64>> = vec![Vec::new(); shares.len()];
        let mut taus = Vec::new();
        for replicate in 0..self.count {
            let weights = self.weights(replicate);
            let Some(again) = candidate.shares(&case.paths.weighted(|path| weights[path])) else { continue };
            taus.extend(kendall(shares, &again));
            for (column, share) in drawn.iter_mut().zip(again) {
                column.push(share);
            }
        }
        let intervals = shares.iter().zip(&mut drawn).map(|(share, column)| {
            column.sort_by(f64::total_cmp);
            let middle = mean(column.iter().copied());
            let spread = mean(column.iter().map(|share| (share - middle).powi(2))).sqrt();
            Interval {
                share: *share,
                low: quantile(column, 0.025),
                high: quantile(column, 0.975),
                variation: (middle > 0.0).then(|| spread / middle),
            }
        });
        let intervals = intervals.collect();
        Resampled { intervals, rank_stability: (!taus.is_empty()).then(|| mean(taus)) }
    }
}

/// Poisson with mean 1, by the inverse of its distribution.
fn poisson(dice: &mut Dice) -> f64 {
    let (mut left, mut count, mut chance) = (dice.unit(), 0.0, std::f64::consts::E.recip());
    while left >= chance && count < 20.0 {
        left -= chance;
        count += 1.0;
        chance /= count;
    }
    count
}
