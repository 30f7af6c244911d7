//! Runs: one sync of one source, with its accounts.

use tributary_core::Time;

use super::history::RunTotal;
use super::{Landed, SourceKey};
use crate::db::Value;
use crate::{Store, StoreError};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// Everything was pulled.
    Ok,
    /// What changed was pulled, and a first read goes on with the next run.
    Partly,
    /// Something failed.
    Failed,
    /// The vendor allows nothing more for a while.
    Paused,
    /// Somebody stopped it.
    Interrupted,
}

impl RunOutcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partly => "partly",
            Self::Failed => "failed",
            Self::Paused => "paused",
            Self::Interrupted => "interrupted",
        }
    }
}

/// How much of a stream a run read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All that was to be read.
    Whole,
    /// It ended early.
    Part,
}

/// What is noted of a run at its end.
#[derive(Clone, Copy, Debug)]
pub struct RunEnd<'a> {
    /// When.
    pub at: Time,
    /// How.
    pub outcome: RunOutcome,
    /// Why.
    pub message: Option<&'a str>,
    /// What it landed.
    pub landed: Landed,
    /// Requests it sent.
    pub requests: u64,
    /// What a person can do about a failure, in a word.
    pub advice: Option<&'a str>,
    /// New and changed records by stream, and whether it was read to its end.
    pub rows: &'a [(&'a str, u64, Extent)],
    /// What each stream came to: JSON, which the store hands back as it is.
    pub streams: &'a str,
    /// What a person should know: JSON.
    pub findings: &'a str,
}

/// One sync of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number, which grows.
    pub id: i64,
    /// The source.
    pub source: String,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// `running`, `ok`, `partly`, `failed`, `paused` or `interrupted`.
    pub outcome: String,
    /// Why it failed.
    pub message: Option<String>,
    /// What a person can do about it, in a word.
    pub advice: Option<String>,
    /// What it landed.
    pub landed: Landed,
    /// Requests it sent.
    pub requests: u64,
    /// What each stream came to: JSON, as it was given.
    pub streams: String,
    /// What a person should know: JSON, as it was given.
    pub findings: String,
}

impl Store {
    /// Notes that a run begins which is to pull some streams. Who begins one has the source in hand: earlier ones without an end died.
    pub async fn begin_run(&self, source: SourceKey, streams: &[&str], at: Time) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "update run set outcome = 'interrupted', ended_at = $1, message = 'its process ended' \
            where source = $2 and outcome = 'running'";
        let died = tx.execute(sql, &[at.0.into(), source.0.into()]).await?;
        if died > 0 {
            let total = RunTotal { runs: died, ended_at: at, ..RunTotal::default() };
            tx.add_to_total(source.0, RunOutcome::Interrupted.word(), &total).await?;
        }
        for stream in streams {
            let sql = "update stream_state set tried_at = $1 where source = $2 and stream = $3";
            tx.execute(sql, &[at.0.into(), source.0.into(), (*stream).into()]).await?;
        }
        let id = tx.next_ids("run", 1).await?;
        let sql = "insert into run (id, source, started_at, outcome, fetched, added, unchanged, superseded, \
            quarantined, deleted) values ($1, $2, $3, 'running', 0, 0, 0, 0, 0, 0)";
        tx.execute(sql, &[id.into(), source.0.into(), at.0.into()]).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Notes how a run ended.
    pub async fn end_run(&self, run: i64, end: &RunEnd<'_>) -> Result<(), StoreError> {
        let RunEnd { landed, .. } = *end;
        let mut tx = self.begin().await?;
        let sql = "update run set ended_at = $1, outcome = $2, message = $3, fetched = $4, added = $5, \
            unchanged = $6, superseded = $7, quarantined = $8, deleted = $9, requests = $10, streams = $11, \
            findings = $12, advice = $13 where id = $14";
        let values = [
            end.at.0.into(),
            end.outcome.word().into(),
            end.message.map(str::to_owned).into(),
            (landed.fetched as i64).into(),
            (landed.added as i64).into(),
            (landed.unchanged as i64).into(),
            (landed.superseded as i64).into(),
            ((landed.rejected + landed.problems) as i64).into(),
            (landed.deleted as i64).into(),
            (end.requests as i64).into(),
            end.streams.into(),
            end.findings.into(),
            end.advice.map(str::to_owned).into(),
            run.into(),
        ];
        tx.execute(sql, &values).await?;
        tx.add_up(run, end).await?;
        tx.commit().await
    }

    /// The last run of each source, by source.
    pub async fn last_runs(&self) -> Result<Vec<Run>, StoreError> {
        let filter = "where r.id = (select max(id) from run where source = s.id) order by s.name";
        self.runs_where(filter, &[]).await
    }

    /// The last runs of a source, or of all, the latest first.
    pub async fn runs(&self, source: Option<&str>, most: u32) -> Result<Vec<Run>, StoreError> {
        let filter = "where ($1 is null or s.name = $1) order by r.id desc limit $2";
        self.runs_where(filter, &[source.map(str::to_owned).into(), i64::from(most).into()]).await
    }

    /// Runs that began at or after an instant, the earliest first.
    pub async fn runs_since(&self, at: Time) -> Result<Vec<Run>, StoreError> {
        self.runs_where("where r.started_at >= $1 order by r.id", &[at.0.into()]).await
    }

    async fn runs_where(&self, filter: &str, values: &[Value]) -> Result<Vec<Run>, StoreError> {
        let sql = format!(
            "select s.name, r.started_at, r.ended_at, r.outcome, r.message, r.fetched, r.added, r.unchanged, \
            r.superseded, r.quarantined, r.deleted, r.id, r.requests, r.streams, r.findings, r.advice \
            from run r join source s on s.id = r.source {filter}"
        );
        let rows = self.read().await?.fetch(&sql, values).await?;
        rows.iter()
            .map(|row| {
                let count = |index: usize| row.int(index).map(|count| count as u64);
                Ok(Run {
                    id: row.int(11)?,
                    source: row.text(0)?,
                    started_at: Time(row.int(1)?),
                    ended_at: row.opt_int(2)?.map(Time),
                    outcome: row.text(3)?,
                    message: row.opt_text(4)?,
                    advice: row.opt_text(15)?,
                    landed: Landed {
                        fetched: count(5)?,
                        added: count(6)?,
                        unchanged: count(7)?,
                        superseded: count(8)?,
                        problems: count(9)?,
                        rejected: 0,
                        deleted: count(10)?,
                    },
                    requests: count(12)?,
                    streams: row.text(13)?,
                    findings: row.text(14)?,
                })
            })
            .collect()
    }
}
