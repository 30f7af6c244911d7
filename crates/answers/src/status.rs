//! How every source stands: what it does now, when it ran last and runs next, how fresh it is, and what is wrong with
//! what to do about it.
//!
//! The command line, the JSON API, the metrics and alerts all show this one answer. It reads little, so that it may be
//! asked every few seconds; what is in the store is told by [`contents`](crate::contents).

mod problem;
pub mod row_drop;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tributary_core::Time;
use tributary_core::time::DAY_MICROS;
use tributary_store::Store;
use tributary_store::credentials::Credential;
use tributary_store::landing::{Requests, Run, RunTotal, StreamDays};
use tributary_store::work::{Planned, Reading, Standing, StreamStanding};

use crate::AnswerError;
pub use problem::Problem;

/// How long a source may be overdue before it is late: other sources may keep a daemon busy that long.
pub const LATE_AFTER_MICROS: i64 = 15 * 60 * 1_000_000;

/// Tells when a source is due next; nothing if it is pulled only when somebody asks.
pub type NextDue = Arc<dyn Fn(Option<&Standing>, &Planned, Time) -> Option<Time> + Send + Sync>;

/// A source of the configuration.
#[derive(Clone)]
pub struct Configured {
    /// Its id.
    pub id: String,
    /// Its connector's name.
    pub connector: &'static str,
    /// When it is pulled, in words.
    pub schedule: Option<String>,
    /// Its streams.
    pub streams: Vec<&'static str>,
    /// When it is due next.
    pub next_due: NextDue,
}

/// How everything stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// When this was true.
    #[serde(serialize_with = "crate::text::time")]
    pub now: Time,
    /// Every source that is configured or was ever pulled, by id.
    pub sources: Vec<SourceStatus>,
    /// What is wrong, and what to do about it.
    pub problems: Vec<Problem>,
    /// Records that landed and were not worked out yet.
    pub pending: u64,
}

/// What a source does now, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A process has it in hand.
    Running,
    /// Somebody stopped it until it is resumed.
    Paused,
    /// A person must sign in again.
    NeedsAuthorization,
    /// It rests after failures.
    Resting,
    /// The vendor, or our share of its day, allows nothing more for now.
    Waiting,
    /// It was never pulled.
    NeverRun,
    /// It should have been pulled, and was not.
    Late,
    /// It waits for its time, or for somebody to ask.
    Idle,
    /// The configuration does not name it any more, or never did.
    NotConfigured,
}

/// How a source stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceStatus {
    /// Its id.
    pub source: String,
    /// Its connector; nothing if the configuration does not name it.
    pub connector: Option<&'static str>,
    /// What it does now.
    pub state: State,
    /// Which process has it in hand, in words.
    pub holder: Option<String>,
    /// When it is pulled, in words; only when somebody asks without.
    pub schedule: Option<String>,
    /// The run that began last.
    pub last_run: Option<LastRun>,
    /// When a run last ended well.
    #[serde(serialize_with = "crate::text::option")]
    pub last_success_at: Option<Time>,
    /// When it is due next: in the past if it is late.
    #[serde(serialize_with = "crate::text::option")]
    pub next_at: Option<Time>,
    /// Runs in a row that failed.
    pub failures: u32,
    /// How old the completeness is of the stream that is furthest behind, of those that were ever read to their end.
    pub lag_seconds: Option<u64>,
    /// Requests to the vendor since midnight UTC.
    pub requests_today: u64,
    /// How many may be sent in a day, where that is known.
    pub requests_allowed: Option<u64>,
    /// Records that could not be understood.
    pub quarantined: u64,
    /// When its sign-in ends unless a person renews it, where that is known.
    #[serde(serialize_with = "crate::text::option")]
    pub authorized_until: Option<Time>,
    /// Its streams.
    pub streams: Vec<StreamStatus>,
    /// What all its runs came to, by outcome.
    pub totals: BTreeMap<String, Total>,
}

/// A run, as far as its source's state depends on it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LastRun {
    #[serde(serialize_with = "crate::text::time")]
    pub started_at: Time,
    #[serde(serialize_with = "crate::text::option")]
    pub ended_at: Option<Time>,
    /// `running`, `ok`, `partly`, `failed`, `paused` or `interrupted`.
    pub outcome: String,
    pub message: Option<String>,
    pub took_seconds: Option<f64>,
    pub fetched: u64,
    pub added: u64,
    pub unchanged: u64,
    pub problems: u64,
    pub deleted: u64,
    pub requests: u64,
}

/// How a stream stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamStatus {
    /// The stream.
    pub stream: String,
    /// Until when it is complete; it was never read to its end without.
    #[serde(serialize_with = "crate::text::option")]
    pub complete_until: Option<Time>,
    /// Whether it is complete in itself, as a file is.
    pub is_whole: bool,
    /// The read that it is in the middle of.
    pub reading: Option<InReading>,
}

