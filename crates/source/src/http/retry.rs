//! How often and how long one request is tried.

use std::time::Duration;

use crate::error::{Error, NextStep};
use reqwest::Method;
use tokio::time::Instant;

/// Tries of one request, the first included.
const TRIES: u32 = 6;
/// How long one request may be tried, and the longest that it waits for a limit. Longer waits are the daemon's.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);
/// The first wait is drawn evenly from zero to this; each further one from zero to twice as much.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait of that series.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The tries of one request.
pub(super) struct Tries {
    pub(super) count: u32,
    /// When the first one went out: standing in line before it is not the vendor's failure.
    started: Option<Instant>,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self { count: 0, started: None }
    }

    /// Counts a try that goes out now.
    pub(super) fn begin(&mut self) {
        self.count += 1;
        self.started.get_or_insert_with(Instant::now);
    }

    fn elapsed(&self) -> Duration {
        self.started.map_or(Duration::ZERO, |started| started.elapsed())
    }

    /// Exponential with full jitter, so that those who failed together do not come back together.
    pub(super) fn backoff(&self) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1 << (self.count.clamp(1, 16) - 1));
        doubled.min(LONGEST_WAIT).mul_f64(fastrand::f64())
    }

    /// Whether a wait fits into what is left of the patience.
    pub(super) fn bear(&self, wait: Duration) -> bool {
        self.elapsed() + wait <= PATIENCE
    }

    /// Whether there is another try after a wait.
    pub(super) fn remain_after(&self, wait: Duration) -> bool {
        self.count < TRIES && self.bear(wait)
    }

    /// What is said when none is left.
    pub(super) fn used_up(&self, method: &Method, address: &str, cause: &str) -> Error {
        let (count, elapsed_s) = (self.count, self.elapsed().as_secs());
        let message = match count {
            1 => format!("{method} {address} failed: {cause}"),
            _ => format!("{method} {address} failed {count} times in {elapsed_s} s, last with: {cause}"),
        };
        Error::new(NextStep::Retry, message)
    }
}
