//! Every test runs on SQLite and on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod chunks;
mod coverage;
mod credentials;
mod deletes;
mod landing;
mod laws;
mod leases;
mod loose;
mod opening;
mod pages;
mod quarantine;
mod reading;
