//! Chains of many states: linear systems solved by iteration, each to a bound on the error that it proves.
//!
//! Both systems are of the form `x = b + S x` with rows of `S` that sum to 1 at most, so that sweeping by Gauss and
//! Seidel always comes closer. BiCGSTAB with such a sweep as its preconditioner gets there sooner, and is believed
//! only as far as the residual of what it found says.

use super::count::{Chain, GOODS};
use crate::learn::LearnError;

/// The error that is worked for, of each effect.
const AIM: f64 = 1e-12;

/// The error that is put up with where rounding allows no better.
const ENOUGH: f64 = 1e-10;

/// Steps of BiCGSTAB, or sweeps, between two looks at the residual.
const STEPS: usize = 40;

/// Looks at the residual before giving up.
const ROUNDS: usize = 500;

/// A chain made ready to be asked.
pub(super) struct System<'a> {
    chain: &'a Chain,
    /// The place of each state in the order of solving: by the fewest steps from the start, so that most of what a
    /// state depends on comes before it.
    place: Vec<u32>,
    /// What leads to each state, as a part of its visits. In places.
    before: Rows,
    /// By place: how often the state is visited on the way to what all goods together come to. An error of 1 in the
    /// state's equation is an error of so much in the effects.
    weight: Vec<f64>,
    /// By state: the probability of a conversion.
    pub(super) conversion: Vec<f64>,
}

impl<'a> System<'a> {
    pub(super) fn new(chain: &'a Chain) -> Result<Self, LearnError> {
        let states = chain.grams.len();
        let place = places(chain);
        let after = Rows::new(
            states,
            chain.moves.iter().map(|step| {
                // Last place first: what a state's future depends on comes after it.
                let flip = |state: u32| states as u32 - 1 - place[state as usize];
                (flip(step.from), flip(step.to), step.count / chain.visits[step.from as usize])
            }),
        );
        let expected = |ends: &dyn Fn(usize) -> f64| -> Result<Vec<f64>, LearnError> {
            let at = |state: usize| states - 1 - place[state] as usize;
            let mut b = vec![0.0; states];
            for state in 0..states {
                b[at(state)] = ends(state) / chain.visits[state];
            }
            let found = after.solve(&b, &vec![false; states], &vec![1.0; states], b.iter().sum())?;
            Ok((0..states).map(|state| found[at(state)]).collect())
        };
        let conversion = expected(&|state| chain.ends[0][state])?;
        let part = |state: usize| {
            let parts = chain
                .ends
                .iter()
                .zip(chain.totals)
                .map(|(ends, total)| if total > 0.0 { ends[state] / total } else { 0.0 });
            parts.sum()
        };
        let expected_part = expected(&part)?;
        let mut weight = vec![0.0; states];
        for state in 0..states {
            weight[place[state] as usize] = chain.visits[state] * expected_part[state].max(0.0);
        }
        let before = Rows::new(
            states,
            chain.moves.iter().map(|step| {
                let to = step.to as usize;
                (place[to], place[step.from as usize], step.count / chain.visits[to])
            }),
        );
        Ok(Self { chain, place, before, weight, conversion })
    }

    /// The part of each good that came by way of any of some states, 0 to 1.
    ///
    /// With `u` of a state the part of its visits that come by way of them (1 for those themselves), `u` is the mean
    /// of `u` over what leads to the state, a start being 0; the effect is `u` of what ended in each state, summed.
    pub(super) fn by_way_of(&self, states: &[u32]) -> Result<[f64; GOODS], LearnError> {
        let count = self.place.len();
        let (mut inside, mut there) = (vec![false; count], vec![0.0; count]);
        for state in states {
            let place = self.place[*state as usize] as usize;
            (inside[place], there[place]) = (true, 1.0);
        }
        let mut b = self.before.times(&there);
        let mut scale = 0.0;
        for (place, b) in b.iter_mut().enumerate() {
            if inside[place] {
                *b = 0.0;
            }
            scale += *b * self.weight[place];
        }
        for (ends, total) in self.chain.ends.iter().zip(self.chain.totals) {
            if total > 0.0 {
                scale += states.iter().map(|state| ends[*state as usize]).sum::<f64>() / total;
            }
        }
        let mut by_way = self.before.solve(&b, &inside, &self.weight, scale)?;
        for (by_way, there) in by_way.iter_mut().zip(&there) {
            *by_way += there;
        }
        Ok(std::array::from_fn(|good| {
            let total = self.chain.totals[good];
            let ends = self.chain.ends[good].iter().zip(&self.place);
            let sum: f64 = ends.map(|(end, place)| end * by_way[*place as usize]).sum();
            if total > 0.0 { (sum / total).clamp(0.0, 1.0) } else { 0.0 }
        }))
    }
}

