//! Journeys, models and money, from texts that one can check in one's head.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod book;
mod columns;
mod differ;
mod evidence;
mod fitted;
mod games;
mod golden;
mod laws;
mod learned;
mod markov;
mod money;
mod options;
mod page;
mod paths;
mod presets;
mod pruned;
mod reconcile;
mod story;
mod threads;
