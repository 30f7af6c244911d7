//! Passes over a make-believe vendor, on SQLite and on a real Postgres.

mod deletes;
mod faults;
mod killed;
mod quiet;
mod vendor;
