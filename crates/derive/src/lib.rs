#![doc = include_str!("../README.md")]

pub mod channel;
pub mod chunks;
pub mod cluster;
pub mod identity;
pub mod layers;
pub mod rules;
pub mod terms;
pub mod update;

pub use rules::{ChannelRule, Rules, TeamRule};
pub use update::{DeriveError, Summary, book_as_of, rebuild, update};
