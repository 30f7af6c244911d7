//! What is in the store, how fresh it is and what is wrong with it.

use serde::Serialize;
use tributary_core::book::Outcome;
use tributary_core::{Book, Time};
use tributary_store::Store;
use tributary_store::landing::{Quarantined, Run};

use crate::AnswerError;

/// The state of a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// The last run of each source.
    pub sources: Vec<SourceStatus>,
    /// Records that landed, deleted ones included.
    pub records: u64,
    /// Records that landed and were not worked out yet.
    pub pending: u64,
    /// The latest instant at which anything was observed.
    #[serde(serialize_with = "crate::text::option")]
    pub observed_at: Option<Time>,
    /// What the records come to.
    pub counts: Counts,
    /// What could not be understood: the first of it.
    pub quarantine: Vec<Problem>,
    /// How much could not be understood in all.
    pub quarantined: u64,
}

/// What the records come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub accounts: u64,
    pub people: u64,
    pub deals: u64,
    pub won: u64,
    pub lost: u64,
    pub open: u64,
    pub touches: u64,
    /// Touches that count for nothing: machines, own people, weight 0.
    pub silent_touches: u64,
    /// Touches of people who belong to no account: in no deal's journey.
    pub homeless_touches: u64,
}

/// A source's last run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SourceStatus {
    pub source: String,
    pub outcome: String,
    pub message: Option<String>,
    #[serde(serialize_with = "crate::text::time")]
    pub started_at: Time,
    #[serde(serialize_with = "crate::text::option")]
    pub ended_at: Option<Time>,
    pub fetched: u64,
    pub added: u64,
    pub unchanged: u64,
    pub problems: u64,
    pub deleted: u64,
}

/// Something in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Problem {
    pub source: String,
    pub stream: String,
    /// Where it was read, such as `people.csv:17`, else the record's id.
    pub place: String,
    pub field: String,
    pub reason: String,
}

/// Problems that are listed one by one.
pub const LISTED: i64 = 100;

/// The state of a store; `book` is what its records come to, where that is known.
pub async fn status(store: &Store, book: Option<&Book>) -> Result<Status, AnswerError> {
    let (quarantine, quarantined) = store.quarantined(LISTED).await?;
    Ok(Status {
        sources: store.last_runs().await?.into_iter().map(SourceStatus::from).collect(),
        records: store.record_count().await?,
        pending: store.dirty_records().await?.len() as u64,
        observed_at: store.last_observed().await?,
        counts: book.map(count).unwrap_or_default(),
        quarantine: quarantine.into_iter().map(Problem::from).collect(),
        quarantined,
    })
}

/// What a book holds.
pub fn count(book: &Book) -> Counts {
    let of = |outcome: Outcome| book.deals.iter().filter(|deal| deal.outcome == outcome).count() as u64;
    let mut people: Vec<_> = book.people.iter().map(|person| person.id).collect();
    people.sort_unstable();
    people.dedup();
    Counts {
        accounts: book.accounts.iter().filter(|account| account.id.is_some()).count() as u64,
        people: people.len() as u64,
        deals: book.deals.len() as u64,
        won: of(Outcome::Won),
        lost: of(Outcome::Lost),
        open: of(Outcome::Open),
        touches: book.touches.len() as u64,
        silent_touches: book.touches.weight.iter().filter(|weight| **weight == 0).count() as u64,
        homeless_touches: book
            .accounts
            .iter()
            .filter(|account| account.id.is_none())
            .map(|account| account.touches.len() as u64)
            .sum(),
    }
}

impl From<Run> for SourceStatus {
    fn from(run: Run) -> Self {
        Self {
            source: run.source,
            outcome: run.outcome,
            message: run.message,
            started_at: run.started_at,
            ended_at: run.ended_at,
            fetched: run.landed.fetched,
            added: run.landed.added,
            unchanged: run.landed.unchanged,
            problems: run.landed.problems,
            deleted: run.landed.deleted,
        }
    }
}

impl From<Quarantined> for Problem {
    fn from(it: Quarantined) -> Self {
        Self {
            place: it.origin.or(it.native_id).unwrap_or_default(),
            source: it.source,
            stream: it.stream,
            field: it.field,
            reason: it.reason,
        }
    }
}
