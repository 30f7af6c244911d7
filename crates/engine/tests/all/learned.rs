//! Books of paths in words, and what every data-driven model owes: the laws, and the inputs that others trip over.

use proptest::prelude::*;
use serde_json::Value;
use tributary_engine::learn::{Credit, LearnError, Learned, Method};
use tributary_engine::paths::{Path, Paths, Steps};

/// `a > b = 2/20/1` is a path with 2 conversions worth 20 together, and 1 null.
pub(crate) fn rows(texts: &[&str]) -> Vec<Path> {
    let read = |text: &&str| {
        let (steps, outcome) = text.split_once(" = ").unwrap();
        let numbers: Vec<f64> = outcome.split('/').map(|number| number.parse().unwrap()).collect();
        Path {
            steps: steps.split(" > ").map(str::to_owned).collect(),
            conversions: numbers[0],
            value: numbers[1],
            nulls: numbers[2],
        }
    };
    texts.iter().map(read).collect()
}

pub(crate) fn paths(texts: &[&str]) -> Paths {
    Paths::of_rows(&rows(texts))
}

/// A case of the reference numbers, computed outside this project.
pub(crate) fn golden(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../golden/toy.json")).unwrap();
    all[name].clone()
}

/// The paths of a golden case.
pub(crate) fn golden_paths(case: &Value) -> Paths {
    let row = |row: &Value| Path {
        steps: row[0].as_array().unwrap().iter().map(|step| step.as_str().unwrap().to_owned()).collect(),
        conversions: row[1].as_f64().unwrap(),
        value: row[2].as_f64().unwrap(),
        nulls: row[3].as_f64().unwrap(),
    };
    Paths::of_rows(&case["paths"].as_array().unwrap().iter().map(row).collect::<Vec<_>>())
}

/// Compares one number of each key with a golden object by key.
#[track_caller]
pub(crate) fn assert_golden(
    paths: &Paths,
    credit: &[Credit],
    number: impl Fn(&Credit) -> f64,
    theirs: &Value,
    tolerance: f64,
) {
    let theirs = theirs.as_object().unwrap();
    assert_eq!(theirs.len(), credit.len());
    for (key, ours) in paths.walked.keys.iter().zip(credit) {
        let (key, ours) = (key.as_deref().unwrap(), number(ours));
        let wanted = theirs[key].as_f64().unwrap();
        assert!((ours - wanted).abs() <= tolerance * wanted.abs().max(1.0), "{key}: {ours}, not {wanted}");
    }
}

pub(crate) fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// Paths over a few keys, with outcomes that are no round numbers.
pub(crate) fn any_rows(keys: usize) -> impl Strategy<Value = Vec<Path>> {
    let step = (0..keys).prop_map(|key| char::from(b'a' + key as u8).to_string());
    let outcome = (0..4_u32, 0..4_u32, -200..2000_i32);
    let row = (prop::collection::vec(step, 1..7), outcome).prop_map(|(steps, (won, lost, value))| {
        let conversions = f64::from(won) * 0.7;
        let value = if won == 0 { 0.0 } else { f64::from(value) * 0.013 };
        Path { steps, conversions, value, nulls: f64::from(lost) * 0.3 }
    });
    prop::collection::vec(row, 1..14)
}

/// Every method that learns from a file, fast enough for laws.
pub(crate) fn methods() -> Vec<Method> {
    let names = Method::names().iter().filter(|name| **name != "hazard");
    names.map(|name| Method::builtin(name).unwrap()).collect()
}

