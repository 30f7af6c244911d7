//! The distinct sets of keys on paths, each with what its paths came to: the coalitions of a cooperative game.
//!
//! Order and repeats of steps are gone here. Sums are exact before they are rounded once, so that the order of the
//! paths changes no bit. Not responsible for what a model makes of the sets.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::paths::{Paths, Walked};

/// As many paths of the average are mixed into a set's own when its rate is asked: a set seen once proves little.
const PRIOR_PATHS: f64 = 10.0;

/// Distinct sets of keys, sorted, a column each for members and outcomes.
#[derive(Clone, Debug)]
pub(crate) struct Sets {
    starts: Vec<usize>,
    members: Vec<u32>,
    /// Conversions of the paths with exactly these keys.
    pub(crate) conversions: Vec<f64>,
    /// What those were worth.
    pub(crate) value: Vec<f64>,
    /// Paths with exactly these keys that did not convert.
    pub(crate) nulls: Vec<f64>,
    average: f64,
}

impl Sets {
    /// The sets of these paths. Paths that count for nothing leave no trace.
    pub(crate) fn of(paths: &Paths) -> Self {
        let (of_path, sets) = number(paths);
        let grids = [&paths.conversions, &paths.value, &paths.nulls].map(|column| Grid::of(column));
        let mut sums = vec![[0_i128; 3]; sets.len()];
        for (path, set) in of_path.iter().enumerate() {
            if *set == NO_SET {
                continue;
            }
            let columns = [paths.conversions[path], paths.value[path], paths.nulls[path]];
            for ((sum, number), grid) in sums[*set as usize].iter_mut().zip(columns).zip(grids) {
                if number != 0.0 {
                    *sum += grid.place(number);
                }
            }
        }
        let mut order: Vec<usize> = (0..sets.len()).collect();
        order.sort_unstable_by(|a, b| sets[*a].cmp(&sets[*b]));
        let column = |which: usize| order.iter().map(|set| grids[which].value(sums[*set][which])).collect();
        let mut out = Self {
            starts: vec![0],
            members: Vec::new(),
            conversions: column(0),
            value: column(1),
            nulls: column(2),
            average: 0.0,
        };
        let (conversions, nulls) = (out.totals().0, out.nulls.iter().sum::<f64>());
        out.average = if conversions > 0.0 { conversions / (conversions + nulls) } else { 0.0 };
        for set in order {
            out.members.extend(&sets[set]);
            out.starts.push(out.members.len());
        }
        out
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.conversions.len()
    }

    /// The keys of a set, sorted.
    pub(crate) fn keys(&self, set: usize) -> &[u32] {
        &self.members[self.starts[set]..self.starts[set + 1]]
    }

    /// The keys of all sets, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &[u32]> {
        self.starts.windows(2).map(|ends| &self.members[ends[0]..ends[1]])
    }

    /// For each key the sets that it is in, by number.
    pub(crate) fn by_key(&self, keys: usize) -> Vec<Vec<u32>> {
        let mut out = vec![Vec::new(); keys];
        for (set, members) in self.all().enumerate() {
            for key in members {
                out[*key as usize].push(set as u32);
            }
        }
        out
    }

    /// All conversions, and all that they were worth.
    pub(crate) fn totals(&self) -> (f64, f64) {
        (self.conversions.iter().sum(), self.value.iter().sum())
    }

    /// How often paths with exactly these keys convert, mixed with ten paths of the average; 0 without a key.
    pub(crate) fn rate(&self, keys: &[u32]) -> f64 {
        let wanted = distinct(keys);
        if wanted.is_empty() {
            return 0.0;
        }
        let (own, other) =
            self.find(&wanted).map_or((0.0, 0.0), |set| (self.conversions[set], self.nulls[set]));
        (own + PRIOR_PATHS * self.average) / (own + other + PRIOR_PATHS)
    }

    fn find(&self, wanted: &[u32]) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.keys(middle).cmp(wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// Keys sorted, each once.
pub(crate) fn distinct(keys: &[u32]) -> Vec<u32> {
    let mut out = keys.to_vec();
    out.sort_unstable();
    out.dedup();
    out
}

const NO_SET: u32 = u32::MAX;

/// The number of each path's set, and the sets by number. Up to 64 keys a set is the bits of one word.
fn number(paths: &Paths) -> (Vec<u32>, Vec<Vec<u32>>) {
    let walked = &paths.walked;
    let counts = |path: usize| {
        let outcome = [paths.conversions[path], paths.nulls[path], paths.value[path]];
        outcome.iter().any(|count| *count != 0.0) && walked.starts[path] < walked.starts[path + 1]
    };
    if walked.keys.len() <= 64 {
        let mut numbers: HashMap<u64, u32, BuildHasherDefault<Mixed>> = HashMap::default();
        let mut sets = Vec::new();
        let mut last = (0, NO_SET);
        let of_path = (0..paths.len()).map(|path| {
            if !counts(path) {
                return NO_SET;
            }
            let mask = mask(walked, path);
            if mask != last.0 {
                last = (
                    mask,
                    *numbers.entry(mask).or_insert_with(|| {
                        sets.push((0..64).filter(|bit| mask >> bit & 1 == 1).collect());
                        sets.len() as u32 - 1
                    }),
                );
            }
            last.1
        });
        return (of_path.collect(), sets);
    }
    let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut stamps = vec![usize::MAX; walked.keys.len()];
    let mut own = Vec::new();
    let of_path = (0..paths.len()).map(|path| {
        if !counts(path) {
            return NO_SET;
        }
        own.clear();
        for key in walked.steps(path).keys {
            if std::mem::replace(&mut stamps[*key as usize], path) != path {
                own.push(*key);
            }
        }
        own.sort_unstable();
        let next = numbers.len() as u32;
        numbers.get(&own).copied().unwrap_or_else(|| {
            numbers.insert(own.clone(), next);
            next
        })
    });
    let of_path = of_path.collect();
    let mut sets = vec![Vec::new(); numbers.len()];
    for (set, number) in numbers {
        sets[number as usize] = set;
    }
    (of_path, sets)
}

fn mask(walked: &Walked, path: usize) -> u64 {
    let steps = &walked.steps[walked.starts[path]..walked.starts[path + 1]];
    steps.iter().fold(0, |mask, key| mask | 1 << (key & 63))
}

/// A hash for masks: multiply and fold.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, mask: u64) {
        let wide = u128::from(self.0 ^ mask) * 0x9E37_79B9_7F4A_7C15;
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }
}

/// A grid of fixed steps fine enough that a column's numbers fit on it, and wide enough for their sum: integers, so
/// that no order of adding them matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    scale: f64,
}

impl Grid {
    /// For a column. Numbers down to 2⁻⁵³ of the largest lose no bit with up to 2²⁰ paths.
    pub(crate) fn of(column: &[f64]) -> Self {
        let largest = column.iter().fold(0.0_f64, |largest, number| largest.max(number.abs()));
        if largest == 0.0 {
            return Self { scale: 1.0 };
        }
        let exponent = (largest.to_bits() >> 52) as i32 - 1022;
        let room = 125 - exponent - (usize::BITS - column.len().leading_zeros()) as i32;
        Self { scale: 2.0_f64.powi(room.clamp(-1000, 1000)) }
    }

    /// The place of a number.
    pub(crate) fn place(self, number: f64) -> i128 {
        (number * self.scale) as i128
    }

    /// The number at a place.
    pub(crate) fn value(self, place: i128) -> f64 {
        place as f64 / self.scale
    }
}
