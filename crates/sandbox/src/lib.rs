#![doc = include_str!("../README.md")]

mod build;
mod dice;
mod truth;
mod world;
mod write;

pub use build::{Plan, build};
pub use truth::{Effect, Truth};
pub use world::{Account, Alias, Committee, Deal, Person, Rate, Spend, Stage, Touch, World};
pub use write::{WriteError, write_csv};

/// The make-believe company's own domain.
pub const OWN_DOMAIN: &str = "tributary.example";
/// Its time zone.
pub const TIME_ZONE: &str = "Europe/Berlin";
/// The currency it reports in.
pub const CURRENCY: &str = "USD";
