//! What the answers read beside the book: the rows behind it, for people.

use std::collections::BTreeMap;

use tributary_core::id::{Hash, TouchId};
use tributary_core::money::{Currency, Money};
use tributary_core::time::{Span, Time};

use crate::db::{Row, Tx};
use crate::derived::{Finding, RateRow, SpendRow};
use crate::{Store, StoreError};

/// What is in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records by source and stream, deleted ones left out.
    pub records: Vec<(String, String, u64)>,
    /// Accounts.
    pub accounts: u64,
    /// People, the company's own left out.
    pub people: u64,
    /// Deals.
    pub deals: u64,
    /// Touches.
    pub touches: u64,
    /// Touches kept without weight, by reason: `machine`, `internal`, `weightless`.
    pub silent: BTreeMap<String, u64>,
    /// Touches that belong to nobody known: a gap in coverage.
    pub unresolved: u64,
}

/// What the book does not hold about a touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchDetail {
    /// The touch.
    pub id: TouchId,
    /// What gave its channel.
    pub channel_rule: String,
    /// What it cost.
    pub cost: Option<Money>,
    /// The records that tell of it, the first in order of source, stream and id first.
    pub evidence: Vec<Evidence>,
}

/// A vendor's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The record, for [`Store::body`].
    pub record: i64,
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// The vendor's id.
    pub native_id: String,
}

/// A table for people's own tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The table's name.
    pub name: &'static str,
    /// Its columns.
    pub columns: Vec<&'static str>,
    /// Its rows, as text.
    pub rows: Vec<Vec<Option<String>>>,
}

/// How a column of an export is written.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Time,
    /// Minor units, with the currency in the next column.
    Money,
    Id,
    Flag,
}

struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    sql: &'static str,
}

