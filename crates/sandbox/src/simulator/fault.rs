//! Replies that go wrong: scripted, or by a seed.

use std::time::Duration;

use super::{Call, Reply};
use tributary_core::dice::mix;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// This status and an empty body.
    Status(u16),
    /// This status and an error page, 200 included.
    Html(u16),
    /// The vendor's own words.
    Reply(Reply),
    /// The body ends in the middle.
    Torn,
    /// The reply comes so much later.
    Slow(Duration),
    /// The connection ends without a word.
    NoAnswer,
    /// Status 200 and nothing.
    Empty,
    /// Status 200 and no JSON.
    Garbage,
}

/// Which replies go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// All of them.
    Always,
    /// That call, from 0.
    Call(usize),
    /// Each so many-th call: 3 is calls 2, 5, 8, …
    Every(usize),
    /// Calls whose path contains this.
    Path(String),
    /// So many in a thousand, by a seed.
    Chance {
        /// Chooses among the series.
        seed: u64,
        /// Of a thousand calls.
        per_mille: u64,
    },
}

impl When {
    fn fits(&self, call: &Call) -> bool {
        match self {
            Self::Always => true,
            Self::Call(number) => call.number == *number,
            Self::Every(step) => (call.number + 1).is_multiple_of(*step),
            Self::Path(part) => call.path.contains(part.as_str()),
            Self::Chance { seed, per_mille } => mix(seed ^ mix(call.number as u64)) % 1000 < *per_mille,
        }
    }
}

/// Everything that goes wrong; the first that fits does.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(When, Fault, usize)>);

impl Faults {
    pub(super) fn add(&mut self, when: When, fault: Fault, times: usize) {
        self.0.push((when, fault, times));
    }

    pub(super) fn of(&mut self, call: &Call) -> Option<Fault> {
        let (_, fault, left) = self.0.iter_mut().find(|(when, _, left)| *left > 0 && when.fits(call))?;
        *left = left.saturating_sub(1);
        Some(fault.clone())
    }
}
