//! Recovery of planted truth: on this book's own journeys, outcomes are drawn from effects that are known, and each
//! model is scored by how near its shares come to them.
//!
//! The touches, the amounts, the dates and the share of deals that are won stay the book's; which deals are won is
//! drawn anew. A model that favours one way in which touches may work would win on a generator of its own kind, so
//! there are several. In each, one key is planted without any effect. The truth of a key is what would be lost
//! without it: the sum over all deals of amount · (p − p without the key's touches). The truth is a sum of
//! probabilities, not of draws, so it has no noise of its own.
//!
//! Lineage: simulated truth as in Sapp, Vaver 2016 and Singh, Vaver 2018, on real journeys rather than made-up ones.

use serde::Serialize;
use tributary_core::dice::Dice;

use super::case::{Candidate, Case, moved};
use super::score::{kendall, mean};
use crate::paths::{Paths, Steps};

/// How touches are made to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Generator {
    /// Every touch helps, the second of a key less than the first: log-odds rise by β · ln(1 + touches of the key).
    Counts,
    /// A key helps once, however often it comes: log-odds rise by β if it is there.
    Presence,
    /// What is fresh helps: each touch adds β, halved for every 30 days before the end.
    Recency,
    /// What opens helps: the first touch adds three times its β, and every key its β if it is there.
    Opening,
    /// Each touch has a chance of its own to win the deal: p = 1 − Π over touches of e^(−β).
    Chances,
}

impl Generator {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Counts, Self::Presence, Self::Recency, Self::Opening, Self::Chances];

    /// How strongly a path's steps work together, without the touches of one key.
    fn strength(self, steps: Steps<'_>, effects: &[f64], without: Option<u32>) -> f64 {
        let kept = || steps.keys.iter().enumerate().filter(|(_, key)| Some(**key) != without);
        let effect = |key: u32| effects[key as usize];
        let mut keys: Vec<u32> = kept().map(|(_, key)| *key).collect();
        let first = keys.first().copied();
        keys.sort_unstable();
        let counts = || keys.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64));
        match self {
            Self::Counts => counts().map(|(key, count)| effect(key) * count.ln_1p()).sum(),
            Self::Presence => counts().map(|(key, _)| effect(key)).sum(),
            Self::Recency => kept()
                .map(|(place, key)| effect(*key) * (-steps.ages_days[place] / HALF_LIFE_DAYS).exp2())
                .sum(),
            Self::Opening => {
                let opening = first.map_or(0.0, |key| 3.0 * effect(key));
                opening + counts().map(|(key, _)| effect(key)).sum::<f64>()
            }
            Self::Chances => counts().map(|(key, count)| effect(key) * count).sum(),
        }
    }

    /// The chance that a deal of such strength is won. `base` sets how many are won in all.
    fn chance(self, strength: f64, base: f64) -> f64 {
        match self {
            Self::Chances => 1.0 - (-strength * base.exp()).exp(),
            _ => 1.0 / (1.0 + (-(strength + base)).exp()),
        }
    }
}

const HALF_LIFE_DAYS: f64 = 30.0;

/// How much planted strength varies between deals, as a standard deviation of log-odds: enough to be seen, too little
/// to decide a deal.
const SPREAD: f64 = 1.0;

/// How near a model came to planted truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Recovery {
    /// Mean absolute difference of a key's share from its true share.
    pub mean_error: f64,
    /// The largest.
    pub largest_error: f64,
    /// The part of all credit that stands with the wrong key.
    pub misplaced: f64,
    /// Kendall's tau of the shares with the true ones.
    pub rank_agreement: f64,
    /// Share given to the key that was planted without any effect.
    pub to_nothing: f64,
    /// Rounds in which the model could be fitted.
    pub rounds: usize,
}

/// Draws so many rounds from one generator and scores each candidate; in the order of the candidates.
///
/// `paths` are the numbers of the paths of closed deals to draw outcomes for, a sample where there are many.
pub fn recover(
    case: &Case,
    paths: &[usize],
    generator: Generator,
    candidates: &[Candidate],
    (seed, rounds): (u64, usize),
) -> Vec<Recovery> {
    let mut scores: Vec<Vec<Recovery>> = vec![Vec::new(); candidates.len()];
    for round in 0..rounds {
        let mut dice = Dice::new(seed, &format!("{generator:?}"), round);
        let planted = Planted::draw(case, paths, generator, &mut dice);
        for (candidate, scores) in candidates.iter().zip(&mut scores) {
            if let Some(shares) = candidate.shares(&planted.paths) {
                scores.push(planted.score(&shares));
            }
        }
    }
    scores.iter().map(|scores| average(scores)).collect()
}

