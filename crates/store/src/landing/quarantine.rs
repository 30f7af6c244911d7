//! Quarantine: what could not be understood, with its reason, kept until it can.

use std::collections::{BTreeMap, BTreeSet};

use tributary_core::Time;
use tributary_core::id::Hash;

use super::{Landing, SourceKey};
use crate::db::{Insert, Tx};
use crate::{Store, StoreError};

/// Something in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its number.
    pub id: i64,
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// The record's id, if it is a record at all.
    pub native_id: Option<String>,
    /// Where it was read: `people.csv:17`.
    pub origin: Option<String>,
    /// The column or path.
    pub field: String,
    /// Why.
    pub reason: String,
    /// When it first came.
    pub first_seen: Time,
}

pub(crate) struct Fault<'a> {
    pub(crate) stream: &'a str,
    pub(crate) native_id: Option<&'a str>,
    pub(crate) origin: Option<&'a str>,
    pub(crate) field: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) body: Option<&'a [u8]>,
}

impl Tx {
    /// Adds faults; the same fault stands once.
    pub(crate) async fn quarantine(
        &mut self,
        page: &Landing<'_>,
        faults: Vec<Fault<'_>>,
    ) -> Result<(), StoreError> {
        let (source, at) = (page.source, page.observed_at);
        let mut met = BTreeSet::new();
        let mut fresh: Vec<(Hash, Fault<'_>)> = Vec::new();
        for fault in faults {
            let body = fault.body.map(Hash::of_bytes).unwrap_or_default().to_string();
            let place = fault.native_id.or(fault.origin).unwrap_or_default();
            let hash = Hash::of(
                "fault",
                &[&source.0.to_string(), fault.stream, place, fault.field, fault.reason, &body],
            );
            if met.insert(hash) {
                fresh.push((hash, fault));
            }
        }
        let first = self.next_ids("quarantine", fresh.len()).await?;
        let rows = (first..).zip(fresh).map(|(id, (hash, fault))| {
            vec![
                id.into(),
                source.0.into(),
                fault.stream.into(),
                page.part.into(),
                fault.native_id.map(str::to_owned).into(),
                fault.origin.map(str::to_owned).into(),
                hash.into(),
                fault.field.into(),
                fault.reason.into(),
                crate::db::Value::Bytes(fault.body.map(<[u8]>::to_vec)),
                at.0.into(),
                at.0.into(),
                crate::db::Value::Int(None),
            ]
        });
        let columns = [
            "id",
            "source",
            "stream",
            "part",
            "native_id",
            "origin",
            "fault",
            "field",
            "reason",
            "body",
            "first_seen",
            "last_seen",
            "resolved_at",
        ];
        let conflict = "on conflict (fault) do update set last_seen = excluded.last_seen, resolved_at = null";
        let rows = rows.collect();
        self.insert(vec![Insert { table: "quarantine", columns: &columns, rows, conflict }]).await
    }

    /// Whether a source has anything in quarantine.
    pub(crate) async fn has_faults(&mut self, source: SourceKey) -> Result<bool, StoreError> {
        let open = "select 1 from quarantine where source = $1 and resolved_at is null limit 1";
        Ok(!self.fetch(open, &[source.0.into()]).await?.is_empty())
    }

    /// Ends the quarantine of records that came anew, and of places that hold a record now; what is still wrong
    /// is added again.
    pub(crate) async fn resolve_faults(
        &mut self,
        page: &Landing<'_>,
        mended: &BTreeMap<&str, Vec<&str>>,
    ) -> Result<(), StoreError> {
        for (stream, ids) in mended {
            let sql = "update quarantine set resolved_at = $1 where source = $2 and stream = $3 \
                and resolved_at is null and native_id in (select k.value from {keys})";
            let values = [page.observed_at.0.into(), page.source.0.into(), (*stream).into()];
            self.fetch_in_text(sql, &values, ids).await?;
        }
        let origins: Vec<&str> = page.records.iter().filter_map(|record| record.origin).collect();
        let sql = "update quarantine set resolved_at = $1 where source = $2 and native_id is null \
            and resolved_at is null and origin in (select k.value from {keys})";
        self.fetch_in_text(sql, &[page.observed_at.0.into(), page.source.0.into()], &origins).await?;
        Ok(())
    }

    /// Ends the quarantine of bytes that a completed span did not meet again.
    pub(crate) async fn resolve_rejects(
        &mut self,
        page: &Landing<'_>,
        started_at: Time,
    ) -> Result<(), StoreError> {
        let sql = "update quarantine set resolved_at = $1 where source = $2 and stream = $3 and part = $4 \
            and native_id is null and resolved_at is null and last_seen < $5";
        let values = [
            page.observed_at.0.into(),
            page.source.0.into(),
            page.stream.into(),
            page.part.into(),
            started_at.0.into(),
        ];
        self.execute(sql, &values).await.map(|_| ())
    }
}

impl Store {
    /// What is in quarantine now: the first `limit` in order of arrival, and how many in all.
    pub async fn quarantined(&self, limit: i64) -> Result<(Vec<Quarantined>, u64), StoreError> {
        self.quarantined_of(None, limit).await
    }

    /// The same of one source, or of all.
    pub async fn quarantined_of(
        &self,
        source: Option<&str>,
        limit: i64,
    ) -> Result<(Vec<Quarantined>, u64), StoreError> {
        let mut tx = self.read().await?;
        let of = source.map(str::to_owned);
        let from = "from quarantine q join source s on s.id = q.source \
            where q.resolved_at is null and ($1 is null or s.name = $1)";
        let count = tx.fetch(&format!("select count(*) {from}"), &[of.clone().into()]).await?;
        let count = count.first().map_or(Ok(0), |row| row.int(0))? as u64;
        let sql = format!(
            "select s.name, q.stream, q.native_id, q.origin, q.field, q.reason, q.first_seen, q.id {from} \
            order by q.id limit $2"
        );
        let rows = tx.fetch(&sql, &[of.into(), limit.into()]).await?;
        let list = rows
            .iter()
            .map(|row| {
                Ok(Quarantined {
                    source: row.text(0)?,
                    stream: row.text(1)?,
                    native_id: row.opt_text(2)?,
                    origin: row.opt_text(3)?,
                    field: row.text(4)?,
                    reason: row.text(5)?,
                    first_seen: Time(row.int(6)?),
                    id: row.int(7)?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok((list, count))
    }

    /// What is in quarantine under a number, as it came: the record's current version, or the bytes that were none.
    pub async fn quarantined_body(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "select q.body, r.head from quarantine q left join record r on r.source = q.source \
            and r.stream = q.stream and r.native_id = q.native_id where q.id = $1";
        let rows = self.read().await?.fetch(sql, &[id.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        match (row.opt_bytes(0)?, row.opt_int(1)?) {
            (Some(body), _) => Ok(Some(body)),
            (None, Some(version)) => self.body(version).await,
            (None, None) => Ok(None),
        }
    }
}
