//! History: what runs came to, added up as they end.

use std::collections::BTreeMap;

use tributary_core::Time;

use super::runs::{Extent, RunEnd};
use crate::db::Tx;
use crate::{Store, StoreError};

/// For how many days the rows of each day are kept.
const DAYS_KEPT: i64 = 60;
const DAY_MICROS: i64 = tributary_core::time::DAY_MICROS;

/// All runs of a source that ended in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RunTotal {
    pub runs: u64,
    pub fetched: u64,
    pub added: u64,
    pub unchanged: u64,
    /// Records that went into quarantine.
    pub problems: u64,
    pub deleted: u64,
    pub requests: u64,
    /// How long they took in all, µs.
    pub took_micros: u64,
    /// When the latest of them ended.
    pub ended_at: Time,
}

/// What runs that began on one day brought of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamDay {
    /// New and changed records.
    pub added: u64,
    /// How many of them read the stream to its end.
    pub completed: u64,
}

/// What each day brought of each stream: by source and stream, then by day since 1970.
pub type StreamDays = BTreeMap<(String, String), BTreeMap<i64, StreamDay>>;

/// What may be sent to a source's vendor in a day, and what was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Requests that were sent.
    pub sent: u64,
    /// Those that may be sent, where that is known.
    pub allowed: Option<u64>,
}

impl Store {
    /// What all runs came to, by source and outcome.
    pub async fn run_totals(&self) -> Result<BTreeMap<(String, String), RunTotal>, StoreError> {
        let sql = "select s.name, t.outcome, t.runs, t.fetched, t.added, t.unchanged, t.quarantined, t.deleted, \
            t.requests, t.took, t.ended_at from run_total t join source s on s.id = t.source";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                let count = |index: usize| row.int(index).map(|count| count as u64);
                let total = RunTotal {
                    runs: count(2)?,
                    fetched: count(3)?,
                    added: count(4)?,
                    unchanged: count(5)?,
                    problems: count(6)?,
                    deleted: count(7)?,
                    requests: count(8)?,
                    took_micros: count(9)?,
                    ended_at: Time(row.int(10)?),
                };
                Ok(((row.text(0)?, row.text(1)?), total))
            })
            .collect()
    }

    /// What some days since 1970 brought of each stream.
    pub async fn stream_days(&self, days: &[i64]) -> Result<StreamDays, StoreError> {
        let places: Vec<String> = (1..=days.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "select s.name, d.stream, d.day, d.added, d.completed from stream_day d \
            join source s on s.id = d.source where d.day in ({})",
            places.join(", ")
        );
        let values: Vec<_> = days.iter().map(|day| (*day).into()).collect();
        let mut out = StreamDays::new();
        for row in self.read().await?.fetch(&sql, &values).await? {
            let day = StreamDay { added: row.int(3)? as u64, completed: row.int(4)? as u64 };
            out.entry((row.text(0)?, row.text(1)?)).or_default().insert(row.int(2)?, day);
        }
        Ok(out)
    }

    /// What was sent on a day since 1970, by the source's id.
    pub async fn requests_on(&self, day: i64) -> Result<BTreeMap<String, Requests>, StoreError> {
        let sql = "select source, requests, allowed from request_count where day = $1";
        let rows = self.read().await?.fetch(sql, &[day.into()]).await?;
        rows.iter()
            .map(|row| {
                let allowed = row.opt_int(2)?.map(|allowed| allowed as u64);
                Ok((row.text(0)?, Requests { sent: row.int(1)? as u64, allowed }))
            })
            .collect()
    }

    /// How much is in quarantine, by source.
    pub async fn quarantined_by_source(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "select s.name, count(*) from quarantine q join source s on s.id = q.source \
            where q.resolved_at is null group by s.name";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.int(1)? as u64))).collect()
    }
}

impl Tx {
    /// Adds a run that ends to what all runs came to.
    pub(super) async fn add_up(&mut self, run: i64, end: &RunEnd<'_>) -> Result<(), StoreError> {
        let rows = self.fetch("select source, started_at from run where id = $1", &[run.into()]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (source, started_at) = (row.int(0)?, row.int(1)?);
        let landed = end.landed;
        let total = RunTotal {
            runs: 1,
            fetched: landed.fetched,
            added: landed.added,
            unchanged: landed.unchanged,
            problems: landed.rejected + landed.problems,
            deleted: landed.deleted,
            requests: end.requests,
            took_micros: end.at.0.saturating_sub(started_at).max(0) as u64,
            ended_at: end.at,
        };
        self.add_to_total(source, end.outcome.word(), &total).await?;
        let day = started_at.div_euclid(DAY_MICROS);
        for (stream, added, extent) in end.rows {
            let sql = "insert into stream_day (source, stream, day, added, completed) values ($1, $2, $3, $4, $5) \
                on conflict (source, stream, day) do update set added = stream_day.added + excluded.added, \
                completed = stream_day.completed + excluded.completed";
            let completed = i64::from(*extent == Extent::Whole);
            let values =
                [source.into(), (*stream).into(), day.into(), (*added as i64).into(), completed.into()];
            self.execute(sql, &values).await?;
        }
        let sql = "delete from stream_day where source = $1 and day < $2";
        self.execute(sql, &[source.into(), (day - DAYS_KEPT).into()]).await?;
        Ok(())
    }

    pub(super) async fn add_to_total(
        &mut self,
        source: i64,
        outcome: &str,
        total: &RunTotal,
    ) -> Result<(), StoreError> {
        let sql = "insert into run_total (source, outcome, runs, fetched, added, unchanged, quarantined, deleted, \
            requests, took, ended_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
            on conflict (source, outcome) \
            do update set runs = run_total.runs + excluded.runs, fetched = run_total.fetched + excluded.fetched, \
            added = run_total.added + excluded.added, unchanged = run_total.unchanged + excluded.unchanged, \
            quarantined = run_total.quarantined + excluded.quarantined, \
            deleted = run_total.deleted + excluded.deleted, requests = run_total.requests + excluded.requests, \
            took = run_total.took + excluded.took, ended_at = excluded.ended_at";
        let counts = [
            total.runs,
            total.fetched,
            total.added,
            total.unchanged,
            total.problems,
            total.deleted,
            total.requests,
            total.took_micros,
        ];
        let mut values = vec![source.into(), outcome.into()];
        values.extend(counts.map(|count| (count as i64).into()));
        values.push(total.ended_at.0.into());
        self.execute(sql, &values).await?;
        Ok(())
    }
}
