//! How shares change with the quarter in which deals closed: a model that jumps about tells of the quarter, not of
//! the channels.

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_core::time::Zone;

use super::case::{Candidate, Case, moved};
use super::score::mean;

/// The fewest won deals of a quarter whose shares are worth comparing.
const FEWEST_WON: usize = 5;

/// A model's shares by quarter.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Drift {
    /// Quarters with enough won deals, as `2026-Q1`.
    pub quarters: Vec<String>,
    /// Each quarter's shares, by number of key.
    pub shares: Vec<Vec<f64>>,
    /// The part of the credit that moves from one quarter to the next, on average; `None` with fewer than two.
    pub moved_a_quarter: Option<f64>,
    /// The part of the credit that moves when the most telling quarter is left out.
    pub moved_without_a_quarter: Option<f64>,
}

/// The quarters, in the company's time zone, with enough won deals, and the paths that ended in each.
pub fn quarters(case: &Case, zone: &Zone) -> BTreeMap<String, Vec<usize>> {
    let mut out: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for path in case.deals() {
        out.entry(quarter(&case.end(path).date_in(zone))).or_default().push(path);
    }
    out.retain(|_, paths| paths.iter().filter(|path| case.is_won(**path)).count() >= FEWEST_WON);
    out
}

/// How a model's shares change by quarter. `whole` are its shares of the book.
pub fn drift(
    case: &Case,
    quarters: &BTreeMap<String, Vec<usize>>,
    candidate: &Candidate,
    whole: &[f64],
) -> Drift {
    let (mut out, mut without) = (Drift::default(), None::<f64>);
    for (quarter, paths) in quarters {
        let mut inside = vec![false; case.paths.len()];
        for path in paths {
            inside[*path] = true;
        }
        // Accounts that came to nothing belong to every quarter.
        let one = case.paths.weighted(|path| f64::from(u8::from(inside[path] || !case.is_deal(path))));
        if let Some(shares) = candidate.shares(&one) {
            out.quarters.push(quarter.clone());
            out.shares.push(shares);
        }
        let rest = case.paths.weighted(|path| f64::from(u8::from(!inside[path])));
        if let Some(shares) = candidate.shares(&rest).filter(|_| quarters.len() > 1) {
            without = Some(without.unwrap_or(0.0).max(moved(&shares, whole)));
        }
    }
    out.moved_without_a_quarter = without;
    if out.shares.len() > 1 {
        out.moved_a_quarter = Some(mean(out.shares.windows(2).map(|pair| moved(&pair[0], &pair[1]))));
    }
    out
}

/// `2026-Q1` of `2026-03-31`.
fn quarter(date: &str) -> String {
    let month: u32 = date.get(5..7).and_then(|month| month.parse().ok()).unwrap_or(1);
    format!("{}-Q{}", date.get(..4).unwrap_or(date), month.div_ceil(3))
}
