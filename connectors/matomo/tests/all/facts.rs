//! What visits mean.

use serde_json::{Value, json};
use tributary_core::Fact;
use tributary_core::fact::Touch;
use tributary_matomo::Matomo;
use tributary_source::{Connector, Normalized, Record, Settings};

fn normalize(stream: &'static str, body: &Value) -> Normalized {
    let body = Some(body.to_string().into_bytes().into_boxed_slice());
    let record = Record { stream, id: "1/5012".to_owned(), stamp: None, body, origin: None };
    Matomo.normalize(&Settings::default(), &record)
}

fn fixture() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/visits.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn visits_say_their_facts() {
    let said: Vec<Vec<Fact>> = fixture()
        .iter()
        .map(|visit| {
            let normalized = normalize("visits", visit);
            assert!(normalized.problems.is_empty(), "{:?}", normalized.problems);
            normalized.facts
        })
        .collect();
    insta::assert_debug_snapshot!(said);
}

#[test]
fn goals_of_one_second_are_touches_of_their_own() {
    let goal = |id: &str, name: &str| json!({"type": "goal", "goalId": id, "goalName": name, "timestamp": 1_761_991_500});
    let mut visit = fixture().remove(0);
    visit["actionDetails"] =
        json!([goal("2", "Demo request"), goal("3", "Newsletter"), goal("2", "Demo request")]);
    let touches = normalize("visits", &visit).facts.into_iter().filter_map(|fact| match fact {
        Fact::Touch(touch) => Some((touch.suffix, touch.content.unwrap_or_default())),
        _ => None,
    });
    let expected =
        [("", ""), ("form 1761991500", "Demo request"), ("form 1761991500 Newsletter", "Newsletter")];
    assert_eq!(
        touches.collect::<Vec<_>>(),
        expected.map(|(suffix, name)| (suffix.to_owned(), name.to_owned()))
    );
}

#[test]
fn sites_and_goals_are_kept_for_their_names() {
    for (stream, body) in [("sites", json!({"idsite": "1"})), ("goals", json!({"idgoal": "2"}))] {
        assert_eq!(normalize(stream, &body), Normalized::default());
    }
}

fn first_touch(visit: &Value) -> Touch {
    let facts = normalize("visits", visit).facts;
    facts.into_iter().find_map(|fact| if let Fact::Touch(touch) = fact { Some(touch) } else { None }).unwrap()
}

#[test]
fn campaigns_are_told_by_the_first_address_else_by_the_referrer() {
    let visit = |url: &str, kind: &str, name: &str| {
        let mut visit = fixture().remove(0);
        visit["actionDetails"] = json!([{"type": "action", "url": url, "timestamp": 1_761_991_500}]);
        (visit["referrerType"], visit["referrerName"]) = (json!(kind), json!(name));
        first_touch(&visit).attributes
    };
    for (url, kind, name, attribute, expected) in [
        ("https://us.example/?utm_campaign=a+b", "campaign", "c", "utm_campaign", Some("a b")),
        ("https://us.example/?mtm_campaign=m", "campaign", "c", "utm_campaign", Some("m")),
        ("https://us.example/?pk_source=p", "direct", "", "utm_source", Some("p")),
        ("https://us.example/", "campaign", "c", "utm_campaign", Some("c")),
        ("https://us.example/?GCLID=Cj0", "campaign", "c", "gclid", Some("Cj0")),
        ("https://us.example/", "search", "Google", "referrer", Some("Google")),
        ("https://us.example/", "direct", "", "referrer", None),
    ] {
        let found = visit(url, kind, name);
        assert_eq!(found.get(attribute).map(String::as_str), expected, "{url} {found:?}");
    }
}

#[test]
fn what_cannot_be_understood_is_a_problem() {
    for (field, value, said) in [
        ("firstActionTimestamp", json!("yesterday"), "firstActionTimestamp: not a time in seconds"),
        ("firstActionTimestamp", json!(1_761_991_500_000_i64), "firstActionTimestamp: not a time in seconds"),
        ("visitorId", json!(null), "visitorId: a visit without visitor"),
    ] {
        let mut visit = fixture().remove(0);
        visit[field] = value;
        let normalized = normalize("visits", &visit);
        let problem = &normalized.problems[0];
        assert_eq!(format!("{}: {}", problem.field, problem.reason), said);
        assert!(normalized.facts.is_empty());
    }
}