/// All bits that a fitted model gives for its paths.
fn bits(fitted: &dyn Learned, rows: &[Path], paths: &Paths) -> Vec<u64> {
    let credit = fitted.credit().iter().flat_map(|it| [it.effect, it.conversions, it.value]);
    let mut out: Vec<u64> = credit.map(f64::to_bits).collect();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| rows[*a].steps.cmp(&rows[*b].steps));
    let mut weights = Vec::new();
    for path in order {
        let steps = paths.walked.steps(path);
        fitted.weigh(steps, &mut weights);
        out.push(fitted.probability(steps).to_bits());
        out.extend(weights.iter().map(|weight| weight.to_bits()));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn credit_adds_up_to_what_was_won_or_nothing_has_an_effect(rows in any_rows(5)) {
        let paths = Paths::of_rows(&rows);
        let total = |column: &[f64]| column.iter().sum::<f64>();
        for method in methods() {
            let Ok(fitted) = method.fit(&paths) else { continue };
            let (mut conversions, mut value) = (0.0, 0.0);
            for credit in fitted.credit() {
                prop_assert!(credit.conversions >= 0.0, "{method:?}: {credit:?}");
                conversions += credit.conversions;
                value += credit.value;
            }
            if fitted.credit().iter().any(|credit| credit.conversions > 0.0) {
                prop_assert!(close(conversions, total(&paths.conversions)), "{method:?}: {conversions}");
                prop_assert!(close(value, total(&paths.value)), "{method:?}: {value}");
            }
        }
    }

    #[test]
    fn the_order_of_the_paths_changes_no_bit(
        (rows, shuffled) in (1..6_usize)
            .prop_flat_map(any_rows)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        let (one, other) = (Paths::of_rows(&rows), Paths::of_rows(&shuffled));
        for method in methods() {
            match (method.fit(&one), method.fit(&other)) {
                (Ok(fitted), Ok(again)) => prop_assert_eq!(
                    bits(&*fitted, &rows, &one),
                    bits(&*again, &shuffled, &other),
                    "{:?}", method
                ),
                (one, other) => prop_assert_eq!(one.err(), other.err(), "{:?}", method),
            }
        }
    }

    #[test]
    fn weights_are_shares_and_probabilities_are_between_0_and_1(rows in any_rows(5)) {
        let paths = Paths::of_rows(&rows);
        let mut weights = Vec::new();
        for method in methods() {
            let Ok(fitted) = method.fit(&paths) else { continue };
            for steps in paths.walked.all() {
                fitted.weigh(steps, &mut weights);
                prop_assert_eq!(weights.len(), steps.keys.len());
                prop_assert!(weights.iter().all(|weight| *weight >= 0.0));
                let sum: f64 = weights.iter().sum();
                prop_assert!(close(sum, 1.0) || sum == 0.0, "{:?}: {:?}", method, weights);
                for end in 0..=steps.keys.len() {
                    let probability = fitted.probability(Steps { keys: &steps.keys[..end], ..steps });
                    prop_assert!((0.0..=1.0).contains(&probability), "{:?}: {}", method, probability);
                }
            }
        }
    }

    #[test]
    fn a_key_on_no_path_that_converted_gets_nothing(rows in any_rows(4)) {
        let mut rows = rows;
        // Where credit notes come, a key that makes them rarer is worth something.
        for row in &mut rows {
            row.value = row.value.abs();
        }
        // At the end: in a chain that forgets, who goes on from z to a may convert there.
        rows.extend(self::rows(&["z = 0/0/2", "a > z = 0/0/1"]));
        let paths = Paths::of_rows(&rows);
        for method in methods() {
            let Ok(fitted) = method.fit(&paths) else { continue };
            let last = fitted.credit().last().unwrap();
            prop_assert_eq!((last.conversions, last.value), (0.0, 0.0), "{:?}", method);
        }
    }
}

#[test]
fn nothing_converted_is_said_and_not_divided_by() {
    for method in methods() {
        let fitted = method.fit(&paths(&["a > b = 0/0/3", "a = 0/0/1"]));
        assert_eq!(fitted.err(), Some(LearnError::NoConversions), "{method:?}");
        assert_eq!(method.fit(&Paths::of_rows(&[])).err(), Some(LearnError::NoConversions), "{method:?}");
    }
}

#[test]
fn everything_converted_is_credited_or_refused_in_words() {
    for method in methods() {
        match method.fit(&paths(&["a > b = 2/9/0", "b = 1/3/0"])) {
            Ok(fitted) => {
                let sum: f64 = fitted.credit().iter().map(|credit| credit.conversions).sum();
                assert!(close(sum, 3.0), "{method:?}: {sum}");
            }
            Err(error) => assert_eq!(error, LearnError::NoNulls, "{method:?}"),
        }
    }
}

#[test]
fn names_are_only_names_and_a_negative_value_is_carried() {
    let book = paths(&["(start) > ü, \"q\" = 2/-30/1", "(null) = 1/10/4", "ü, \"q\" > (start) = 1/1/2"]);
    for method in methods() {
        let fitted = method.fit(&book).unwrap();
        let credit = fitted.credit();
        let sum = |number: fn(&Credit) -> f64| credit.iter().map(number).sum::<f64>();
        assert!(close(sum(|it| it.conversions), 4.0), "{method:?}: {credit:?}");
        assert!(close(sum(|it| it.value), -19.0), "{method:?}: {credit:?}");
    }
}

#[test]
fn paths_that_a_resampling_leaves_out_leave_no_trace() {
    let texts = ["a > b = 2/9/1", "b = 1/3/2", "a > c > a = 1/1/3", "c = 0/0/4"];
    let (some, all) = (paths(&[texts[0], texts[1], texts[3]]), paths(&texts));
    let resampled = all.weighted(|path| if path == 2 { 0.0 } else { 1.0 });
    for method in methods() {
        assert_eq!(
            method.fit(&some).unwrap().credit(),
            method.fit(&resampled).unwrap().credit(),
            "{method:?}"
        );
    }
}

#[test]
fn a_built_in_method_is_known_by_its_name_and_an_unknown_option_is_refused() {
    for name in Method::names() {
        let method = Method::builtin(name).unwrap();
        let mut told = serde_json::to_value(&method).unwrap();
        assert_eq!(serde_json::from_value::<Method>(told.clone()).unwrap(), method);
        assert!(name.starts_with(told["method"].as_str().unwrap()), "{name}: {told}");
        told["strange"] = 1.into();
        assert!(serde_json::from_value::<Method>(told).is_err(), "{name}");
    }
    for name in Method::names().iter().filter(|name| !name.starts_with("markov_")) {
        let method: Method = serde_json::from_value(serde_json::json!({ "method": name })).unwrap();
        assert_eq!(Method::builtin(name), Some(method));
    }
    assert_eq!(Method::builtin("linear"), None);
}
