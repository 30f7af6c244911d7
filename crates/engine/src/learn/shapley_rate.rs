//! Shapley values of the rate game: what a key adds to the conversion rate, so that lost paths count too.
//!
//! The game gives a set of keys S a conversion rate:
//!
//! - `subset` (default): that of all paths whose keys are in S, v(S) = C(⊆S) / N(⊆S).
//! - `exact`: that of the paths with exactly the keys S, v(S) = C(S) / N(S), and 0 if there is none.
//!
//! The values add up to the rate of all paths under `subset`, and may be negative: a key that comes with lost deals.
//! Negative values stay in the effect and are remarked; credit is in proportion to the positive ones, scaled to the
//! totals. Value is credited by the same game on value a path.
//!
//! `exact` has a closed form for any number of keys: with w(s) = s! (n−s−1)! / n!, a set T with rate r(T) gives each
//! of its keys r·w(|T|−1), and each other key −r·w(|T|). `subset` is enumerated, in 2ⁿ⁺⁴ bytes (256 MiB for 24 keys)
//! and about n·2ⁿ additions. Beyond `exact_up_to` keys it is the mean over permutations drawn by a seed, each with its
//! reverse, and says how far off it may be: by Hoeffding's inequality, and by the spread of 20 batches. Each
//! permutation alone adds up to the rate of all paths.
//!
//! Its probability is the rate of the paths with the same set of keys, mixed with ten paths of the average.
//!
//! ```
//! use tributary_engine::learn::{Learned, shapley_rate::{Options, ShapleyRate}};
//! use tributary_engine::paths::{Path, Paths};
//! let row = |steps: &str, conversions: f64, nulls: f64| Path {
//!     steps: steps.split(' ').map(str::to_owned).collect(), conversions, value: 0.0, nulls,
//! };
//! // a alone 1 of 2, b alone 0 of 2, both together or less 3 of 6.
//! let rows = [row("a", 1.0, 1.0), row("b", 0.0, 2.0), row("a b", 2.0, 0.0)];
//! let fitted = ShapleyRate::fit(&Options::default(), &Paths::of_rows(&rows))?;
//! assert_eq!(fitted.credit()[0].effect, 0.5); // ((1/2 − 0) + (1/2 − 0)) / 2
//! assert_eq!(fitted.credit()[1].effect, 0.0); // ((0 − 0) + (1/2 − 1/2)) / 2
//! # Ok::<(), tributary_engine::learn::LearnError>(())
//! ```
//!
//! When it misleads: rates of small sets rest on few paths and weigh as much as others; and a key that is there
//! because a deal goes well looks like one that makes it go well.
//!
//! References: Dalessandro et al. 2012, Causally motivated attribution for online advertising; Castro, Gómez, Tejada
//! 2009, Polynomial calculation of the Shapley value based on sampling; Hoeffding 1963.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tributary_core::dice::Dice;

use super::sets::Sets;
use super::{Credit, LearnError, Learned, Remark, in_proportion, remarks_on, weigh_by_effect};
use crate::paths::{Paths, Steps};

/// The most keys whose 2ⁿ sets are enumerated.
const MOST_EXACT: u32 = 24;
const BATCHES: usize = 20;
/// The quantile of Student's t for 95 % on both sides and 19 degrees of freedom.
const T_19: f64 = 2.093_024;
/// A rate is between 0 and 1, so what a key adds is between −1 and 1.
const RANGE: f64 = 2.0;

/// Which rate a set of keys has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Game {
    /// That of all paths whose keys are in the set.
    #[default]
    Subset,
    /// That of the paths with exactly these keys.
    Exact,
}

/// Options of the rate game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Which rate a set of keys has.
    pub game: Game,
    /// Up to how many keys all sets are enumerated, at most 24; beyond, permutations are drawn.
    pub exact_up_to: u32,
    /// How many permutations to draw, rounded up to a multiple of 40: 20 batches of pairs.
    pub permutations: u32,
    /// Where the drawing begins.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { game: Game::Subset, exact_up_to: MOST_EXACT, permutations: 2000, seed: 1 }
    }
}

/// The fitted rate game.
#[derive(Clone, Debug)]
pub struct ShapleyRate {
    credit: Vec<Credit>,
    sets: Sets,
    sampled: Option<Remark>,
}

/// How many independent draws put a mean within `error` of what is true, with probability 1 − `risk` (Hoeffding):
/// range² ln(2/risk) / (2 error²).
///
/// ```
/// use tributary_engine::learn::shapley_rate::draws;
/// assert_eq!(draws(1.0, 0.01, 0.05), 18_445);
/// ```
pub fn draws(range: f64, error: f64, risk: f64) -> u64 {
    (range * range * (2.0 / risk).ln() / (2.0 * error * error)).ceil() as u64
}

