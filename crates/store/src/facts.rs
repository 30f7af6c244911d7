//! What the current versions of records say, for deriving.

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_core::id::Hash;
use tributary_core::{Fact, Time};

use crate::db::{Row, Tx, Value};
use crate::landing::Rank;
use crate::{Store, StoreError};

/// The facts of one record's version.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordFacts {
    /// The record, inside this store.
    pub record: i64,
    /// The source's id.
    pub source: Arc<str>,
    /// The stream.
    pub stream: String,
    /// The vendor's id.
    pub native_id: String,
    /// The version's content hash.
    pub hash: Hash,
    /// The vendor's stamp.
    pub stamp: Option<Time>,
    /// What it says; nothing if the record was deleted.
    pub facts: Vec<Fact>,
}

const HEADS: &str = "select r.id, s.name, r.stream, r.native_id, v.hash, v.stamp, v.facts from record r \
    join version v on v.id = r.head join source s on s.id = r.source where ";

impl Store {
    /// Records whose head changed since they were last derived.
    pub async fn dirty_records(&self) -> Result<Vec<i64>, StoreError> {
        let rows = self.read().await?.fetch("select record from dirty order by record", &[]).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// Whether anything changed since it was last derived.
    pub async fn has_dirty(&self) -> Result<bool, StoreError> {
        Ok(!self.read().await?.fetch("select record from dirty limit 1", &[]).await?.is_empty())
    }

    /// How many records changed since they were last derived.
    pub async fn dirty_count(&self) -> Result<u64, StoreError> {
        self.read().await?.count("select count(*) from dirty").await
    }

    /// How many records there are, deleted ones included.
    pub async fn record_count(&self) -> Result<u64, StoreError> {
        let rows = self.read().await?.fetch("select count(*) from record", &[]).await?;
        rows.first().map_or(Ok(0), |row| row.int(0).map(|count| count as u64))
    }

    /// The latest instant at which anything new was observed: *now*, for everything right of landing.
    pub async fn last_observed(&self) -> Result<Option<Time>, StoreError> {
        self.read().await?.last_observed().await
    }

    /// How many current records each stream holds, deleted ones left out; by source and stream.
    pub async fn stream_counts(&self) -> Result<BTreeMap<(String, String), u64>, StoreError> {
        let sql = "select s.name, r.stream, count(*) from record r join version v on v.id = r.head \
            join source s on s.id = r.source where v.frame is not null group by s.name, r.stream";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        rows.iter().map(|row| Ok(((row.text(0)?, row.text(1)?), row.int(2)? as u64))).collect()
    }

    /// The facts of up to `limit` records after one, each as it was known at `at`; by record.
    ///
    /// A record's first version is history that was always known; later ones are known from when they were observed.
    pub async fn facts_as_of(
        &self,
        at: Time,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RecordFacts>, StoreError> {
        let sql = "select r.id, s.name, r.stream, r.native_id, v.hash, v.stamp, v.facts, v.observed_at, v.frame from record r \
            join version v on v.record = r.id join source s on s.id = r.source \
            where r.id > $1 and r.id in (select id from record where id > $1 order by id limit $2) order by r.id";
        let rows = self.read().await?.fetch(sql, &[after.into(), limit.into()]).await?;
        let mut known: BTreeMap<i64, Vec<(Rank, RecordFacts)>> = BTreeMap::new();
        let mut reader = Reader::default();
        for row in &rows {
            let version = reader.record(row)?;
            let rank = Rank {
                stamp: version.stamp,
                observed_at: Time(row.int(7)?),
                is_deletion: row.opt_int(8)?.is_none(),
                hash: version.hash,
            };
            known.entry(version.record).or_default().push((rank, version));
        }
        let mut out = Vec::with_capacity(known.len());
        for versions in known.into_values() {
            let first = versions.iter().map(|(rank, _)| (rank.observed_at, *rank)).min();
            let current = versions
                .into_iter()
                .filter(|(rank, _)| {
                    if first == Some((rank.observed_at, *rank)) {
                        rank.stamp.is_none_or(|stamp| stamp <= at)
                    } else {
                        rank.observed_at <= at
                    }
                })
                .max_by_key(|(rank, _)| *rank);
            out.extend(current.map(|(_, version)| version));
        }
        Ok(out)
    }
}

impl Tx {
    pub(crate) async fn last_observed(&mut self) -> Result<Option<Time>, StoreError> {
        Ok(self.meta("last_observed").await?.and_then(|text| text.parse().ok()).map(Time))
    }

    /// The facts of some records, by record.
    pub(crate) async fn facts_of(&mut self, records: &[i64]) -> Result<Vec<RecordFacts>, StoreError> {
        let rows = self.fetch_in(&format!("{HEADS} r.id"), records).await?;
        let mut reader = Reader::default();
        let mut out = rows.iter().map(|row| reader.record(row)).collect::<Result<Vec<_>, _>>()?;
        out.sort_by_key(|record| record.record);
        Ok(out)
    }

    /// The facts of up to `limit` records after one, by record.
    pub(crate) async fn facts_after(
        &mut self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RecordFacts>, StoreError> {
        let rows = self
            .fetch(
                &format!("{HEADS} r.id > $1 order by r.id limit $2"),
                &[Value::from(after), Value::from(limit)],
            )
            .await?;
        let mut reader = Reader::default();
        rows.iter().map(|row| reader.record(row)).collect()
    }
}

/// Reads rows, sharing the names of sources.
#[derive(Default)]
struct Reader {
    sources: BTreeMap<String, Arc<str>>,
}

impl Reader {
    fn record(&mut self, row: &Row) -> Result<RecordFacts, StoreError> {
        let name = row.text(1)?;
        let source = if let Some(source) = self.sources.get(&name) {
            Arc::clone(source)
        } else {
            let source: Arc<str> = Arc::from(name.as_str());
            self.sources.insert(name, Arc::clone(&source));
            source
        };
        Ok(RecordFacts {
            record: row.int(0)?,
            source,
            stream: row.text(2)?,
            native_id: row.text(3)?,
            hash: row.hash(4)?,
            stamp: row.opt_int(5)?.map(Time),
            facts: decode(row.opt_bytes(6)?)?,
        })
    }
}

/// Reads what landing wrote.
pub(crate) fn decode(bytes: Option<Vec<u8>>) -> Result<Vec<Fact>, StoreError> {
    match bytes {
        Some(bytes) => postcard::from_bytes(&bytes).map_err(|error| {
            StoreError::Damaged(format!("facts of another format ({error}); normalise anew"))
        }),
        None => Ok(Vec::new()),
    }
}
