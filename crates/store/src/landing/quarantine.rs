//! Quarantine: what could not be understood, with its reason, kept until it can.

use std::collections::BTreeMap;

use tributary_core::Time;
use tributary_core::id::Hash;

use super::SourceKey;
use crate::db::Tx;
use crate::{Store, StoreError};

/// Something in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
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
        source: SourceKey,
        at: Time,
        faults: Vec<Fault<'_>>,
    ) -> Result<(), StoreError> {
        let mut by_hash: BTreeMap<Hash, Fault<'_>> = BTreeMap::new();
        for fault in faults {
            let body = fault.body.map(Hash::of_bytes).unwrap_or_default().to_string();
            let place = fault.native_id.or(fault.origin).unwrap_or_default();
            let hash = Hash::of(
                "fault",
                &[&source.0.to_string(), fault.stream, place, fault.field, fault.reason, &body],
            );
            by_hash.insert(hash, fault);
        }
        let first = self.next_ids("quarantine", by_hash.len()).await?;
        let rows = (first..).zip(by_hash).map(|(id, (hash, fault))| {
            vec![
                id.into(),
                source.0.into(),
                fault.stream.into(),
                fault.native_id.map(str::to_owned).into(),
                fault.origin.map(str::to_owned).into(),
                hash.into(),
                fault.field.into(),
                fault.reason.into(),
                crate::db::Value::Bytes(fault.body.map(<[u8]>::to_vec)),
                at.0.into(),
                crate::db::Value::Int(None),
            ]
        });
        let columns = [
            "id",
            "source",
            "stream",
            "native_id",
            "origin",
            "fault",
            "field",
            "reason",
            "body",
            "first_seen",
            "resolved_at",
        ];
        let conflict = "on conflict (fault) do update set resolved_at = null";
        self.insert_rows_or("quarantine", &columns, rows.collect(), conflict).await
    }

    /// Ends the quarantine of records that came anew; what is still wrong with them is added again.
    pub(crate) async fn resolve_faults(
        &mut self,
        source: SourceKey,
        records: &BTreeMap<&str, Vec<&str>>,
        at: Time,
    ) -> Result<(), StoreError> {
        for (stream, ids) in records {
            let sql = "update quarantine set resolved_at = $1 where source = $2 and stream = $3 \
                and resolved_at is null and native_id";
            self.fetch_in_text(sql, &[at.0.into(), source.0.into(), (*stream).into()], ids).await?;
        }
        Ok(())
    }
}

impl Store {
    /// What is in quarantine now: the first `limit` in order of arrival, and how many in all.
    pub async fn quarantined(&self, limit: i64) -> Result<(Vec<Quarantined>, u64), StoreError> {
        let mut tx = self.read().await?;
        let count = tx.fetch("select count(*) from quarantine where resolved_at is null", &[]).await?;
        let count = count.first().map_or(Ok(0), |row| row.int(0))? as u64;
        let sql = "select s.name, q.stream, q.native_id, q.origin, q.field, q.reason, q.first_seen from quarantine q \
            join source s on s.id = q.source where q.resolved_at is null order by q.id limit $1";
        let rows = tx.fetch(sql, &[limit.into()]).await?;
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
                })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok((list, count))
    }
}
