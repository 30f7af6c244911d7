//! What belongs together is put into one record, so that a record can be understood alone.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use serde_json::{Value, json};
use tributary_core::Time;
use tributary_source::{Error, Record};

use super::{RELATION_FIELDS, Stream, record};
use crate::api::{Row, Search, Tryton, id, read_time};

/// Parties that were merged, by each of their ids: all of them with their relations.
struct Groups(BTreeMap<i64, Vec<Row>>);

impl Groups {
    /// The parties merged with this one, itself included.
    fn of(&self, party: i64) -> &[Row] {
        self.0.get(&party).map_or(&[], Vec::as_slice)
    }
}

fn referred(row: &Row, field: &str) -> Option<i64> {
    match row.get(field)? {
        Value::Object(record) => record.get("id")?.as_i64(),
        other => other.as_i64(),
    }
}

/// Follows replacements up and down. One request, and one more for each generation of merges.
async fn groups(server: &Tryton, parties: &BTreeSet<i64>) -> Result<Groups, Error> {
    let mut known: BTreeMap<i64, Row> = BTreeMap::new();
    let mut asked: BTreeSet<i64> = BTreeSet::new();
    let mut ask: BTreeSet<i64> = parties.clone();
    while !ask.is_empty() {
        let ids: Vec<i64> = ask.iter().copied().collect();
        let domain = json!(["OR", ["id", "in", ids], ["replaced_by", "in", ids]]);
        let mut fields = vec!["replaced_by"];
        fields.extend(RELATION_FIELDS);
        asked.append(&mut ask);
        for row in
            server.search(Search { model: "party.party", fields: &fields, domain, limit: None }).await?.rows
        {
            let Some(party) = id(&row) else { continue };
            ask.extend(
                std::iter::once(party).chain(referred(&row, "replaced_by")).filter(|id| !asked.contains(id)),
            );
            known.insert(party, sorted(row));
        }
    }
    let root = |party: i64| {
        let mut at = party;
        let mut seen = BTreeSet::from([at]);
        while let Some(next) = known.get(&at).and_then(|row| referred(row, "replaced_by")) {
            if !seen.insert(next) {
                break;
            }
            at = next;
        }
        at
    };
    let mut by_root: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for (party, row) in &known {
        by_root.entry(root(*party)).or_default().push(row.clone());
    }
    Ok(Groups(known.keys().filter_map(|party| Some((*party, by_root.get(&root(*party))?.clone()))).collect()))
}

/// Relations in order of their ids: Tryton names none.
fn sorted(mut row: Row) -> Row {
    if let Some(Value::Array(relations)) = row.get_mut("relations") {
        relations.sort_by_key(|relation| relation["id"].as_i64());
    }
    row
}

/// Parties without the company's own and its employees'. A party that was merged or took others in carries them as
/// `group`, for who is a person and who a company shows in any of them; the survivor comes along.
pub(super) async fn parties(server: &Tryton, stream: &Stream, rows: Vec<Row>) -> Result<Vec<Record>, Error> {
    let own = own_parties(server).await?;
    let mut rows: Vec<Row> = rows.into_iter().map(sorted).collect();
    let ids: BTreeSet<i64> = rows.iter().filter_map(id).collect();
    let groups = groups(server, &ids).await?;
    let others: BTreeSet<i64> = ids
        .iter()
        .flat_map(|party| groups.of(*party))
        .filter_map(id)
        .filter(|party| !ids.contains(party))
        .collect();
    if !others.is_empty() {
        let domain = json!([["id", "in", others]]);
        let merged = Search { model: stream.model, fields: stream.fields, domain, limit: None };
        rows.extend(server.search(merged).await?.rows.into_iter().map(sorted));
    }
    let mut records = Vec::new();
    for row in rows {
        let Some(party) = id(&row).filter(|party| !own.contains(party)) else { continue };
        let mut body = row.clone();
        let group = groups.of(party);
        if group.len() > 1 {
            body.insert("group".to_owned(), json!(group));
        }
        records.extend(record(stream.name, &row, &body));
    }
    Ok(records)
}

/// The parties that are the company itself or its people.
async fn own_parties(server: &Tryton) -> Result<BTreeSet<i64>, Error> {
    let mut own = BTreeSet::new();
    for model in ["company.company", "company.employee"] {
        let search = Search { model, fields: &["party"], domain: json!([]), limit: None };
        own.extend(server.search(search).await?.rows.iter().filter_map(|row| referred(row, "party")));
    }
    Ok(own)
}

/// Opportunities with the people of their party, as `people`: who is related to the party, or to one merged with it.
pub(super) async fn opportunities(server: &Tryton, rows: Vec<Row>) -> Result<Vec<Record>, Error> {
    let parties: BTreeSet<i64> = rows.iter().filter_map(|row| referred(row, "party")).collect();
    let groups = groups(server, &parties).await?;
    let members: BTreeSet<i64> = parties.iter().flat_map(|party| groups.of(*party)).filter_map(id).collect();
    let people = if members.is_empty() {
        Vec::new()
    } else {
        let fields = ["from_", "to", "type.name", "start_date", "end_date"];
        let domain = json!([["to", "in", members]]);
        server
            .search(Search { model: "party.relation.all", fields: &fields, domain, limit: None })
            .await?
            .rows
    };
    let records = rows.iter().filter_map(|row| {
        let party = referred(row, "party");
        let company: BTreeSet<i64> =
            party.iter().flat_map(|party| groups.of(*party)).filter_map(id).collect();
        let theirs: Vec<&Row> =
            people.iter().filter(|it| referred(it, "to").is_some_and(|to| company.contains(&to))).collect();
        let mut body = row.clone();
        body.insert("people".to_owned(), json!(theirs));
        record("opportunities", row, &body)
    });
    Ok(records.collect())
}