/// How far a mean of so many draws may be off, with probability 0.95 (Hoeffding).
fn error(draws: f64) -> f64 {
    RANGE * ((2.0_f64 / 0.05).ln() / (2.0 * draws)).sqrt()
}

impl ShapleyRate {
    /// Fits on paths of which some converted and some did not.
    pub fn fit(options: &Options, paths: &Paths) -> Result<Self, LearnError> {
        if options.exact_up_to > MOST_EXACT {
            return Err(LearnError::Option("exact_up_to must be at most 24"));
        }
        let sets = Sets::of(paths);
        let totals = sets.totals();
        if totals.0 <= 0.0 {
            return Err(LearnError::NoConversions);
        }
        if sets.nulls.iter().sum::<f64>() <= 0.0 {
            return Err(LearnError::NoNulls);
        }
        let players = Players::of(&sets, paths.walked.keys.len());
        let mut sampled = None;
        let [effects, worth] = match options.game {
            Game::Exact => [&sets.conversions, &sets.value].map(|won| players.exact(&sets, won)),
            Game::Subset if players.keys.len() <= options.exact_up_to as usize => {
                [&sets.conversions, &sets.value].map(|won| players.enumerated(&sets, won))
            }
            Game::Subset => {
                let (values, remark) = players.sampled(&sets, options);
                sampled = Some(remark);
                values
            }
        };
        let spread = |values: Vec<f64>| {
            let mut out = vec![0.0; paths.walked.keys.len()];
            for (key, value) in players.keys.iter().zip(values) {
                out[*key as usize] = value;
            }
            out
        };
        let (effects, worth) = (spread(effects), spread(worth));
        Ok(Self { credit: in_proportion(&effects, &effects, &worth, totals), sets, sampled })
    }
}

impl Learned for ShapleyRate {
    fn credit(&self) -> &[Credit] {
        &self.credit
    }

    fn weigh(&self, steps: Steps<'_>, out: &mut Vec<f64>) {
        weigh_by_effect(|key| self.credit[key as usize].effect, steps, out);
    }

    fn probability(&self, steps: Steps<'_>) -> f64 {
        self.sets.rate(steps.keys)
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut out = remarks_on(&self.credit);
        out.extend(self.sampled.clone());
        out
    }
}

/// The keys that are on some path, by number of player, and the player of each key.
struct Players {
    keys: Vec<u32>,
    of_key: Vec<usize>,
}

impl Players {
    fn of(sets: &Sets, keys: usize) -> Self {
        let mut of_key = vec![usize::MAX; keys];
        for key in sets.all().flatten() {
            of_key[*key as usize] = 0;
        }
        let keys: Vec<u32> = (0..keys as u32).filter(|key| of_key[*key as usize] == 0).collect();
        for (player, key) in keys.iter().enumerate() {
            of_key[*key as usize] = player;
        }
        Self { keys, of_key }
    }

    /// s! (n−s−1)! / n!, by size of the set that a player joins; a last 0 for the set of all.
    fn weights(&self) -> Vec<f64> {
        let players = self.keys.len();
        let mut out = vec![0.0; players + 1];
        let mut weight = 1.0 / players as f64;
        for (size, slot) in out[..players].iter_mut().enumerate() {
            *slot = weight;
            weight *= (size + 1) as f64 / (players - size - 1).max(1) as f64;
        }
        out
    }

    /// The closed form of the game in which only exactly the seen sets have a rate.
    fn exact(&self, sets: &Sets, won: &[f64]) -> Vec<f64> {
        let weights = self.weights();
        let mut out = vec![0.0; self.keys.len()];
        let mut others = 0.0;
        for (set, keys) in sets.all().enumerate() {
            let rate = rate(won[set], sets.conversions[set] + sets.nulls[set]);
            others += rate * weights[keys.len()];
            for key in keys {
                out[self.of_key[*key as usize]] += rate * (weights[keys.len() - 1] + weights[keys.len()]);
            }
        }
        for value in &mut out {
            *value -= others;
        }
        out
    }

