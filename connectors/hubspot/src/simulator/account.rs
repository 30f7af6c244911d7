//! What a HubSpot account holds, and how its endpoints show it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tributary_core::Time;
use tributary_sandbox::World;
use tributary_sandbox::simulator::{Call, Habits, Reply};
use tributary_source::testkit::Change;

use super::{error, world};

/// Results of one search question, whatever it finds, unless a test makes it smaller.
const SEARCH_CAP: usize = 10_000;

/// Associations of one object in one reply: few, so that there are more.
const LINKS: usize = 2;

/// The property that lists the ids of what was merged into an object.
const MERGED: &str = "hs_merged_object_ids";

pub(super) type Properties = BTreeMap<String, String>;

/// One object.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) properties: Properties,
    /// When the deal entered which stage, oldest first.
    pub(super) stages: Vec<(Time, String)>,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) archived: Option<i64>,
    /// Until when searches show what it was before, in microseconds; nothing for a new one.
    pub(super) lags: Option<(i64, Option<Box<Object>>)>,
}

/// To which object, and the association's labels.
pub(super) type Link = (u64, Vec<&'static str>);

#[derive(Default)]
pub(super) struct Data {
    pub(super) owners: Vec<Value>,
    pub(super) pipelines: Vec<Value>,
    pub(super) objects: BTreeMap<&'static str, BTreeMap<u64, Object>>,
    pub(super) links: BTreeMap<(&'static str, u64, &'static str), Vec<Link>>,
}

pub(super) struct Account(Mutex<Data>);

/// Which property says when an object was modified.
fn modified_name(kind: &str) -> &'static str {
    if kind == "contacts" { "lastmodifieddate" } else { "hs_lastmodifieddate" }
}

/// Milliseconds, as HubSpot writes instants.
pub(super) fn written(micros: i64) -> String {
    let text = Time(micros.div_euclid(1000) * 1000).to_string();
    match text.strip_suffix('Z').and_then(|text| text.split_once('.')) {
        Some((second, rest)) => format!("{second}.{rest:0<3}Z"),
        None => format!("{}.000Z", text.trim_end_matches('Z')),
    }
}

