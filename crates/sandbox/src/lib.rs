#![doc = include_str!("../README.md")]

mod cast;
mod channel;
mod crowd;
mod file;
mod grow;
mod identify;
mod names;
mod plan;
mod progress;
mod row;
pub mod simulator;
mod story;
mod touch;
mod truth;
mod world;

pub use channel::Channel;
pub use crowd::Crowd;
pub use file::{WriteError, write_csv, write_sheets};
pub use plan::Plan;
pub use row::{Tool, TouchRow};
pub use truth::{Effect, Truth};
pub use world::{
    Account, Alias, Campaign, Committee, Deal, Known, Nature, Outcome, Person, Rate, Rep, Revival, Spend,
    Stage, Stories, Touch, World, build,
};

/// The make-believe company's own domain: touches of its own people weigh nothing.
pub const OWN_DOMAIN: &str = "tributary.example";

/// The make-believe company's time zone: its plain dates are days there.
pub const TIME_ZONE: &str = "Europe/Berlin";

/// The currency in which the make-believe company reports.
pub const CURRENCY: &str = "USD";
