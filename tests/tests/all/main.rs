//! Stories from end to end: real systems and whole companies, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod clients;
mod company;
mod fuzz;
mod soak;
mod tryton;

use std::sync::Arc;
use std::time::SystemTime;

use tributary_core::Time;
use tributary_sync::Options;

/// A pass like any other, whose sign-ins nobody keeps.
fn options() -> Options {
    Options::new(Arc::new(now))
}

/// The clock on the wall, for landing.
fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Time(since.as_micros() as i64)
}
