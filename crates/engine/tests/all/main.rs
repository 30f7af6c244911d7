//! Journeys, models and money, from texts that one can check in one's head.

mod book;
mod golden;
mod laws;
mod money;
mod paths;
mod reconcile;
mod story;
