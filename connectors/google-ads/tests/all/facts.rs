//! What rows mean.

use serde_json::{Value, json};
use tributary_core::Fact;
use tributary_google_ads::GoogleAds;
use tributary_source::{Connector, Normalized, Record, Settings};

fn fixtures() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rows.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn normalize(stream: &'static str, body: &Value) -> Normalized {
    let body = Some(body.to_string().into_bytes().into_boxed_slice());
    let record = Record { stream, id: "123/9".to_owned(), stamp: None, body, origin: None };
    GoogleAds.normalize(&Settings::default(), &record)
}

#[test]
fn rows_say_their_facts() {
    let fixtures = fixtures();
    for stream in ["campaigns", "spend", "clicks"] {
        let rows = fixtures[stream].as_array().unwrap().iter();
        let said: Vec<Vec<Fact>> = rows
            .map(|row| {
                let normalized = normalize(stream, row);
                assert!(normalized.problems.is_empty(), "{:?}", normalized.problems);
                normalized.facts
            })
            .collect();
        insta::assert_debug_snapshot!(stream, said);
    }
}

#[test]
fn millionths_become_cents_rounded_half_to_even() {
    for (micros, minor) in
        [("43125000", 4312), ("43135000", 4314), ("5000", 0), ("15000", 2), ("-5000000", -500)]
    {
        let mut row = fixtures()["spend"][0].clone();
        row["metrics"]["costMicros"] = json!(micros);
        let facts = normalize("spend", &row).facts;
        let Fact::Spend(spend) = &facts[0] else { panic!("{facts:?}") };
        assert_eq!(spend.amount.minor, minor, "{micros}");
    }
}

#[test]
fn campaigns_that_google_spreads_over_its_networks_are_of_no_one_channel() {
    for (kind, channel) in [
        ("SEARCH", "paid_search"),
        ("DISPLAY", "display"),
        ("VIDEO", "paid_video"),
        ("SHOPPING", "paid_shopping"),
        ("PERFORMANCE_MAX", "cross_network"),
        ("DEMAND_GEN", "cross_network"),
        ("HOTEL", "paid_other"),
    ] {
        let mut row = fixtures()["clicks"][0].clone();
        row["campaign"]["advertisingChannelType"] = json!(kind);
        let facts = normalize("clicks", &row).facts;
        let Fact::Click(click) = &facts[0] else { panic!("{facts:?}") };
        assert_eq!(click.channel.as_deref(), Some(channel), "{kind}");
    }
}

#[test]
fn what_cannot_be_understood_is_a_problem() {
    for (path, value, said) in [
        ("/customer/currencyCode", json!("XYZ"), "customer.currencyCode: "),
        ("/customer/timeZone", json!("Mars"), "customer.timeZone: not a time zone"),
        ("/segments/date", json!("2026-13-01"), "segments.date: not a day"),
        ("/metrics/costMicros", json!({}), "metrics.costMicros: not a number"),
        ("/metrics/impressions", json!("-3"), "metrics.impressions: not a count"),
        ("/campaign/id", json!(null), "campaign.id: missing"),
    ] {
        let mut row = fixtures()["spend"][0].clone();
        *row.pointer_mut(path).unwrap() = value;
        let problems = normalize("spend", &row).problems;
        let problem = format!("{}: {}", problems[0].field, problems[0].reason);
        assert!(problem.starts_with(said), "{problem}");
    }
}
