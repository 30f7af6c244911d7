//! What is in the store: how many records, from when until when they are complete, what they come to, and what a
//! person should know of them. It counts everything, which takes a while in a large store.

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_core::Time;
use tributary_store::Store;
use tributary_store::credentials::Credential;
use tributary_store::landing::{Quarantined, StreamCoverage};

use crate::AnswerError;

/// What is in a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Contents {
    /// The sources that sign in by what was granted to them.
    pub sign_ins: Vec<SignIn>,
    /// Records by source and stream, deleted ones left out.
    pub records: Vec<StreamCount>,
    /// Streams whose first read was interrupted, as `source/stream`: what reports say lacks the rest of them.
    pub unfinished: Vec<String>,
    /// What of each stream is complete; files are complete in themselves and left out.
    pub coverage: Vec<Covered>,
    /// The latest instant at which anything was observed.
    #[serde(serialize_with = "crate::text::option")]
    pub observed_at: Option<Time>,
    /// What the records come to.
    pub counts: Counts,
    /// What a person should know about the data: the first of it.
    pub findings: Vec<Finding>,
    /// What could not be understood: the first of it.
    pub quarantine: Vec<InQuarantine>,
    /// How much could not be understood in all.
    pub quarantined: u64,
}

/// What a source was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignIn {
    /// The source's id.
    pub source: String,
    /// What was granted, where the vendor says.
    pub scopes: Vec<String>,
    /// When the access token dies, which is renewed by itself.
    #[serde(serialize_with = "crate::text::option")]
    pub access_until: Option<Time>,
    /// When a person must sign in again, where that is known.
    #[serde(serialize_with = "crate::text::option")]
    pub until: Option<Time>,
    /// Why a person must sign in again now, and how.
    pub needs_authorization: Option<String>,
}

/// Records of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StreamCount {
    pub source: String,
    pub stream: String,
    pub records: u64,
}

/// What of a stream is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The source's id.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// From when; from the beginning without.
    #[serde(serialize_with = "crate::text::option")]
    pub since: Option<Time>,
    /// Until when; it was never read to its end without.
    #[serde(serialize_with = "crate::text::option")]
    pub until: Option<Time>,
    /// Whether it only labels touches that others tell of: no deal is uncovered for what it lacks at its beginning.
    pub labels: bool,
}

/// What the records come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub accounts: u64,
    pub people: u64,
    pub deals: u64,
    pub touches: u64,
    /// Touches that count for nothing, by reason: `machine`, `internal`, `weightless`.
    pub silent: BTreeMap<String, u64>,
    /// Touches that belong to nobody known: a gap in coverage.
    pub unresolved: u64,
}

/// Something a person should know about the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Finding {
    pub code: String,
    pub message: String,
}

/// Something in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct InQuarantine {
    pub source: String,
    pub stream: String,
    /// Where it was read, such as `people.csv:17`, else the record's id.
    pub place: String,
    pub field: String,
    pub reason: String,
}

/// Problems and findings that are listed one by one.
pub const LISTED: i64 = 100;

/// What is in a store.
pub async fn contents(store: &Store) -> Result<Contents, AnswerError> {
    let (quarantine, quarantined) = store.quarantined(LISTED).await?;
    let counts = store.counts().await?;
    let stream = |(source, stream, records)| StreamCount { source, stream, records };
    Ok(Contents {
        sign_ins: store.credentials().await?.into_iter().map(SignIn::of).collect(),
        records: counts.records.into_iter().map(stream).collect(),
        unfinished: store.unfinished().await?,
        coverage: store.coverage().await?.into_iter().filter_map(Covered::of).collect(),
        observed_at: store.last_observed().await?,
        counts: Counts {
            accounts: counts.accounts,
            people: counts.people,
            deals: counts.deals,
            touches: counts.touches,
            silent: counts.silent,
            unresolved: counts.unresolved,
        },
        findings: store
            .findings(LISTED)
            .await?
            .into_iter()
            .map(|finding| Finding { code: finding.code, message: finding.message })
            .collect(),
        quarantine: quarantine.into_iter().map(InQuarantine::from).collect(),
        quarantined,
    })
}

impl SignIn {
    fn of((source, kept): (String, Credential)) -> Self {
        let Credential { scopes, access_until, until, refused, .. } = kept;
        Self { source, scopes, access_until, until, needs_authorization: refused }
    }
}

impl Covered {
    fn of(it: StreamCoverage) -> Option<Self> {
        let StreamCoverage { source, stream, since, until, labels } = it;
        (until != Some(Time::MAX)).then_some(Self { source, stream, since, until, labels })
    }
}

impl From<Quarantined> for InQuarantine {
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
