//! Which model deserves trust, by evidence rather than taste.
//!
//! Six tests of each model on one book, and a verdict that follows from stated thresholds:
//!
//! - `holdout`: what it learned from deals that closed early, tried on those that closed later;
//! - `resample`: how its shares vary when accounts are drawn anew;
//! - `drift`: how they change from quarter to quarter;
//! - windows: how they change with the look-back;
//! - agreement: how alike two models order the keys;
//! - `planted`: how near it comes to effects that were planted into the book's own journeys.
//!
//! Chance comes from the seed that is passed in, so the same question has the same answer. Not responsible for
//! showing any of it.

pub mod case;
pub mod drift;
pub mod holdout;
pub mod planted;
pub mod resample;
pub mod score;
pub mod verdict;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tributary_core::Currency;
use tributary_core::time::Zone;

use crate::credit::By;
use crate::journey::{Goal, Journeys, Policy, journeys, null_journeys};
use crate::money::Rates;
use crate::parallel::{cores, in_parallel};
use crate::splitter::Choice;
use case::{Candidate, Case, Kind, moved};
use drift::Drift;
use holdout::{Cut, HeldOut};
use planted::{Generator, Recovery};
use resample::{Replicates, Resampled};
use verdict::Verdict;

/// How much work to put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Where chance begins.
    pub seed: u64,
    /// Resamplings of the accounts.
    pub replicates: usize,
    /// Drawings a generator.
    pub rounds: usize,
    /// The most deals that outcomes are drawn for; of more, every nth.
    pub most_deals: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { seed: 1, replicates: 100, rounds: 5, most_deals: 20_000 }
    }
}

/// Look-backs that are tried, in days.
pub const WINDOWS_DAYS: [u32; 4] = [30, 90, 180, 365];

/// The evidence on one book.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The dimension.
    pub by: By,
    /// What is being credited.
    pub goal: Goal,
    /// Deals that reached the goal and have touches.
    pub won: u64,
    /// Deals of the opposite outcome with touches.
    pub lost: u64,
    /// Accounts without a deal, with touches.
    pub without_deal: u64,
    /// How much work was put in.
    pub effort: Effort,
    /// What the book holds of each key, sorted by key.
    pub keys: Vec<Sufficiency>,
    /// Where the book was cut; `None` with too few deals.
    pub cut: Option<Cut>,
    /// The learned model whose forecasts were best, of all orders of Markov chains; `None` without a hold-out.
    pub markov_order: Option<String>,
    /// Each model's, in the order asked.
    pub models: Vec<ModelEvidence>,
    /// Kendall's tau of each pair of models, in the order of `models`; `None` where one ranks nothing.
    pub agreement: Vec<Vec<Option<f64>>>,
    /// What follows.
    pub verdict: Verdict,
}

/// How much a book knows of one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sufficiency {
    /// The key; `None` for touches without the dimension.
    pub key: Option<String>,
    /// Deals that reached the goal with such a touch.
    pub won: u64,
    /// Deals of the opposite outcome with such a touch.
    pub lost: u64,
    /// Touches.
    pub touches: u64,
    /// The part of the touches that nobody is known to have made.
    pub anonymous: f64,
}

/// The evidence on one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelEvidence {
    /// Its name.
    pub name: String,
    /// Whether it learns from the data.
    pub learns: bool,
    /// Why it could not be used on this book.
    pub failed: Option<String>,
    /// On later deals; `None` without a hold-out.
    pub held_out: Option<HeldOut>,
    /// On other accounts.
    pub resampled: Resampled,
    /// By quarter.
    pub drift: Drift,
    /// The part of the credit that moves when touches count from so many days before the end only.
    pub windows: Vec<(u32, Option<f64>)>,
    /// Against planted truth, mean of all generators.
    pub recovery: Recovery,
    /// The same by generator.
    pub by_generator: Vec<(Generator, Recovery)>,
}