/// An address with the parameters that mail and ad tools append: 400 bytes and more.
fn address(seed: u64) -> String {
    let part = |salt: u64| seed.wrapping_add(salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let parameters: Vec<String> = (0..14)
        .map(|index| {
            format!(
                "{}={:016x}",
                ["utm_source", "utm_term", "_hsmi", "_hsenc"][index as usize % 4],
                part(index)
            )
        })
        .collect();
    format!("https://www.tributary.example/blog/{}?{}", seed % 97, parameters.join("&"))
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl Object {
    fn property(&self, kind: &str, id: u64, name: &str) -> Option<String> {
        match name {
            "hs_object_id" => Some(id.to_string()),
            "createdate" => Some(written(self.created)),
            name if name == modified_name(kind) => Some(written(self.modified)),
            name => self.properties.get(name).filter(|value| !value.is_empty()).cloned(),
        }
    }

    fn json(&self, kind: &str, id: u64, properties: &[&str]) -> Value {
        let mut told = Map::new();
        for name in properties.iter().copied().chain(["hs_object_id", "createdate", modified_name(kind)]) {
            let value = self.property(kind, id, name);
            told.insert(name.to_owned(), value.map_or(Value::Null, Value::from));
        }
        let mut out = json!({
            "id": id.to_string(), "properties": told, "createdAt": written(self.created),
            "updatedAt": written(self.modified), "archived": self.archived.is_some(),
            "url": format!("https://app.hubspot.com/contacts/1/record/{id}"),
        });
        if let Some(at) = self.archived {
            out["archivedAt"] = json!(written(at));
        }
        out
    }

    /// What a search sees of it.
    fn searched(&self, now: i64) -> Option<&Self> {
        match &self.lags {
            Some((until, before)) if *until > now => before.as_deref(),
            _ => Some(self),
        }
    }
}

impl Account {
    pub(super) fn of(world: &World) -> Self {
        Self(Mutex::new(world::data(world)))
    }

    pub(super) fn of_contacts(contacts: u64) -> Self {
        let mut data = Data::default();
        let contact = |index: u64| {
            let properties: Properties = [
                ("email", format!("person.{index}@company-{}.example", index / 5)),
                ("firstname", format!("Given{}", index % 997)),
                ("lastname", format!("Family{index}")),
                ("jobtitle", "Head of Revenue Operations".to_owned()),
                ("hs_analytics_first_url", address(index)),
                ("hs_analytics_last_url", address(index ^ 0x5555)),
                ("hs_analytics_first_referrer", address(index.rotate_left(17))),
                ("hs_buying_role", "DECISION_MAKER;CHAMPION".to_owned()),
                ("lifecyclestage", "opportunity".to_owned()),
                ("associatedcompanyid", (5_000_000 + index / 5).to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
            let modified = 1_767_225_600_000_000 + index as i64 * 1_000_000;
            (1_000_000 + index, Object { properties, created: modified, modified, ..Object::default() })
        };
        data.objects.insert("contacts", (0..contacts).map(contact).collect());
        Self(Mutex::new(data))
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn owners(&self, call: &Call) -> Reply {
        let is_archived = call.param("archived") == Some("true");
        let data = self.data();
        let shown = data.owners.iter().filter(|owner| owner["archived"] == is_archived);
        Reply::json(200, &json!({"results": shown.collect::<Vec<_>>()}))
    }

    pub(super) fn pipelines(&self) -> Reply {
        Reply::json(200, &json!({"results": self.data().pipelines}))
    }

    pub(super) fn list(&self, kind: &str, call: &Call) -> Reply {
        let data = self.data();
        let Some(objects) = data.objects.get(kind) else { return Reply::json(200, &json!({"results": []})) };
        let limit = call.param("limit").and_then(|limit| limit.parse::<usize>().ok()).unwrap_or(10);
        if limit > 100 {
            return error(400, "VALIDATION_ERROR", "limit must be at most 100");
        }
        let is_archived = call.param("archived") == Some("true");
        let after = call.param("after").and_then(|after| after.parse::<u64>().ok()).unwrap_or(0);
        // Joined by commas, or one by one as HubSpot's own client sends them.
        let asked = call.query.iter().filter(|(name, _)| name == "properties");
        let properties: Vec<&str> = asked.flat_map(|(_, names)| names.split(',')).collect();
        let mut rows = objects.range(after..).filter(|(_, it)| it.archived.is_some() == is_archived);
        let results: Vec<Value> =
            rows.by_ref().take(limit).map(|(id, it)| it.json(kind, *id, &properties)).collect();
        let mut reply = json!({"results": results});
        if let Some((next, _)) = rows.next() {
            reply["paging"] =
                json!({"next": {"after": next.to_string(), "link": "https://api.hubapi.com/…"}});
        }
        Reply::json(200, &reply)
    }

    pub(super) fn search(&self, kind: &str, body: &Value, now: Time, habits: &Habits) -> Reply {
        let data = self.data();
        let after = number(&body["after"]).unwrap_or(0) as usize;
        let limit = number(&body["limit"]).unwrap_or(10) as usize;
        if after + limit > habits.truncate_at.unwrap_or(SEARCH_CAP) || limit > 200 {
            return error(400, "VALIDATION_ERROR", "paging beyond 10000 results is not supported");
        }
        let none = Vec::new();
        let groups = body["filterGroups"].as_array().unwrap_or(&none);
        let filters: Vec<&Value> =
            groups.iter().flat_map(|group| group["filters"].as_array().into_iter().flatten()).collect();
        if groups.len() > 1 || filters.len() > 10 {
            return error(400, "VALIDATION_ERROR", "too many filters for this simulator");
        }
        let properties: Vec<&str> =
            body["properties"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let empty = BTreeMap::new();
        let objects = data.objects.get(kind).unwrap_or(&empty);
        let found: Vec<(u64, &Object)> = objects
            .iter()
            .filter_map(|(id, it)| Some((*id, it.searched(now.0)?)))
            .filter(|(id, it)| {
                it.archived.is_none() && filters.iter().all(|filter| fits(kind, *id, it, filter))
            })
            .collect();
        let results = found.iter().skip(after).take(limit).map(|(id, it)| it.json(kind, *id, &properties));
        let mut reply = json!({"total": found.len(), "results": results.collect::<Vec<_>>()});
        if found.len() > after + limit {
            reply["paging"] = json!({"next": {"after": (after + limit).to_string()}});
        }
        Reply::json(200, &reply)
    }

    pub(super) fn read(&self, kind: &str, body: &Value) -> Reply {
        let data = self.data();
        let inputs = body["inputs"].as_array().map_or(&[][..], Vec::as_slice);
        let histories = body["propertiesWithHistory"].as_array().map_or(&[][..], Vec::as_slice);
        if inputs.len() > if histories.is_empty() { 100 } else { 50 } {
            return error(400, "VALIDATION_ERROR", "too many inputs");
        }
        let properties: Vec<&str> =
            body["properties"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let one = |input: &Value| {
            let id = number(&input["id"])?;
            let object = data.objects.get(kind)?.get(&id).filter(|it| it.archived.is_none())?;
            let mut out = object.json(kind, id, &properties);
            if histories.iter().any(|name| name == "dealstage") {
                let entry = |(at, stage): &(Time, String)| json!({"value": stage, "timestamp": written(at.0), "sourceType": "CRM_UI", "sourceId": "userId:9"});
                let newest_first: Vec<Value> = object.stages.iter().rev().map(entry).collect();
                out["propertiesWithHistory"] = json!({"dealstage": newest_first});
            }
            Some(out)
        };
        let results: Vec<Value> = inputs.iter().filter_map(one).collect();
        let status = if results.len() < inputs.len() { 207 } else { 200 };
        Reply::json(status, &json!({"status": "COMPLETE", "results": results}))
    }

    pub(super) fn associations(&self, from: &str, to: &str, body: &Value) -> Reply {
        let data = self.data();
        let inputs = body["inputs"].as_array().map_or(&[][..], Vec::as_slice);
        if inputs.len() > 1000 {
            return error(400, "VALIDATION_ERROR", "at most 1000 inputs");
        }
        let mut results = Vec::new();
        let mut errors = Vec::new();
        for input in inputs {
            let id = number(&input["id"]).unwrap_or(0);
            let links = data.links.iter().find(|((a, of, b), _)| *a == from && *of == id && *b == to);
            let Some((_, links)) = links.filter(|(_, links)| !links.is_empty()) else {
                errors.push(
                    json!({"status": "error", "category": "OBJECT_NOT_FOUND", "context": {"id": [id]}}),
                );
                continue;
            };
            let one = |(index, (to, labels)): (usize, &Link)| {
                let label = |label: &&str| json!({"category": "USER_DEFINED", "typeId": 7, "label": label});
                let mut types = vec![json!({"category": "HUBSPOT_DEFINED", "typeId": 3, "label": null})];
                types.extend(labels.iter().map(label));
                // Older versions wrote numbers.
                let to = if index % 2 == 0 { json!(to.to_string()) } else { json!(to) };
                json!({"toObjectId": to, "associationTypes": types})
            };
            let after = number(&input["after"]).unwrap_or(0) as usize;
            let to: Vec<Value> = links.iter().enumerate().skip(after).take(LINKS).map(one).collect();
            let mut result = json!({"from": {"id": id.to_string()}, "to": to});
            if links.len() > after + LINKS {
                result["paging"] = json!({"next": {"after": (after + LINKS).to_string()}});
            }
            results.push(result);
        }
        let status = if errors.is_empty() { 200 } else { 207 };
        let count = errors.len();
        Reply::json(
            status,
            &json!({"status": "COMPLETE", "results": results, "errors": errors, "numErrors": count}),
        )
    }

    pub(super) fn ids(&self, stream: &str) -> BTreeSet<String> {
        let data = self.data();
        let of =
            |rows: &[Value]| rows.iter().filter_map(|row| Some(row["id"].as_str()?.to_owned())).collect();
        match stream {
            "owners" => of(&data.owners),
            "pipelines" => of(&data.pipelines),
            kind => {
                let objects = data.objects.get(kind).into_iter().flatten();
                objects.filter(|(_, it)| it.archived.is_none()).map(|(id, _)| id.to_string()).collect()
            }
        }
    }

    /// Changes an object now; searches show it after `lag`.
    pub(super) fn change(
        &self,
        stream: &str,
        change: Change<'_>,
        now: Time,
        lag: Duration,
    ) -> Option<String> {
        let mut data = self.data();
        let lags = now.0 + lag.as_micros() as i64;
        if stream == "owners" {
            let Change::Update(id) = change else { return None };
            let owner = data.owners.iter_mut().find(|owner| owner["id"] == id)?;
            owner["lastName"] = json!(format!("{}*", owner["lastName"].as_str()?));
            return Some(id.to_owned());
        }
        let objects =
            data.objects.iter_mut().find(|(kind, _)| **kind == stream).map(|(_, objects)| objects)?;
        let mut touch = |id: u64, act: &mut dyn FnMut(&mut Object)| {
            let object = objects.get_mut(&id).filter(|it| it.archived.is_none())?;
            let before = object.clone();
            act(object);
            object.modified = now.0;
            object.lags = Some((lags, Some(Box::new(before))));
            Some(id.to_string())
        };
        let named = match stream {
            "companies" => "name",
            "contacts" => "jobtitle",
            "deals" => "dealname",
            "calls" => "hs_call_title",
            "emails" => "hs_email_subject",
            _ => "hs_meeting_title",
        };
        match change {
            Change::Update(id) => touch(id.parse().ok()?, &mut |object| {
                object.properties.entry(named.to_owned()).or_default().push('*');
            }),
            Change::Delete(id) => {
                let archive = &mut |object: &mut Object| object.archived = Some(now.0);
                touch(id.parse().ok()?, archive)
            }
            Change::Restore(id) => {
                let object = objects.get_mut(&id.parse().ok()?).filter(|it| it.archived.is_some())?;
                (object.archived, object.modified, object.lags) = (None, now.0, None);
                Some(id.to_owned())
            }
            // HubSpot takes no merge back.
            Change::Split { .. } => None,
            Change::Create => {
                let (last, pattern) = objects.iter().next_back()?;
                let (id, mut made) = (last + 1, pattern.clone());
                (made.created, made.modified, made.lags) = (now.0, now.0, Some((lags, None)));
                made.archived = None;
                objects.insert(id, made);
                Some(id.to_string())
            }
            Change::Merge { loser, winner } => {
                if !matches!(stream, "companies" | "contacts" | "deals") {
                    return None;
                }
                // With what it had taken in itself.
                let mut taken = vec![loser.to_owned()];
                touch(loser.parse().ok()?, &mut |object| {
                    object.archived = Some(now.0);
                    taken.extend(object.properties.get(MERGED).cloned().filter(|ids| !ids.is_empty()));
                })?;
                touch(winner.parse().ok()?, &mut |object| {
                    let merged = object.properties.entry(MERGED.to_owned()).or_default();
                    let all: Vec<&str> =
                        [merged.as_str()].into_iter().chain(taken.iter().map(String::as_str)).collect();
                    all.join(";").trim_start_matches(';').clone_into(merged);
                })
            }
        }
    }
}

/// Whether an object fits a filter of a search.
fn fits(kind: &str, id: u64, object: &Object, filter: &Value) -> bool {
    let name = filter["propertyName"].as_str().unwrap_or_default();
    let Some(found) = object.property(kind, id, name) else { return false };
    let wanted = filter["value"].as_str().unwrap_or_default();
    let is_date = name.ends_with("date") || name.ends_with("modifieddate");
    let found_number = if name == modified_name(kind) {
        Some(object.modified.div_euclid(1000))
    } else if is_date {
        None
    } else {
        found.parse::<i64>().ok()
    };
    let order = found_number.zip(wanted.parse::<i64>().ok()).map(|(found, wanted)| found.cmp(&wanted));
    match filter["operator"].as_str() {
        Some("EQ") => found == wanted,
        Some("NEQ") => found != wanted,
        Some("GT") => order.is_some_and(std::cmp::Ordering::is_gt),
        Some("GTE") => order.is_some_and(std::cmp::Ordering::is_ge),
        Some("LT") => order.is_some_and(std::cmp::Ordering::is_lt),
        Some("LTE") => order.is_some_and(std::cmp::Ordering::is_le),
        _ => false,
    }
}
