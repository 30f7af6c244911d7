//! Limits of calls in rolling windows of time. What is said about them is the vendor's affair.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tributary_core::Time;

use super::lock;

/// So many calls in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Calls.
    pub calls: usize,
    /// In this time.
    pub per: Duration,
}

/// What a window has left after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The window.
    pub window: Window,
    /// Calls that it still takes.
    pub calls: usize,
}

/// A window that is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// The window.
    pub window: Window,
    /// When it takes the next call.
    pub wait: Duration,
}

/// Several windows over the same calls. Calls that were refused do not count.
pub struct Windows {
    windows: Vec<Window>,
    seen: Mutex<VecDeque<Time>>,
}

impl Windows {
    /// These windows, with nothing in them.
    pub fn new(windows: impl IntoIterator<Item = Window>) -> Self {
        Self { windows: windows.into_iter().collect(), seen: Mutex::default() }
    }

    /// Counts a call, and says what each window has left, or which one is full.
    pub fn admit(&self, now: Time) -> Result<Vec<Left>, Over> {
        let mut seen = lock(&self.seen);
        let longest = self.windows.iter().map(|window| window.per).max().unwrap_or_default();
        while seen.front().is_some_and(|at| at.0 + longest.as_micros() as i64 <= now.0) {
            seen.pop_front();
        }
        let mut left = Vec::new();
        for window in &self.windows {
            let begins = now.0 - window.per.as_micros() as i64;
            let inside: Vec<i64> = seen.iter().map(|at| at.0).filter(|at| *at > begins).collect();
            if inside.len() >= window.calls {
                let freed = inside[inside.len() - window.calls] + window.per.as_micros() as i64;
                let wait = Duration::from_micros((freed - now.0).max(1) as u64);
                return Err(Over { window: *window, wait });
            }
            left.push(Left { window: *window, calls: window.calls - inside.len() - 1 });
        }
        seen.push_back(now);
        Ok(left)
    }
}
