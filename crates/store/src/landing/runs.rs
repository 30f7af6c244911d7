//! Runs: one sync of one source, with its accounts.

use tributary_core::Time;

use super::{Landed, SourceKey};
use crate::{Store, StoreError};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// Everything was pulled.
    Ok,
    /// Something failed.
    Failed,
    /// Somebody stopped it.
    Interrupted,
}

/// One sync of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The source.
    pub source: String,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// `running`, `ok`, `failed` or `interrupted`.
    pub outcome: String,
    /// Why it failed.
    pub message: Option<String>,
    /// What it landed.
    pub landed: Landed,
}

impl Store {
    /// Notes that a run begins.
    pub async fn begin_run(&self, source: SourceKey, at: Time) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        let id = tx.next_ids("run", 1).await?;
        let sql = "insert into run (id, source, started_at, outcome, fetched, added, unchanged, superseded, \
            quarantined, deleted) values ($1, $2, $3, 'running', 0, 0, 0, 0, 0, 0)";
        tx.execute(sql, &[id.into(), source.0.into(), at.0.into()]).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Notes how a run ended.
    pub async fn end_run(
        &self,
        run: i64,
        at: Time,
        outcome: RunOutcome,
        message: Option<&str>,
        landed: Landed,
    ) -> Result<(), StoreError> {
        let outcome = match outcome {
            RunOutcome::Ok => "ok",
            RunOutcome::Failed => "failed",
            RunOutcome::Interrupted => "interrupted",
        };
        let mut tx = self.begin().await?;
        let sql = "update run set ended_at = $1, outcome = $2, message = $3, fetched = $4, added = $5, \
            unchanged = $6, superseded = $7, quarantined = $8, deleted = $9 where id = $10";
        let values = [
            at.0.into(),
            outcome.into(),
            message.map(str::to_owned).into(),
            (landed.fetched as i64).into(),
            (landed.added as i64).into(),
            (landed.unchanged as i64).into(),
            (landed.superseded as i64).into(),
            ((landed.rejected + landed.problems) as i64).into(),
            (landed.deleted as i64).into(),
            run.into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// The last run of each source, by source.
    pub async fn last_runs(&self) -> Result<Vec<Run>, StoreError> {
        let sql = "select s.name, r.started_at, r.ended_at, r.outcome, r.message, r.fetched, r.added, r.unchanged, \
            r.superseded, r.quarantined, r.deleted from run r join source s on s.id = r.source \
            where r.id = (select max(id) from run where source = s.id) order by s.name";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                let count = |index: usize| row.int(index).map(|count| count as u64);
                Ok(Run {
                    source: row.text(0)?,
                    started_at: Time(row.int(1)?),
                    ended_at: row.opt_int(2)?.map(Time),
                    outcome: row.text(3)?,
                    message: row.opt_text(4)?,
                    landed: Landed {
                        fetched: count(5)?,
                        added: count(6)?,
                        unchanged: count(7)?,
                        superseded: count(8)?,
                        problems: count(9)?,
                        rejected: 0,
                        deleted: count(10)?,
                    },
                })
            })
            .collect()
    }
}
