//! How likely a path that has come so far is to convert.
//!
//! The chain knows that of each of its states. Where few paths, or none, ever were in the state, what shorter pasts
//! say is mixed in: one visit's worth at each length, beginning from the share of all paths that convert. So nothing
//! that was never seen is certain, and nothing that was seen often is blurred.

use super::count::Chain;
use super::{Markov, States};

/// How many visits the shorter past counts for.
const PRIOR_VISITS: f64 = 1.0;

/// What is known of pasts, by how much of them is looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Outlook {
    base: u64,
    order: usize,
    /// The share of all paths that convert.
    overall: f64,
    /// Pasts by their last key, their last two, …, one less than the order.
    tails: Vec<Vec<Seen>>,
    /// Whole pasts that are shorter than the order, and the last keys of those that are not.
    exact: Vec<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    gram: u64,
    visits: f64,
    conversion: f64,
}

impl Outlook {
    /// Takes the probability of a conversion by state.
    pub(super) fn new(chain: &Chain, spec: Markov, conversion: &[f64]) -> Self {
        let (base, order) = (chain.base, usize::from(spec.order));
        let power = |digits: usize| base.pow(digits as u32);
        let states = || (0..chain.grams.len()).map(|state| (chain.grams[state], state));
        let tails = (1..order).map(|digits| {
            let long = states().filter(|(gram, _)| *gram >= power(digits - 1));
            pool(
                long.map(|(gram, state)| (gram % power(digits), chain.visits[state], conversion[state]))
                    .collect(),
            )
        });
        let mut exact: Vec<(u64, f64, f64)> = Vec::new();
        for (gram, state) in states() {
            let digits = (1..=order).rfind(|digits| gram >= power(digits - 1)).unwrap_or(order);
            if spec.states == States::Prefix || digits == order {
                exact.push((gram, chain.visits[state], conversion[state]));
            }
            if spec.states == States::Windows && chain.starts[state] > 0.0 {
                // A path that began so was at each shorter beginning first.
                let beginnings = (1..=digits.min(order - 1)).map(|length| gram / power(digits - length));
                exact.extend(beginnings.map(|gram| (gram, chain.starts[state], conversion[state])));
            }
        }
        let overall = if chain.begun > 0.0 { chain.totals[0] / chain.begun } else { 0.0 };
        Self { base, order, overall, tails: tails.collect(), exact: pool(exact) }
    }

    /// The probability of a path that has come so far, from its last keys back.
    pub(super) fn probability(&self, keys: &[u32]) -> f64 {
        let unknown = keys.iter().rposition(|key| u64::from(*key) + 1 >= self.base);
        let known = &keys[unknown.map_or(0, |place| place + 1)..];
        let past = &known[known.len().saturating_sub(self.order)..];
        let gram = |keys: &[u32]| keys.iter().fold(0, |gram, key| gram * self.base + u64::from(*key) + 1);
        let mut probability = self.overall;
        for (digits, tail) in (1..).zip(&self.tails).take(past.len()) {
            probability = mix(tail, gram(&past[past.len() - digits..]), probability);
        }
        if past.is_empty() { probability } else { mix(&self.exact, gram(past), probability) }
    }
}

fn mix(seen: &[Seen], gram: u64, shorter: f64) -> f64 {
    match seen.binary_search_by_key(&gram, |it| it.gram) {
        Ok(place) => {
            let Seen { visits, conversion, .. } = seen[place];
            ((visits * conversion + PRIOR_VISITS * shorter) / (visits + PRIOR_VISITS)).clamp(0.0, 1.0)
        }
        Err(_) => shorter,
    }
}

/// Adds up visits of the same past, and takes the mean of their probabilities.
fn pool(mut parts: Vec<(u64, f64, f64)>) -> Vec<Seen> {
    // Stable: what is equal stays in the order of the states, and so the sum is the same whatever came first.
    parts.sort_by_key(|(gram, ..)| *gram);
    let same = parts.chunk_by(|a, b| a.0 == b.0);
    same.map(|same| {
        let visits: f64 = same.iter().map(|(_, visits, _)| visits).sum();
        let conversions: f64 = same.iter().map(|(_, visits, conversion)| visits * conversion).sum();
        Seen { gram: same[0].0, visits, conversion: conversions / visits }
    })
    .collect()
}
