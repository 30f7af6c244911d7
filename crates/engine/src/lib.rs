#![doc = include_str!("../README.md")]

pub mod columns;
pub mod compare;
pub mod credit;
pub mod differ;
pub mod evidence;
pub mod explain;
pub mod influence;
pub mod journey;
pub mod learn;
pub mod model;
pub mod money;
mod parallel;
pub mod paths;
pub mod reconcile;
pub mod splitter;

pub use columns::columns;
pub use credit::{Attribution, By, Grouped, attribute, attribute_all};
pub use journey::{Goal, Journeys, Policy, Whose, journeys};
pub use model::{Model, ModelError};
pub use money::Rates;
pub use splitter::{Choice, Splits, Splitter, ready};
