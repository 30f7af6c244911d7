//! Every test runs on SQLite and on a real Postgres.

mod deletes;
mod landing;
mod laws;
mod opening;
mod pages;
mod quarantine;
mod reading;
mod secrets;
