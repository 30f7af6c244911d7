//! Derived rows: what a cluster of records comes to, written and read whole.
//!
//! Rows name each other by content hash; the small integer keys inside the tables are given here. Not responsible
//! for what the rows say: that is `derive`.

mod rows;
mod tables;

use std::collections::{BTreeMap, HashMap};

use tributary_core::fact::{Direction, NameOf, Outcome, Silent};
use tributary_core::id::{AccountId, Hash, PersonId};
use tributary_core::time::Time;

use crate::db::{Row, Tx, Value};
use crate::facts::RecordFacts;
use crate::{Store, StoreError};

pub use rows::{
    Account, ClaimRow, ClusterRows, Deal, Finding, Identifier, Loose, Member, NameRow, Person, RateRow,
    SpendRow, Touch,
};
pub use tables::Before;
use tables::{Keys, Rows, TABLES};

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

    /// The rows of some clusters, as they are.
    pub async fn before(&mut self, clusters: &[i64]) -> Result<Before, StoreError> {
        let mut rows = Vec::with_capacity(TABLES.len());
        for table in &TABLES {
            rows.push(table.rows_of(&mut self.tx, clusters).await?);
        }
        Ok(Before(rows))
    }

    /// Writes the rows of some clusters in place of those of the clusters that they were made of. A row that says the
    /// same as before stays as it is, so that little is written where little changed.
    pub async fn replace(&mut self, before: Before, clusters: Vec<ClusterRows>) -> Result<(), StoreError> {
        let mut new = self.rows(&before, clusters).await?;
        // Nothing goes in before what is in its way is out.
        let mut rest = before.0.into_iter();
        for (table, new) in TABLES.iter().zip(&mut new) {
            let stale = table.keep_changed(rest.next().unwrap_or_default(), new);
            self.tx.delete_in(table.name, table.key, &stale).await?;
        }
        for (table, new) in TABLES.iter().zip(new) {
            let columns: Vec<&str> = table.columns.iter().map(|(column, _)| *column).collect();
            self.tx.insert_rows(table.name, &columns, new).await?;
        }
        Ok(())
    }

    /// The rows of some clusters by table, under the keys that they have if they were there before.
    async fn rows(&mut self, before: &Before, clusters: Vec<ClusterRows>) -> Result<Vec<Rows>, StoreError> {
        let mut keys = [Keys::default(), Keys::default(), Keys::default(), Keys::default()];
        for (keys, name) in keys.iter_mut().zip(["account", "person", "deal", "touch"]) {
            keys.known = before.table(name).map(|(table, rows)| table.keys(rows)).unwrap_or_default();
            keys.next = self.tx.next_ids(name, 1).await?;
        }
        let [account_keys, person_keys, deal_keys, touch_keys] = &mut keys;
        let mut out = Batches::default();
        for rows in clusters {
            let cluster = rows.cluster;
            let mut accounts = HashMap::new();
            let mut people = HashMap::new();
            out.term.extend(rows.binding.iter().map(|term| vec![int(*term), int(cluster)]));
            out.depends.extend(rows.naming.iter().map(|term| vec![int(*term), int(cluster)]));
            out.member.extend(rows.records.iter().map(|record| vec![int(*record), int(cluster)]));
            for row in rows.accounts {
                let account_id = account_keys.of(row.id.0);
                accounts.insert(row.id, account_id);
                out.account.push(vec![
                    int(account_id),
                    int(cluster),
                    bytes(row.id.0),
                    Value::from(row.key),
                    text(row.name),
                    text(row.domain),
                    text(row.owner),
                    json(&row.attributes),
                ]);
            }
            let place = |id: Option<AccountId>| {
                id.and_then(|id| accounts.get(&id).copied()).map_or(Value::Int(None), int)
            };
            for row in rows.people {
                let person_id = person_keys.of(row.id.0);
                people.insert(row.id, person_id);
                out.person.push(vec![
                    int(person_id),
                    int(cluster),
                    bytes(row.id.0),
                    Value::from(row.key),
                    place(row.account),
                    place(row.lead_account),
                    text(row.name),
                    text(row.email),
                    text(row.title),
                    text(row.role),
                    text(row.seniority),
                    time(row.created_at),
                    int(i64::from(row.is_internal)),
                ]);
            }
            let who = |id: PersonId| people.get(&id).copied().map_or(Value::Int(None), int);
            for row in rows.identifiers {
                out.identifier.push(vec![
                    int(cluster),
                    Value::from(row.kind),
                    Value::from(row.value),
                    who(row.person),
                    Value::from(row.reason),
                    int(row.record),
                ]);
            }
            for row in rows.deals {
                let deal_id = deal_keys.of(row.id.0);
                out.deal.push(vec![
                    int(deal_id),
                    int(cluster),
                    bytes(row.id.0),
                    Value::from(row.key),
                    place(row.account),
                    text(row.name),
                    row.amount.map_or(Value::Int(None), |money| int(money.minor)),
                    text(row.amount.map(|money| money.currency.to_string())),
                    time(row.created_at),
                    time(row.closed_at),
                    Value::from(outcome_text(row.outcome).to_owned()),
                    text(row.stage),
                    text(row.owner),
                    text(row.pipeline),
                    json(&row.attributes),
                    int(row.record),
                ]);
                out.stage_entry.extend(
                    row.stages
                        .into_iter()
                        .map(|(stage, at)| vec![int(cluster), int(deal_id), Value::from(stage), int(at.0)]),
                );
                out.committee.extend(row.committee.into_iter().map(|member| {
                    let primary = int(i64::from(member.is_primary));
                    vec![int(cluster), int(deal_id), who(member.person), text(member.role), primary]
                }));
            }
            for row in rows.touches {
                let touch_id = touch_keys.of(row.id.0);
                out.touch.push(vec![
                    int(touch_id),
                    int(cluster),
                    bytes(row.id.0),
                    int(row.at.0),
                    place(row.account),
                    row.person.map_or(Value::Int(None), &who),
                    Value::from(row.kind),
                    Value::from(direction_text(row.direction).to_owned()),
                    text(row.channel),
                    Value::from(row.channel_rule),
                    text(row.campaign),
                    text(row.content),
                    Value::from(row.team),
                    text(row.actor),
                    Value::from(row.source),
                    int(i64::from(row.weight)),
                    text(row.silent.map(|silent| silent_text(silent).to_owned())),
                    row.cost.map_or(Value::Int(None), |money| int(money.minor)),
                    text(row.cost.map(|money| money.currency.to_string())),
                    int(row.records.first().copied().unwrap_or_default()),
                    int(row.records.len() as i64),
                ]);
                out.evidence.extend(
                    row.records.iter().skip(1).map(|record| vec![int(cluster), int(touch_id), int(*record)]),
                );
            }
            for row in rows.findings {
                out.finding.push(vec![int(cluster), Value::from(row.code), Value::from(row.message)]);
            }
        }
        Ok(out.by_table())
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

/// Rows by table, written together.
#[derive(Default)]
struct Batches {
    term: Rows,
    depends: Rows,
    member: Rows,
    account: Rows,
    person: Rows,
    identifier: Rows,
    deal: Rows,
    stage_entry: Rows,
    committee: Rows,
    touch: Rows,
    evidence: Rows,
    finding: Rows,
}

impl Batches {
    /// In the order of [`TABLES`].
    fn by_table(self) -> Vec<Rows> {
        vec![
            self.term,
            self.depends,
            self.member,
            self.account,
            self.person,
            self.identifier,
            self.deal,
            self.stage_entry,
            self.committee,
            self.touch,
            self.evidence,
            self.finding,
        ]
    }
}

fn int(number: i64) -> Value {
    Value::Int(Some(number))
}

fn text(text: Option<String>) -> Value {
    Value::Text(text)
}

fn bytes(hash: Hash) -> Value {
    Value::from(hash)
}

fn time(time: Option<Time>) -> Value {
    time.map_or(Value::Int(None), |time| int(time.0))
}

fn json(attributes: &BTreeMap<String, String>) -> Value {
    Value::from(serde_json::to_string(attributes).unwrap_or_default())
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

fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "open",
        Outcome::Won => "won",
        Outcome::Lost => "lost",
    }
}

fn direction_text(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

fn silent_text(silent: Silent) -> &'static str {
    match silent {
        Silent::Machine => "machine",
        Silent::Internal => "internal",
        Silent::Weightless => "weightless",
    }
}
