//! The order-1 chain of up to a thousand keys or so: one dense inverse holds every removal effect.

use super::count::{Chain, GOODS};

/// Rows that are eliminated at once, so that the matrix passes through the cache an eighth as often.
const BLOCK: usize = 8;

/// What the inverse tells.
pub(super) struct Solved {
    /// By good and state: the part of all of it that came by way of the state, 0 to 1.
    pub(super) by_way_of: [Vec<f64>; GOODS],
    /// By state: the probability of a conversion.
    pub(super) conversion: Vec<f64>,
}

/// Solves a chain whose states are keys: `RE(c) = f_c h_c / (N_cc p)`, where `N = (I − Q)⁻¹`.
pub(super) fn solve(chain: &Chain) -> Solved {
    let states = chain.grams.len();
    let width = states.next_multiple_of(BLOCK);
    let mut matrix = vec![0.0; width * width];
    for state in 0..width {
        matrix[state * width + state] = 1.0;
    }
    for step in &chain.moves {
        let from = step.from as usize;
        matrix[from * width + step.to as usize] = -step.count / chain.visits[from];
    }
    invert(&mut matrix, width);
    let expected = |good: usize| -> Vec<f64> {
        let ends: Vec<f64> =
            chain.ends[good].iter().zip(&chain.visits).map(|(end, visits)| end / visits).collect();
        let row = |state: usize| &matrix[state * width..state * width + states];
        (0..states)
            .map(|state| row(state).iter().zip(&ends).map(|(visits, end)| visits * end).sum())
            .collect()
    };
    let by_way_of = |good: usize, expected: &[f64]| -> Vec<f64> {
        let total = chain.totals[good];
        let part =
            |state: usize| chain.visits[state] * expected[state] / (matrix[state * width + state] * total);
        (0..states).map(|state| if total > 0.0 { part(state) } else { 0.0 }).collect()
    };
    let mut out = Solved { by_way_of: Default::default(), conversion: expected(0) };
    for good in 0..GOODS {
        out.by_way_of[good] =
            by_way_of(good, &if good == 0 { out.conversion.clone() } else { expected(good) });
    }
    out
}

/// Inverts in place by Gauss and Jordan, a block of pivots at a time.
///
/// `I − Q` of a chain that ends somewhere needs no exchange of rows: its diagonal outweighs each row, and elimination
/// keeps it so. `width` is a multiple of [`BLOCK`].
fn invert(matrix: &mut [f64], width: usize) {
    let mut panel = vec![0.0; BLOCK * width];
    for pivot in (0..width).step_by(BLOCK) {
        let at = |row: usize, column: usize| (pivot + row) * width + column;
        let mut corner: [[f64; BLOCK]; BLOCK] =
            std::array::from_fn(|row| std::array::from_fn(|column| matrix[at(row, pivot + column)]));
        invert_corner(&mut corner);
        panel.fill(0.0);
        for (row, factors) in corner.iter().enumerate() {
            let out = &mut panel[row * width..(row + 1) * width];
            for (other, factor) in factors.iter().enumerate() {
                let from = &matrix[at(other, 0)..at(other, width)];
                for (out, value) in out.iter_mut().zip(from) {
                    *out += factor * value;
                }
            }
            out[pivot..pivot + BLOCK].copy_from_slice(factors);
        }
        for (row, values) in matrix.chunks_exact_mut(width).enumerate() {
            if (pivot..pivot + BLOCK).contains(&row) {
                values.copy_from_slice(&panel[(row - pivot) * width..(row - pivot + 1) * width]);
                continue;
            }
            let factors: [f64; BLOCK] = std::array::from_fn(|column| values[pivot + column]);
            values[pivot..pivot + BLOCK].fill(0.0);
            if factors.iter().any(|factor| *factor != 0.0) {
                subtract(values, factors, &panel);
            }
        }
    }
}

/// Takes eight multiples of the panel's rows from a row at once.
fn subtract(values: &mut [f64], factors: [f64; BLOCK], panel: &[f64]) {
    let width = values.len();
    let rows: [&[f64]; BLOCK] = std::array::from_fn(|row| &panel[row * width..(row + 1) * width]);
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    for (column, value) in values.iter_mut().enumerate() {
        let first = (factors[0] * r0[column] + factors[1] * r1[column])
            + (factors[2] * r2[column] + factors[3] * r3[column]);
        let second = (factors[4] * r4[column] + factors[5] * r5[column])
            + (factors[6] * r6[column] + factors[7] * r7[column]);
        *value -= first + second;
    }
}

fn invert_corner(corner: &mut [[f64; BLOCK]; BLOCK]) {
    for pivot in 0..BLOCK {
        let scale = 1.0 / corner[pivot][pivot];
        corner[pivot][pivot] = 1.0;
        for value in &mut corner[pivot] {
            *value *= scale;
        }
        let lead = corner[pivot];
        for (row, values) in corner.iter_mut().enumerate() {
            if row != pivot {
                let factor = std::mem::take(&mut values[pivot]);
                for (value, lead) in values.iter_mut().zip(&lead) {
                    *value -= factor * lead;
                }
            }
        }
    }
}
