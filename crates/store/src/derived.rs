//! Derived rows: what a cluster of records comes to, written and read whole.
//!
//! Rows name each other by content hash; the small integer keys inside the tables are given here. Not responsible
//! for what the rows say: that is `derive`.

mod changes;
mod rows;
mod tables;

use std::collections::BTreeSet;

use tributary_core::fact::NameOf;

use crate::db::{Insert, Row, Tx, Value};
use crate::facts::RecordFacts;
use crate::{Store, StoreError};
use changes::{KEYED, int, text};
use tables::TABLES;

pub use changes::{Changes, UnusedKeys};
pub use rows::{
    Account, ClaimRow, ClusterRows, Deal, Finding, Identifier, Loose, Member, NameRow, Person, RateRow,
    SpendRow, Touch,
};
pub use tables::Before;

/// One run of deriving: a transaction that ends in [`finish`](Self::finish), or in nothing.
pub struct Derivation {
    pub(crate) tx: Tx,
}

impl Store {
    /// Begins to derive; nothing is visible until it is finished.
    pub async fn begin_derivation(&self) -> Result<Derivation, StoreError> {
        let mut tx = self.begin().await?;
        tx.think_long().await?;
        Ok(Derivation { tx })
    }

    /// The fingerprint of the rules that the derived rows were made with.
    pub async fn derived_with(&self) -> Result<Option<String>, StoreError> {
        self.read().await?.meta("derived_with").await
    }

    /// How often the derived rows changed.
    pub async fn revision(&self) -> Result<i64, StoreError> {
        Ok(self.read().await?.meta("revision").await?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }
}

impl Derivation {
    /// Empties every derived table.
    pub async fn clear(&mut self) -> Result<(), StoreError> {
        let own = TABLES.iter().map(|table| table.name);
        for table in own.chain(["name", "spend", "claim", "rate", "chunk", "chunk_column"]) {
            self.tx.execute(&format!("delete from {table}"), &[]).await?;
        }
        Ok(())
    }

    async fn pairs_in(
        &mut self,
        table: &str,
        select: &str,
        column: &str,
        keys: &[i64],
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let sql = format!("select {select}, cluster from {table} where {column}");
        let rows = self.tx.fetch_in(&sql, keys).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    }

    /// The clusters that hold some records, each with its record before it.
    pub async fn clusters_of_records(&mut self, records: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        self.pairs_in("member", "record", "record", records).await
    }

    /// The clusters that say some binding terms, each with its term before it.
    pub async fn clusters_of_terms(&mut self, terms: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        self.pairs_in("term", "id", "id", terms).await
    }

    /// The clusters that depend on some names, each with its name's term before it.
    pub async fn clusters_depending(&mut self, terms: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        self.pairs_in("depends", "term", "term", terms).await
    }

    /// The records of some clusters, each with its cluster after it.
    pub async fn records_of(&mut self, clusters: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        self.pairs_in("member", "record", "cluster", clusters).await
    }

    /// The rows of some clusters, as they are; of which their records are known, each with its cluster after it.
    pub async fn before(&mut self, records: &[(i64, i64)]) -> Result<Before, StoreError> {
        let clusters: BTreeSet<i64> = records.iter().map(|(_, cluster)| *cluster).collect();
        let clusters: Vec<i64> = clusters.into_iter().collect();
        let mut rows = Vec::with_capacity(TABLES.len());
        for table in &TABLES {
            rows.push(match table.name {
                "member" => {
                    records.iter().map(|(record, cluster)| vec![int(*record), int(*cluster)]).collect()
                }
                _ => table.rows_of(&mut self.tx, &clusters).await?,
            });
        }
        Ok(Before(rows))
    }

    /// The keys that rows get which were not there before.
    pub async fn unused_keys(&mut self) -> Result<UnusedKeys, StoreError> {
        let mut unused = UnusedKeys::default();
        for (key, table) in unused.0.iter_mut().zip(KEYED) {
            *key = self.tx.next_ids(table, 1).await?;
        }
        Ok(unused)
    }

    /// Writes what is to change of some clusters' rows.
    pub async fn write(&mut self, changes: Changes) -> Result<(), StoreError> {
        // Nothing goes in before what is in its way is out.
        for (table, stale) in TABLES.iter().zip(&changes.stale) {
            self.tx.delete_in(table.name, table.key, stale).await?;
        }
        let columns = TABLES.map(|table| table.columns.iter().map(|(column, _)| *column).collect::<Vec<_>>());
        let inserts = TABLES.iter().zip(&columns).zip(changes.fresh).map(|((table, columns), rows)| Insert {
            table: table.name,
            columns,
            rows,
            conflict: "",
        });
        self.tx.insert(inserts.collect()).await
    }

