//! Markov removal effect: what share of the conversions is lost if a key stops working.
//!
//! Paths become a chain. A state is the last key of a path, or its last few; the probability of the next state, of a
//! conversion and of an end without one are as often as the paths show. A key's *removal effect* is the part of the
//! conversions that the chain no longer brings without it, and credit is in proportion to it:
//!
//! ```text
//! RE(c) = 1 − p₋c / p        credit(c) = conversions · RE(c) / Σ RE
//! ```
//!
//! Everything is exact; nothing is simulated. A chain fitted on paths converts as often as they do, `p = conversions /
//! starts`, and visits each state as often, so neither is solved for. At order 1 one inverse `N = (I − Q)⁻¹` then
//! holds every removal effect under [`Removal::Redirect`], with `f_c` the visits of `c` a start and `h_c` the
//! probability of a conversion from there:
//!
//! ```text
//! RE(c) = f_c · h_c / (N_cc · p)
//! ```
//!
//! At higher orders, where many states contain a key, one sparse system a key is solved to a proven error below
//! 10⁻¹⁰ of the effect, in most cases 10⁻¹²: the part of each state's visits that came by way of the key.
//!
//! Three paths, C1 > C2 > C3 that converts, and C1 and C2 > C3 that do not. From the start one goes to C1 in two of
//! three cases, from C1 to C2 in one of two, from C2 always to C3, and from there to a conversion in one of two: a
//! third converts. Without C1 half of that is left, without C2 or C3 nothing.
//!
//! ```
//! use tributary_engine::learn::{Learned, markov::Markov};
//! use tributary_engine::paths::{Path, Paths};
//! let path = |text: &str, conversions, nulls| Path {
//!     steps: text.split(" > ").map(str::to_owned).collect(),
//!     conversions,
//!     value: 0.0,
//!     nulls,
//! };
//! let rows = [path("C1 > C2 > C3", 1.0, 0.0), path("C1", 0.0, 1.0), path("C2 > C3", 0.0, 1.0)];
//! let fitted = Markov::default().fit(&Paths::of_rows(&rows)).unwrap();
//! let told = |number: f64| format!("{number:.3}");
//! assert_eq!(fitted.credit().iter().map(|it| told(it.effect)).collect::<Vec<_>>(), ["0.500", "1.000", "1.000"]);
//! assert_eq!(fitted.credit().iter().map(|it| told(it.conversions)).collect::<Vec<_>>(), ["0.200", "0.400", "0.400"]);
//! ```
//!
//! When it misleads: on long paths almost every conversion passes by almost every key, all effects come near 1, and
//! credit near an equal share for each, with narrow intervals around it. A key that wins nothing then gets as much as
//! one that wins much. It is association, not cause. And "removal effect" alone says nothing: see [`Removal`].
//!
//! Anderl, Becker, von Wangenheim, Schumann: *Mapping the customer journey*, International Journal of Research in
//! Marketing 33(3), 2016. Not responsible for choosing an order, nor for intervals: fit it on resampled paths.

mod count;
mod dense;
mod outlook;
mod sparse;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::count::{Chain, GOODS, Walk, walks};
use self::outlook::Outlook;
use super::{Credit, LearnError, Learned, Remark, remarks_on, weigh_by_effect};
use crate::paths::{Paths, Steps};

/// Up to so many keys one dense inverse is faster than a sparse system a key.
const DENSE_KEYS: usize = 1500;

/// The Markov removal effect, as TOML says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Markov {
    /// How many keys back a state remembers, 1 to 4.
    #[schemars(range(min = 1, max = 4))]
    pub order: u8,
    /// What the states of a higher order are.
    pub states: States,
    /// What removing a key means.
    pub removal: Removal,
    /// Whether paths without a conversion count.
    pub nulls: Nulls,
}

impl Default for Markov {
    fn default() -> Self {
        Self::of_order(1)
    }
}

/// What the states of a higher order are.
///
/// Both give the same effects: the first states of a prefix only tell how the first window came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum States {
    /// The windows of as many keys as the order; a path shorter than that is one state. As in ChannelAttribution.
    #[default]
    Windows,
    /// The keys so far, at first fewer than the order. As in textbooks.
    Prefix,
}

