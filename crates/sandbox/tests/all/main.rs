//! The make-believe company, and the kit for the vendors around it.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod crowd;
mod simulator;
mod world;