/// One drawing.
struct Planted {
    paths: Paths,
    truth: Vec<f64>,
    nothing: usize,
}

impl Planted {
    fn draw(case: &Case, paths: &[usize], generator: Generator, dice: &mut Dice) -> Self {
        let walked = &case.paths.walked;
        let keys = walked.keys.len();
        // Effects of many sizes, as keys have: a few strong, many weak.
        let mut effects: Vec<f64> = (0..keys).map(|_| dice.unit().powi(2)).collect();
        let nothing = dice.below(keys);
        effects[nothing] = 0.0;
        let strengths = |effects: &[f64]| -> Vec<f64> {
            paths.iter().map(|path| generator.strength(walked.steps(*path), effects, None)).collect()
        };
        let plain = strengths(&effects);
        let middle = mean(plain.iter().copied());
        let spread = mean(plain.iter().map(|it| (it - middle).powi(2))).sqrt();
        if spread > 0.0 {
            for effect in &mut effects {
                *effect *= SPREAD / spread;
            }
        }
        let strengths = strengths(&effects);
        let wanted = mean(paths.iter().map(|path| f64::from(u8::from(case.is_won(*path)))));
        let base = calibrate(generator, &strengths, wanted);
        // A book without amounts counts deals.
        let unknown = if walked.about.iter().any(|about| about.amount_minor.is_some()) { 0.0 } else { 1.0 };
        let mut truth = vec![0.0; keys];
        let (mut conversions, mut value) = (vec![0.0; case.paths.len()], vec![0.0; case.paths.len()]);
        // What came to nothing stays so; deals that are not drawn for do not count.
        let mut nulls: Vec<f64> = (0..case.paths.len())
            .map(|path| if case.is_deal(path) { 0.0 } else { case.paths.nulls[path] })
            .collect();
        for (path, strength) in paths.iter().zip(&strengths) {
            let steps = walked.steps(*path);
            let amount = walked.about[*path].amount_minor.unwrap_or(unknown).max(0.0);
            let chance = generator.chance(*strength, base);
            let mut distinct = steps.keys.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            for key in distinct.into_iter().filter(|key| effects[*key as usize] > 0.0) {
                let without = generator.chance(generator.strength(steps, &effects, Some(key)), base);
                truth[key as usize] += amount * (chance - without).max(0.0);
            }
            if dice.chance(chance) {
                (conversions[*path], value[*path]) = (1.0, amount);
            } else {
                nulls[*path] = 1.0;
            }
        }
        let whole: f64 = truth.iter().sum();
        if whole > 0.0 {
            for part in &mut truth {
                *part /= whole;
            }
        }
        let paths = Paths { walked: std::sync::Arc::clone(walked), conversions, value, nulls };
        Self { paths, truth, nothing }
    }

    fn score(&self, shares: &[f64]) -> Recovery {
        let errors = || shares.iter().zip(&self.truth).map(|(share, truth)| (share - truth).abs());
        Recovery {
            mean_error: mean(errors()),
            largest_error: errors().fold(0.0, f64::max),
            misplaced: moved(shares, &self.truth),
            rank_agreement: kendall(shares, &self.truth).unwrap_or(0.0),
            to_nothing: shares[self.nothing],
            rounds: 1,
        }
    }
}

