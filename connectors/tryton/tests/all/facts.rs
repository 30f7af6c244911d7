//! What records mean.

use serde_json::{Value, json};
use tributary_core::Fact;
use tributary_core::fact::{Outcome, Touch};
use tributary_source::{Connector, Normalized, Record};
use tributary_tryton::Tryton;

use crate::vendor::settings;

fn normalize(stream: &str, body: &Value, more: Value) -> Normalized {
    let stream = Tryton.streams().iter().find(|known| known.name == stream).unwrap().name;
    let body = Some(body.to_string().into_bytes().into_boxed_slice());
    let id = "30".to_owned();
    Tryton.normalize(&settings(more), &Record { stream, id, stamp: None, body, origin: None })
}

fn fixtures(stream: &str) -> Vec<Value> {
    let path = format!("{}/fixtures/{stream}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The facts of one record, and the fields with problems and why.
fn facts(stream: &str, body: &Value, more: Value) -> (Vec<Fact>, Vec<String>) {
    let normalized = normalize(stream, body, more);
    let problem = |problem: tributary_source::Problem| format!("{}: {}", problem.field, problem.reason);
    (normalized.facts, normalized.problems.into_iter().map(problem).collect())
}

#[test]
fn every_stream_says_its_facts() {
    for stream in Tryton.streams() {
        let said: Vec<Vec<Fact>> = fixtures(stream.name)
            .iter()
            .map(|body| {
                let (facts, problems) = facts(stream.name, body, json!({}));
                assert!(problems.is_empty(), "{} {problems:?}", stream.name);
                facts
            })
            .collect();
        insta::assert_debug_snapshot!(stream.name, said);
    }
}

/// The first opportunity with a field changed.
fn opportunity(field: &str, value: Value) -> Value {
    let mut body = fixtures("opportunities").remove(0);
    body[field] = value;
    body
}

fn deal(facts: &[Fact]) -> &tributary_core::fact::Deal {
    let Some(Fact::Deal(deal)) = facts.first() else { panic!("no deal first") };
    deal
}

#[test]
fn what_cannot_be_understood_is_a_problem_and_the_rest_counts() {
    let euro = |text: &str| json!({"__class__": "Decimal", "decimal": text});
    for (field, value, said) in [
        ("amount", euro("12.345"), "amount: "),
        ("amount", euro("1e400"), "amount: "),
        ("amount", json!(12.5), "amount: not a decimal as Tryton writes it"),
        ("currency", json!(null), "amount: an amount without currency"),
        ("currency", json!({"code": "XYZ"}), "amount: "),
        ("start_date", json!("2026-03-05"), "start_date: not a date as Tryton writes it"),
        ("start_date", json!({"__class__": "date", "year": 2026, "month": 2, "day": 30}), "start_date: "),
        ("create_date", json!({"__class__": "datetime", "year": 2026}), "create_date: "),
        ("party", json!("Acme"), "party: expected a record, found text"),
        ("state", json!(null), "state: an opportunity without state"),
        ("description", json!(["Platform"]), "description: expected text, found a list"),
    ] {
        let (facts, problems) = facts("opportunities", &opportunity(field, value), json!({}));
        assert!(problems[0].starts_with(said), "{field}: {problems:?}");
        assert_eq!(deal(&facts).id, "30", "{field}");
    }
}

#[test]
fn a_body_that_is_no_record_breaks_nothing() {
    for stream in Tryton.streams() {
        for body in [json!(null), json!([]), json!("x"), json!(7), json!({})] {
            // Facts or problems; never a panic.
            normalize(stream.name, &body, json!({}));
        }
    }
    let body = Some(b"\xff{".to_vec().into_boxed_slice());
    let record = Record { stream: "parties", id: "1".to_owned(), stamp: None, body, origin: None };
    assert_eq!(Tryton.normalize(&settings(json!({})), &record).problems[0].reason, "not JSON");
    let gone = Record { body: None, ..record };
    assert_eq!(Tryton.normalize(&settings(json!({})), &gone), Normalized::default());
}

#[test]
fn a_cancelled_opportunity_is_no_deal_or_a_lost_one() {
    let body = opportunity("state", json!("cancelled"));
    assert_eq!(facts("opportunities", &body, json!({})), (vec![], vec![]));
    let (facts, _) = facts("opportunities", &body, json!({"cancelled": "lost"}));
    assert_eq!(deal(&facts).outcome, Outcome::Lost);
}

#[test]
fn named_roles_are_the_only_ones() {
    let roles = json!({"roles": {"Economic buyer": "economic_buyer"}});
    let (facts, _) = facts("opportunities", &fixtures("opportunities")[0], roles);
    let members: Vec<(&str, Option<&str>, bool)> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Committee(it) => Some((it.person.as_str(), it.role.as_deref(), it.is_primary)),
            _ => None,
        })
        .collect();
    assert_eq!(members, [("11", None, true), ("14", Some("economic_buyer"), false)]);
}

#[test]
fn mail_to_a_companys_own_address_is_a_touch_of_the_company() {
    let touches: Vec<Touch> = fixtures("accesses")
        .iter()
        .flat_map(|body| facts("accesses", body, json!({})).0)
        .map(|fact| match fact {
            Fact::Touch(touch) => touch,
            other => panic!("{other:?}"),
        })
        .collect();
    let told: Vec<_> =
        touches.iter().map(|it| (it.kind.as_str(), it.account.as_deref(), it.who.len())).collect();
    assert_eq!(told, [("email_click", None, 1), ("email_open", Some("10"), 0), ("visit", None, 0)]);
}
