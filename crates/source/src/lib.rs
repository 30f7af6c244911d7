#![doc = include_str!("../README.md")]

pub mod connector;
pub mod error;
pub mod settings;

pub use connector::{
    Connector, Covers, Cursor, Finding, Mode, Next, Normalized, Page, Part, Problem, Record, Reject, Resume, Source,
    Span, Stream, Task,
};
pub use error::{Error, NextStep};
pub use settings::Settings;
