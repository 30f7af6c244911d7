//! How one page lands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tributary_core::Time;
use tributary_core::id::Hash;

use super::{Deletes, Incoming, Landing, Next, Said, SourceKey, encode, pack, quarantine};
use crate::db::{Tx, Value};
use crate::{Store, StoreError};

/// What became of a page: `fetched` = `added` + `unchanged` + `superseded` + `rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Landed {
    /// Records and rejects in the page.
    pub fetched: u64,
    /// New current versions.
    pub added: u64,
    /// Equal to the current version.
    pub unchanged: u64,
    /// Older than the current version: kept, not current.
    pub superseded: u64,
    /// Not even records: kept in quarantine.
    pub rejected: u64,
    /// Records with a problem, which are in quarantine too.
    pub problems: u64,
    /// Deleted because the completed span did not see them.
    pub deleted: u64,
}

impl std::ops::AddAssign for Landed {
    fn add_assign(&mut self, other: Self) {
        self.fetched += other.fetched;
        self.added += other.added;
        self.unchanged += other.unchanged;
        self.superseded += other.superseded;
        self.rejected += other.rejected;
        self.problems += other.problems;
        self.deleted += other.deleted;
    }
}

/// A record as the store knows it while a page lands.
#[derive(Clone, Copy)]
struct Head {
    record: i64,
    is_new: bool,
    rank: Rank,
}

/// Current is the version with the highest stamp, else the latest observed, then by hash.
type Rank = (Option<Time>, Time, Hash);

#[derive(Default)]
struct Writes {
    versions: Vec<Vec<Value>>,
    frames: Vec<Vec<Value>>,
    /// Heads that changed, by record.
    heads: BTreeMap<i64, (String, String, i64)>,
}

/// What stands for a deletion's content.
fn deletion() -> Hash {
    Hash::of("deleted", &[])
}

impl Store {
    /// Lands a page. `normalize` is asked, by place in `records`, about new versions only.
    pub async fn land(
        &self,
        page: &Landing<'_>,
        normalize: &(dyn Fn(usize) -> Said + Sync),
    ) -> Result<Landed, StoreError> {
        let mut tx = self.begin().await?;
        let mut landed = Landed {
            fetched: (page.records.len() + page.rejects.len()) as u64,
            rejected: page.rejects.len() as u64,
            ..Landed::default()
        };
        let mut heads = tx.heads(page).await?;
        let next_record = tx.next_ids("record", page.records.len()).await?;
        let next_version = tx.next_ids("version", page.records.len()).await?;
        let next_frame = tx.next_ids("frame", page.records.len()).await?;
        let mut ids = (next_record, next_version, next_frame);
        let mut writes = Writes::default();
        let mut bodies: BTreeMap<&str, (i64, Vec<u8>)> = BTreeMap::new();
        let mut faults = Vec::new();
        let mut mended: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (index, record) in page.records.iter().enumerate() {
            let known = heads.get(&(record.stream, record.id)).copied();
            let hash = record.body.map_or_else(deletion, Hash::of_bytes);
            match known {
                None if record.body.is_none() => {
                    landed.unchanged += 1;
                    continue;
                }
                Some(head) if head.rank.2 == hash => {
                    landed.unchanged += 1;
                    continue;
                }
                _ => {}
            }
            // A deletion has no stamp of its own: it follows what it deletes.
            let stamp = match record.body {
                None => record.stamp.max(known.and_then(|head| head.rank.0)),
                Some(_) => record.stamp,
            };
            let rank = (stamp, page.observed_at, hash);
            let is_current = known.is_none_or(|head| rank > head.rank);
            if !is_current && tx.has_version(known, stamp, hash).await? {
                landed.unchanged += 1;
                continue;
            }
            let version = ids.1;
            ids.1 += 1;
            let (record_id, is_new) = match known {
                Some(head) => (head.record, head.is_new),
                None => {
                    ids.0 += 1;
                    (ids.0 - 1, true)
                }
            };
            let (mut frame, mut start, mut facts) = (None, 0, None);
            if let Some(body) = record.body {
                let (id, bytes) = bodies.entry(record.stream).or_insert_with(|| {
                    ids.2 += 1;
                    (ids.2 - 1, Vec::new())
                });
                (frame, start) = (Some(*id), bytes.len() as i64);
                bytes.extend_from_slice(body);
                let said = normalize(index);
                facts = encode(&said.facts)?;
                if is_current {
                    mended.entry(record.stream).or_default().push(record.id);
                    landed.problems += u64::from(!said.problems.is_empty());
                    faults.extend(said.problems.into_iter().map(|problem| (index, problem)));
                }
            }
            writes.versions.push(vec![
                version.into(),
                record_id.into(),
                stamp.map(|stamp| stamp.0).into(),
                page.observed_at.0.into(),
                hash.into(),
                Value::Int(frame),
                start.into(),
                (record.body.map_or(0, <[u8]>::len) as i64).into(),
                Value::Bytes(facts),
            ]);
            if is_current {
                landed.added += 1;
                let head = Head { record: record_id, is_new, rank };
                heads.insert((record.stream, record.id), head);
                writes.heads.insert(record_id, (record.stream.to_owned(), record.id.to_owned(), version));
            } else {
                landed.superseded += 1;
            }
        }
        for (stream, (id, bytes)) in bodies {
            let (source, observed) = (page.source.0.into(), page.observed_at.0.into());
            writes.frames.push(vec![id.into(), source, stream.into(), observed, pack(&bytes)?.into()]);
        }
        tx.write(page.source, writes).await?;
        tx.resolve_faults(page.source, &mended, page.observed_at).await?;
        tx.write_faults(page, &faults).await?;
        landed.deleted = tx.advance(page).await?;
        tx.commit().await?;
        Ok(landed)
    }
}

