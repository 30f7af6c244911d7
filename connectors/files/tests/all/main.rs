//! Files to facts, as spreadsheets write them and as they break.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod broken;
mod facts;
mod habits;
mod reading;
mod resume;
