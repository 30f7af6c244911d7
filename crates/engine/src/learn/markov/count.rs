//! Counting: paths to a chain of states, each state the last keys of a path so far.
//!
//! A state is a number in base `keys + 1`, a digit a key from 1, so that no key, whatever its name, is mistaken for
//! the start, a conversion or a null: those are columns of their own. Not responsible for solving anything.

use super::{Markov, Nulls, States};
use crate::learn::LearnError;
use crate::paths::Paths;

/// Up to so many counters lie side by side (32 MiB); of more only those in use are kept.
const SIDE_BY_SIDE: u64 = 1 << 22;

/// States that the solver is meant for. More than that is a mistake in the choice of keys, and takes hours.
const MOST_STATES: usize = 5_000_000;

/// What is handed out: conversions, value above 0, and value below 0 with its sign turned. They are split one by one,
/// since shares of a sum that a credit note brings near 0 mean nothing.
pub(super) const GOODS: usize = 3;

/// How paths went from state to state. Counts that are whole are exact, so that the order of paths changes no bit.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// One more than there are keys.
    pub(super) base: u64,
    /// The states' last keys as digits; sorted.
    pub(super) grams: Vec<u64>,
    /// How often a path began in each state.
    pub(super) starts: Vec<f64>,
    /// How often each state was entered, and so left.
    pub(super) visits: Vec<f64>,
    /// What ended in each state, by good.
    pub(super) ends: [Vec<f64>; GOODS],
    /// What ended anywhere, by good.
    pub(super) totals: [f64; GOODS],
    /// How often a path began.
    pub(super) begun: f64,
    /// By `from`, then `to`. A state is never followed by itself: staying changes nothing in where a path ends.
    pub(super) moves: Vec<Move>,
}

/// How often one state followed another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) count: f64,
}

impl Chain {
    /// The distinct keys of a state, latest first.
    pub(super) fn keys(&self, state: usize) -> impl Iterator<Item = u32> {
        let mut digits = [0; 4];
        let mut gram = self.grams[state];
        let mut used = 0;
        while gram > 0 {
            let digit = gram % self.base;
            gram /= self.base;
            if !digits[..used].contains(&digit) {
                digits[used] = digit;
                used += 1;
            }
        }
        digits.into_iter().take(used).map(|digit| digit as u32 - 1)
    }
}

/// One path's part in the counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    pub(super) keys: &'a [u32],
    /// How often it was walked.
    pub(super) times: f64,
    /// What it brought, by good.
    pub(super) goods: [f64; GOODS],
}

/// The paths that count, without those that were never walked.
pub(super) fn walks(paths: &Paths, nulls: Nulls) -> impl Iterator<Item = Walk<'_>> {
    let terms = paths.walked.steps.len() + paths.len();
    let counts = Grid::over(&[&paths.conversions, &paths.nulls], terms);
    let values = Grid::over(&[&paths.value], terms);
    (0..paths.len()).filter_map(move |path| {
        let conversions = counts.snap(paths.conversions[path]);
        let without = if nulls == Nulls::Counted { counts.snap(paths.nulls[path]) } else { 0.0 };
        let value = if conversions > 0.0 { values.snap(paths.value[path]) } else { 0.0 };
        let walk = Walk {
            keys: paths.walked.steps(path).keys,
            times: conversions + without,
            goods: [conversions, value.max(0.0), (-value).max(0.0)],
        };
        (walk.times > 0.0 && !walk.keys.is_empty()).then_some(walk)
    })
}

/// Counts the paths.
pub(super) fn count(paths: &Paths, spec: Markov) -> Result<Chain, LearnError> {
    let keys = paths.walked.keys.len();
    let base = keys as u64 + 1;
    let codes = base
        .checked_pow(u32::from(spec.order) + 1)
        .ok_or(LearnError::TooManyKeys { keys, order: spec.order })?;
    let mut chain = if codes <= SIDE_BY_SIDE {
        tally::<Vec<f64>>(paths, spec, base, codes)
    } else {
        tally::<Sparse>(paths, spec, base, codes)
    }?;
    chain.base = base;
    Ok(chain)
}

