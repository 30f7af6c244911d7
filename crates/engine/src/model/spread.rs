//! A journey's weights before multipliers and decay: anchors first, then the rest. Plain numbers, no book.

use super::spec::{Missing, ModelSpec};
use super::{Held, Rule};

/// Marks a touch without an anchor; one that holds an anchor of no weight has none of the rest either.
pub(super) const FREE: f64 = -1.0;

/// What the anchors took, and what of theirs no touch holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Anchored {
    held: f64,
    missing: f64,
}

/// Gives each anchor's weight to the touches that hold it, and marks all others as free.
///
/// `find` fills the places of those that hold a milestone, none if it is missing. Several get an even part each.
pub(super) fn anchors<'m>(
    spec: &'m ModelSpec,
    weights: &mut [f64],
    mut find: impl FnMut(&'m str, &mut Vec<usize>) -> Held<'m>,
    told: &mut dyn FnMut(usize, Rule<'m>),
) -> Anchored {
    let mut out = Anchored::default();
    weights.fill(FREE);
    let Some(last) = weights.len().checked_sub(1) else { return out };
    let mut places = Vec::new();
    for (name, weight) in &spec.weights {
        places.clear();
        let mut held = Held::Itself;
        match name.as_str() {
            "first" => places.push(0),
            "last" => places.push(last),
            name => held = find(name, &mut places),
        }
        if places.is_empty() {
            out.missing += weight;
            continue;
        }
        let part = weight / places.len() as f64;
        for place in &places {
            weights[*place] = weights[*place].max(0.0) + part;
            told(*place, Rule::Anchor { name, held });
        }
        out.held += weight;
    }
    out
}

/// Spreads the rest over the free touches, in proportion to their parts (evenly without any), and scales the whole
/// to 1.
pub(super) fn rest<'m>(
    spec: &'m ModelSpec,
    weights: &mut [f64],
    anchored: Anchored,
    parts: Option<&[f64]>,
    told: &mut dyn FnMut(usize, Rule<'m>),
) {
    let part = |place: usize| parts.map_or(1.0, |parts| parts[place]);
    let free = |weight: f64| weight == FREE;
    let parts_of_all: f64 =
        weights.iter().enumerate().filter(|(_, weight)| free(**weight)).map(|(place, _)| part(place)).sum();
    let mut rest = spec.rest;
    if spec.missing == Missing::Rest {
        rest += anchored.missing;
    }
    if parts_of_all <= 0.0 {
        rest = 0.0;
    }
    let whole = anchored.held + rest;
    if whole <= 0.0 {
        let even = 1.0 / weights.len() as f64;
        weights.fill(even);
        (0..weights.len()).for_each(|place| told(place, Rule::Even));
        return;
    }
    for (place, weight) in weights.iter_mut().enumerate() {
        if free(*weight) {
            let part = part(place);
            *weight = if rest > 0.0 { rest * part / parts_of_all } else { 0.0 };
            if *weight > 0.0 {
                told(place, if spec.points.is_empty() { Rule::Rest } else { Rule::Points(part) });
            }
        }
        *weight /= whole;
    }
}

/// Parts that give each distinct key of the free touches the same, and each touch of a key an even part of that.
pub(super) fn parts_per_key<K: Ord>(weights: &[f64], keys: &[K], parts: &mut Vec<f64>) {
    let mut order: Vec<usize> = (0..keys.len()).filter(|place| weights[*place] == FREE).collect();
    order.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
    parts.clear();
    parts.resize(keys.len(), 0.0);
    for group in order.chunk_by(|a, b| keys[*a] == keys[*b]) {
        for place in group {
            parts[*place] = 1.0 / group.len() as f64;
        }
    }
}
