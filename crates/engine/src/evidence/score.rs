//! Scores: how well probabilities foretell outcomes, and how well two rankings agree.
//!
//! Not responsible for what is scored.

use serde::Serialize;

/// How well probabilities foretold what happened.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The chance that something won was given a higher probability than something lost; ties count half. 0.5 is
    /// what guessing gives.
    pub auc: f64,
    /// Mean of −ln of the probability given to what happened; less is better.
    pub log_loss: f64,
    /// Mean squared distance of the probability from what happened; less is better.
    pub brier: f64,
    /// The win rate among the tenth with the highest probabilities, over the win rate of all.
    pub top_decile_lift: f64,
    /// Cases, won and lost.
    pub cases: u64,
}

/// No probability is further from the middle than this when its logarithm is taken.
const CERTAIN: f64 = 1e-6;

/// Scores probabilities of cases that were won or not; `None` unless there are both.
///
/// ```
/// use tributary_engine::evidence::score::forecast;
/// let scored = forecast(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]).unwrap();
/// assert_eq!(scored.auc, 0.75);
/// ```
pub fn forecast(cases: &[(f64, bool)]) -> Option<Forecast> {
    let won = cases.iter().filter(|(_, won)| *won).count();
    if won == 0 || won == cases.len() {
        return None;
    }
    let (count, won) = (cases.len() as f64, won as f64);
    let (mut log_loss, mut brier) = (0.0, 0.0);
    for (probability, won) in cases {
        let p = probability.clamp(CERTAIN, 1.0 - CERTAIN);
        log_loss -= if *won { p.ln() } else { (1.0 - p).ln() };
        brier += (probability - f64::from(u8::from(*won))).powi(2);
    }
    let mut sorted = cases.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Cases of one probability share their places, and what they won, evenly.
    let top = (count / 10.0).max(1.0);
    let (mut place, mut in_top, mut above, mut pairs) = (0.0, 0.0, 0.0, 0.0);
    for same in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let size = same.len() as f64;
        let won_here = same.iter().filter(|(_, won)| *won).count() as f64;
        in_top += won_here * ((top - place) / size).clamp(0.0, 1.0);
        place += size;
        let lost_here = size - won_here;
        pairs += lost_here * (above + won_here / 2.0);
        above += won_here;
    }
    Some(Forecast {
        auc: pairs / (won * (count - won)),
        log_loss: log_loss / count,
        brier: brier / count,
        top_decile_lift: (in_top / top) / (won / count),
        cases: cases.len() as u64,
    })
}

/// Kendall's tau-b of two rankings of the same things, from −1 to 1; `None` where one of them ranks nothing.
///
/// Formula: (concordant − discordant) / √((pairs − ties in a)(pairs − ties in b)). Source: Kendall 1945.
///
/// ```
/// use tributary_engine::evidence::score::kendall;
/// assert_eq!(kendall(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), Some(1.0));
/// assert_eq!(kendall(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
/// assert_eq!(kendall(&[1.0, 1.0], &[3.0, 2.0]), None);
/// ```
pub fn kendall(a: &[f64], b: &[f64]) -> Option<f64> {
    let (mut agree, mut untied_a, mut untied_b) = (0_i64, 0_i64, 0_i64);
    for left in 0..a.len() {
        for right in left + 1..a.len() {
            let (x, y) = (a[left].total_cmp(&a[right]) as i64, b[left].total_cmp(&b[right]) as i64);
            agree += x * y;
            untied_a += x.abs();
            untied_b += y.abs();
        }
    }
    let whole = (untied_a as f64 * untied_b as f64).sqrt();
    (whole > 0.0).then(|| agree as f64 / whole)
}

/// The value below which a share of sorted values lies, between neighbours in proportion.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    sorted[low] + (sorted[(low + 1).min(last)] - sorted[low]) * part
}

/// The mean, 0 of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 0.0 }
}
