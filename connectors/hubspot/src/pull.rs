//! How each stream is read, and what is put together into one record.
//!
//! A span has phases: what is new (a list the first time, a search later), open deals whose associations may have
//! changed unseen, and what was archived.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tributary_core::Time;
use tributary_core::time::Zone;
use tributary_source::http::paging::{resume, resumed};
use tributary_source::{
    Borrowed as Value, Counted, Covers, Cursor, Error, Finding, Next, NextStep, Page, Record, Task,
};

use crate::api::{Archived, Crm, Reply, id, needed_id};
use crate::config::Config;

/// The search index lags by seconds, sometimes by minutes.
const LOOK_BACK_MICROS: i64 = 10 * 60 * 1_000_000;

/// A type of objects.
struct Kind {
    name: &'static str,
    /// Which property says when an object was modified last.
    modified: &'static str,
    properties: &'static [&'static str],
    /// The types that its records carry the associations to.
    associated: &'static [&'static str],
}

const KINDS: [Kind; 6] = [
    Kind {
        name: "companies",
        modified: "hs_lastmodifieddate",
        properties: &[
            "name",
            "domain",
            "industry",
            "numberofemployees",
            "annualrevenue",
            "country",
            "lifecyclestage",
            "hubspot_owner_id",
            "createdate",
            "hs_lastmodifieddate",
            "hs_merged_object_ids",
        ],
        associated: &[],
    },
    Kind {
        name: "contacts",
        modified: "lastmodifieddate",
        properties: &[
            "email",
            "hs_additional_emails",
            "firstname",
            "lastname",
            "jobtitle",
            "hs_buying_role",
            "hs_seniority",
            "lifecyclestage",
            "associatedcompanyid",
            "hs_analytics_source",
            // Not understood yet, but kept: what is landed can be normalised anew.
            "hs_analytics_first_url",
            "hs_analytics_last_url",
            "hs_analytics_first_referrer",
            "createdate",
            "lastmodifieddate",
            "hs_merged_object_ids",
            "hs_calculated_merged_vids",
        ],
        associated: &[],
    },
    Kind {
        name: "deals",
        modified: "hs_lastmodifieddate",
        properties: &[
            "dealname",
            "amount",
            "deal_currency_code",
            "dealstage",
            "pipeline",
            "dealtype",
            "createdate",
            "closedate",
            "hs_is_closed",
            "hs_is_closed_won",
            "hubspot_owner_id",
            "hs_lastmodifieddate",
            "hs_merged_object_ids",
        ],
        associated: &["companies", "contacts"],
    },
    Kind {
        name: "calls",
        modified: "hs_lastmodifieddate",
        properties: &[
            "hs_timestamp",
            "hs_call_direction",
            "hs_call_status",
            "hs_call_title",
            "hubspot_owner_id",
            "hs_lastmodifieddate",
        ],
        associated: &["companies", "contacts"],
    },
    Kind {
        name: "emails",
        modified: "hs_lastmodifieddate",
        properties: &[
            "hs_timestamp",
            "hs_email_direction",
            "hs_email_status",
            "hs_email_subject",
            "hs_email_message_id",
            "hubspot_owner_id",
            "hs_lastmodifieddate",
        ],
        associated: &["companies", "contacts"],
    },
    Kind {
        name: "meetings",
        modified: "hs_lastmodifieddate",
        properties: &[
            "hs_timestamp",
            "hs_meeting_start_time",
            "hs_meeting_end_time",
            "hs_meeting_outcome",
            "hs_meeting_title",
            "hs_meeting_source",
            "hs_i_cal_uid",
            "hubspot_owner_id",
            "hs_lastmodifieddate",
        ],
        associated: &["companies", "contacts"],
    },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    List,
    Search,
    Open,
    Archived,
}

/// Where a span stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    phase: Phase,
    /// The list's own text, or the last id of a search.
    after: Option<String>,
    /// The server's time when the span began, in microseconds.
    began: Option<i64>,
    /// The highest modification seen.
    highest: i64,
    /// What a search found so far, and how many it said there are when it began.
    #[serde(default)]
    came: u64,
    #[serde(default)]
    counted: Option<u64>,
}

pub(crate) async fn pull(crm: &Crm, config: &Config, task: &Task) -> Result<Page, Error> {
    let before = task.since()?.map(Cursor::read).transpose()?;
    match task.stream {
        "owners" | "pipelines" => snapshot(crm, task).await,
        stream => {
            let kind = KINDS.iter().find(|kind| kind.name == stream);
            let kind =
                kind.ok_or_else(|| Error::new(NextStep::Bug, format!("hubspot has no stream `{stream}`")))?;
            objects(crm, config, kind, task, before).await
        }
    }
}

