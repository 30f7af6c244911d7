//! How each stream is read: the spans, and what is put together into one record.
//!
//! A keyset span walks ids upwards, so that records changed meanwhile neither hide nor repeat others; they belong to
//! the next span, which begins at the server's time when this one began. Children (contact mechanisms, relations)
//! do not touch their party's own stamp: they are part of the question what has changed, and a sweep reads whole
//! records anew, since a deleted child leaves no trace at all.

mod complete;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tributary_core::Time;
use tributary_source::http::paging::{resume, resumed};
use tributary_source::{Counted, Covers, Cursor, Error, Finding, Next, NextStep, Page, Record, Span, Task};

use crate::api::{Row, Search, Tryton, id, read_time, wire_time};
use crate::config::Config;

/// Transactions that were open when a span began commit later with an earlier stamp.
const LOOK_BACK_MICROS: i64 = 10 * 60 * 1_000_000;

/// What is asked of a party, whoever asks.
pub(crate) const RELATION_FIELDS: [&str; 4] =
    ["relations.to", "relations.type.name", "relations.start_date", "relations.end_date"];

const EMPLOYEE: &[&str] = &["party.name", "company", "active", "last_modified_at"];
const CAMPAIGN: &[&str] = &["name", "active", "last_modified_at"];
const PARTY: &[&str] = &[
    "name",
    "code",
    "active",
    "replaced_by",
    "create_date",
    "last_modified_at",
    "contact_mechanisms.type",
    "contact_mechanisms.value",
    "contact_mechanisms.active",
    RELATION_FIELDS[0],
    RELATION_FIELDS[1],
    RELATION_FIELDS[2],
    RELATION_FIELDS[3],
];
const OPPORTUNITY: &[&str] = &[
    "number",
    "reference",
    "description",
    "state",
    "party",
    "contact.party",
    "employee",
    "company",
    "currency.code",
    "amount",
    "start_date",
    "end_date",
    "lost_reason",
    "conversion_probability",
    "marketing_campaign.name",
    "marketing_medium.name",
    "marketing_source.name",
    "create_date",
    "last_modified_at",
];
const REVISION: &[&str] = &["state", "amount", "currency.code", "last_modified_at"];
const ACCESS: &[&str] = &["url.record", "url.method", "url.redirect_url", "create_date", "last_modified_at"];

/// Where a span stands.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// The server's time when the span began, in microseconds.
    began: Option<i64>,
    /// The highest stamp seen.
    highest: i64,
    /// The last id.
    after: i64,
    done: u64,
    total: Option<u64>,
}

struct Stream {
    name: &'static str,
    model: &'static str,
    fields: &'static [&'static str],
}

fn stream(name: &str) -> Result<Stream, Error> {
    let (name, model, fields) = match name {
        "employees" => ("employees", "company.employee", EMPLOYEE),
        "campaigns" => ("campaigns", "marketing.campaign", CAMPAIGN),
        "parties" => ("parties", "party.party", PARTY),
        "opportunities" => ("opportunities", "sale.opportunity", OPPORTUNITY),
        "stages" => ("stages", "sale.opportunity", REVISION),
        "accesses" => ("accesses", "web.shortened_url.access", ACCESS),
        other => return Err(Error::new(NextStep::Bug, format!("tryton has no stream `{other}`"))),
    };
    Ok(Stream { name, model, fields })
}

pub(crate) async fn pull(server: &Tryton, config: &Config, task: &Task) -> Result<Page, Error> {
    let stream = stream(task.stream)?;
    let (before, sweeps) = match &task.span {
        Span::Since(None) => (None, false),
        Span::Since(Some(cursor)) => (Some(cursor.read()?), false),
        Span::Sweep => (None, true),
        Span::Window(_) => return Err(Error::new(NextStep::Bug, "tryton has no day windows")),
    };
    let since = before.map(|at| Time(at - LOOK_BACK_MICROS));
    let changed = changed(server, &stream, since, config.page_size).await?;
    let place = if let Some(place) = resumed::<Place>(task.resume.as_ref())? {
        place
    } else {
        let total = total(server, &stream, &changed).await?;
        Place { began: None, highest: before.unwrap_or(0), after: 0, done: 0, total }
    };
    let domain = json!([["id", ">", place.after], changed]);
    let search = Search { model: stream.model, fields: stream.fields, domain, limit: Some(config.page_size) };
    let reply = server.search(search).await?;
    let place = Place {
        began: place.began.or(reply.server_time.map(|at| at.0)),
        highest: reply.rows.iter().filter_map(stamp).map(|at| at.0).fold(place.highest, i64::max),
        after: reply.rows.iter().filter_map(id).fold(place.after, i64::max),
        done: place.done + reply.rows.len() as u64,
        ..place
    };
    let is_last = reply.rows.len() < config.page_size;
    let records = match stream.name {
        "parties" => complete::parties(server, &stream, reply.rows).await?,
        "opportunities" => complete::opportunities(server, reply.rows).await?,
        "stages" => complete::stages(server, reply.rows, since).await?,
        "accesses" => complete::accesses(server, reply.rows).await?,
        _ => reply.rows.iter().filter_map(|row| record(stream.name, row, row)).collect(),
    };
    let next = if is_last {
        // The database's clock may be behind the server's: never beyond what was seen.
        Next::Done(Cursor::of(place.began.map_or(place.highest, |began| began.min(place.highest))))
    } else {
        Next::More(resume(&place)?)
    };
    let counted = match place.total.filter(|_| is_last) {
        Some(total) if total == place.done => Some(Counted::once(place.done, total)),
        // Asked again: what changed meanwhile explains a difference, and nothing else does.
        Some(at_first) => {
            let at_last = self::total(server, &stream, &changed).await?.unwrap_or(at_first);
            Some(Counted { came: place.done, at_first, at_last })
        }
        None => None,
    };
    let is_snapshot = matches!(stream.name, "employees" | "campaigns");
    Ok(Page {
        covers: if sweeps || is_snapshot { Covers::Replace } else { Covers::Upsert },
        server_time: reply.server_time,
        progress: place.total.map(|total| (place.done, total.max(place.done))),
        counted,
        ..Page::new(records, next)
    })
}

