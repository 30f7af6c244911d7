#![doc = include_str!("../README.md")]

pub mod alerts;
pub mod attribution;
pub mod contents;
pub mod coverage;
pub mod evidence;
pub mod explanation;
pub mod export;
pub mod influence;
pub mod journey;
pub mod load;
pub mod order;
mod question;
pub mod reconciliation;
pub mod runs;
pub mod status;
mod subject;
mod text;
pub mod what_if;

pub use coverage::Coverage;
pub use load::{Data, load};
pub use question::Question;
pub use subject::Subject;

use tributary_derive::update::DeriveError;
use tributary_store::StoreError;

/// Why there is no answer. Messages are fragments that fit after "failed to answer: ".
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The derived journeys can't be had.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// A model can't learn from these journeys.
    #[error(transparent)]
    NotLearned(#[from] tributary_engine::splitter::NotLearned),
    /// Evidence was asked of a goal that no deal can miss.
    #[error("evidence compares deals won with deals lost: ask with the goal won or lost")]
    NoOutcome,
    /// The store holds nothing yet.
    #[error("the store is empty: import files or sync a source first")]
    Empty,
    /// Nothing has this id or name.
    #[error("no {what} has the id or name `{text}`")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// What was asked for.
        text: String,
    },
    /// Several things have this name.
    #[error("`{text}` names several: {}", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The ids to choose from.
        candidates: Vec<String>,
    },
    /// The deal is outside the question.
    #[error(
        "deal `{0}` is not among those asked for: it has another outcome, pipeline or period than the goal, or does not fit --where"
    )]
    Outside(String),
    /// Nothing that may be changed has this name.
    #[error("there is no setting `{name}`")]
    UnknownSetting {
        /// What was asked for.
        name: String,
        /// The settings there are.
        known: Vec<String>,
    },
    /// A setting can't be what is asked.
    #[error("{name}: {reason}")]
    Setting {
        /// The setting.
        name: String,
        /// Why not.
        reason: String,
    },
}