/// What removing a key means. The four give different numbers on the same paths: ChannelAttribution's sample of 10,000
/// paths gives its first channel 5,345, 5,876, 4,738 and 0 of 19,785 conversions.
///
/// Only `Redirect` looks at the chain's steps. A chain fitted again converts exactly as often as the paths it is fitted
/// on, so the other three are counts of paths, and the same at every order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Whoever comes to the key in the chain is lost there, and all else stays: the removal effect of Anderl et al.,
    /// and what ChannelAttribution simulates. 0 to 1.
    #[default]
    Redirect,
    /// Each path that contains the key is dropped from what converts, and still counts as begun: the share of
    /// conversions with the key on their path. 0 to 1.
    Drop,
    /// As `Drop`; then the key's steps are taken out, paths without any other step are no longer counted as begun, and
    /// the chain is fitted again. Below 0 for a key that mostly stands alone on paths that come to nothing.
    Refit,
    /// The key's steps are taken out of each path, which goes on to the same end without them; paths without any other
    /// step are no longer counted, and the chain is fitted again. Below 0 for a key that converts less than others
    /// where it stands alone; 0 for one that never does.
    Detour,
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redirect => "removal = redirect: the effect of a key is what is lost if whoever comes to it goes no further",
            Self::Drop => "removal = drop: the effect of a key is the share of conversions with it on their path",
            Self::Refit => {
                "removal = refit: the effect of a key is what is lost without its steps and the conversions they were part of"
            }
            Self::Detour => "removal = detour: the effect of a key is what is lost where a path has no other step",
        })
    }
}

/// Whether paths without a conversion count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// They do.
    #[default]
    Counted,
    /// They do not: the effect is the part of the chain's paths that pass by a key, and every path converts.
    Omitted,
}

impl Markov {
    /// The model of an order, with all else as usual.
    pub fn of_order(order: u8) -> Self {
        Self { order, states: States::default(), removal: Removal::default(), nulls: Nulls::default() }
    }

    /// Learns from paths.
    pub fn fit(self, paths: &Paths) -> Result<Fitted, LearnError> {
        if !(1..=4).contains(&self.order) {
            return Err(LearnError::Order(self.order));
        }
        let chain = count::count(paths, self)?;
        if chain.totals[0] <= 0.0 {
            return Err(LearnError::NoConversions);
        }
        let keys = paths.walked.keys.len();
        let (effects, conversion) = match self.removal {
            Removal::Redirect if self.order == 1 && chain.grams.len() <= DENSE_KEYS => inverted(&chain, keys),
            Removal::Redirect => iterated(&chain, keys)?,
            Removal::Drop | Removal::Refit | Removal::Detour => {
                (self.refitted(&chain, paths)?, sparse::System::new(&chain)?.conversion)
            }
        };
        Ok(Fitted {
            removal: self.removal,
            credit: credit(&effects, chain.totals),
            outlook: Outlook::new(&chain, self, &conversion),
            conversion_rate: chain.totals[0] / chain.begun,
        })
    }

    /// The effects of the removals that fit again, from counts of paths.
    fn refitted(self, chain: &Chain, paths: &Paths) -> Result<Effects, LearnError> {
        if self.removal == Removal::Detour && chain.totals[0] >= chain.begun {
            return Err(LearnError::NoNulls);
        }
        let keys = paths.walked.keys.len();
        let (mut with, mut alone) = (vec![Part::default(); keys], vec![Part::default(); keys]);
        let mut last_path = vec![usize::MAX; keys];
        for (path, walk) in walks(paths, self.nulls).enumerate() {
            let mut distinct = 0;
            for key in walk.keys {
                let last_path = &mut last_path[*key as usize];
                if *last_path != path {
                    *last_path = path;
                    distinct += 1;
                    with[*key as usize].add(&walk);
                }
            }
            if distinct == 1 {
                alone[walk.keys[0] as usize].add(&walk);
            }
        }
        let effect = |good: usize, key: usize| {
            let total = chain.totals[good];
            if total <= 0.0 || with[key].times <= 0.0 {
                return 0.0;
            }
            let (lost, begun) = match self.removal {
                Removal::Detour => (alone[key].goods[good], chain.begun - alone[key].times),
                Removal::Refit => (with[key].goods[good], chain.begun - alone[key].times),
                Removal::Redirect | Removal::Drop => (with[key].goods[good], chain.begun),
            };
            let left = if begun > 0.0 { (total - lost) / total * (chain.begun / begun) } else { 0.0 };
            1.0 - left
        };
        Ok(std::array::from_fn(|good| (0..keys).map(|key| effect(good, key)).collect()))
    }
}

