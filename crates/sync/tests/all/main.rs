//! Passes over a make-believe vendor, on SQLite and on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod deletes;
mod due;
mod faults;
mod killed;
mod quiet;
mod serve;
mod side_by_side;
mod tokens;
mod vendor;