/// The base at which the wanted share of deals is won, by halving.
fn calibrate(generator: Generator, strengths: &[f64], wanted: f64) -> f64 {
    let (mut low, mut high) = (-60.0, 60.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if mean(strengths.iter().map(|strength| generator.chance(*strength, middle))) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The mean of some scores.
pub fn average(scores: &[Recovery]) -> Recovery {
    let of = |field: fn(&Recovery) -> f64| mean(scores.iter().map(field));
    Recovery {
        mean_error: of(|it| it.mean_error),
        largest_error: of(|it| it.largest_error),
        misplaced: of(|it| it.misplaced),
        rank_agreement: of(|it| it.rank_agreement),
        to_nothing: of(|it| it.to_nothing),
        rounds: scores.iter().map(|it| it.rounds).sum(),
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use tributary_core::Time;

    use super::*;
    use crate::paths::{About, Path};

    /// Deals over three channels, each with an amount of its own, every third won.
    fn case() -> Case {
        let rows: Vec<Path> = (0..300)
            .map(|number| {
                let steps = match number % 4 {
                    0 => vec!["a", "b"],
                    1 => vec!["b", "c", "b"],
                    2 => vec!["c"],
                    _ => vec!["a", "c", "a", "b"],
                };
                let won = f64::from(u8::from(number % 3 == 0));
                Path {
                    steps: steps.into_iter().map(str::to_owned).collect(),
                    conversions: won,
                    value: won * f64::from(number),
                    nulls: 1.0 - won,
                }
            })
            .collect();
        let mut paths = Paths::of_rows(&rows);
        let walked = std::sync::Arc::make_mut(&mut paths.walked);
        walked.ages_days = (0..walked.len())
            .flat_map(|path| (0..walked.steps(path).keys.len()).rev())
            .map(|age| age as f64)
            .collect();
        walked.about = (0..300)
            .map(|number| About {
                account: number,
                deal: Some(number),
                end: Time(0),
                amount_minor: Some(f64::from(number)),
                traits: Box::default(),
            })
            .collect();
        let keys = walked.keys.len();
        Case { paths, open_days: vec![None; 300], anonymous: vec![0; keys] }
    }

    fn draw(generator: Generator, round: usize) -> (Case, Planted) {
        let case = case();
        let all: Vec<usize> = (0..case.paths.len()).collect();
        let planted = Planted::draw(&case, &all, generator, &mut Dice::new(7, "test", round));
        (case, planted)
    }

    #[test]
    fn the_truth_is_a_whole_of_which_the_key_without_an_effect_has_nothing() {
        for generator in Generator::ALL {
            for round in 0..8 {
                let (_, planted) = draw(generator, round);
                assert!((planted.truth.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{generator:?}");
                assert_eq!(planted.truth[planted.nothing], 0.0, "{generator:?}");
                assert!(planted.truth.iter().filter(|part| **part > 0.0).count() == 2, "{generator:?}");
            }
        }
    }

    #[test]
    fn as_many_deals_are_won_as_in_the_book_and_each_is_won_or_lost() {
        for generator in Generator::ALL {
            let rounds = 40;
            let won = (0..rounds).map(|round| draw(generator, round).1.paths.conversions.iter().sum::<f64>());
            let mean = won.sum::<f64>() / f64::from(rounds as u32);
            assert!((mean - 100.0).abs() < 5.0, "{generator:?}: {mean}");
        }
        let (case, planted) = draw(Generator::Counts, 0);
        for path in 0..case.paths.len() {
            assert_eq!(planted.paths.conversions[path] + planted.paths.nulls[path], 1.0);
            let worth = planted.paths.conversions[path] * path as f64;
            assert_eq!(planted.paths.value[path], worth);
        }
    }

    #[test]
    fn whoever_knows_the_truth_makes_no_error_and_who_gives_all_to_nothing_makes_the_largest() {
        let (_, planted) = draw(Generator::Presence, 0);
        let right = planted.score(&planted.truth);
        assert_eq!((right.mean_error, right.misplaced, right.rank_agreement), (0.0, 0.0, 1.0));
        let mut wrong = vec![0.0; 3];
        wrong[planted.nothing] = 1.0;
        let wrong = planted.score(&wrong);
        assert_eq!((wrong.misplaced, wrong.to_nothing), (1.0, 1.0));
    }

    #[test]
    fn a_key_is_worth_what_the_deals_would_lose_without_it() {
        let steps = Steps { keys: &[0, 1, 0], ages_days: &[60.0, 30.0, 0.0], about: None };
        let strength = |generator: Generator, without| generator.strength(steps, &[1.0, 0.5], without);
        let all = Generator::ALL.map(|generator| strength(generator, None));
        let one = Generator::ALL.map(|generator| strength(generator, Some(0)));
        let close = |ours: [f64; 5], theirs: [f64; 5]| {
            assert!(ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-12), "{ours:?}, not {theirs:?}");
        };
        close(all, [3_f64.ln() + 0.5 * 2_f64.ln(), 1.5, 0.25 + 0.25 + 1.0, 3.0 + 1.5, 2.5]);
        close(one, [0.5 * 2_f64.ln(), 0.5, 0.25, 1.5 + 0.5, 0.5]);
    }
}