/// Gathers the evidence on models, of closed deals (goals `won` and `lost`).
///
/// `told` hears how many of how many steps are done.
pub fn gather(
    found: &Journeys<'_>,
    models: &[Choice],
    by: By,
    (rates, reporting, zone): (&Rates, Currency, &Zone),
    effort: Effort,
    told: &(dyn Fn(usize, usize) + Sync),
) -> Evidence {
    let nulls = null_journeys(found);
    let case = Case::new((found, &nulls), by, rates, reporting);
    let candidates = candidates(&case, (found, &nulls), models, rates, reporting);
    let cut = Cut::of(&case);
    let earlier = cut.as_ref().map(|cut| (cut.earlier(&case), cut.later_worth(&case)));
    let replicates = Replicates::new(&case, effort.seed, effort.replicates);
    let quarters = drift::quarters(&case, zone);
    let windows: Vec<(u32, Case, Vec<Candidate>)> = WINDOWS_DAYS
        .into_iter()
        .map(|days| {
            let policy = Policy { lookback_days: Some(f64::from(days)), ..found.policy.clone() };
            let narrow = journeys(found.book, &policy);
            let both = (&narrow, &null_journeys(&narrow));
            let case = Case::new(both, by, rates, reporting);
            let candidates = self::candidates(&case, both, models, rates, reporting);
            (days, case, candidates)
        })
        .collect();
    let done = AtomicUsize::new(0);
    let step = || told(1 + done.fetch_add(1, Ordering::Relaxed), candidates.len() + Generator::ALL.len());
    let deals: Vec<usize> = case.deals().collect();
    let stride = deals.len().div_ceil(effort.most_deals.max(1)).max(1);
    let drawn: Vec<usize> = deals.iter().copied().step_by(stride).collect();
    let has_both =
        deals.iter().any(|path| case.is_won(*path)) && deals.iter().any(|path| !case.is_won(*path));
    let recovered: Vec<(Generator, Vec<Recovery>)> = if has_both {
        in_parallel(cores(), &Generator::ALL, |generator| {
            let chance = (effort.seed, effort.rounds);
            let scores = planted::recover(&case, &drawn, *generator, &candidates, chance);
            step();
            (*generator, scores)
        })
    } else {
        Vec::new()
    };
    let numbered: Vec<(usize, &Candidate)> = candidates.iter().enumerate().collect();
    let judged: Vec<(ModelEvidence, Option<Vec<f64>>)> =
        in_parallel(cores(), &numbered, |(number, candidate)| {
            let whole = candidate.shares(&case.paths);
            let held_out = cut
                .as_ref()
                .zip(earlier.as_ref())
                .map(|(cut, (earlier, worth))| cut.judge(&case, earlier, candidate, worth));
            let by_generator: Vec<(Generator, Recovery)> =
                recovered.iter().map(|(generator, scores)| (*generator, scores[*number])).collect();
            let scores: Vec<Recovery> =
                by_generator.iter().map(|(_, score)| *score).filter(|score| score.rounds > 0).collect();
            let evidence = ModelEvidence {
                name: candidate.name.clone(),
                learns: matches!(candidate.kind, Kind::Learned(_)),
                failed: candidate.failure(&case.paths),
                held_out,
                resampled: whole
                    .as_ref()
                    .map_or_else(Resampled::default, |whole| replicates.judge(&case, candidate, whole)),
                drift: whole
                    .as_ref()
                    .map_or_else(Drift::default, |whole| drift::drift(&case, &quarters, candidate, whole)),
                windows: windows
                    .iter()
                    .map(|(days, narrow, candidates)| {
                        let shares = candidates[*number].shares(&narrow.paths);
                        let both = whole.as_ref().zip(shares);
                        (*days, both.map(|(whole, shares)| moved(whole, &case.align(narrow, &shares))))
                    })
                    .collect(),
                recovery: planted::average(&scores),
                by_generator,
            };
            step();
            (evidence, whole)
        });
    let (models, wholes): (Vec<ModelEvidence>, Vec<Option<Vec<f64>>>) = judged.into_iter().unzip();
    let tau = |a: &Option<Vec<f64>>, b: &Option<Vec<f64>>| score::kendall(a.as_ref()?, b.as_ref()?);
    let agreement = wholes.iter().map(|a| wholes.iter().map(|b| tau(a, b)).collect()).collect();
    let count = |won: bool| deals.iter().filter(|path| case.is_won(**path) == won).count() as u64;
    let mut evidence = Evidence {
        by,
        goal: found.goal,
        won: count(true),
        lost: count(false),
        without_deal: (case.paths.len() - deals.len()) as u64,
        effort,
        keys: sufficiency(&case),
        markov_order: markov_order(&models),
        cut,
        models,
        agreement,
        verdict: Verdict {
            model: None,
            beats_linear: false,
            text: String::new(),
            thresholds: verdict::THRESHOLDS,
        },
    };
    evidence.verdict = verdict::verdict(&evidence);
    evidence
}

fn candidates(
    case: &Case,
    both: (&Journeys<'_>, &Journeys<'_>),
    models: &[Choice],
    rates: &Rates,
    reporting: Currency,
) -> Vec<Candidate> {
    let one = |model: &Choice| match model {
        Choice::Rule(model) => case.rule(both, model, rates, reporting),
        Choice::Learned { name, method } => {
            Candidate { name: name.clone(), kind: Kind::Learned(method.clone()) }
        }
    };
    models.iter().map(one).collect()
}

fn sufficiency(case: &Case) -> Vec<Sufficiency> {
    let walked = &case.paths.walked;
    let mut rows: Vec<Sufficiency> = walked
        .keys
        .iter()
        .map(|key| Sufficiency { key: key.clone(), won: 0, lost: 0, touches: 0, anonymous: 0.0 })
        .collect();
    let mut seen = vec![usize::MAX; rows.len()];
    for path in 0..case.paths.len() {
        for key in walked.steps(path).keys {
            let row = &mut rows[*key as usize];
            row.touches += 1;
            if case.is_deal(path) && std::mem::replace(&mut seen[*key as usize], path) != path {
                *(if case.is_won(path) { &mut row.won } else { &mut row.lost }) += 1;
            }
        }
    }
    for (row, anonymous) in rows.iter_mut().zip(&case.anonymous) {
        row.anonymous = if row.touches > 0 { *anonymous as f64 / row.touches as f64 } else { 0.0 };
    }
    rows
}

/// The Markov chain that foretold later deals best, by AUC; the lowest order of equals.
fn markov_order(models: &[ModelEvidence]) -> Option<String> {
    let mut best: Option<(f64, &str)> = None;
    for model in models.iter().filter(|model| model.name.starts_with("markov")) {
        let forecast = model.held_out.as_ref().and_then(|it| it.at_close);
        if let Some(forecast) = forecast.filter(|it| best.is_none_or(|(auc, _)| it.auc > auc)) {
            best = Some((forecast.auc, &model.name));
        }
    }
    best.map(|(_, name)| name.to_owned())
}
