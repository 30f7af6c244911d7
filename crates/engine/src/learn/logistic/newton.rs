//! A ridge logistic regression by Newton's method.
//!
//! The penalised log-likelihood is concave, so every step that raises it leads to the one maximum; a step that does
//! not is halved.

use super::table::Table;
use super::{chance, softplus};

const ROUNDS: usize = 50;
const HALVINGS: usize = 40;
/// Half the Newton decrement, about what is left to gain, in parts of the log-likelihood.
const ENOUGH: f64 = 1e-12;

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) intercept: f64,
    /// By column.
    pub(super) coefficients: Vec<f64>,
    pub(super) rounds: usize,
    pub(super) converged: bool,
}

/// Fits; the last coefficient is the intercept's, which no ridge pulls.
pub(super) fn fit(table: &Table, ridge: f64) -> Found {
    let size = table.columns + 1;
    let pull = penalties(table, ridge);
    let mut at = vec![0.0; size];
    at[size - 1] = first_intercept(table);
    let mut value = objective(table, &pull, &at);
    let (mut rounds, mut converged) = (0, false);
    while rounds < ROUNDS && !converged {
        rounds += 1;
        let (mut matrix, gradient) = derivatives(table, &pull, &at);
        let mut step = gradient.clone();
        if !solve(&mut matrix, &mut step) {
            break;
        }
        let gain: f64 = step.iter().zip(&gradient).map(|(step, slope)| step * slope).sum();
        converged = gain / 2.0 <= ENOUGH * value.abs().max(1.0);
        let mut part = 1.0;
        for _ in 0..HALVINGS {
            let next: Vec<f64> = at.iter().zip(&step).map(|(at, step)| at + part * step).collect();
            let reached = objective(table, &pull, &next);
            if reached >= value {
                (at, value) = (next, reached);
                break;
            }
            part /= 2.0;
        }
    }
    let intercept = at.pop().unwrap_or(0.0);
    Found { intercept, coefficients: at, rounds, converged }
}

/// The ridge on a column's coefficient: that on the standardised one, times the column's variance.
fn penalties(table: &Table, ridge: f64) -> Vec<f64> {
    let mut sums = vec![[0.0; 2]; table.columns];
    let mut count = 0.0;
    for (row, cells) in table.all() {
        let weight = row.won + row.lost;
        count += weight;
        for (column, number) in cells {
            sums[*column as usize][0] += weight * number;
            sums[*column as usize][1] += weight * number * number;
        }
    }
    let variance = |[sum, squares]: &[f64; 2]| (squares / count - (sum / count).powi(2)).max(1e-12);
    sums.iter().map(|sums| ridge * variance(sums)).chain([0.0]).collect()
}

fn first_intercept(table: &Table) -> f64 {
    let won: f64 = table.rows.iter().map(|row| row.won).sum();
    let lost: f64 = table.rows.iter().map(|row| row.lost).sum();
    (won / lost).ln()
}

fn odds(cells: &[(u32, f64)], at: &[f64]) -> f64 {
    cells.iter().map(|(column, number)| at[*column as usize] * number).sum::<f64>() + at[at.len() - 1]
}

/// The penalised log-likelihood.
fn objective(table: &Table, pull: &[f64], at: &[f64]) -> f64 {
    let row = |(row, cells): (&super::table::Row, &[(u32, f64)])| {
        let odds = odds(cells, at);
        -row.won * softplus(-odds) - row.lost * softplus(odds)
    };
    let penalty: f64 = pull.iter().zip(at).map(|(pull, at)| pull * at * at).sum();
    table.all().map(row).sum::<f64>() - penalty / 2.0
}

/// The lower half of minus the second derivatives, row by row, and the first.
fn derivatives(table: &Table, pull: &[f64], at: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let size = at.len();
    let mut matrix = vec![0.0; size * size];
    let mut gradient = vec![0.0; size];
    let mut full: Vec<(u32, f64)> = Vec::new();
    for (row, cells) in table.all() {
        let weight = row.won + row.lost;
        let chance = chance(odds(cells, at));
        let (slope, curve) = (row.won - weight * chance, weight * chance * (1.0 - chance));
        full.clear();
        full.extend_from_slice(cells);
        full.push((size as u32 - 1, 1.0));
        full.sort_unstable_by_key(|cell| cell.0);
        for (place, (column, number)) in full.iter().enumerate() {
            gradient[*column as usize] += slope * number;
            let line = &mut matrix[*column as usize * size..];
            for (other, second) in &full[..=place] {
                line[*other as usize] += curve * number * second;
            }
        }
    }
    for (column, pull) in pull.iter().enumerate() {
        matrix[column * size + column] += pull;
        gradient[column] -= pull * at[column];
    }
    (matrix, gradient)
}

/// Solves a symmetric positive definite system, given by its lower half, in place (Cholesky); `false` if it is none.
fn solve(matrix: &mut [f64], right: &mut [f64]) -> bool {
    let size = right.len();
    for row in 0..size {
        for column in 0..=row {
            let (above, own) = matrix.split_at_mut(row * size);
            let other =
                if column == row { &own[..column] } else { &above[column * size..column * size + column] };
            let sum: f64 = own[..column].iter().zip(other).map(|(a, b)| a * b).sum();
            let left = own[column] - sum;
            if column < row {
                own[column] = left / above[column * size + column];
            } else if left > 0.0 && left.is_finite() {
                own[column] = left.sqrt();
            } else {
                return false;
            }
        }
    }
    for row in 0..size {
        let line = &matrix[row * size..row * size + row];
        let sum: f64 = line.iter().zip(&*right).map(|(a, b)| a * b).sum();
        right[row] = (right[row] - sum) / matrix[row * size + row];
    }
    for row in (0..size).rev() {
        let sum: f64 = (row + 1..size).map(|below| matrix[below * size + row] * right[below]).sum();
        right[row] = (right[row] - sum) / matrix[row * size + row];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn cholesky_solves_what_one_can_check_and_refuses_what_is_not_positive() {
        // [[4, 2], [2, 3]] x = [8, 7] has x = [1.25, 1.5].
        let (mut matrix, mut right) = (vec![4.0, 0.0, 2.0, 3.0], vec![8.0, 7.0]);
        assert!(solve(&mut matrix, &mut right));
        assert!((right[0] - 1.25).abs() < 1e-15 && (right[1] - 1.5).abs() < 1e-15);
        assert!(!solve(&mut [1.0, 0.0, 2.0, 1.0], &mut [1.0, 1.0]));
    }
}