/// Removal effects by good and key.
type Effects = [Vec<f64>; GOODS];

/// A part of all paths.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    times: f64,
    goods: [f64; GOODS],
}

impl Part {
    fn add(&mut self, walk: &Walk<'_>) {
        self.times += walk.times;
        for (sum, good) in self.goods.iter_mut().zip(walk.goods) {
            *sum += good;
        }
    }
}

/// The effects of redirecting at order 1, and the probability of a conversion by state.
fn inverted(chain: &Chain, keys: usize) -> (Effects, Vec<f64>) {
    let solved = dense::solve(chain);
    let mut effects: Effects = std::array::from_fn(|_| vec![0.0; keys]);
    for (effects, by_way_of) in effects.iter_mut().zip(&solved.by_way_of) {
        for (state, part) in by_way_of.iter().enumerate() {
            for key in chain.keys(state) {
                effects[key as usize] = part.clamp(0.0, 1.0);
            }
        }
    }
    (effects, solved.conversion)
}

/// The effects of redirecting at any order, and the probability of a conversion by state.
fn iterated(chain: &Chain, keys: usize) -> Result<(Effects, Vec<f64>), LearnError> {
    let system = sparse::System::new(chain)?;
    let mut with: Vec<Vec<u32>> = vec![Vec::new(); keys];
    for state in 0..chain.grams.len() {
        for key in chain.keys(state) {
            with[key as usize].push(state as u32);
        }
    }
    let mut effects: Effects = std::array::from_fn(|_| vec![0.0; keys]);
    for (key, states) in with.iter().enumerate().filter(|(_, states)| !states.is_empty()) {
        for (effects, part) in effects.iter_mut().zip(system.by_way_of(states)?) {
            effects[key] = part;
        }
    }
    Ok((effects, system.conversion))
}

/// Splits what there is in proportion to the effects above 0; nothing, if there are none. Value on which no key has
/// such an effect goes as the conversions do.
fn credit(effects: &Effects, totals: [f64; GOODS]) -> Vec<Credit> {
    let whole = effects.each_ref().map(|effects| effects.iter().map(|it| it.max(0.0)).sum::<f64>());
    let part = |good: usize, key: usize| {
        let by = if whole[good] > 0.0 { good } else { 0 };
        if whole[by] > 0.0 { effects[by][key].max(0.0) / whole[by] * totals[good] } else { 0.0 }
    };
    let keys = 0..effects[0].len();
    keys.map(|key| Credit {
        effect: effects[0][key],
        conversions: part(0, key),
        value: part(1, key) - part(2, key),
    })
    .collect()
}

/// A fitted chain.
#[derive(Clone, Debug)]
pub struct Fitted {
    removal: Removal,
    credit: Vec<Credit>,
    outlook: Outlook,
    conversion_rate: f64,
}

impl Fitted {
    /// The share of paths that convert, and so the chain's own probability of a conversion from the start.
    pub fn conversion_rate(&self) -> f64 {
        self.conversion_rate
    }
}

impl Learned for Fitted {
    fn credit(&self) -> &[Credit] {
        &self.credit
    }

    fn weigh(&self, steps: Steps<'_>, out: &mut Vec<f64>) {
        let effect = |key: u32| self.credit.get(key as usize).map_or(0.0, |credit| credit.effect);
        weigh_by_effect(effect, steps, out);
    }

    fn probability(&self, steps: Steps<'_>) -> f64 {
        self.outlook.probability(steps.keys)
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut out = vec![Remark::Removed { removal: self.removal }];
        out.extend(remarks_on(&self.credit));
        out
    }
}
