//! A visit → facts. Pure.

use std::collections::BTreeSet;

use serde_json::Value;
use tributary_core::fact::{Alias, Attributes, Direction, Identifier, Touch};
use tributary_core::{Fact, Time, contact};
use tributary_source::{Normalized, Problem, Record};
use url::Url;

use crate::api::{number, text};

/// Names of campaign parameters that Matomo knows, and what we call them.
const CAMPAIGN: &[(&str, &str)] = &[
    ("utm_source", "utm_source"),
    ("mtm_source", "utm_source"),
    ("matomo_source", "utm_source"),
    ("pk_source", "utm_source"),
    ("utm_medium", "utm_medium"),
    ("mtm_medium", "utm_medium"),
    ("matomo_medium", "utm_medium"),
    ("pk_medium", "utm_medium"),
    ("utm_campaign", "utm_campaign"),
    ("mtm_campaign", "utm_campaign"),
    ("matomo_campaign", "utm_campaign"),
    ("pk_campaign", "utm_campaign"),
    ("piwik_campaign", "utm_campaign"),
    ("pk_cpn", "utm_campaign"),
    ("mtm_cpn", "utm_campaign"),
    ("utm_content", "utm_content"),
    ("mtm_content", "utm_content"),
    ("pk_content", "utm_content"),
    ("utm_term", "utm_term"),
    ("mtm_kwd", "utm_term"),
    ("pk_kwd", "utm_term"),
];

/// Click ids of ad networks.
const CLICKS: &[&str] = &["gclid", "gbraid", "wbraid", "msclkid", "li_fat_id", "fbclid", "ttclid", "twclid"];

pub(crate) fn normalize(record: &Record) -> Normalized {
    let Some(body) = &record.body else { return Normalized::default() };
    let mut normalized = Normalized::default();
    let mut problem = |field: &str, reason: &str| {
        normalized.problems.push(Problem { field: field.to_owned(), reason: reason.to_owned() });
    };
    let Ok(visit) = serde_json::from_slice::<Value>(body) else {
        problem("", "not JSON");
        return normalized;
    };
    if record.stream != "visits" {
        return normalized;
    }
    let Some(at) = time(&visit["firstActionTimestamp"]) else {
        problem("firstActionTimestamp", "not a time in seconds");
        return normalized;
    };
    let Some(visitor) = text(&visit["visitorId"]) else {
        problem("visitorId", "a visit without visitor");
        return normalized;
    };
    let visitor = Identifier::Anonymous(visitor);
    let person = text(&visit["userId"]).map(|user| match contact::email(&user) {
        Some(_) => Identifier::Email(user),
        None => Identifier::User(user),
    });
    let who: Vec<Identifier> = person.iter().cloned().chain([visitor.clone()]).collect();
    let actions = visit["actionDetails"].as_array().map_or(&[][..], Vec::as_slice);
    let address = actions.iter().find_map(|action| text(&action["url"]));
    let origin = origin(&visit, address.as_deref());
    let touch = |at: Time, kind: &str| Touch {
        who: who.clone(),
        direction: Some(Direction::Inbound),
        attributes: origin.clone(),
        ..Touch::new(at, kind)
    };
    let mut facts = Vec::new();
    if let Some(person) = person {
        facts.push(Fact::Alias(Alias { a: person, b: visitor, at: Some(at) }));
    }
    facts.push(Fact::Touch(Touch { content: address.as_deref().and_then(page), ..touch(at, "visit") }));
    let mut known = BTreeSet::new();
    for (index, action) in actions.iter().enumerate() {
        let (kind, content) = match action["type"].as_str() {
            Some("goal") => ("form", text(&action["goalName"])),
            Some("download") => ("download", text(&action["url"]).as_deref().and_then(page)),
            _ => continue,
        };
        let Some(at) = time(&action["timestamp"]) else {
            problem(&format!("actionDetails[{index}].timestamp"), "not a time in seconds");
            continue;
        };
        // By time, however the list is cut later. One page may reach several goals in one second; the same one
        // twice in a second is one touch.
        let mut suffix = format!("{kind} {}", at.0 / 1_000_000);
        if !known.insert((suffix.clone(), content.clone())) {
            continue;
        }
        if known.iter().filter(|(known, _)| *known == suffix).count() > 1 {
            suffix = format!("{suffix} {}", content.as_deref().unwrap_or_default());
        }
        facts.push(Fact::Touch(Touch { suffix, content, ..touch(at, kind) }));
    }
    normalized.facts = facts;
    normalized
}

fn time(value: &Value) -> Option<Time> {
    // Seconds of the years 2000 to 2100: milliseconds are something else.
    number(value).filter(|seconds| (946_684_800..4_102_444_800).contains(seconds)).map(Time::from_seconds)
}

/// The path of an address.
fn page(address: &str) -> Option<String> {
    Url::parse(address).ok().map(|url| url.path().to_owned())
}

/// Where a visitor came from: what the first address says, else what Matomo made of it.
fn origin(visit: &Value, address: Option<&str>) -> Attributes {
    let mut out = Attributes::new();
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            out.entry(name.to_owned()).or_insert(value);
        }
    };
    if let Some(address) = address {
        tell("url", Some(address.to_owned()));
        let url = Url::parse(address).ok();
        for (name, value) in url.iter().flat_map(Url::query_pairs) {
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            let name = name.to_lowercase();
            if let Some((_, ours)) = CAMPAIGN.iter().find(|(theirs, _)| *theirs == name) {
                tell(ours, value);
            } else if CLICKS.contains(&name.as_str()) {
                tell(&name, value);
            }
        }
    }
    let [name, keyword] = ["referrerName", "referrerKeyword"].map(|field| text(&visit[field]));
    tell("referrer", text(&visit["referrerUrl"]));
    match visit["referrerType"].as_str() {
        Some("campaign") => {
            tell("utm_campaign", text(&visit["campaignName"]).or(name));
            tell("utm_medium", text(&visit["campaignMedium"]));
            tell("utm_source", text(&visit["campaignSource"]));
            tell("utm_term", keyword);
        }
        // A search engine or a network by name, where its address was not told.
        Some("search" | "social" | "website") => tell("referrer", name),
        _ => {}
    }
    out
}