    /// Replaces the names, spend, claims and rates that some records say.
    pub async fn replace_loose(&mut self, records: &[i64], loose: &Loose) -> Result<(), StoreError> {
        for table in ["name", "spend", "claim", "rate"] {
            self.tx.delete_in(table, "record", records).await?;
        }
        let names = loose.names.iter().map(|row| {
            vec![
                int(row.record),
                Value::from(row.source.clone()),
                Value::from(name_text(row.of).to_owned()),
                Value::from(row.id.clone()),
                Value::from(row.name.clone()),
                text(row.team.clone()),
            ]
        });
        self.tx
            .insert_rows("name", &["record", "source", "kind", "id", "name", "team"], names.collect())
            .await?;
        let spend = loose.spend.iter().map(|row| {
            vec![
                int(row.record),
                int(row.day.from.0),
                int(row.day.until.0),
                text(row.channel.clone()),
                text(row.campaign.clone()),
                int(row.amount.minor),
                Value::from(row.amount.currency.to_string()),
            ]
        });
        let columns = ["record", "day_from", "day_until", "channel", "campaign", "amount_minor", "currency"];
        self.tx.insert_rows("spend", &columns, spend.collect()).await?;
        let claims = loose.claims.iter().map(|row| {
            vec![
                int(row.record),
                int(row.day.from.0),
                int(row.day.until.0),
                text(row.channel.clone()),
                text(row.campaign.clone()),
                int(row.impressions as i64),
                int(row.clicks as i64),
                Value::from(row.conversions.clone()),
                row.value.map(|value| value.minor).into(),
                text(row.value.map(|value| value.currency.to_string())),
            ]
        });
        let columns = [
            "record",
            "day_from",
            "day_until",
            "channel",
            "campaign",
            "impressions",
            "clicks",
            "conversions",
            "value_minor",
            "currency",
        ];
        self.tx.insert_rows("claim", &columns, claims.collect()).await?;
        let rates = loose.rates.iter().map(|row| {
            vec![
                int(row.record),
                int(row.at.0),
                Value::from(row.from.to_string()),
                Value::from(row.to.to_string()),
                Value::from(row.rate.clone()),
            ]
        });
        self.tx
            .insert_rows("rate", &["record", "at", "from_currency", "to_currency", "rate"], rates.collect())
            .await
    }

    /// The names that some records said before.
    pub async fn names_of(&mut self, records: &[i64]) -> Result<Vec<NameRow>, StoreError> {
        let rows = self
            .tx
            .fetch_in("select record, source, kind, id, name, team from name where record", records)
            .await?;
        rows.iter().map(name_row).collect()
    }

    /// Every name.
    pub async fn names(&mut self) -> Result<Vec<NameRow>, StoreError> {
        let rows = self.tx.fetch("select record, source, kind, id, name, team from name", &[]).await?;
        rows.iter().map(name_row).collect()
    }

    pub(crate) async fn next_revision(&mut self) -> Result<i64, StoreError> {
        Ok(self.tx.meta("revision").await?.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0) + 1)
    }

    /// The facts of some records, by record.
    pub async fn facts_of(&mut self, records: &[i64]) -> Result<Vec<RecordFacts>, StoreError> {
        self.tx.facts_of(records).await
    }

    /// The facts of up to `limit` records after one, by record.
    pub async fn facts_after(&mut self, after: i64, limit: i64) -> Result<Vec<RecordFacts>, StoreError> {
        self.tx.facts_after(after, limit).await
    }

    /// Records whose head changed since they were last derived.
    pub async fn dirty(&mut self) -> Result<Vec<i64>, StoreError> {
        let rows = self.tx.fetch("select record from dirty order by record", &[]).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// Forgets that some records changed.
    pub async fn clear_dirty(&mut self, records: &[i64]) -> Result<(), StoreError> {
        self.tx.delete_in("dirty", "record", records).await
    }

    /// Makes the run visible.
    pub async fn finish(mut self, fingerprint: &str) -> Result<(), StoreError> {
        let revision = self.next_revision().await?;
        self.tx.set_meta("revision", &revision.to_string()).await?;
        self.tx.set_meta("derived_with", fingerprint).await?;
        self.tx.commit().await
    }
}

fn name_row(row: &Row) -> Result<NameRow, StoreError> {
    Ok(NameRow {
        record: row.int(0)?,
        source: row.text(1)?,
        of: match row.text(2)?.as_str() {
            "rep" => NameOf::Rep,
            "stage" => NameOf::Stage,
            _ => NameOf::Campaign,
        },
        id: row.text(3)?,
        name: row.text(4)?,
        team: row.opt_text(5)?,
    })
}

fn name_text(of: NameOf) -> &'static str {
    match of {
        NameOf::Rep => "rep",
        NameOf::Stage => "stage",
        NameOf::Campaign => "campaign",
    }
}
