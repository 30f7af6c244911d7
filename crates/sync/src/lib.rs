#![doc = include_str!("../README.md")]

mod pass;
mod report;
mod tokens;

pub use pass::{Options, SourceRun, normalizer_key, run};
pub use report::{Event, Observer, Outcome, Report, Silent, SourceReport, StreamReport};
pub use tokens::{Keys, SealedTokens, random, reseal};
