//! `tributary paths` against the golden tables, and its manners.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::{folder, tributary};

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/golden/toy.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the golden file is there"))
        .expect("it is JSON")
}

/// A golden case's paths as a file.
fn file_of(case: &Value) -> String {
    let mut text = "path,conversions,value,nulls\n".to_owned();
    for row in case["paths"].as_array().expect("a case has paths") {
        let steps: Vec<&str> = row[0].as_array().expect("steps").iter().filter_map(Value::as_str).collect();
        writeln!(text, "{},{},{},{}", steps.join(" > "), row[1], row[2], row[3])
            .expect("a text can be written");
    }
    text
}

/// What each key gets under a model.
fn credit(folder: &Path, text: &str, model: &str, key: &str) -> (f64, f64) {
    std::fs::write(folder.join("paths.csv"), text).expect("it may be written");
    let ran = tributary(folder, &["paths", "paths.csv", "--model", model, "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let answer: Value = serde_json::from_str(&ran.stdout).expect("stdout is JSON");
    let rows = answer["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("no {key} in {answer}"));
    (row["conversions"].as_f64().expect("a number"), row["value"].as_f64().expect("a number"))
}

#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-12, "{what}: {found}, expected {expected}");
}

#[test]
fn linear_credit_over_values_and_repeats_is_the_golden_one() {
    let (golden, folder) = (golden(), folder());
    let case = &golden["values_and_repeats"];
    let expected = case["linear"]["conv"].as_object().unwrap();
    for (key, conversions) in expected {
        let found = credit(folder.path(), &file_of(case), "linear", key);
        assert_close(found.0, conversions.as_f64().unwrap(), key);
        assert_close(found.1, case["linear"]["value"][key].as_f64().unwrap(), key);
    }
}

#[test]
fn models_that_learn_give_the_golden_credit() {
    let (golden, folder) = (golden(), folder());
    let case = &golden["values_and_repeats"];
    for (model, expected) in [
        ("markov", &case["markov"]["1"]["conversions"]),
        ("markov_2", &case["markov"]["2"]["conversions"]),
        ("shapley", &case["shapley"]),
    ] {
        for (key, conversions) in expected.as_object().unwrap() {
            let found = credit(folder.path(), &file_of(case), model, key);
            assert_close(found.0, conversions.as_f64().unwrap(), &format!("{model} {key}"));
        }
    }
}

#[test]
fn every_golden_position_is_had_from_a_model_of_ones_own() {
    let (golden, folder) = (golden(), folder());
    let cases = golden["position"].as_object().unwrap();
    let mut checked = 0;
    for (name, weights) in cases.iter().filter(|(name, _)| name.ends_with(" proportional")) {
        let shares: Vec<&str> = name.split(' ').nth(1).unwrap().split('/').collect();
        let model = format!(
            "[models.own]\nweights = {{ first = {}, last = {} }}\nrest = {}\n",
            shares[0], shares[2], shares[1]
        );
        std::fs::write(folder.path().join("tributary.toml"), model).unwrap();
        let weights = weights.as_array().unwrap();
        let steps: Vec<String> = (0..weights.len()).map(|step| format!("s{step}")).collect();
        let text = format!("path,conversions\n{},1\n", steps.join(" > "));
        for (step, weight) in steps.iter().zip(weights) {
            assert_close(credit(folder.path(), &text, "own", step).0, weight.as_f64().unwrap(), name);
            checked += 1;
        }
    }
    assert_eq!(checked, 33);
}

#[test]
fn problems_go_to_stderr_with_their_line_and_the_rest_counts() {
    let folder = folder();
    std::fs::write(
        folder.path().join("p.csv"),
        "path,conversions,value\na > b,1,10\n,1,1\na,,5\n(start),1,2\n",
    )
    .unwrap();
    let ran = tributary(folder.path(), &["paths", "p.csv", "--format", "csv"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_eq!(
        ran.stdout,
        "model,key,conversions,value,share\nlinear,(start),1,2,0.5\nlinear,a,0.5,5,0.25\nlinear,b,0.5,5,0.25\n"
    );
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("p.csv:3: ") && lines[1].starts_with("p.csv:4: "), "{}", ran.stderr);
}

#[test]
fn a_model_that_needs_a_clock_is_refused_with_a_way_out() {
    let folder = folder();
    std::fs::write(folder.path().join("p.csv"), "path,conversions\na,1\n").unwrap();
    let ran = tributary(folder.path(), &["paths", "p.csv", "--model", "time_decay"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("needs the time of each touch"), "{}", ran.stderr);
    let ran = tributary(folder.path(), &["paths", "none.csv"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
}