fn tally<T: Tally>(paths: &Paths, spec: Markov, base: u64, codes: u64) -> Result<Chain, LearnError> {
    let order = usize::from(spec.order);
    // The place of the first step that leads from one state to another.
    let first = if spec.states == States::Windows { order } else { 1 };
    let full = codes / base;
    let (mut moves, mut starts) = (T::empty(codes), T::empty(full));
    let mut ends: [T; GOODS] = std::array::from_fn(|_| T::empty(full));
    let mut chain = Chain::default();
    for walk in walks(paths, spec.nulls) {
        chain.begun += walk.times;
        let mut gram = 0;
        let head = walk.keys.len().min(order);
        for (place, key) in walk.keys[..head].iter().enumerate() {
            gram = gram * base + u64::from(*key) + 1;
            if place >= first {
                moves.add(gram, walk.times);
            }
            if place + 1 == first.min(head) {
                starts.add(gram, walk.times);
            }
        }
        for (oldest, key) in walk.keys.iter().zip(&walk.keys[head..]) {
            let code = gram * base + u64::from(*key) + 1;
            moves.add(code, walk.times);
            gram = code - (u64::from(*oldest) + 1) * full;
        }
        for (good, amount) in walk.goods.into_iter().enumerate() {
            chain.totals[good] += amount;
            if amount > 0.0 {
                ends[good].add(gram, amount);
            }
        }
    }
    chain.settle(full, base, moves.sorted(), starts.sorted(), ends.map(T::sorted))?;
    Ok(chain)
}

impl Chain {
    /// Numbers the states and puts what was counted beside them.
    fn settle(
        &mut self,
        full: u64,
        base: u64,
        mut moves: Vec<(u64, f64)>,
        starts: Vec<(u64, f64)>,
        ends: [Vec<(u64, f64)>; GOODS],
    ) -> Result<(), LearnError> {
        moves.retain(|(code, _)| code / base != code % full);
        let entered = moves.iter().map(|(code, _)| code % full);
        self.grams = starts.iter().map(|(gram, _)| *gram).chain(entered).collect();
        self.grams.sort_unstable();
        self.grams.dedup();
        let states = self.grams.len();
        if states > MOST_STATES {
            return Err(LearnError::TooManyStates { states, limit: MOST_STATES });
        }
        self.starts = column(&self.grams, starts);
        self.ends = ends.map(|counted| column(&self.grams, counted));
        self.visits.clone_from(&self.starts);
        self.moves.reserve_exact(moves.len());
        let mut from = 0;
        for (code, count) in moves {
            while self.grams[from] < code / base {
                from += 1;
            }
            let to = place(&self.grams, code % full);
            self.visits[to] += count;
            self.moves.push(Move { from: from as u32, to: to as u32, count });
        }
        Ok(())
    }
}

/// The state of a gram that is one.
fn place(grams: &[u64], gram: u64) -> usize {
    grams.partition_point(|it| *it < gram)
}

/// What was counted, by state.
fn column(grams: &[u64], counted: Vec<(u64, f64)>) -> Vec<f64> {
    let mut column = vec![0.0; grams.len()];
    for (gram, amount) in counted {
        column[place(grams, gram)] = amount;
    }
    column
}

/// Counters by code.
trait Tally {
    fn empty(codes: u64) -> Self;
    fn add(&mut self, code: u64, amount: f64);
    /// What is above 0, by code.
    fn sorted(self) -> Vec<(u64, f64)>;
}

impl Tally for Vec<f64> {
    fn empty(codes: u64) -> Self {
        vec![0.0; codes as usize]
    }

    #[inline]
    fn add(&mut self, code: u64, amount: f64) {
        self[code as usize] += amount;
    }

    fn sorted(self) -> Vec<(u64, f64)> {
        self.into_iter()
            .enumerate()
            .filter(|(_, sum)| *sum > 0.0)
            .map(|(code, sum)| (code as u64, sum))
            .collect()
    }
}

/// Counters in use alone.
struct Sparse {
    pairs: Vec<(u64, f64)>,
    /// How many pairs to hold before equal codes are added up.
    room: usize,
}

impl Sparse {
    fn add_up(&mut self) {
        self.pairs.sort_unstable_by_key(|(code, _)| *code);
        self.pairs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        self.room = self.room.max(2 * self.pairs.len());
    }
}

impl Tally for Sparse {
    fn empty(_codes: u64) -> Self {
        Self { pairs: Vec::new(), room: 1 << 20 }
    }

    fn add(&mut self, code: u64, amount: f64) {
        if self.pairs.len() >= self.room {
            self.add_up();
        }
        self.pairs.push((code, amount));
    }

    fn sorted(mut self) -> Vec<(u64, f64)> {
        self.add_up();
        self.pairs
    }
}

/// Steps so wide that any sum of so many amounts is exact, whatever the order: whole numbers stay as they are, and
/// what is finer than a 2⁵¹st of the greatest possible sum is rounded before it is added.
#[derive(Clone, Copy, Debug)]
struct Grid(f64);

impl Grid {
    fn over(columns: &[&Vec<f64>], terms: usize) -> Self {
        let largest = columns.iter().copied().flatten().fold(0.0_f64, |largest, it| largest.max(it.abs()));
        let bound = largest * terms.max(1) as f64 * 2.0;
        // A power of two: the exponent of the bound, 51 lower.
        let exponent = (bound.to_bits() >> 52).saturating_sub(51).clamp(1, 2046);
        Self(f64::from_bits(exponent << 52))
    }

    fn snap(self, amount: f64) -> f64 {
        (amount / self.0).round() * self.0
    }
}