/// The companies whose relations changed since, unless they are too many to name.
pub(super) async fn companies_with_changed_people(
    server: &Tryton,
    since: &Value,
    most: usize,
) -> Result<Option<BTreeSet<i64>>, Error> {
    let domain = json!([
        "OR",
        ["create_date", ">=", since],
        ["write_date", ">=", since],
        ["type.write_date", ">=", since]
    ]);
    let search = Search { model: "party.relation.all", fields: &["to"], domain, limit: Some(most) };
    let rows = server.search(search).await?.rows;
    Ok((rows.len() < most).then(|| rows.iter().filter_map(|row| referred(row, "to")).collect()))
}

/// One record for each revision in the history of the opportunities, from the instant on: what the opportunity was
/// then, and as `previous` what it had been before.
pub(super) async fn stages(
    server: &Tryton,
    rows: Vec<Row>,
    since: Option<Time>,
) -> Result<Vec<Record>, Error> {
    let ids: Vec<i64> = rows.iter().filter_map(id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut history: BTreeMap<i64, BTreeMap<Time, Value>> = BTreeMap::new();
    for (at, id) in server.revisions("sale.opportunity", &ids).await? {
        if let Some(instant) = read_time(&at) {
            history.entry(id).or_default().insert(instant, at);
        }
    }
    let mut wanted: Vec<(i64, Time, Value)> = Vec::new();
    for (id, revisions) in history {
        // The one before the first new one says what the first new one changed.
        let known = since.map_or(0, |since| revisions.range(..since).count().saturating_sub(1));
        wanted.extend(revisions.into_iter().skip(known).map(|(instant, at)| (id, instant, at)));
    }
    let reads = wanted.iter().map(|(id, _, at)| async move {
        let domain = json!([["id", "=", id]]);
        let search = Search { model: "sale.opportunity", fields: super::REVISION, domain, limit: None };
        server.read_at(&search, at).await
    });
    let states = try_join_all(reads).await?;
    let mut records = Vec::new();
    let mut before: Option<(i64, Row)> = None;
    for ((id, instant, at), state) in wanted.into_iter().zip(states) {
        let Some(state) = state else { continue };
        let previous = before.take().filter(|(other, _)| *other == id).map(|(_, row)| row);
        if since.is_none_or(|since| instant >= since) {
            let mut body = state.clone();
            body.insert("revision".to_owned(), at);
            body.insert("previous".to_owned(), json!(previous));
            let id = format!("{id}@{instant}");
            records.push(Record::of("stages", id, Some(instant), &Value::Object(body)));
        }
        before = Some((id, state));
    }
    Ok(records)
}

/// Tracked opens and clicks with the `activity` that sent the mail and the `party` that got it.
pub(super) async fn accesses(server: &Tryton, rows: Vec<Row>) -> Result<Vec<Record>, Error> {
    let activity_of =
        |row: &Row| reference(row.get("url")?.get("record")?, "marketing.automation.record.activity");
    let fields = [
        "at",
        "record.record",
        "activity.name",
        "activity.email_title",
        "activity.marketing_campaign.name",
        "activity.marketing_medium.name",
        "activity.marketing_source.name",
    ];
    let ids = rows.iter().filter_map(activity_of);
    let activities = by_id(server, "marketing.automation.record.activity", &fields, ids).await?;
    let target = |row: &Row, model: &str| reference(row.get("record")?.get("record")?, model);
    let sales = activities.values().filter_map(|row| target(row, "sale.sale"));
    let sales = by_id(server, "sale.sale", &["party"], sales).await?;
    let party_of = |activity: &Row| {
        let sale = || referred(sales.get(&target(activity, "sale.sale")?)?, "party");
        target(activity, "party.party").or_else(sale)
    };
    let parties: BTreeSet<i64> = activities.values().filter_map(party_of).collect();
    let groups = groups(server, &parties).await?;
    let records = rows.iter().filter_map(|row| {
        let activity = activity_of(row).and_then(|id| activities.get(&id));
        let party = activity.and_then(party_of);
        let mut body = row.clone();
        body.insert("activity".to_owned(), json!(activity));
        body.insert("party".to_owned(), json!(party));
        body.insert("group".to_owned(), json!(party.map(|party| groups.of(party))));
        record("accesses", row, &body)
    });
    Ok(records.collect())
}

/// The id in a reference such as `party.party,12`, if it is to that model.
fn reference(value: &Value, model: &str) -> Option<i64> {
    let (name, id) = value.as_str()?.split_once(',')?;
    (name == model).then(|| id.parse().ok())?
}

async fn by_id(
    server: &Tryton,
    model: &str,
    fields: &[&str],
    ids: impl Iterator<Item = i64>,
) -> Result<BTreeMap<i64, Row>, Error> {
    let ids: BTreeSet<i64> = ids.collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let domain = json!([["id", "in", ids]]);
    let rows = server.search(Search { model, fields, domain, limit: None }).await?.rows;
    Ok(rows.into_iter().filter_map(|row| Some((id(&row)?, row))).collect())
}
