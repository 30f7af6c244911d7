//! What is planned of a source beside its schedule: pauses, requests for a run, and rests after failures.

use std::collections::BTreeMap;

use tributary_core::Time;

use crate::db::Row;
use crate::{Store, StoreError};

/// What is planned of a source beside its schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Whether it is not pulled until somebody resumes it.
    pub is_paused: bool,
    /// When somebody asked for a run.
    pub asked_at: Option<Time>,
    /// It is not pulled before.
    pub not_before: Option<Time>,
    /// How many runs in a row failed.
    pub failures: u32,
}

impl Planned {
    fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
        Ok(Self {
            is_paused: row.int(at)? == 1,
            asked_at: row.opt_int(at + 1)?.map(Time),
            not_before: row.opt_int(at + 2)?.map(Time),
            failures: row.int(at + 3)? as u32,
        })
    }
}

impl Store {
    /// What is planned, by source; nothing for those that were never pulled, paused or asked for.
    pub async fn planned(&self) -> Result<BTreeMap<String, Planned>, StoreError> {
        let sql = "select source, is_paused, asked_at, not_before, failures from agenda order by source";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, Planned::read(row, 1)?))).collect()
    }

    /// What people want: the sources that are paused, and those that somebody asked for, and when.
    pub async fn wishes(&self) -> Result<Vec<(String, bool, Option<Time>)>, StoreError> {
        let sql = "select source, is_paused, asked_at from agenda where is_paused = 1 or asked_at is not null \
            order by source";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.int(1)? == 1, row.opt_int(2)?.map(Time)))).collect()
    }

    /// Stops pulling a source until it is resumed; a run in hand goes on to its end.
    pub async fn pause(&self, source: &str) -> Result<(), StoreError> {
        self.plan(source, "is_paused = 1", &[]).await
    }

    /// Pulls a paused source again, as its schedule says.
    pub async fn resume(&self, source: &str) -> Result<(), StoreError> {
        self.plan(source, "is_paused = 0", &[]).await
    }

    /// Asks for a run as soon as possible, also after failures.
    pub async fn ask(&self, source: &str, at: Time) -> Result<(), StoreError> {
        self.plan(source, "asked_at = $2, not_before = null", &[at]).await
    }

    /// Notes that a run began, which answers what was asked for.
    pub async fn answer(&self, source: &str) -> Result<(), StoreError> {
        self.plan(source, "asked_at = null", &[]).await
    }

    /// Notes that a run ended well: failures before it count no more. `not_before` is when the vendor allows the next.
    pub async fn succeed(&self, source: &str, not_before: Option<Time>) -> Result<(), StoreError> {
        match not_before {
            None => self.plan(source, "failures = 0, not_before = null", &[]).await,
            Some(at) => self.plan(source, "failures = 0, not_before = $2", &[at]).await,
        }
    }

    /// Notes that a run failed, and when the next may begin.
    pub async fn fail(&self, source: &str, not_before: Time) -> Result<(), StoreError> {
        self.plan(source, "failures = failures + 1, not_before = $2", &[not_before]).await
    }

    async fn plan(&self, source: &str, change: &str, times: &[Time]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "insert into agenda (source, is_paused, failures) values ($1, 0, 0) on conflict do nothing";
        tx.execute(sql, &[source.into()]).await?;
        let mut values = vec![source.into()];
        values.extend(times.iter().map(|time| time.0.into()));
        tx.execute(&format!("update agenda set {change} where source = $1"), &values).await?;
        tx.commit().await
    }

    /// Adds to the requests sent to a source's vendor on a day, and says how many there were. `allowed` are those that
    /// may be sent that day, where that is known.
    pub async fn count_requests(
        &self,
        source: &str,
        day: i64,
        more: u64,
        allowed: Option<u64>,
    ) -> Result<u64, StoreError> {
        if more == 0 {
            let sql = "select requests from request_count where source = $1 and day = $2";
            let rows = self.read().await?.fetch(sql, &[source.into(), day.into()]).await?;
            return rows.first().map_or(Ok(0), |row| row.int(0).map(|count| count as u64));
        }
        let mut tx = self.database.begin_beside().await?;
        let sql = "insert into request_count (source, day, requests, allowed) values ($1, $2, $3, $4) \
            on conflict (source, day) do update set requests = request_count.requests + excluded.requests, \
            allowed = coalesce(excluded.allowed, request_count.allowed) returning requests";
        let allowed = allowed.map(|allowed| allowed as i64);
        let rows = tx.fetch(sql, &[source.into(), day.into(), (more as i64).into(), allowed.into()]).await?;
        let sum = rows.first().map_or(Ok(0), |row| row.int(0))?;
        tx.commit().await?;
        Ok(sum as u64)
    }
}
