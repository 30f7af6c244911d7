//! Shapley values of the sum game: what a key adds to all the sets of keys that could have been there without it.
//!
//! The game gives a set of keys S the conversions of the paths whose keys are all in S. Each path's keys T are then a
//! game of their own, in which nothing is won before all of T is there, and its Shapley value is an even split. So the
//! value of a key is, in closed form and for any number of keys,
//!
//! > φ_i = Σ over sets T with i of R(T) / |T|
//!
//! where R(T) is what the paths with exactly the keys T came to. This is how a conversion is split, too: evenly over
//! the path's distinct keys, and evenly over the steps of each.
//!
//! Its probability is the rate of the paths with the same set of keys, mixed with ten paths of the average.
//!
//! ```
//! use tributary_engine::learn::{Learned, shapley::Shapley};
//! use tributary_engine::paths::{Path, Paths};
//! // O alone 7, F alone 6, D alone 4, O and F 2, F and D −1, all three 1: 19 together.
//! let row = |steps: &str, value: f64| Path {
//!     steps: steps.split(' ').map(str::to_owned).collect(), conversions: 1.0, value, nulls: 0.0,
//! };
//! let rows = [row("O", 7.0), row("F", 6.0), row("D", 4.0), row("O F", 2.0), row("D O", -4.0),
//!     row("F D", -1.0), row("O F D", 5.0)];
//! let fitted = Shapley::fit(&Paths::of_rows(&rows))?;
//! let of = |key: usize| fitted.credit()[key].value; // D, F, O
//! assert!((of(2) - 23.0 / 3.0).abs() < 1e-12 && (of(1) - 49.0 / 6.0).abs() < 1e-12);
//! assert!((of(0) - 19.0 / 6.0).abs() < 1e-12);
//! # Ok::<(), tributary_engine::learn::LearnError>(())
//! ```
//!
//! When it misleads: it never looks at paths that did not convert, so a key that is on every path, won or lost, gets
//! as much as one that makes the difference. That is what [`shapley_rate`](super::shapley_rate) is for.
//!
//! References: Shapley 1953, A value for n-person games; Zhao, Mahboobi, Bagheri 2018, Shapley value methods for
//! attribution modeling, arXiv:1804.05327 (the closed form, and the ordered variant).

use super::sets::{Grid, Sets};
use super::{Credit, LearnError, Learned, weigh_by_effect};
use crate::paths::{Paths, Steps};

/// The fitted sum game.
#[derive(Clone, Debug)]
pub struct Shapley {
    credit: Vec<Credit>,
    sets: Sets,
}

impl Shapley {
    /// Fits in one pass over the steps.
    pub fn fit(paths: &Paths) -> Result<Self, LearnError> {
        let sets = Sets::of(paths);
        if sets.totals().0 <= 0.0 {
            return Err(LearnError::NoConversions);
        }
        let mut credit = vec![Credit::default(); paths.walked.keys.len()];
        for (set, keys) in sets.all().enumerate() {
            let size = keys.len() as f64;
            for key in keys {
                let own = &mut credit[*key as usize];
                own.conversions += sets.conversions[set] / size;
                own.value += sets.value[set] / size;
            }
        }
        for own in &mut credit {
            own.effect = own.conversions;
        }
        Ok(Self { credit, sets })
    }
}

impl Learned for Shapley {
    fn credit(&self) -> &[Credit] {
        &self.credit
    }

    fn weigh(&self, steps: Steps<'_>, out: &mut Vec<f64>) {
        weigh_by_effect(|_| 1.0, steps, out);
    }

    fn probability(&self, steps: Steps<'_>) -> f64 {
        self.sets.rate(steps.keys)
    }
}

/// The ordered variant: what each key gets as the first, second, … distinct key of its paths (Zhao 2018).
///
/// By number of key, then by position; a key's positions add up to its credit in the sum game.
///
/// ```
/// use tributary_engine::learn::shapley::ordered;
/// use tributary_engine::paths::{Path, Paths};
/// let steps = ["b", "b", "a"].map(str::to_owned).to_vec();
/// let paths = Paths::of_rows(&[Path { steps, conversions: 1.0, value: 8.0, nulls: 0.0 }]);
/// let by_position = ordered(&paths);
/// assert_eq!((by_position[0][1].value, by_position[1][0].value), (4.0, 4.0)); // a second, b first
/// ```
pub fn ordered(paths: &Paths) -> Vec<Vec<Credit>> {
    let walked = &paths.walked;
    let grids = [Grid::of(&paths.conversions), Grid::of(&paths.value)];
    let mut sums: Vec<Vec<[i128; 2]>> = vec![Vec::new(); walked.keys.len()];
    let mut stamps = vec![usize::MAX; walked.keys.len()];
    let mut own = Vec::new();
    for (path, steps) in walked.all().enumerate() {
        own.clear();
        for key in steps.keys {
            if std::mem::replace(&mut stamps[*key as usize], path) != path {
                own.push(*key as usize);
            }
        }
        let size = own.len() as f64;
        let parts =
            [grids[0].place(paths.conversions[path] / size), grids[1].place(paths.value[path] / size)];
        for (position, key) in own.iter().enumerate() {
            let places = &mut sums[*key];
            if places.len() <= position {
                places.resize(position + 1, [0; 2]);
            }
            places[position][0] += parts[0];
            places[position][1] += parts[1];
        }
    }
    let credit = |place: &[i128; 2]| {
        let conversions = grids[0].value(place[0]);
        Credit { effect: conversions, conversions, value: grids[1].value(place[1]) }
    };
    sums.iter().map(|places| places.iter().map(credit).collect()).collect()
}