/// Numbers the states by the fewest steps from the start, then by their keys.
fn places(chain: &Chain) -> Vec<u32> {
    let states = chain.grams.len();
    let mut place = vec![u32::MAX; states];
    let mut queue: Vec<u32> =
        (0..states as u32).filter(|state| chain.starts[*state as usize] > 0.0).collect();
    let mut next = 0;
    for (number, state) in queue.iter().enumerate() {
        place[*state as usize] = number as u32;
    }
    while next < queue.len() {
        let from = queue[next];
        next += 1;
        let begin = chain.moves.partition_point(|step| step.from < from);
        for step in chain.moves[begin..].iter().take_while(|step| step.from == from) {
            if place[step.to as usize] == u32::MAX {
                place[step.to as usize] = queue.len() as u32;
                queue.push(step.to);
            }
        }
    }
    place
}

/// A square sparse matrix `S` by rows, without a diagonal.
struct Rows {
    begin: Vec<usize>,
    /// Where the columns after the row's own begin.
    above: Vec<usize>,
    entries: Vec<(u32, f64)>,
}

impl Rows {
    fn new(rows: usize, entries: impl Iterator<Item = (u32, u32, f64)> + Clone) -> Self {
        let mut begin = vec![0; rows + 1];
        for (row, _, _) in entries.clone() {
            begin[row as usize + 1] += 1;
        }
        for row in 0..rows {
            begin[row + 1] += begin[row];
        }
        let mut free = begin.clone();
        let mut placed = vec![(0, 0.0); begin[rows]];
        for (row, column, share) in entries {
            placed[free[row as usize]] = (column, share);
            free[row as usize] += 1;
        }
        let mut above = vec![0; rows];
        for row in 0..rows {
            let own = &mut placed[begin[row]..begin[row + 1]];
            own.sort_unstable_by_key(|(column, _)| *column);
            above[row] = begin[row] + own.partition_point(|(column, _)| (*column as usize) < row);
        }
        Self { begin, above, entries: placed }
    }

    fn dot(&self, from: usize, to: usize, x: &[f64]) -> f64 {
        self.entries[from..to].iter().map(|(column, share)| share * x[*column as usize]).sum()
    }

    /// `S x`.
    fn times(&self, x: &[f64]) -> Vec<f64> {
        (0..self.above.len()).map(|row| self.dot(self.begin[row], self.begin[row + 1], x)).collect()
    }

    /// Writes `b − (I − S) x` to `out`, 0 where `x` is held at 0.
    fn residual(&self, b: &[f64], held: &[bool], x: &[f64], out: &mut [f64]) {
        for (row, out) in out.iter_mut().enumerate() {
            *out = if held[row] {
                0.0
            } else {
                b[row] - x[row] + self.dot(self.begin[row], self.begin[row + 1], x)
            };
        }
    }

    /// One sweep by Gauss and Seidel.
    fn sweep(&self, b: &[f64], held: &[bool], x: &mut [f64]) {
        for row in 0..x.len() {
            if !held[row] {
                x[row] = b[row] + self.dot(self.begin[row], self.begin[row + 1], x);
            }
        }
    }