/// A read that has not come to its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InReading {
    /// When it began.
    #[serde(serialize_with = "crate::text::time")]
    pub began_at: Time,
    /// Records done, where the vendor says.
    pub done: Option<u64>,
    /// Records in all, where the vendor says.
    pub total: Option<u64>,
    /// When it is done, at the pace so far.
    #[serde(serialize_with = "crate::text::option")]
    pub done_at: Option<Time>,
}

/// What runs came to that ended in one way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Total {
    pub runs: u64,
    pub fetched: u64,
    pub added: u64,
    pub unchanged: u64,
    pub problems: u64,
    pub deleted: u64,
    pub requests: u64,
    pub took_seconds: f64,
}

/// What the store knows of all sources.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// How they stand, by id.
    pub standings: BTreeMap<String, Standing>,
    /// What is planned of them.
    pub planned: BTreeMap<String, Planned>,
    /// The last run of each.
    pub runs: Vec<Run>,
    /// What all runs came to, by source and outcome.
    pub totals: BTreeMap<(String, String), RunTotal>,
    /// Requests of today.
    pub requests: BTreeMap<String, Requests>,
    /// What is in quarantine.
    pub quarantined: BTreeMap<String, u64>,
    /// What the days brought that [`row_drop::days`] names.
    pub days: StreamDays,
    /// Sign-ins that are kept.
    pub credentials: BTreeMap<String, Credential>,
    /// Records that were not worked out yet.
    pub pending: u64,
}

/// How everything stands now.
pub async fn status(store: &Store, configured: &[Configured], now: Time) -> Result<Status, AnswerError> {
    let known = Known {
        standings: store.standings().await?,
        planned: store.planned().await?,
        runs: store.last_runs().await?,
        totals: store.run_totals().await?,
        requests: store.requests_on(now.0.div_euclid(DAY_MICROS)).await?,
        quarantined: store.quarantined_by_source().await?,
        days: store.stream_days(&row_drop::days(now)).await?,
        credentials: store.credentials().await?,
        pending: store.dirty_count().await?,
    };
    Ok(judge(&known, configured, now))
}

/// What the store's facts mean: pure.
pub fn judge(known: &Known, configured: &[Configured], now: Time) -> Status {
    let mut ids: Vec<&str> = configured.iter().map(|source| source.id.as_str()).collect();
    ids.extend(known.runs.iter().map(|run| run.source.as_str()));
    ids.sort_unstable();
    ids.dedup();
    let find = |id: &str| configured.iter().find(|source| source.id == id);
    let sources: Vec<SourceStatus> = ids.iter().map(|id| source(known, id, find(id), now)).collect();
    let mut problems: Vec<Problem> = sources.iter().flat_map(|it| problem::of(known, it, now)).collect();
    problems.extend(row_drop::find(&known.days, now).iter().map(row_drop::RowDrop::problem));
    problems.sort_by(|a, b| a.source.cmp(&b.source));
    Status { now, sources, problems, pending: known.pending }
}

fn source(known: &Known, id: &str, configured: Option<&Configured>, now: Time) -> SourceStatus {
    let standing = known.standings.get(id);
    let planned = known.planned.get(id).cloned().unwrap_or_default();
    let run = known.runs.iter().find(|run| run.source == id);
    let next_at = configured.and_then(|it| (it.next_due)(standing, &planned, now));
    let streams = streams(standing, configured, now);
    let behind = streams.iter().filter(|stream| !stream.is_whole).filter_map(|it| it.complete_until).min();
    let requests = known.requests.get(id).copied().unwrap_or_default();
    let totals: BTreeMap<String, Total> = known
        .totals
        .iter()
        .filter(|((source, _), _)| source == id)
        .map(|((_, outcome), total)| (outcome.clone(), Total::of(total)))
        .collect();
    let last = |outcome: &str| known.totals.get(&(id.to_owned(), outcome.to_owned())).map(|it| it.ended_at);
    let state = state(known, id, &planned, configured, next_at, now);
    SourceStatus {
        source: id.to_owned(),
        connector: configured.map(|it| it.connector),
        state,
        holder: standing.and_then(|standing| standing.holder.clone()),
        schedule: configured.and_then(|it| it.schedule.clone()),
        last_run: run.map(LastRun::of),
        last_success_at: last("ok").max(last("partly")),
        // What is in hand is planned anew when it ends.
        next_at: next_at.filter(|_| state != State::Running),
        failures: planned.failures.max(u32::from(run.is_some_and(|run| run.outcome == "failed"))),
        lag_seconds: behind.map(|at| (now.0.saturating_sub(at.0).max(0) / 1_000_000) as u64),
        requests_today: requests.sent,
        requests_allowed: requests.allowed,
        quarantined: known.quarantined.get(id).copied().unwrap_or(0),
        authorized_until: known.credentials.get(id).and_then(|credential| credential.until),
        streams,
        totals,
    }
}