    /// All 2ⁿ sets: sums over subsets by the zeta transform, then the weighted sums over all sets with a player.
    fn enumerated(&self, sets: &Sets, won: &[f64]) -> Vec<f64> {
        let weights = self.weights();
        let size = 1_usize << self.keys.len();
        let (mut worth, mut count) = (vec![0.0; size], vec![0.0; size]);
        for (set, keys) in sets.all().enumerate() {
            let mask = keys.iter().fold(0, |mask, key| mask | 1 << self.of_key[*key as usize]);
            worth[mask] = won[set];
            count[mask] = sets.conversions[set] + sets.nulls[set];
        }
        zeta(&mut worth);
        zeta(&mut count);
        let mut others = 0.0;
        for (mask, (worth, count)) in worth.iter_mut().zip(count).enumerate() {
            let members = mask.count_ones() as usize;
            let rate = rate(*worth, count);
            others += rate * weights[members];
            *worth = rate * (weights[members.saturating_sub(1)] + weights[members]);
        }
        // The upper half holds the sets with the last player; folded onto the lower, the next is the last.
        let mut out = vec![0.0; self.keys.len()];
        for (player, value) in out.iter_mut().enumerate().rev() {
            let (without, with) = worth[..2 << player].split_at_mut(1 << player);
            *value = with.iter().sum::<f64>() - others;
            for (without, with) in without.iter_mut().zip(with) {
                *without += *with;
            }
        }
        out
    }

    /// The mean over permutations in pairs, for conversions and value, and how far off it may be.
    fn sampled(&self, sets: &Sets, options: &Options) -> ([Vec<f64>; 2], Remark) {
        let players = self.keys.len();
        let pairs = (options.permutations as usize).div_ceil(2 * BATCHES).max(1);
        let mut dice = Dice::new(options.seed, "permutations", 0);
        let mut order: Vec<usize> = (0..players).collect();
        let mut walk = Walk { at: vec![0; players], sums: Vec::new() };
        let mut batches = vec![vec![[0.0; 2]; players]; BATCHES];
        for batch in &mut batches {
            for _ in 0..pairs {
                shuffle(&mut order, &mut dice);
                walk.add(self, sets, &order, batch);
                order.reverse();
                walk.add(self, sets, &order, batch);
            }
            for value in batch.iter_mut().flatten() {
                *value /= (2 * pairs) as f64;
            }
        }
        let mean = |player: usize, which: usize| {
            batches.iter().map(|batch| batch[player][which]).sum::<f64>() / BATCHES as f64
        };
        let half_width = |player: usize| {
            let mean = mean(player, 0);
            let squares = batches.iter().map(|batch| (batch[player][0] - mean).powi(2)).sum::<f64>();
            T_19 * (squares / ((BATCHES - 1) * BATCHES) as f64).sqrt()
        };
        let values = [0, 1].map(|which| (0..players).map(|player| mean(player, which)).collect());
        let draws = pairs * BATCHES;
        let interval = (0..players).map(half_width).fold(0.0, f64::max);
        let remark = Remark::Sampled { permutations: 2 * draws, bound: error(draws as f64), interval };
        (values, remark)
    }
}

/// One permutation: a set of keys is all there when the last of its keys is.
struct Walk {
    at: Vec<usize>,
    sums: Vec<[f64; 3]>,
}

impl Walk {
    fn add(&mut self, players: &Players, sets: &Sets, order: &[usize], out: &mut [[f64; 2]]) {
        for (place, player) in order.iter().enumerate() {
            self.at[*player] = place;
        }
        self.sums.clear();
        self.sums.resize(order.len(), [0.0; 3]);
        for (set, keys) in sets.all().enumerate() {
            let last = keys.iter().map(|key| self.at[players.of_key[*key as usize]]).max().unwrap_or(0);
            let sums = &mut self.sums[last];
            sums[0] += sets.conversions[set];
            sums[1] += sets.value[set];
            sums[2] += sets.conversions[set] + sets.nulls[set];
        }
        let (mut so_far, mut before) = ([0.0; 3], [0.0; 2]);
        for (player, sums) in order.iter().zip(&self.sums) {
            for (so_far, sum) in so_far.iter_mut().zip(sums) {
                *so_far += sum;
            }
            let now = [rate(so_far[0], so_far[2]), rate(so_far[1], so_far[2])];
            out[*player][0] += now[0] - before[0];
            out[*player][1] += now[1] - before[1];
            before = now;
        }
    }
}

fn rate(won: f64, count: f64) -> f64 {
    if count > 0.0 { won / count } else { 0.0 }
}

/// Replaces each set's number by the sum over its subsets.
fn zeta(numbers: &mut [f64]) {
    let mut half = 1;
    while half < numbers.len() {
        for block in numbers.chunks_exact_mut(2 * half) {
            let (without, with) = block.split_at_mut(half);
            for (without, with) in without.iter().zip(with) {
                *with += without;
            }
        }
        half *= 2;
    }
}

/// Each order as likely as any other (Fisher–Yates).
fn shuffle(order: &mut [usize], dice: &mut Dice) {
    for end in (1..order.len()).rev() {
        order.swap(end, dice.below(end + 1));
    }
}