    /// Solves `(I − L) x = b` with `L` what of `S` is below the diagonal.
    fn forward(&self, b: &[f64], held: &[bool], x: &mut [f64]) {
        for row in 0..x.len() {
            x[row] = if held[row] { 0.0 } else { b[row] + self.dot(self.begin[row], self.above[row], x) };
        }
    }

    /// Solves `x = b + S x`, with 0 where `x` is held, until the weighted residual is [`AIM`] of `scale`.
    fn solve(&self, b: &[f64], held: &[bool], weight: &[f64], scale: f64) -> Result<Vec<f64>, LearnError> {
        let rows = self.above.len();
        let (mut x, mut rest) = (vec![0.0; rows], b.to_vec());
        let mut bound = error(&rest, weight);
        for _ in 0..ROUNDS {
            if bound <= AIM * scale {
                return Ok(x);
            }
            let mut better: Vec<f64> = self.krylov(&rest, held, weight, 0.5 * AIM * scale);
            for (better, x) in better.iter_mut().zip(&x) {
                *better += x;
            }
            self.residual(b, held, &better, &mut rest);
            let mut reached = error(&rest, weight);
            if reached.is_nan() || reached >= 0.5 * bound {
                if bound <= ENOUGH * scale {
                    return Ok(x);
                }
                better.clone_from(&x);
                for _ in 0..STEPS {
                    self.sweep(b, held, &mut better);
                }
                self.residual(b, held, &better, &mut rest);
                reached = error(&rest, weight);
            }
            (x, bound) = (better, reached);
        }
        Err(LearnError::Unsolved)
    }

    /// BiCGSTAB from 0, preconditioned by a sweep, for a number of steps or until the residual is small enough.
    fn krylov(&self, b: &[f64], held: &[bool], weight: &[f64], enough: f64) -> Vec<f64> {
        let zero = vec![0.0; b.len()];
        // (I − S) of a sweep from 0.
        let apply = |start: &[f64], swept: &mut [f64], out: &mut [f64]| {
            self.forward(start, held, swept);
            self.residual(&zero, held, swept, out);
            for out in out.iter_mut() {
                *out = -*out;
            }
        };
        let (mut found, mut rest) = (zero.clone(), b.to_vec());
        let (mut way, mut way_gives) = (zero.clone(), zero.clone());
        let (mut swept, mut rest_gives) = (zero.clone(), zero.clone());
        let (mut rho, mut alpha, mut omega) = (1.0, 1.0, 1.0);
        for _ in 0..STEPS {
            let next = dot(b, &rest);
            let beta = next / rho * (alpha / omega);
            rho = next;
            for ((way, rest), gives) in way.iter_mut().zip(&rest).zip(&way_gives) {
                *way = rest + beta * (*way - omega * gives);
            }
            apply(&way, &mut swept, &mut way_gives);
            alpha = rho / dot(b, &way_gives);
            if !alpha.is_finite() {
                break;
            }
            step(alpha, &mut found, &swept, &mut rest, &way_gives);
            if error(&rest, weight) <= enough {
                break;
            }
            apply(&rest, &mut swept, &mut rest_gives);
            omega = dot(&rest_gives, &rest) / dot(&rest_gives, &rest_gives);
            if !omega.is_finite() || omega == 0.0 {
                break;
            }
            step(omega, &mut found, &swept, &mut rest, &rest_gives);
            if error(&rest, weight) <= enough {
                break;
            }
        }
        found
    }
}

/// Goes so far along a way, and takes what that gives from what is left.
fn step(far: f64, found: &mut [f64], way: &[f64], rest: &mut [f64], gives: &[f64]) {
    for ((found, way), (rest, gives)) in found.iter_mut().zip(way).zip(rest.iter_mut().zip(gives)) {
        *found += far * way;
        *rest -= far * gives;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn error(residual: &[f64], weight: &[f64]) -> f64 {
    residual.iter().zip(weight).map(|(rest, weight)| rest.abs() * weight).sum()
}
