//! Where a stream stands: its cursor, the span in hand, and what that span has seen.

use std::collections::{BTreeMap, HashSet};

use tributary_core::Time;
use tributary_core::id::Hash;

use super::coverage::{self, Covered};
use super::page::{Rank, Writes, deletion, version_row};
use super::{Deletes, Landing, Next, Reach, SourceKey, State};
use crate::db::{Insert, Tx};
use crate::{Store, StoreError};

/// Records read at a time when a completed span looks for what it has not seen.
const BATCH: i64 = 20_000;
/// A deletion of this many records or more is asked about …
const MANY: u64 = 50;
/// … if it is more than one in so many.
const SHARE: u64 = 20;

impl Store {
    /// Where every stream and part of a source stands.
    pub async fn states(&self, source: SourceKey) -> Result<BTreeMap<(String, String), State>, StoreError> {
        let sql = "select stream, part, cursor, span, resume, complete_at, swept_at from stream_state \
            where source = $1";
        let rows = self.read().await?.fetch(sql, &[source.0.into()]).await?;
        rows.iter()
            .map(|row| {
                let state = State {
                    cursor: row.opt_text(2)?,
                    open: row.opt_text(3)?.zip(row.opt_text(4)?),
                    complete_at: row.opt_int(5)?.map(Time),
                    swept_at: row.opt_int(6)?.map(Time),
                };
                Ok(((row.text(0)?, row.text(1)?), state))
            })
            .collect()
    }

    /// Where the next pull of each stream and part of a source begins, by the source's id; nothing for one that is
    /// not known yet.
    pub async fn cursors(&self, source: &str) -> Result<BTreeMap<(String, String), String>, StoreError> {
        let sql = "select t.stream, t.part, t.cursor from stream_state t join source s on s.id = t.source \
            where s.name = $1 and t.cursor is not null";
        let rows = self.read().await?.fetch(sql, &[source.into()]).await?;
        rows.iter().map(|row| Ok(((row.text(0)?, row.text(1)?), row.text(2)?))).collect()
    }

    /// Streams that were never read to their end, as `source/stream`: their first read was interrupted.
    pub async fn unfinished(&self) -> Result<Vec<String>, StoreError> {
        let sql = "select distinct s.name, t.stream from stream_state t join source s on s.id = t.source \
            where t.complete_at is null order by 1, 2";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        rows.iter().map(|row| Ok(format!("{}/{}", row.text(0)?, row.text(1)?))).collect()
    }

    /// Forgets where a stream's part stands, so that it is read anew; landed records stay.
    pub async fn forget_state(&self, source: SourceKey, stream: &str, part: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for table in ["stream_state", "seen"] {
            let sql = format!("delete from {table} where source = $1 and stream = $2 and part = $3");
            tx.execute(&sql, &[source.0.into(), stream.into(), part.into()]).await?;
        }
        tx.commit().await
    }
}

impl Tx {
    /// Fails if the stream does not stand where the page goes on from.
    pub(super) async fn continues(&mut self, page: &Landing<'_>) -> Result<(), StoreError> {
        let Some(after) = page.after else { return Ok(()) };
        let sql = "select resume from stream_state where source = $1 and stream = $2 and part = $3";
        let rows = self.fetch(sql, &[page.source.0.into(), page.stream.into(), page.part.into()]).await?;
        let stands = rows.first().map(|row| row.opt_text(0)).transpose()?.flatten();
        if stands.as_deref() == Some(after) { Ok(()) } else { Err(StoreError::Forgotten) }
    }

