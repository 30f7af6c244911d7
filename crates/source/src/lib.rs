#![doc = include_str!("../README.md")]

pub mod connector;
pub mod environment;
pub mod error;
pub mod http;
mod json;
pub mod rest;
pub mod settings;
pub mod shape;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use connector::{
    Connector, Counted, Covers, Cursor, Finding, Mode, Next, Normalized, Page, Part, Problem, Reach, Record,
    Reject, Resume, Source, Span, Stream, Task, VersionEnd,
};
pub use environment::{Environment, Kept, MemoryTokens, Meter, TokenStore};
pub use error::{Error, NextStep};
pub use http::Http;
pub use json::Borrowed;
pub use secrecy::{ExposeSecret, SecretString};
pub use settings::{Secret, Settings, Spec};
pub use shape::Shape;
