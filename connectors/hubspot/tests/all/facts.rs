//! What records mean.

use serde_json::{Value, json};
use tributary_core::Fact;
use tributary_core::fact::Deal;
use tributary_hubspot::HubSpot;
use tributary_source::{Connector, Normalized, Record, Settings};

fn fixtures(stream: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/records.json");
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    all[stream].as_array().unwrap().clone()
}

fn normalize(stream: &'static str, row: &Value, values: Value) -> Normalized {
    let body = Some(row.to_string().into_bytes().into_boxed_slice());
    let id = row["id"].as_str().unwrap_or("1").to_owned();
    let settings = Settings { source: "crm".to_owned(), values, ..Settings::default() };
    HubSpot.normalize(&settings, &Record { stream, id, stamp: None, body, origin: None })
}

#[test]
fn every_stream_says_its_facts() {
    for stream in HubSpot.streams() {
        let said: Vec<Vec<Fact>> = fixtures(stream.name)
            .iter()
            .map(|row| {
                let normalized = normalize(stream.name, row, json!({}));
                assert!(normalized.problems.is_empty(), "{} {:?}", stream.name, normalized.problems);
                normalized.facts
            })
            .collect();
        insta::assert_debug_snapshot!(stream.name, said);
    }
}

/// The first deal with a property changed, its deal and its problems.
fn deal(name: &str, value: Value, settings: Value) -> (Deal, Vec<String>) {
    let mut row = fixtures("deals").remove(0);
    row["properties"][name] = value;
    let normalized = normalize("deals", &row, settings);
    let Some(Fact::Deal(deal)) = normalized.facts.into_iter().next() else { panic!("no deal") };
    (deal, normalized.problems.into_iter().map(|it| format!("{}: {}", it.field, it.reason)).collect())
}

#[test]
fn what_cannot_be_understood_is_a_problem_and_the_rest_counts() {
    for (name, value, said) in [
        ("amount", json!("N/A"), "amount: "),
        (
            "deal_currency_code",
            json!(null),
            "amount: an amount without currency: set `currency` for this source",
        ),
        ("deal_currency_code", json!("XYZ"), "amount: "),
        ("createdate", json!("soon"), "createdate: not a time as HubSpot writes it"),
        ("dealname", json!({"a": 1}), "dealname: expected a text"),
    ] {
        let (deal, problems) = deal(name, value, json!({}));
        assert!(problems[0].starts_with(said), "{name}: {problems:?}");
        assert_eq!(deal.account.as_deref(), Some("42"));
    }
}

#[test]
fn the_sources_currency_is_that_of_deals_without_one() {
    let (deal, problems) = deal("deal_currency_code", json!(null), json!({"currency": "usd"}));
    assert_eq!((deal.amount.unwrap().currency.code(), problems.len()), ("USD", 0));
}

#[test]
fn calculated_amounts_are_rounded_to_cents() {
    let (deal, problems) = deal("amount", json!("1234.565000001"), json!({}));
    assert_eq!((deal.amount.unwrap().minor, problems.len()), (123_457, 0));
}
