#![doc = include_str!("../README.md")]

mod pass;
mod report;
mod schedule;
mod serve;
mod tokens;

pub use pass::{Options, SourceRun, normalizer_key, renormalize, run};
pub use report::{Event, Observer, Outcome, Report, Silent, SourceReport, StreamReport};
pub use schedule::{Cadence, Cron, Schedule, Window, rest};
pub use serve::{DAEMON, Plan, ScheduledSource, ServeError, Watcher, serve};
pub use tokens::{Keys, SealedTokens, random, reseal};