/// Where a list stands.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    archived: Archived,
    after: Option<String>,
}

async fn snapshot(crm: &Crm, task: &Task) -> Result<Page, Error> {
    let place: Listed = resumed(task.resume.as_ref())?.unwrap_or_default();
    let is_owners = task.stream == "owners";
    let reply = if is_owners {
        crm.owners(place.archived, place.after.as_deref()).await?
    } else {
        crm.pipelines().await?
    };
    let answer = reply.read()?;
    let records =
        answer.rows.iter().map(|row| record(task.stream, row, None)).collect::<Result<_, Error>>()?;
    let next = match answer.next {
        Some(_) => Next::More(resume(&Listed { after: answer.next, ..place })?),
        // Those who left still own what they won.
        None if is_owners && place.archived == Archived::No => {
            Next::More(resume(&Listed { archived: Archived::Yes, after: None })?)
        }
        None => Next::Done(Cursor::of(0)),
    };
    Ok(Page { covers: Covers::Replace, server_time: answer.server_time, ..Page::new(records, next) })
}

async fn objects(
    crm: &Crm,
    config: &Config,
    kind: &'static Kind,
    task: &Task,
    before: Option<i64>,
) -> Result<Page, Error> {
    let first = if before.is_some() { Phase::Search } else { Phase::List };
    let place = resumed::<Place>(task.resume.as_ref())?;
    let highest = before.unwrap_or(0);
    let begin = Place { phase: first, after: None, began: None, highest, came: 0, counted: None };
    let place = place.unwrap_or(begin);
    let reply = ask(crm, kind, &place, before).await?;
    let answer = reply.read()?;
    let mut place = Place {
        began: place.began.or(answer.server_time.map(|at| at.0)),
        came: place.came + answer.rows.len() as u64,
        counted: place.counted.or(answer.total),
        ..place
    };
    let is_full = answer.rows.len() >= config.page_size;
    let last = answer.rows.iter().filter_map(|row: &Value<'_>| id(row.get("id"))?.parse::<u64>().ok()).max();
    let records = if place.phase == Phase::Archived {
        answer.rows.iter().map(|row| deletion(kind.name, row)).collect::<Result<Vec<_>, Error>>()?
    } else {
        complete(crm, kind, answer.rows).await?
    };
    let modified = records.iter().filter(|record| record.body.is_some()).filter_map(|record| record.stamp);
    place.highest = modified.map(|at| at.0).fold(place.highest, i64::max);
    let after = match place.phase {
        Phase::List | Phase::Archived => answer.next,
        Phase::Search | Phase::Open => last.filter(|_| is_full).map(|last| last.to_string()),
    };
    let counted = match place.counted.filter(|_| after.is_none()) {
        Some(at_first) => Some(recounted(crm, kind, &place, before, at_first).await?),
        None => None,
    };
    let next_phase = match place.phase {
        phase if after.is_some() => Some(phase),
        Phase::List | Phase::Search if kind.name == "deals" && before.is_some() => Some(Phase::Open),
        Phase::List | Phase::Search | Phase::Open if before.is_some() => Some(Phase::Archived),
        _ => None,
    };
    let next = match next_phase {
        Some(phase) if phase == place.phase => Next::More(resume(&Place { after, ..place })?),
        Some(phase) => Next::More(resume(&Place { phase, after, came: 0, counted: None, ..place })?),
        // Never beyond what was seen: the server's clock may be ahead of its database's.
        None => Next::Done(Cursor::of(place.began.map_or(place.highest, |began| began.min(place.highest)))),
    };
    Ok(Page { counted, server_time: answer.server_time, ..Page::new(records, next) })
}

/// What came of a search beside what it counted. Where they differ it is asked again: what changed meanwhile explains
/// a difference, and nothing else does.
async fn recounted(
    crm: &Crm,
    kind: &Kind,
    place: &Place,
    before: Option<i64>,
    at_first: u64,
) -> Result<Counted, Error> {
    let came = place.came;
    if came == at_first {
        return Ok(Counted::once(came, at_first));
    }
    let again = Place { after: None, ..place.clone() };
    let at_last = ask(crm, kind, &again, before).await?.read::<Value<'_>>()?.total.unwrap_or(at_first);
    Ok(Counted { came, at_first, at_last })
}

async fn ask(crm: &Crm, kind: &Kind, place: &Place, before: Option<i64>) -> Result<Reply, Error> {
    let after = place.after.as_deref();
    let last = || after.and_then(|after| after.parse().ok()).unwrap_or(0);
    match place.phase {
        Phase::List => crm.list(kind.name, kind.properties, Archived::No, after).await,
        Phase::Archived => crm.list(kind.name, &["hs_object_id"], Archived::Yes, after).await,
        Phase::Search => {
            // Whole milliseconds, downwards.
            let since = (before.unwrap_or(0) - LOOK_BACK_MICROS).div_euclid(1000).max(0);
            let filter =
                json!({"propertyName": kind.modified, "operator": "GTE", "value": since.to_string()});
            crm.search(kind.name, kind.properties, &filter, last()).await
        }
        Phase::Open => {
            let filter = json!({"propertyName": "hs_is_closed", "operator": "EQ", "value": "false"});
            crm.search(kind.name, kind.properties, &filter, last()).await
        }
    }
}

/// Adds what HubSpot keeps elsewhere: associations with their labels, and the stages that a deal was in.
async fn complete(crm: &Crm, kind: &Kind, rows: Vec<Value<'_>>) -> Result<Vec<Record>, Error> {
    let ids = rows.iter().map(needed_id).collect::<Result<Vec<_>, Error>>()?;
    let mut associated = Vec::new();
    for to in kind.associated.iter().filter(|_| !ids.is_empty()) {
        let mut found: BTreeMap<String, Vec<Json>> = BTreeMap::new();
        for mut row in crm.associations(kind.name, to, &ids).await? {
            let Some(from) = id(&(&row["from"]["id"]).into()) else { continue };
            let Json::Array(to) = row["to"].take() else { continue };
            found.entry(from).or_default().extend(to);
        }
        let by_id = |it: &Json| id(&(&it["toObjectId"]).into());
        for theirs in found.values_mut() {
            theirs.sort_by_key(by_id);
        }
        associated.push((*to, found));
    }
    let mut stages: BTreeMap<String, Json> = BTreeMap::new();
    let has_stages = kind.name == "deals" && !ids.is_empty();
    if has_stages {
        let history = crm.history(kind.name, &ids, "dealstage").await?.into_iter();
        let one = |mut row: Json| {
            Some((id(&(&row["id"]).into())?, row["propertiesWithHistory"]["dealstage"].take()))
        };
        stages.extend(history.filter_map(one));
    }
    let mut records = Vec::with_capacity(rows.len());
    for (mut row, own) in rows.into_iter().zip(&ids) {
        let stamp = modified(kind, &row);
        if let Value::Object(fields) = &mut row {
            if !associated.is_empty() {
                let theirs = associated.iter().map(|(to, found)| {
                    let theirs = found.get(own).into_iter().flatten().map(Value::from).collect();
                    (*to, Value::Array(theirs))
                });
                fields.insert("associations", Value::Object(theirs.collect()));
            }
            if has_stages {
                fields.insert("stages", stages.get(own).map_or(Value::Null, Value::from));
            }
        }
        records.push(record(kind.name, &row, stamp)?);
    }
    Ok(records)
}

fn modified(kind: &Kind, row: &Value<'_>) -> Option<Time> {
    time(row.get("properties").get(kind.modified))
}

fn time(value: &Value<'_>) -> Option<Time> {
    Time::parse(value.as_str()?, &Zone::default()).ok()
}

fn record(stream: &'static str, row: &Value<'_>, stamp: Option<Time>) -> Result<Record, Error> {
    // Search says it, the list does not, and it says nothing.
    let volatile = ["url", "objectWriteTraceId"];
    Ok(Record::of_borrowed(stream, needed_id(row)?, stamp, row, &volatile))
}

fn deletion(stream: &'static str, row: &Value<'_>) -> Result<Record, Error> {
    let stamp = time(row.get("archivedAt")).or_else(|| time(row.get("updatedAt")));
    Ok(Record::deletion(stream, needed_id(row)?, stamp))
}

/// Proves the key, and what it may read.
pub(crate) async fn check(crm: &Crm) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let mut skipped = |stream: &str, outcome: Result<Reply, Error>| match outcome {
        Err(error) if error.next == NextStep::SkipStream => {
            let message = format!("{stream}: {error}");
            findings.push(Finding { code: "stream-skipped".to_owned(), message });
            Ok(())
        }
        other => other.map(|_| ()),
    };
    skipped("owners", crm.owners(Archived::No, None).await)?;
    skipped("pipelines", crm.pipelines().await)?;
    for kind in &KINDS {
        skipped(kind.name, crm.list(kind.name, &["hs_object_id"], Archived::No, None).await)?;
    }
    Ok(findings)
}
