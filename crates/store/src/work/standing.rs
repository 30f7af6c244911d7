//! How every source stands, for the one who decides what is pulled next.

use std::collections::BTreeMap;

use tributary_core::Time;

use crate::{Store, StoreError};

/// How a source stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How the last run ended, or `running`; empty if there was none.
    pub outcome: String,
    /// Who has it in hand, in words.
    pub holder: Option<String>,
    /// Its streams that are known.
    pub streams: BTreeMap<String, StreamStanding>,
}

/// How a stream stands, all its parts taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStanding {
    /// When the last run began that was to pull it.
    pub tried_at: Option<Time>,
    /// Whether a part of it was never read to its end, or is in the middle of a span.
    pub is_incomplete: bool,
    /// Until when it is complete: [`Time::MAX`] for what is complete in itself. It was never read to its end without.
    pub complete_until: Option<Time>,
    /// The read that it is in the middle of.
    pub reading: Option<Reading>,
}

/// A read that has not come to its end, all parts taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When it began.
    pub began_at: Time,
    /// When its last page landed.
    pub updated_at: Time,
    /// Records done and records in all, where the vendor says.
    pub progress: Option<(u64, u64)>,
}

impl Store {
    /// How every source stands that was ever pulled, by id.
    pub async fn standings(&self) -> Result<BTreeMap<String, Standing>, StoreError> {
        let mut tx = self.read().await?;
        let now = tx.now().await?;
        let mut standings: BTreeMap<String, Standing> = BTreeMap::new();
        let sql = "select s.name, coalesce(r.outcome, ''), l.owner, l.held_until from source s \
            left join run r on r.id = (select max(id) from run where source = s.id) \
            left join lease l on l.name = 'source ' || s.name";
        for row in tx.fetch(sql, &[]).await? {
            let lease = row.opt_text(2)?.zip(row.opt_int(3)?);
            let holder = lease.and_then(|(owner, held_until)| self.holding(&owner, held_until, now));
            let standing = Standing { outcome: row.text(1)?, holder, streams: BTreeMap::new() };
            standings.insert(row.text(0)?, standing);
        }
        let sql = "select s.name, t.stream, max(t.tried_at), \
            sum(case when t.complete_at is null or t.resume is not null then 1 else 0 end), \
            min(t.complete_at), count(*) - count(t.complete_at), \
            min(case when t.resume is not null then t.started_at end), \
            max(case when t.resume is not null then t.updated_at end), \
            cast(sum(case when t.total is not null then t.done end) as bigint), cast(sum(t.total) as bigint) \
            from stream_state t join source s on s.id = t.source group by s.name, t.stream";
        for row in tx.fetch(sql, &[]).await? {
            let tried_at = row.opt_int(2)?.map(Time);
            let complete_until = if row.int(5)? > 0 { None } else { row.opt_int(4)?.map(Time) };
            let (done, total) = (row.opt_int(8)?, row.opt_int(9)?);
            let progress = done.zip(total).map(|(done, total)| (done as u64, total as u64));
            let reading = row.opt_int(6)?.map(Time).zip(row.opt_int(7)?.map(Time));
            let reading = reading.map(|(began_at, updated_at)| Reading { began_at, updated_at, progress });
            let is_incomplete = row.int(3)? > 0;
            let stream = StreamStanding { tried_at, is_incomplete, complete_until, reading };
            standings.entry(row.text(0)?).or_default().streams.insert(row.text(1)?, stream);
        }
        Ok(standings)
    }
}
