//! Sources: making one known, and reading its landed records anew when what they mean has changed.

use std::collections::BTreeMap;

use tributary_core::Time;

use super::read::slice;
use super::{Deletes, Landing, Next, Reach, Said, SourceKey, encode, quarantine};
use crate::db::Tx;
use crate::{Store, StoreError};

/// The form of stored facts: another one means that every record is normalised anew.
const FACTS_FORMAT: u32 = 1;

/// Versions normalised in one transaction.
const BATCH: i64 = 2_000;

/// Says what a landed version means: stream, id, stamp and body.
pub type Normalize<'a> = &'a (dyn Fn(&str, &str, Option<Time>, &[u8]) -> Said + Sync);

impl Store {
    /// Makes a source known; its settings outlive the configuration, so that landed records can be read for ever.
    ///
    /// Returns whether its records were normalised by another version or other settings, and must be anew.
    pub async fn register_source(
        &self,
        name: &str,
        connector: &str,
        settings: &str,
        normalizer: &str,
    ) -> Result<(SourceKey, bool), StoreError> {
        let normalizer = stored(normalizer);
        let mut tx = self.begin().await?;
        let sql = "select id, connector, normalizer from source where name = $1";
        let known = tx.fetch(sql, &[name.into()]).await?;
        if let Some(row) = known.first() {
            let (id, before) = (row.int(0)?, row.text(1)?);
            if before != connector {
                return Err(StoreError::OtherConnector { source_id: name.to_owned(), before });
            }
            let sql = "update source set settings = $1 where id = $2 and settings <> $1";
            tx.execute(sql, &[settings.into(), id.into()]).await?;
            tx.commit().await?;
            return Ok((SourceKey(id), row.text(2)? != normalizer));
        }
        let id = tx.next_ids("source", 1).await?;
        let columns = ["id", "name", "connector", "settings", "normalizer"];
        let row = vec![id.into(), name.into(), connector.into(), settings.into(), normalizer.into()];
        tx.insert_rows("source", &columns, vec![row]).await?;
        tx.commit().await?;
        Ok((SourceKey(id), false))
    }

    /// Normalises every landed version of a source anew, and marks the records that now say something else.
    ///
    /// Returns how many do. If it dies on the way, the next run begins again, with less left to do.
    pub async fn renormalize(
        &self,
        source: SourceKey,
        normalizer: &str,
        normalize: Normalize<'_>,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        let mut after = 0;
        loop {
            let mut tx = self.begin().await?;
            let last = tx.fetch("select coalesce(max(id), 0) from version", &[]).await?;
            if last.first().map_or(Ok(0), |row| row.int(0))? <= after {
                break;
            }
            changed += tx.renormalize_batch(source, after, normalize).await?;
            tx.commit().await?;
            after += BATCH;
        }
        let mut tx = self.begin().await?;
        let sql = "update source set normalizer = $1 where id = $2";
        tx.execute(sql, &[stored(normalizer).into(), source.0.into()]).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

fn stored(normalizer: &str) -> String {
    format!("{FACTS_FORMAT}:{normalizer}")
}

impl Tx {
    /// Normalises the source's versions among the next [`BATCH`] ids; gives how many heads say something else.
    async fn renormalize_batch(
        &mut self,
        source: SourceKey,
        after: i64,
        normalize: Normalize<'_>,
    ) -> Result<u64, StoreError> {
        // SQLite does not reorder a cross join: versions by id, and the record of each.
        let sql = "select v.id, r.id, r.stream, r.native_id, v.stamp, v.frame, v.start, v.length, v.facts, \
            case when r.head = v.id then 1 else 0 end from version v cross join record r \
            where r.id = v.record and r.source = $1 and v.id > $2 and v.id <= $3 and v.frame is not null \
            order by v.id";
        let rows = self.fetch(sql, &[source.0.into(), after.into(), (after + BATCH).into()]).await?;
        let mut frame: (i64, Vec<u8>) = (0, Vec::new());
        let mut dirty = Vec::new();
        let mut facts = Vec::new();
        let mut heads: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut problems = Vec::new();
        for row in &rows {
            // Versions of one page have one frame, and ids in a row.
            if row.int(5)? != frame.0 {
                frame = (row.int(5)?, self.frame(row.int(5)?).await?);
            }
            let body = slice(&frame.1, row.int(6)?, row.int(7)?)?;
            let (stream, id) = (row.text(2)?, row.text(3)?);
            let said = normalize(&stream, &id, row.opt_int(4)?.map(Time), body);
            let is_head = row.int(9)? == 1;
            let new = encode(&said.facts)?;
            if new != row.opt_bytes(8)? {
                facts.push((row.int(0)?, new));
                if is_head {
                    dirty.push(row.int(1)?);
                }
            }
            if is_head {
                problems
                    .extend(said.problems.into_iter().map(|problem| (stream.clone(), id.clone(), problem)));
                heads.entry(stream).or_default().push(id);
            }
        }
        self.update_bytes("version", "facts", facts).await?;
        self.mark_dirty(&dirty).await?;
        let page = Landing {
            source,
            stream: "",
            part: "",
            after: None,
            observed_at: self.last_observed().await?.unwrap_or_default(),
            records: &[],
            rejects: &[],
            seen: &[],
            next: Next::Done { cursor: None },
            deletes: Deletes::Nothing,
            reach: Reach::Everything,
            progress: None,
        };
        if self.has_faults(source).await? {
            let heads =
                heads.iter().map(|(stream, ids)| (stream.as_str(), ids.iter().map(String::as_str).collect()));
            self.resolve_faults(&page, &heads.collect()).await?;
        }
        let faults = problems.iter().map(|(stream, id, (field, reason))| quarantine::Fault {
            stream,
            native_id: Some(id),
            origin: None,
            field,
            reason,
            body: None,
        });
        self.quarantine(&page, faults.collect()).await?;
        Ok(dirty.len() as u64)
    }
}