fn state(
    known: &Known,
    id: &str,
    planned: &Planned,
    configured: Option<&Configured>,
    next_at: Option<Time>,
    now: Time,
) -> State {
    let run = known.runs.iter().find(|run| run.source == id);
    if known.standings.get(id).is_some_and(|standing| standing.holder.is_some()) {
        State::Running
    } else if configured.is_none() {
        State::NotConfigured
    } else if planned.is_paused {
        State::Paused
    } else if needs_authorization(known, id, run) {
        State::NeedsAuthorization
    } else if planned.not_before.is_some_and(|at| at > now) {
        if planned.failures > 0 { State::Resting } else { State::Waiting }
    } else if run.is_none() {
        State::NeverRun
    } else if next_at.is_some_and(|at| now.0.saturating_sub(at.0) > LATE_AFTER_MICROS) {
        State::Late
    } else {
        State::Idle
    }
}

/// Whether only a person can sign in again: what is kept of a sign-in knows, else the last run does.
fn needs_authorization(known: &Known, id: &str, run: Option<&Run>) -> bool {
    match known.credentials.get(id) {
        Some(credential) => credential.refused.is_some(),
        None => run.is_some_and(|run| run.advice.as_deref() == Some("reauthorize")),
    }
}

/// The streams that are known, and those that the connector has beside.
fn streams(standing: Option<&Standing>, configured: Option<&Configured>, now: Time) -> Vec<StreamStatus> {
    let mut streams: BTreeMap<&str, StreamStanding> = BTreeMap::new();
    for stream in configured.iter().flat_map(|it| &it.streams) {
        streams.insert(stream, StreamStanding::default());
    }
    for (stream, known) in standing.iter().flat_map(|it| &it.streams) {
        streams.insert(stream, *known);
    }
    let status = |(stream, standing): (&str, StreamStanding)| StreamStatus {
        stream: stream.to_owned(),
        complete_until: standing.complete_until.filter(|at| *at != Time::MAX),
        is_whole: standing.complete_until == Some(Time::MAX),
        reading: standing.reading.map(|reading| InReading::of(reading, now)),
    };
    streams.into_iter().map(status).collect()
}

impl State {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::NeedsAuthorization => "needs re-authorization",
            Self::Resting => "resting after failures",
            Self::Waiting => "waiting for the vendor",
            Self::NeverRun => "never run",
            Self::Late => "late",
            Self::Idle => "idle",
            Self::NotConfigured => "not configured",
        }
    }
}

impl SourceStatus {
    /// The part of today's requests that is used up, where their number is known.
    pub fn quota_used(&self) -> Option<f64> {
        let allowed = self.requests_allowed.filter(|allowed| *allowed > 0)?;
        Some(self.requests_today as f64 / allowed as f64)
    }
}

impl LastRun {
    pub(crate) fn of(run: &Run) -> Self {
        let took = run.ended_at.map(|at| at.0.saturating_sub(run.started_at.0).max(0) as f64 / 1e6);
        Self {
            started_at: run.started_at,
            ended_at: run.ended_at,
            outcome: run.outcome.clone(),
            message: run.message.clone(),
            took_seconds: took,
            fetched: run.landed.fetched,
            added: run.landed.added,
            unchanged: run.landed.unchanged,
            problems: run.landed.problems,
            deleted: run.landed.deleted,
            requests: run.requests,
        }
    }
}

impl InReading {
    fn of(reading: Reading, now: Time) -> Self {
        let Reading { began_at, updated_at, progress } = reading;
        let done_at = progress.filter(|(done, total)| 0 < *done && done < total).map(|(done, total)| {
            let took = updated_at.0.saturating_sub(began_at.0).max(0) as f64;
            let left = took * (total - done) as f64 / done as f64;
            Time(updated_at.0.saturating_add(left as i64)).max(now)
        });
        let (done, total) = progress.unzip();
        Self { began_at, done, total, done_at }
    }
}

impl Total {
    fn of(total: &RunTotal) -> Self {
        Self {
            runs: total.runs,
            fetched: total.fetched,
            added: total.added,
            unchanged: total.unchanged,
            problems: total.problems,
            deleted: total.deleted,
            requests: total.requests,
            took_seconds: total.took_micros as f64 / 1e6,
        }
    }
}

#[cfg(test)]
mod tests;