/// Each query ends with a bound on the table's own id.
const TABLES: &[Table] = &[
    Table {
        name: "accounts",
        columns: &[
            ("id", Kind::Text),
            ("name", Kind::Text),
            ("domain", Kind::Text),
            ("owner", Kind::Text),
            ("attributes", Kind::Text),
            ("uid", Kind::Id),
        ],
        sql: "select a.key, a.name, a.domain, a.owner, a.attributes, a.hash from account a order by a.key, a.hash",
    },
    Table {
        name: "people",
        columns: &[
            ("id", Kind::Text),
            ("account", Kind::Text),
            ("email", Kind::Text),
            ("name", Kind::Text),
            ("title", Kind::Text),
            ("role", Kind::Text),
            ("seniority", Kind::Text),
            ("created_at", Kind::Time),
            ("is_internal", Kind::Flag),
            ("uid", Kind::Id),
        ],
        sql: "select p.key, a.key, p.email, p.name, p.title, p.role, p.seniority, p.created_at, p.is_internal, p.hash \
            from person p left join account a on a.id = p.account order by p.key, p.hash",
    },
    Table {
        name: "deals",
        columns: &[
            ("id", Kind::Text),
            ("account", Kind::Text),
            ("name", Kind::Text),
            ("amount", Kind::Money),
            ("currency", Kind::Text),
            ("created_at", Kind::Time),
            ("closed_at", Kind::Time),
            ("outcome", Kind::Text),
            ("stage", Kind::Text),
            ("owner", Kind::Text),
            ("pipeline", Kind::Text),
            ("attributes", Kind::Text),
            ("uid", Kind::Id),
        ],
        sql: "select d.key, a.key, d.name, d.amount_minor, d.currency, d.created_at, d.closed_at, d.outcome, d.stage, \
            d.owner, d.pipeline, d.attributes, d.hash from deal d left join account a on a.id = d.account \
            order by d.key, d.hash",
    },
    Table {
        name: "stages",
        columns: &[("deal", Kind::Text), ("stage", Kind::Text), ("entered_at", Kind::Time)],
        sql: "select d.key, s.stage, s.entered_at from stage_entry s join deal d on d.id = s.deal \
            order by d.key, s.entered_at, s.stage",
    },
    Table {
        name: "committee",
        columns: &[
            ("deal", Kind::Text),
            ("person", Kind::Text),
            ("role", Kind::Text),
            ("is_primary", Kind::Flag),
        ],
        sql: "select d.key, p.key, c.role, c.is_primary from committee c join deal d on d.id = c.deal \
            join person p on p.id = c.person order by d.key, p.key",
    },
    Table {
        name: "touches",
        columns: &[
            ("id", Kind::Id),
            ("occurred_at", Kind::Time),
            ("account", Kind::Text),
            ("person", Kind::Text),
            ("kind", Kind::Text),
            ("direction", Kind::Text),
            ("channel", Kind::Text),
            ("channel_rule", Kind::Text),
            ("campaign", Kind::Text),
            ("content", Kind::Text),
            ("team", Kind::Text),
            ("actor", Kind::Text),
            ("source", Kind::Text),
            ("weight_millionths", Kind::Number),
            ("silent", Kind::Text),
            ("cost", Kind::Money),
            ("currency", Kind::Text),
            ("copies", Kind::Number),
            ("record_stream", Kind::Text),
            ("record_id", Kind::Text),
        ],
        sql: "select t.hash, t.occurred_at, a.key, p.key, t.kind, t.direction, t.channel, t.channel_rule, t.campaign, \
            t.content, t.team, t.actor, t.source, t.weight, t.silent, t.cost_minor, t.cost_currency, t.copies, \
            r.stream, r.native_id from touch t left join account a on a.id = t.account \
            left join person p on p.id = t.person join record r on r.id = t.record order by t.occurred_at, t.hash",
    },
    Table {
        name: "identifiers",
        columns: &[
            ("kind", Kind::Text),
            ("value", Kind::Text),
            ("person", Kind::Text),
            ("reason", Kind::Text),
        ],
        sql: "select i.kind, i.value, p.key, i.reason from identifier i join person p on p.id = i.person \
            order by i.kind, i.value, p.key",
    },
    Table {
        name: "findings",
        columns: &[("code", Kind::Text), ("message", Kind::Text)],
        sql: "select code, message from finding order by code, message",
    },
    Table {
        name: "spend",
        columns: &[
            ("day", Kind::Time),
            ("channel", Kind::Text),
            ("campaign", Kind::Text),
            ("amount", Kind::Money),
            ("currency", Kind::Text),
            ("source", Kind::Text),
        ],
        sql: "select x.day_from, x.channel, coalesce(n.name, x.campaign), x.amount_minor, x.currency, s.name \
            from spend x join record r on r.id = x.record join source s on s.id = r.source \
            left join (select source, id, min(name) as name from name where kind = 'campaign' group by source, id) n \
            on n.source = s.name and n.id = x.campaign \
            order by x.day_from, s.name, coalesce(n.name, x.campaign, ''), coalesce(x.channel, ''), x.currency, \
            x.amount_minor",
    },
    Table {
        name: "claims",
        columns: &[
            ("day", Kind::Time),
            ("channel", Kind::Text),
            ("campaign", Kind::Text),
            ("impressions", Kind::Number),
            ("clicks", Kind::Number),
            ("conversions", Kind::Text),
            ("value", Kind::Money),
            ("currency", Kind::Text),
            ("source", Kind::Text),
        ],
        sql: "select x.day_from, x.channel, coalesce(n.name, x.campaign), x.impressions, x.clicks, x.conversions, \
            x.value_minor, x.currency, s.name \
            from claim x join record r on r.id = x.record join source s on s.id = r.source \
            left join (select source, id, min(name) as name from name where kind = 'campaign' group by source, id) n \
            on n.source = s.name and n.id = x.campaign \
            order by x.day_from, s.name, coalesce(n.name, x.campaign, ''), coalesce(x.channel, ''), \
            x.impressions, x.clicks, x.conversions, coalesce(x.currency, ''), coalesce(x.value_minor, 0)",
    },
];