impl Tx {
    /// The current versions of the records that a page names.
    async fn heads<'a>(
        &mut self,
        page: &Landing<'a>,
    ) -> Result<HashMap<(&'a str, &'a str), Head>, StoreError> {
        let mut wanted: BTreeMap<&str, BTreeSet<&'a str>> = BTreeMap::new();
        for record in page.records {
            wanted.entry(record.stream).or_default().insert(record.id);
        }
        let mut heads = HashMap::new();
        for (stream, ids) in wanted {
            let sql = "select r.native_id, r.id, r.head, v.stamp, v.observed_at, v.hash, v.frame from record r \
                join version v on v.id = r.head where r.source = $1 and r.stream = $2 and r.native_id";
            let keys: Vec<&str> = ids.iter().copied().collect();
            let stream_of: HashMap<&str, &'a Incoming<'a>> = page
                .records
                .iter()
                .filter(|record| record.stream == stream)
                .map(|record| (record.id, record))
                .collect();
            for row in self.fetch_in_text(sql, &[page.source.0.into(), stream.into()], &keys).await? {
                let id = row.text(0)?;
                let Some(record) = stream_of.get(id.as_str()) else { continue };
                let head = Head {
                    record: row.int(1)?,
                    is_new: false,
                    rank: (row.opt_int(3)?.map(Time), Time(row.int(4)?), row.hash(5)?),
                };
                heads.insert((record.stream, record.id), head);
            }
        }
        Ok(heads)
    }

    /// Whether a version that is not current is known already.
    async fn has_version(
        &mut self,
        head: Option<Head>,
        stamp: Option<Time>,
        hash: Hash,
    ) -> Result<bool, StoreError> {
        let Some(head) = head else { return Ok(false) };
        let rows = self
            .fetch(
                "select stamp from version where record = $1 and hash = $2",
                &[head.record.into(), hash.into()],
            )
            .await?;
        for row in &rows {
            if row.opt_int(0)?.map(Time) == stamp {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn write(&mut self, source: SourceKey, writes: Writes) -> Result<(), StoreError> {
        self.insert_rows("frame", &["id", "source", "stream", "observed_at", "body"], writes.frames).await?;
        let columns = ["id", "record", "stamp", "observed_at", "hash", "frame", "start", "length", "facts"];
        self.insert_rows("version", &columns, writes.versions).await?;
        let changed: Vec<i64> = writes.heads.keys().copied().collect();
        let rows = writes.heads.into_iter().map(|(record, (stream, id, version))| {
            vec![record.into(), source.0.into(), stream.into(), id.into(), version.into()]
        });
        let columns = ["id", "source", "stream", "native_id", "head"];
        let conflict = "on conflict (id) do update set head = excluded.head";
        self.insert_rows_or("record", &columns, rows.collect(), conflict).await?;
        self.mark_dirty(&changed).await
    }

    /// Writes what is in quarantine because of this page.
    async fn write_faults(
        &mut self,
        page: &Landing<'_>,
        faults: &[(usize, (String, String))],
    ) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for (index, (field, reason)) in faults {
            let record = &page.records[*index];
            rows.push(quarantine::Fault {
                stream: record.stream,
                native_id: Some(record.id),
                origin: record.origin,
                field,
                reason,
                body: None,
            });
        }
        rows.extend(page.rejects.iter().map(|reject| quarantine::Fault {
            stream: reject.stream,
            native_id: None,
            origin: Some(reject.origin),
            field: reject.field,
            reason: reject.reason,
            body: Some(reject.body),
        }));
        self.quarantine(page.source, page.observed_at, rows).await
    }

    /// Moves the stream's state on; at the end of a span that replaces, deletes what was not seen.
    async fn advance(&mut self, page: &Landing<'_>) -> Result<u64, StoreError> {
        let key = [page.source.0.into(), page.stream.into(), page.part.into()];
        if page.deletes != Deletes::Nothing {
            let mut ids: BTreeSet<&str> = page.seen.iter().map(String::as_str).collect();
            ids.extend(
                page.records.iter().filter(|r| r.stream == page.stream && r.body.is_some()).map(|r| r.id),
            );
            let rows = ids.into_iter().map(|id| key.iter().cloned().chain([id.into()]).collect()).collect();
            let columns = ["source", "stream", "part", "native_id"];
            self.insert_rows_or("seen", &columns, rows, "on conflict do nothing").await?;
        }
        let (cursor, span, resume) = match page.next {
            Next::More { span, resume } => (None, Some(span.to_owned()), Some(resume.to_owned())),
            Next::Done { cursor } => (cursor.map(str::to_owned), None, None),
        };
        let mut deleted = 0;
        if let Next::Done { .. } = page.next
            && page.deletes != Deletes::Nothing
        {
            deleted = self.delete_unseen(page).await?;
            self.execute("delete from seen where source = $1 and stream = $2 and part = $3", &key).await?;
        }
        let sql = "insert into stream_state (source, stream, part, cursor, span, resume, updated_at) \
            values ($1, $2, $3, $4, $5, $6, $7) on conflict (source, stream, part) do update set \
            cursor = coalesce(excluded.cursor, stream_state.cursor), span = excluded.span, \
            resume = excluded.resume, updated_at = excluded.updated_at";
        let [source, stream, part] = key;
        let values =
            [source, stream, part, cursor.into(), span.into(), resume.into(), page.observed_at.0.into()];
        self.execute(sql, &values).await?;
        Ok(deleted)
    }

    async fn delete_unseen(&mut self, page: &Landing<'_>) -> Result<u64, StoreError> {
        let sql = "select r.id, r.native_id, v.stamp, s.native_id from record r join version v on v.id = r.head \
            left join seen s on s.source = r.source and s.stream = r.stream and s.part = $3 and s.native_id = r.native_id \
            where r.source = $1 and r.stream = $2 and v.frame is not null";
        let rows = self.fetch(sql, &[page.source.0.into(), page.stream.into(), page.part.into()]).await?;
        let known = rows.len() as u64;
        let mut missing = Vec::new();
        for row in &rows {
            if row.opt_text(3)?.is_none() {
                missing.push((row.int(0)?, row.text(1)?, row.opt_int(2)?));
            }
        }
        let count = missing.len() as u64;
        if page.deletes == Deletes::Unseen && count >= 50 && count * 20 > known {
            return Err(StoreError::MassDelete { stream: page.stream.to_owned(), missing: count, known });
        }
        let first = self.next_ids("version", missing.len()).await?;
        let mut writes = Writes::default();
        for (version, (record, native_id, stamp)) in (first..).zip(missing) {
            writes.versions.push(vec![
                version.into(),
                record.into(),
                stamp.into(),
                page.observed_at.0.into(),
                deletion().into(),
                Value::Int(None),
                0.into(),
                0.into(),
                Value::Bytes(None),
            ]);
            writes.heads.insert(record, (page.stream.to_owned(), native_id, version));
        }
        self.write(page.source, writes).await?;
        Ok(count)
    }
}
