//! The rule models' reference numbers, computed outside this project.

use serde_json::Value;
use tributary_core::book::Book;
use tributary_core::{Currency, Money};
use tributary_engine::credit::attribute;
use tributary_engine::model::Place;
use tributary_engine::paths::{self, Path};
use tributary_engine::{By, Model, Rates, journeys};

use crate::story::{self, policy};

fn golden(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../golden/toy.json")).unwrap();
    all[name].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_close(ours: &[f64], theirs: &[f64], what: &str) {
    let close = ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| (ours - theirs).abs() < 1e-12);
    assert!(close, "{what}: {ours:?}, not {theirs:?}");
}

/// The weights of the only won deal of a book.
fn weights(book: &Book, model: &Model) -> Vec<f64> {
    let found = journeys(book, &policy());
    let mut out = Vec::new();
    model.bind(&found).weights(&found, &found.list[0], &mut out);
    out
}

#[test]
fn position_with_two_touches_ignores_the_middle_and_scales_the_ends() {
    let cases = golden("position");
    let mut checked = 0;
    for (name, theirs) in cases.as_object().unwrap() {
        // "n=2 0.2/0.2/0.6 proportional": first, middle, last. The other rule for two touches is not ours.
        let words: Vec<&str> = name.split(' ').collect();
        if words[2] != "proportional" {
            continue;
        }
        let count: usize = words[0].strip_prefix("n=").unwrap().parse().unwrap();
        let shares: Vec<f64> = words[1].split('/').map(|share| share.parse().unwrap()).collect();
        let toml = format!(
            "weights = {{ first = {}, last = {} }}\nrest = {}",
            shares[0],
            shares[2],
            1.0 - shares[0] - shares[2]
        );
        let model = Model::parse("position", &toml).unwrap();
        let ours = model.weights_at(&Place { touches: count, anchors: &[] });
        assert_close(&ours, &numbers(theirs), name);
        checked += 1;
    }
    assert_eq!(checked, 12);
}

#[test]
fn w_shape_by_place() {
    let (lead, opportunity) = (("lead", 0), ("opportunity", 4));
    let w = Model::builtin("w").unwrap();
    for (name, touches, anchors) in [
        ("n=1", 1, &[("lead", 0), ("opportunity", 0)][..]),
        ("n=3 all anchors", 3, &[("lead", 1), ("opportunity", 2)]),
        ("n=4 FT only", 4, &[]),
        ("n=6 FT0 LC0 OC4 (shared touch)", 6, &[lead, opportunity]),
        ("n=6 FT0 LC2 OC4", 6, &[("lead", 2), opportunity]),
        ("n=6 FT0 OC4, no LC", 6, &[opportunity]),
    ] {
        let ours = w.weights_at(&Place { touches, anchors });
        assert_close(&ours, &numbers(&golden("w_shape")[name]), name);
    }
    assert_eq!(golden("w_shape").as_object().unwrap().len(), 6);
}

#[test]
fn w_shape_by_times() {
    let w = Model::builtin("w").unwrap();
    for (name, text) in [
        ("n=1", "a@1 | lead=1 opp=2 close=9"),
        ("n=3 all anchors", "a@1 a@2 a@3 | lead=2 opp=3 close=9"),
        ("n=4 FT only", "a@1 a@2 a@3 a@4 | lead=0 close=9"),
        ("n=6 FT0 LC0 OC4 (shared touch)", "a@1 a@2 a@3 a@4 a@5 a@6 | lead=1.9 opp=5.5 close=9"),
        ("n=6 FT0 LC2 OC4", "a@1 a@2 a@3 a@4 a@5 a@6 | lead=3 opp=5 close=9"),
        ("n=6 FT0 OC4, no LC", "a@1 a@2 a@3 a@4 a@5 a@6 | opp=5 close=9"),
    ] {
        assert_close(&weights(&story::book(&[text]), &w), &numbers(&golden("w_shape")[name]), name);
    }
}

#[test]
fn time_decay_halves_by_the_week_however_old_the_journey() {
    let decay = Model::builtin("time_decay").unwrap();
    for name in ["time_decay_4_touch", "time_decay_underflow"] {
        let case = golden(name);
        let ages = numbers(&case["age_days"]);
        assert_eq!(case["half_life"], decay.spec().half_life_days.unwrap());
        let touches: Vec<String> = ages.iter().map(|age| format!("a@{}", 30_000.0 - age)).collect();
        let text = format!("{} | close=30000", touches.join(" "));
        assert_close(&weights(&story::book(&[&text]), &decay), &numbers(&case["weights"]), name);
    }
}

fn golden_paths(name: &str) -> Vec<Path> {
    let case = golden(name);
    let rows = case["paths"].as_array().unwrap();
    let path = |row: &Value| Path {
        steps: row[0].as_array().unwrap().iter().map(|step| step.as_str().unwrap().to_owned()).collect(),
        conversions: row[1].as_f64().unwrap(),
        value: row[2].as_f64().unwrap(),
        nulls: row[3].as_f64().unwrap(),
    };
    rows.iter().map(path).collect()
}

#[test]
fn linear_over_paths_with_values_and_repeats() {
    let rows = paths::attribute(&golden_paths("values_and_repeats"), &story::model("linear")).unwrap().rows;
    let theirs = &golden("values_and_repeats")["linear"];
    assert_eq!(rows.len(), 3);
    for row in rows {
        let expected = [theirs["conv"][&row.key].as_f64(), theirs["value"][&row.key].as_f64()];
        assert_close(&[row.conversions, row.value], &expected.map(Option::unwrap), &row.key);
    }
}

#[test]
fn linear_over_deals_with_values_and_repeats() {
    // The same paths as deals: two of 10.00, one of 5.00, one of 40.00, and what was never won.
    let won = ["a@1 b@2 | close=9 usd=10.00", "a@1 b@2 | close=9 usd=10.00", "b@1 | close=9 usd=5.00"];
    let rest = ["a@1 a@2 c@3 b@4 | close=9 usd=40.00", "a@1 b@2 | close=9 lost usd=7.00", "c@1 | open"];
    let book = story::book(&[&won[..], &rest[..]].concat());
    let found = journeys(&book, &policy());
    let credit = attribute(&found, &story::model("linear"), By::Channel, &Rates::default(), Currency::USD);
    assert_eq!(credit.rows.len(), 3);
    for row in credit.rows {
        let theirs = golden("values_and_repeats")["linear"]["value"][row.key.unwrap()].as_f64().unwrap();
        assert_eq!(Money::new(row.credit_minor, Currency::USD).to_string(), format!("{theirs:.2} USD"));
    }
}

#[test]
fn three_paths_by_hand() {
    for (model, expected) in
        [("first", [1.0, 0.0, 0.0]), ("last", [0.0, 0.0, 1.0]), ("linear", [1.0 / 3.0; 3])]
    {
        let rows = paths::attribute(&golden_paths("three_paths"), &story::model(model)).unwrap().rows;
        for (step, expected) in ["C1", "C2", "C3"].iter().zip(expected) {
            let row = rows.iter().find(|row| row.key == *step).unwrap();
            assert_close(&[row.conversions, row.value], &[expected; 2], step);
        }
    }
}