/// The domain of what has changed since; everything without an instant.
async fn changed(server: &Tryton, stream: &Stream, since: Option<Time>, most: usize) -> Result<Value, Error> {
    let Some(since) = since else { return Ok(json!([])) };
    let at = wire_time(since);
    Ok(match stream.name {
        "parties" => json!([
            "OR",
            ["last_modified_at", ">=", at],
            ["contact_mechanisms.last_modified_at", ">=", at],
            // Relations are seen from both sides through a view, which has no stamp but those of its rows.
            ["relations.create_date", ">=", at],
            ["relations.write_date", ">=", at],
            ["relations.type.write_date", ">=", at]
        ]),
        "opportunities" => match complete::companies_with_changed_people(server, &at, most).await? {
            Some(companies) if companies.is_empty() => json!(["last_modified_at", ">=", at]),
            Some(companies) => json!(["OR", ["last_modified_at", ">=", at], ["party", "in", companies]]),
            None => json!([]),
        },
        "accesses" => json!(["create_date", ">=", at]),
        _ => json!(["last_modified_at", ">=", at]),
    })
}

/// How many records a span has, where Tryton says so: not for tracked links, and not worth a request for lists.
async fn total(server: &Tryton, stream: &Stream, changed: &Value) -> Result<Option<u64>, Error> {
    match stream.name {
        "parties" | "opportunities" | "stages" => server.count(stream.model, changed).await.map(Some),
        _ => Ok(None),
    }
}

fn stamp(row: &Row) -> Option<Time> {
    row.get("last_modified_at").and_then(read_time)
}

/// A record whose id and stamp are those of a row. Tryton shuffles the fields: sorted, equal records are equal.
fn record(stream: &'static str, row: &Row, body: &impl Serialize) -> Option<Record> {
    Some(Record::of(stream, id(row)?.to_string(), stamp(row), &serde_json::to_value(body).ok()?))
}

/// Proves the key and what it may read, and looks at the relation types.
pub(crate) async fn check(server: &Tryton, config: &Config) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let version = server.version().await?;
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 8) {
        let message = format!("the server is Tryton {version}; this connector was made for 8.2 and may fail");
        findings.push(Finding { code: "old-version".to_owned(), message });
    }
    for name in ["employees", "campaigns", "parties", "opportunities", "accesses"] {
        let Stream { name, model, fields } = stream(name)?;
        match server.search(Search { model, fields, domain: json!([]), limit: Some(1) }).await {
            Ok(reply) => {
                let missing = fields.iter().filter_map(|field| {
                    let first = field.split('.').next()?;
                    reply.rows.first().filter(|row| !row.contains_key(first)).map(|_| first)
                });
                let missing: std::collections::BTreeSet<&str> = missing.collect();
                if !missing.is_empty() {
                    let names: Vec<&str> = missing.into_iter().collect();
                    let message = format!("the key's user may not read {} of {model}", names.join(", "));
                    findings.push(Finding { code: "field-hidden".to_owned(), message });
                }
            }
            Err(error) if error.next == NextStep::SkipStream => {
                findings
                    .push(Finding { code: "stream-skipped".to_owned(), message: format!("{name}: {error}") });
            }
            Err(error) => return Err(error),
        }
    }
    let search = Search { model: "party.relation.type", fields: &["name"], domain: json!([]), limit: None };
    let types = server.search(search).await?.rows;
    let names: Vec<&str> = types.iter().filter_map(|row| row.get("name")?.as_str()).collect();
    for missing in config.roles.keys().filter(|role| !names.contains(&role.as_str())) {
        let message = format!("`roles` names the relation type `{missing}`, which Tryton does not have");
        findings.push(Finding { code: "unknown-relation-type".to_owned(), message });
    }
    if config.roles.is_empty() {
        let message = format!(
            "every relation leads from a person to their company ({}); if some do not, write `roles`",
            names.join(", ")
        );
        findings.push(Finding { code: "roles-assumed".to_owned(), message });
    }
    Ok(findings)
}