impl Store {
    /// Exchange rates, by time and pair.
    pub async fn rates(&self) -> Result<Vec<RateRow>, StoreError> {
        let sql = "select record, at, from_currency, to_currency, rate from rate";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        let mut rates = rows
            .iter()
            .map(|row| {
                Ok(RateRow {
                    record: row.int(0)?,
                    at: Time(row.int(1)?),
                    from: currency(&row.text(2)?)?,
                    to: currency(&row.text(3)?)?,
                    rate: row.text(4)?,
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        rates.sort_by(|a, b| (a.at, a.from, a.to, &a.rate).cmp(&(b.at, b.from, b.to, &b.rate)));
        Ok(rates)
    }

    /// Advertising money, by day.
    pub async fn spend(&self) -> Result<Vec<SpendRow>, StoreError> {
        let sql = "select record, day_from, day_until, channel, campaign, amount_minor, currency from spend \
            order by day_from, channel, campaign, currency, amount_minor";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(SpendRow {
                    record: row.int(0)?,
                    day: Span { from: Time(row.int(1)?), until: Time(row.int(2)?) },
                    channel: row.opt_text(3)?,
                    campaign: row.opt_text(4)?,
                    amount: Money::new(row.int(5)?, currency(&row.text(6)?)?),
                })
            })
            .collect()
    }

    /// What is in the store.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let mut tx = self.read().await?;
        let sql = "select s.name, r.stream, count(*) from record r join source s on s.id = r.source \
            join version v on v.id = r.head where v.frame is not null group by s.name, r.stream order by 1, 2";
        let rows = tx.fetch(sql, &[]).await?;
        let records = rows
            .iter()
            .map(|row| Ok((row.text(0)?, row.text(1)?, row.int(2)? as u64)))
            .collect::<Result<_, StoreError>>()?;
        let silent = tx
            .fetch("select silent, count(*) from touch where silent is not null group by silent", &[])
            .await?;
        let silent = silent
            .iter()
            .map(|row| Ok((row.text(0)?, row.int(1)? as u64)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Counts {
            records,
            accounts: tx.count("select count(*) from account").await?,
            people: tx.count("select count(*) from person where is_internal = 0").await?,
            deals: tx.count("select count(*) from deal").await?,
            touches: tx.count("select count(*) from touch").await?,
            silent,
            unresolved: tx
                .count("select count(*) from touch where account is null and person is null")
                .await?,
        })
    }

    /// What a person should know about the data, the first `limit`.
    pub async fn findings(&self, limit: i64) -> Result<Vec<Finding>, StoreError> {
        let sql = "select code, message from finding order by code, message limit $1";
        let rows = self.read().await?.fetch(sql, &[limit.into()]).await?;
        rows.iter().map(|row| Ok(Finding { code: row.text(0)?, message: row.text(1)? })).collect()
    }

    /// What the book does not hold about some touches, by touch.
    pub async fn touch_details(
        &self,
        touches: &[TouchId],
    ) -> Result<BTreeMap<TouchId, TouchDetail>, StoreError> {
        let mut tx = self.read().await?;
        let mut out = BTreeMap::new();
        for touch in touches {
            let sql = "select t.id, t.channel_rule, t.cost_minor, t.cost_currency, t.record from touch t where t.hash = $1";
            let rows = tx.fetch(sql, &[touch.0.into()]).await?;
            let Some(row) = rows.first() else { continue };
            let cost = match (row.opt_int(2)?, row.opt_text(3)?) {
                (Some(minor), Some(code)) => Some(Money::new(minor, currency(&code)?)),
                _ => None,
            };
            let mut records = vec![row.int(4)?];
            let more =
                tx.fetch("select record from evidence where touch = $1", &[row.int(0)?.into()]).await?;
            for row in &more {
                records.push(row.int(0)?);
            }
            let sql = "select r.id, s.name, r.stream, r.native_id from record r join source s on s.id = r.source where r.id";
            let found = tx.fetch_in(sql, &records).await?;
            let mut evidence = found
                .iter()
                .map(|row| {
                    let (source, stream) = (row.text(1)?, row.text(2)?);
                    Ok(Evidence { record: row.int(0)?, source, stream, native_id: row.text(3)? })
                })
                .collect::<Result<Vec<_>, StoreError>>()?;
            evidence.sort_by(|a, b| {
                (&a.source, &a.stream, &a.native_id).cmp(&(&b.source, &b.stream, &b.native_id))
            });
            let detail = TouchDetail { id: *touch, channel_rule: row.text(1)?, cost, evidence };
            out.insert(*touch, detail);
        }
        Ok(out)
    }

    /// The keys of the accounts that a text names: an account's id, name or domain, or a person's id or address.
    pub async fn accounts_named(&self, text: &str) -> Result<Vec<String>, StoreError> {
        let sql = "select a.key from account a where a.key = $1 or lower(a.name) = lower($1) or a.domain = lower($1) \
            union select a.key from person p join account a on a.id = p.account \
            where p.key = $1 or p.email = lower($1) \
            union select a.key from identifier i join person p on p.id = i.person join account a on a.id = p.account \
            where i.kind = 'email' and i.value = lower($1)";
        let rows = self.read().await?.fetch(sql, &[text.into()]).await?;
        let mut keys = rows.iter().map(|row| row.text(0)).collect::<Result<Vec<_>, _>>()?;
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    /// Every table, in an order that depends on its content alone.
    pub async fn export(&self) -> Result<Vec<Export>, StoreError> {
        let mut tx = self.read().await?;
        let mut out = Vec::new();
        for table in TABLES {
            out.push(tx.export(table).await?);
        }
        Ok(out)
    }

    /// A hash of everything in the store that a sync brings about. It does not depend on how often, when or in what
    /// order it came, nor on the kind of database.
    pub async fn digest(&self) -> Result<Hash, StoreError> {
        let parts = [self.landing_digest().await?.to_string(), self.derived_digest().await?.to_string()];
        Ok(Hash::of("store", &parts.each_ref().map(String::as_str)))
    }

    /// A hash of what the current versions come to: people, accounts, touches, deals and the book.
    pub async fn derived_digest(&self) -> Result<Hash, StoreError> {
        let mut parts = Vec::new();
        let mut tx = self.read().await?;
        for table in TABLES {
            let export = tx.export(table).await?;
            let mut lines: Vec<String> = export.rows.iter().map(|row| format!("{row:?}")).collect();
            lines.sort_unstable();
            parts.push(
                Hash::of(table.name, &lines.iter().map(String::as_str).collect::<Vec<_>>()).to_string(),
            );
        }
        parts.push(self.book_digest().await?.to_string());
        Ok(Hash::of("derived", &parts.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}

impl Tx {
    pub(crate) async fn count(&mut self, sql: &str) -> Result<u64, StoreError> {
        let rows = self.fetch(sql, &[]).await?;
        rows.first().map_or(Ok(0), |row| row.int(0).map(|count| count as u64))
    }

    async fn export(&mut self, table: &Table) -> Result<Export, StoreError> {
        let rows = self.fetch(table.sql, &[]).await?;
        let rows = rows.iter().map(|row| cells(table, row)).collect::<Result<_, _>>()?;
        Ok(Export { name: table.name, columns: table.columns.iter().map(|(name, _)| *name).collect(), rows })
    }
}

fn cells(table: &Table, row: &Row) -> Result<Vec<Option<String>>, StoreError> {
    let mut out = Vec::with_capacity(table.columns.len());
    for (index, (_, kind)) in table.columns.iter().enumerate() {
        out.push(match kind {
            Kind::Text => row.opt_text(index)?,
            Kind::Number => row.opt_int(index)?.map(|number| number.to_string()),
            Kind::Time => row.opt_int(index)?.map(|at| Time(at).to_string()),
            Kind::Id => Some(row.hash(index)?.to_string()),
            Kind::Flag => row.opt_int(index)?.map(|flag| (flag != 0).to_string()),
            Kind::Money => match (row.opt_int(index)?, row.opt_text(index + 1)?) {
                (Some(minor), Some(code)) => {
                    Some(Money::new(minor, currency(&code)?).to_decimal().to_string())
                }
                _ => None,
            },
        });
    }
    Ok(out)
}

fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::parse(code).map_err(|error| StoreError::Damaged(error.to_string()))
}
