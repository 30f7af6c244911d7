//! Logistic removal: how much less likely a won deal would have been without a key, all else the same.
//!
//! Only deals that were won or lost count, since touches of accounts without a deal say who comes into the pipeline
//! and not who is won. Where no deal tells the two apart (path files, leads), all paths count. The chance of winning is
//!
//! > p = 1 / (1 + e^(−η)),  η = α + Σ over keys β·log(1 + touches of the key) + what the controls say
//!
//! fitted by Newton's method with a ridge on the standardised coefficients, which keeps them finite where a key is
//! on won deals alone. Controls are attributes of account and deal (`segment`) and bands of the amount: without them
//! a channel that big deals get is credited with the size. A value seen on fewer than 20 deals counts as the most
//! frequent one.
//!
//! A key gets, over all won deals,
//!
//! > Σ V · max(p − p without the key, 0) / p
//!
//! and a deal is split alike. Credit is scaled to the totals; effects are signed and in conversions.
//!
//! ```
//! use tributary_engine::learn::{Learned, logistic::{Logistic, Options}};
//! use tributary_engine::paths::{Path, Paths};
//! let row = |steps: &str, conversions: f64, nulls: f64| Path {
//!     steps: steps.split(' ').map(str::to_owned).collect(), conversions, value: conversions, nulls,
//! };
//! // A demo makes the difference; everybody gets mail.
//! let rows = [row("mail", 10.0, 90.0), row("mail demo", 60.0, 40.0)];
//! let fitted = Logistic::fit(&Options::default(), &Paths::of_rows(&rows))?;
//! let [demo, mail] = fitted.credit() else { panic!("two keys") };
//! assert!(demo.conversions > 69.9 && mail.conversions < 0.1);
//! # Ok::<(), tributary_engine::learn::LearnError>(())
//! ```
//!
//! When it misleads: with few lost deals on record, or few of a key, the ridge pulls its effect to 0. And touches
//! that sales makes because a deal is going well look like what makes it go well.
//!
//! References: Shao, Li 2011, KDD (bagged logistic regression); Dalessandro et al. 2012 (removal); Hastie,
//! Tibshirani, Friedman, The elements of statistical learning, 4.4 (Newton's method, ridge).

mod newton;
mod table;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Credit, LearnError, Learned, Remark, in_proportion, remarks_on, weigh_by_effect};
use crate::paths::{Paths, Steps};
use table::{Controls, Table};

/// Options of the logistic removal model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// How strongly standardised coefficients are pulled to 0: half of this times their squares is taken from the
    /// log-likelihood. Above 0.
    pub ridge: f64,
    /// Attributes of account or deal to control for; one that the book does not have is left out.
    pub controls: Vec<String>,
    /// Into how many bands of equally many deals the amount is cut to control for it; 0 or 1 for none.
    pub amount_bands: u32,
    /// The most keys with a coefficient: those on the most paths.
    pub most_keys: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { ridge: 1.0, controls: vec!["segment".to_owned()], amount_bands: 4, most_keys: 1000 }
    }
}

/// The fitted logistic removal model.
#[derive(Clone, Debug)]
pub struct Logistic {
    credit: Vec<Credit>,
    /// α.
    intercept: f64,
    /// β by number of key.
    keys: Vec<f64>,
    controls: Controls,
    remarks: Vec<Remark>,
}

impl Logistic {
    /// Fits on paths of which some converted and some did not.
    pub fn fit(options: &Options, paths: &Paths) -> Result<Self, LearnError> {
        if !(options.ridge > 0.0 && options.ridge.is_finite()) {
            return Err(LearnError::Option("ridge must be above 0"));
        }
        if paths.conversions.iter().sum::<f64>() <= 0.0 {
            return Err(LearnError::NoConversions);
        }
        if paths.nulls.iter().sum::<f64>() <= 0.0 {
            return Err(LearnError::NoNulls);
        }
        let table = Table::of(options, paths);
        let found = newton::fit(&table, options.ridge);
        let (keys, controls) = table.place(&found.coefficients);
        let mut out =
            Self { credit: Vec::new(), intercept: found.intercept, keys, controls, remarks: Vec::new() };
        out.credit = out.credited(&table, paths.walked.keys.len());
        out.remarks = remarks_on(&out.credit);
        if !found.converged {
            out.remarks.push(Remark::NotConverged { rounds: found.rounds });
        }
        if table.pooled > 0 {
            out.remarks.push(Remark::TooMany { keys: table.pooled });
        }
        if table.beyond_deals {
            out.remarks.push(Remark::BeyondDeals);
        }
        Ok(out)
    }

    fn credited(&self, table: &Table, keys: usize) -> Vec<Credit> {
        let mut effects = vec![[0.0_f64; 3]; keys];
        for row in &table.rows {
            if row.won == 0.0 && row.value == 0.0 {
                continue;
            }
            let odds = self.odds(&row.counts, self.controls.of(&row.levels, row.amount));
            for (key, count) in &row.counts {
                let lost = lost(odds, self.part(*key, *count));
                let [signed, positive, worth] = &mut effects[*key as usize];
                *signed += row.won * lost;
                *positive += row.won * lost.max(0.0);
                *worth += row.value * lost.max(0.0);
            }
        }
        let column = |which: usize| effects.iter().map(|effect| effect[which]).collect::<Vec<f64>>();
        in_proportion(&column(0), &column(1), &column(2), table.credited)
    }

    fn part(&self, key: u32, count: u32) -> f64 {
        self.keys[key as usize] * f64::from(count).ln_1p()
    }

    /// η.
    fn odds(&self, counts: &[(u32, u32)], controls: f64) -> f64 {
        self.intercept + controls + counts.iter().map(|(key, count)| self.part(*key, *count)).sum::<f64>()
    }

    fn read(&self, steps: Steps<'_>) -> (Vec<(u32, u32)>, f64) {
        let counts = table::counts(steps.keys);
        let odds = self.odds(&counts, self.controls.of_path(steps.about));
        (counts, odds)
    }
}

impl Learned for Logistic {
    fn credit(&self) -> &[Credit] {
        &self.credit
    }

    fn weigh(&self, steps: Steps<'_>, out: &mut Vec<f64>) {
        let (counts, odds) = self.read(steps);
        let lost: Vec<f64> = counts.iter().map(|(key, count)| lost(odds, self.part(*key, *count))).collect();
        let place = |key: u32| counts.binary_search_by_key(&key, |it| it.0);
        weigh_by_effect(|key| place(key).map_or(0.0, |place| lost[place]), steps, out);
    }

    fn probability(&self, steps: Steps<'_>) -> f64 {
        chance(self.read(steps).1)
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }
}

fn chance(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

/// log(1 + e^x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// (p − p without a part of η) / p, from 1 down to below 0.
fn lost(odds: f64, part: f64) -> f64 {
    -(softplus(-odds) - softplus(part - odds)).exp_m1()
}
