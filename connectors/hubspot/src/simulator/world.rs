//! The sandbox's world as its sales people keep it in HubSpot.

use std::collections::BTreeMap;

use serde_json::json;
use tributary_core::Time;
use tributary_sandbox::{Known, Outcome, Tool, Touch, World};

use super::account::{Data, Object, Properties, written};

const COMPANIES: u64 = 5_000;
const CONTACTS: u64 = 100_000;
const DEALS: u64 = 9_000;
const OWNERS: u64 = 700;
const ENGAGEMENTS: u64 = 1_000_000;

fn properties<const N: usize>(pairs: [(&str, String); N]) -> Properties {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Stage ids are the labels without signs, as in `closedwon`.
fn stage_id(label: &str) -> String {
    label.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

fn owner_of(rep: usize) -> String {
    (OWNERS + rep as u64).to_string()
}

pub(super) fn data(world: &World) -> Data {
    let mut data = Data::default();
    for (index, rep) in world.reps.iter().enumerate() {
        let (first, last) = rep.name.split_once(' ').unwrap_or((&rep.name, ""));
        data.owners.push(json!({
            "id": owner_of(index), "email": format!("rep{index}@{}", tributary_sandbox::OWN_DOMAIN), "userId": 40 + index,
            "firstName": first, "lastName": last, "archived": false,
            "teams": [{"id": "1", "name": rep.team, "primary": true}],
        }));
    }
    // One who left before all this.
    data.owners.push(json!({
        "id": owner_of(world.reps.len()), "email": format!("former@{}", tributary_sandbox::OWN_DOMAIN), "userId": 39,
        "firstName": "Former", "lastName": "Rep", "archived": true, "teams": [],
    }));
    let mut pipelines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for stage in &world.stages {
        let stages = pipelines.entry(world.deals[stage.deal].pipeline).or_default();
        if !stages.contains(&stage.stage) {
            stages.push(stage.stage);
        }
    }
    for (order, (pipeline, stages)) in pipelines.iter().enumerate() {
        let stage = |(order, label): (usize, &&str)| {
            let closed = label.starts_with("Closed");
            let probability = if *label == "Closed Won" { "1.0" } else { "0.0" };
            json!({"id": stage_id(label), "label": label, "displayOrder": order, "archived": false,
                "metadata": {"isClosed": closed.to_string(), "probability": probability}})
        };
        data.pipelines.push(json!({
            "id": pipeline, "label": pipeline, "displayOrder": order,
            "stages": stages.iter().enumerate().map(stage).collect::<Vec<_>>(),
        }));
    }
    data.objects.insert("companies", companies(world));
    data.objects.insert("contacts", contacts(world));
    deals(world, &mut data);
    engagements(world, &mut data);
    data
}

fn companies(world: &World) -> BTreeMap<u64, Object> {
    let company = |(index, it): (usize, &tributary_sandbox::Account)| {
        let properties = properties([
            ("name", it.name.clone()),
            ("domain", it.domain.clone()),
            ("industry", it.industry.to_owned()),
            ("numberofemployees", it.employees.to_string()),
            ("country", it.region.to_owned()),
            ("hubspot_owner_id", owner_of(it.owner)),
        ]);
        let at = world.plan.start.0;
        (COMPANIES + index as u64, Object { properties, created: at, modified: at, ..Object::default() })
    };
    world.accounts.iter().enumerate().map(company).collect()
}

fn contacts(world: &World) -> BTreeMap<u64, Object> {
    let mut merged: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for loser in &world.stories.merged {
        if let Some(winner) = world.people[*loser].same_as {
            merged.entry(winner).or_default().push((CONTACTS + *loser as u64).to_string());
        }
    }
    let contact = |(index, it): (usize, &tributary_sandbox::Person)| {
        let (first, last) = it.name.split_once(' ').unwrap_or((&it.name, ""));
        let properties = properties([
            ("email", it.email.clone()),
            ("firstname", first.to_owned()),
            ("lastname", last.to_owned()),
            ("jobtitle", it.title.to_owned()),
            ("hs_buying_role", it.role.to_uppercase()),
            ("hs_seniority", it.seniority.to_owned()),
            ("associatedcompanyid", (COMPANIES + it.account as u64).to_string()),
            ("hs_merged_object_ids", merged.get(&index).map(|ids| ids.join(";")).unwrap_or_default()),
        ]);
        let at = it.created_at.0;
        (CONTACTS + index as u64, Object { properties, created: at, modified: at, ..Object::default() })
    };
    world.people.iter().enumerate().filter(|(_, it)| it.is_in_crm).map(contact).collect()
}

fn deals(world: &World, data: &mut Data) {
    let mut objects = BTreeMap::new();
    for (index, it) in world.deals.iter().enumerate() {
        let (id, company) = (DEALS + index as u64, COMPANIES + it.account as u64);
        let is_closed = it.outcome != Outcome::Open;
        let stages: Vec<(Time, String)> = world
            .stages
            .iter()
            .filter(|stage| stage.deal == index)
            .map(|stage| (stage.entered_at, stage_id(stage.stage)))
            .collect();
        let properties = properties([
            ("dealname", it.name.clone()),
            ("amount", it.amount.to_decimal().to_string()),
            ("deal_currency_code", it.amount.currency.code().to_owned()),
            ("dealstage", stage_id(it.stage)),
            ("pipeline", it.pipeline.to_owned()),
            ("closedate", written(it.closes_at.0)),
            ("hs_is_closed", is_closed.to_string()),
            ("hs_is_closed_won", (it.outcome == Outcome::Won).to_string()),
            ("hubspot_owner_id", owner_of(it.owner)),
        ]);
        let modified = stages.last().map_or(it.created_at.0, |(at, _)| at.0);
        let object = Object { properties, stages, created: it.created_at.0, modified, ..Object::default() };
        objects.insert(id, object);
        data.links.insert(("deals", id, "companies"), vec![(company, vec!["Primary"])]);
    }
    for it in &world.committee {
        let person = survivor(world, it.person);
        let mut labels = vec![it.role];
        if it.is_primary {
            labels.push("Primary");
        }
        let links = data.links.entry(("deals", DEALS + it.deal as u64, "contacts")).or_default();
        links.push((CONTACTS + person as u64, labels));
    }
    data.objects.insert("deals", objects);
}

/// The record that the CRM has of somebody.
fn survivor(world: &World, person: usize) -> usize {
    match world.people[person].same_as {
        Some(other) if !world.people[person].is_in_crm => other,
        _ => person,
    }
}

/// Calls, mails and meetings of the company's own sales people.
fn engagements(world: &World, data: &mut Data) {
    for kind in ["calls", "emails", "meetings"] {
        data.objects.insert(kind, BTreeMap::new());
    }
    for (index, touch) in world.touches.iter().enumerate() {
        let Some((kind, properties)) = engagement(world, index, touch) else { continue };
        let id = ENGAGEMENTS + index as u64;
        let at = touch.at.0;
        let modified = at + 3_600_000_000;
        let object = Object { properties, created: modified, modified, ..Object::default() };
        data.objects.entry(kind).or_default().insert(id, object);
        if let Some(account) = touch.account {
            data.links.insert((kind, id, "companies"), vec![(COMPANIES + account as u64, vec!["Primary"])]);
        }
        if let Some(person) = touch.person.filter(|_| touch.known != Known::Account) {
            let contact = CONTACTS + survivor(world, person) as u64;
            data.links.insert((kind, id, "contacts"), vec![(contact, Vec::new())]);
        }
    }
}

fn engagement(world: &World, index: usize, touch: &Touch) -> Option<(&'static str, Properties)> {
    let rep = touch.actor.filter(|_| world.tool(index) == Tool::Crm)?;
    let (owner, at, content) = (owner_of(rep), written(touch.at.0), touch.content.to_owned());
    let row = world.touch_row(index);
    let event = row.event_id.unwrap_or_default();
    let properties = match touch.kind {
        "call" => properties([
            ("hs_timestamp", at),
            ("hs_call_direction", "OUTBOUND".to_owned()),
            ("hs_call_status", "COMPLETED".to_owned()),
            ("hs_call_title", content),
            ("hubspot_owner_id", owner),
        ]),
        "sequence" => properties([
            ("hs_timestamp", at),
            ("hs_email_direction", "EMAIL".to_owned()),
            ("hs_email_status", "SENT".to_owned()),
            ("hs_email_subject", row.campaign.unwrap_or_default().to_owned()),
            ("hs_email_message_id", format!("<{index}@{}>", tributary_sandbox::OWN_DOMAIN)),
            ("hubspot_owner_id", owner),
        ]),
        _ => properties([
            ("hs_timestamp", at.clone()),
            ("hs_meeting_start_time", at),
            ("hs_meeting_end_time", written(touch.at.0 + 1_800_000_000)),
            ("hs_meeting_outcome", "COMPLETED".to_owned()),
            ("hs_meeting_title", content),
            ("hs_meeting_source", "CRM_UI".to_owned()),
            ("hs_i_cal_uid", event),
            ("hubspot_owner_id", owner),
        ]),
    };
    let kind = match touch.kind {
        "call" => "calls",
        "sequence" => "emails",
        _ => "meetings",
    };
    Some((kind, properties))
}