    /// What a page in the middle of a span adds to the stream's state; nothing at its end.
    pub(super) async fn further(&mut self, page: &Landing<'_>) -> Result<Vec<Insert<'static>>, StoreError> {
        let Next::More { span, resume } = page.next else { return Ok(Vec::new()) };
        let mut inserts = vec![state(page, None, Some((span, resume)), None, None)];
        if page.deletes != Deletes::Nothing {
            let id = self.next_ids("seen", 1).await?;
            let ids: Vec<u8> = seen_here(page).flat_map(|hash| hash.0).collect();
            let row = vec![id.into(), page.source.0.into(), page.stream.into(), page.part.into(), ids.into()];
            let columns = &["id", "source", "stream", "part", "ids"];
            inserts.push(Insert { table: "seen", columns, rows: vec![row], conflict: "" });
        }
        Ok(inserts)
    }

    /// Completes a span at its last page: where it replaces, what was not seen is deleted. Says how many were.
    pub(super) async fn complete(&mut self, page: &Landing<'_>) -> Result<u64, StoreError> {
        let Next::Done { cursor } = page.next else { return Ok(0) };
        let (started_at, before) = self.span_start(page).await?;
        let mut deleted = 0;
        if page.deletes != Deletes::Nothing {
            deleted = self.delete_unseen(page, started_at).await?;
            // A walk over ids moves no cursor, and has read no record.
            if cursor.is_some() {
                self.resolve_rejects(page, started_at).await?;
            }
        }
        let key = [page.source.0.into(), page.stream.into(), page.part.into()];
        self.execute("delete from seen where source = $1 and stream = $2 and part = $3", &key).await?;
        let covered = cursor.map(|_| coverage::after(before, page.reach, started_at));
        // A span that deletes and moves no cursor was a walk over all ids; a first read sees all of them, too.
        let is_walk = cursor.is_none() && page.deletes != Deletes::Nothing;
        let swept = (is_walk || cursor.is_some() && before.is_none()).then_some(started_at);
        self.insert(vec![state(page, cursor, None, covered, swept)]).await?;
        Ok(deleted)
    }

    /// When the span in hand began: with this page, unless an earlier one left it open; and what was covered before.
    async fn span_start(&mut self, page: &Landing<'_>) -> Result<(Time, Option<Covered>), StoreError> {
        let sql = "select started_at, reaches_from, complete_at from stream_state \
            where source = $1 and stream = $2 and part = $3";
        let rows = self.fetch(sql, &[page.source.0.into(), page.stream.into(), page.part.into()]).await?;
        let Some(row) = rows.first() else { return Ok((page.observed_at, None)) };
        let since = row.opt_int(1)?.map(Time);
        let covered = row.opt_int(2)?.map(|until| (since, Time(until)));
        Ok((row.opt_int(0)?.map_or(page.observed_at, Time), covered))
    }

    /// Deletes what the completed span has not seen and no page brought since it began.
    async fn delete_unseen(&mut self, page: &Landing<'_>, started_at: Time) -> Result<u64, StoreError> {
        let key = [page.source.0.into(), page.stream.into(), page.part.into()];
        let mut seen: HashSet<Hash> = seen_here(page).collect();
        let sql = "select ids from seen where source = $1 and stream = $2 and part = $3";
        for row in self.fetch(sql, &key).await? {
            seen.extend(row.bytes(0)?.chunks_exact(16).filter_map(Hash::from_slice));
        }
        let sql = "select r.native_id, r.id, v.stamp, v.observed_at from record r \
            join version v on v.id = r.head where r.source = $1 and r.stream = $2 and r.part = $3 \
            and r.native_id > $4 and v.frame is not null order by r.native_id limit $5";
        let mut known = 0;
        let mut unseen = Vec::new();
        let mut after = String::new();
        loop {
            let values = [key.as_slice(), &[after.as_str().into(), BATCH.into()]].concat();
            let rows = self.fetch(sql, &values).await?;
            let Some(last) = rows.last() else { break };
            after = last.text(0)?;
            known += rows.len() as u64;
            for row in &rows {
                let id = row.text(0)?;
                if row.int(3)? < started_at.0 && !seen.contains(&Hash::of_bytes(id.as_bytes())) {
                    unseen.push((row.int(1)?, id, row.opt_int(2)?.map(Time)));
                }
            }
        }
        let missing = unseen.len() as u64;
        if page.deletes == Deletes::Unseen && missing >= MANY && missing * SHARE > known {
            return Err(StoreError::MassDelete { stream: page.stream.to_owned(), missing, known });
        }
        let first = self.next_ids("version", unseen.len()).await?;
        let mut writes = Writes::default();
        for (version, (record, native_id, stamp)) in (first..).zip(unseen) {
            let rank = Rank { stamp, observed_at: page.observed_at, is_deletion: true, hash: deletion() };
            writes.versions.push(version_row(version, record, &rank, None, None));
            let head = (page.stream.to_owned(), page.part.to_owned(), native_id, version);
            writes.heads.insert(record, head);
        }
        self.write(page, writes).await?;
        Ok(missing)
    }
}

/// Where the stream's part stands after a page.
fn state(
    page: &Landing<'_>,
    cursor: Option<&str>,
    open: Option<(&str, &str)>,
    covered: Option<Covered>,
    swept_at: Option<Time>,
) -> Insert<'static> {
    let row = vec![
        page.source.0.into(),
        page.stream.into(),
        page.part.into(),
        cursor.map(str::to_owned).into(),
        open.map(|(span, _)| span.to_owned()).into(),
        open.map(|(_, resume)| resume.to_owned()).into(),
        open.map(|_| page.observed_at.0).into(),
        page.observed_at.0.into(),
        covered.and_then(|(since, _)| since).map(|since| since.0).into(),
        covered.map(|(_, until)| until.0).into(),
        i64::from(matches!(page.reach, Reach::Labels(_))).into(),
        swept_at.map(|at| at.0).into(),
        open.and(page.progress).map(|(done, _)| done as i64).into(),
        open.and(page.progress).map(|(_, total)| total as i64).into(),
        // Of a part that was not known; of the others the run has noted it.
        page.observed_at.0.into(),
    ];
    Insert {
        table: "stream_state",
        columns: &[
            "source",
            "stream",
            "part",
            "cursor",
            "span",
            "resume",
            "started_at",
            "updated_at",
            "reaches_from",
            "complete_at",
            "labels",
            "swept_at",
            "done",
            "total",
            "tried_at",
        ],
        rows: vec![row],
        conflict: "on conflict (source, stream, part) do update set \
            cursor = coalesce(excluded.cursor, stream_state.cursor), span = excluded.span, \
            resume = excluded.resume, updated_at = excluded.updated_at, started_at = case \
            when excluded.started_at is null then null else coalesce(stream_state.started_at, excluded.started_at) end, \
            reaches_from = case when excluded.complete_at is null then stream_state.reaches_from \
            else excluded.reaches_from end, complete_at = coalesce(excluded.complete_at, stream_state.complete_at), \
            labels = case when excluded.complete_at is null then stream_state.labels else excluded.labels end, \
            swept_at = coalesce(excluded.swept_at, stream_state.swept_at), done = excluded.done, total = excluded.total",
    }
}

/// The ids that a page shows to exist, hashed.
fn seen_here<'a>(page: &'a Landing<'_>) -> impl Iterator<Item = Hash> + 'a {
    let records = page.records.iter().filter(|record| record.stream == page.stream && record.body.is_some());
    let ids = records.map(|record| record.id).chain(page.seen.iter().map(String::as_str));
    ids.map(|id| Hash::of_bytes(id.as_bytes()))
}
