//! A journey's weights before multipliers and decay: anchors first, then the rest. Plain numbers, no book.

use super::spec::{Missing, ModelSpec};
use super::{Held, Rule};

/// Marks a touch without an anchor; one that holds an anchor of no weight has none of the rest either.
pub(super) const FREE: f64 = -1.0;

/// Which touches hold anchors, and what of the anchors' weight none holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Anchored {
    /// Place and weight of each touch that holds one, in order of place.
    pub(super) others: Vec<(u32, f64)>,
    held: f64,
    missing: f64,
    /// The places of one anchor; room that is kept.
    places: Vec<usize>,
}

/// How touches without an anchor weigh.
#[derive(Clone, Copy, Debug)]
struct Rest {
    /// What a part of one weighs.
    unit: f64,
    /// What everything, anchors too, is divided by to sum to 1.
    whole: f64,
}

impl Anchored {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.others.clear();
        (self.held, self.missing) = (0.0, 0.0);
    }

    /// Gives each anchor's weight to the touches that hold it.
    ///
    /// Each comes with its name and its weight. `find` fills the places of those that hold it, none if it is missing.
    /// Several get an even part each.
    pub(super) fn find<'m, A>(
        &mut self,
        anchors: impl Iterator<Item = (A, &'m str, f64)>,
        touches: usize,
        mut find: impl FnMut(A, &mut Vec<usize>) -> Held<'m>,
        told: &mut dyn FnMut(usize, Rule<'m>),
    ) {
        self.clear();
        if touches == 0 {
            return;
        }
        for (anchor, name, weight) in anchors {
            self.places.clear();
            let held = find(anchor, &mut self.places);
            if self.places.is_empty() {
                self.missing += weight;
                continue;
            }
            // Nearly always one holds it.
            let part = if self.places.len() == 1 { weight } else { weight / self.places.len() as f64 };
            for place in &self.places {
                hold(&mut self.others, *place as u32, part);
                told(*place, Rule::Anchor { name, held });
            }
            self.held += weight;
        }
    }

    /// How free touches weigh that have so many parts of the rest together; `None` if nothing at all is left.
    fn rest(&self, spec: &ModelSpec, parts: f64) -> Option<Rest> {
        let mut rest = spec.rest;
        if spec.missing == Missing::Rest {
            rest += self.missing;
        }
        if parts <= 0.0 {
            rest = 0.0;
        }
        let whole = self.held + rest;
        (whole > 0.0).then(|| Rest { unit: if rest > 0.0 { rest / parts } else { 0.0 }, whole })
    }

    /// Spreads the rest evenly over the free ones of so many touches and scales the whole to 1; says what each of the
    /// free ones weighs. If nothing at all is left, all are free and weigh the same.
    pub(super) fn settle<'m>(&mut self, spec: &ModelSpec, touches: usize) -> (f64, Rule<'m>) {
        let free = (touches - self.others.len()) as f64;
        let Some(rest) = self.rest(spec, free) else {
            self.others.clear();
            return (1.0 / touches as f64, Rule::Even);
        };
        for (_, weight) in &mut self.others {
            *weight /= rest.whole;
        }
        (rest.unit / rest.whole, Rule::Rest)
    }

    /// Writes each touch's weight down; free ones weigh `each`.
    pub(super) fn write(&self, touches: usize, each: f64, weights: &mut Vec<f64>) {
        weights.clear();
        weights.resize(touches, each);
        for (place, weight) in &self.others {
            weights[*place as usize] = *weight;
        }
    }

    /// Spreads the rest over the free touches, in proportion to their parts, and scales the whole to 1.
    pub(super) fn share_out<'m>(
        &self,
        spec: &ModelSpec,
        weights: &mut [f64],
        parts: &[f64],
        told: &mut dyn FnMut(usize, Rule<'m>),
    ) {
        let free = weights.iter().zip(parts).filter(|(weight, _)| **weight == FREE);
        let Some(rest) = self.rest(spec, free.map(|(_, part)| part).sum()) else {
            let even = 1.0 / weights.len() as f64;
            weights.fill(even);
            (0..weights.len()).for_each(|place| told(place, Rule::Even));
            return;
        };
        for (place, (weight, part)) in weights.iter_mut().zip(parts).enumerate() {
            if *weight == FREE {
                *weight = rest.unit * part;
                if *weight > 0.0 {
                    told(place, if spec.points.is_empty() { Rule::Rest } else { Rule::Points(*part) });
                }
            }
            *weight /= rest.whole;
        }
    }
}

/// Adds to the weight of the touch at a place.
fn hold(others: &mut Vec<(u32, f64)>, place: u32, part: f64) {
    let before = others.iter().rposition(|(other, _)| *other <= place);
    match before {
        Some(before) if others[before].0 == place => others[before].1 += part,
        Some(before) => others.insert(before + 1, (place, part)),
        None => others.insert(0, (place, part)),
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
