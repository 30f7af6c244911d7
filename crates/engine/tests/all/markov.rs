//! The Markov removal effect: reference numbers computed outside this project, and what holds for any paths.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;
use tributary_engine::learn::markov::{Fitted, Markov, Nulls, Removal, States};
use tributary_engine::learn::{Credit, LearnError, Learned, Method, Remark};
use tributary_engine::paths::{Path, Paths, Steps};

fn path(text: &str, conversions: f64, value: f64, nulls: f64) -> Path {
    Path { steps: text.split(' ').map(str::to_owned).collect(), conversions, value, nulls }
}

fn golden(name: &str) -> (Vec<Path>, Value) {
    let all: Value = serde_json::from_str(include_str!("../golden/toy.json")).unwrap();
    let case = all[name].clone();
    let number = |value: &Value| value.as_f64().unwrap();
    let steps =
        |row: &Value| row[0].as_array().unwrap().iter().map(|it| it.as_str().unwrap().into()).collect();
    let row = |row: &Value| Path {
        steps: steps(row),
        conversions: number(&row[1]),
        value: number(&row[2]),
        nulls: number(&row[3]),
    };
    (case["paths"].as_array().unwrap().iter().map(row).collect(), case)
}

/// Credit by key.
fn told(paths: &Paths, credit: &[Credit]) -> BTreeMap<String, Credit> {
    let names = paths.walked.keys.iter().map(|key| key.clone().unwrap());
    names.zip(credit.iter().copied()).collect()
}

fn credit(rows: &[Path], spec: Markov) -> BTreeMap<String, Credit> {
    let paths = Paths::of_rows(rows);
    told(&paths, spec.fit(&paths).unwrap().credit())
}

fn close(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-11 * theirs.abs().max(1.0)
}

#[track_caller]
fn check_golden(rows: &[Path], spec: Markov, expected: &Value) {
    let paths = Paths::of_rows(rows);
    let fitted = spec.fit(&paths).unwrap();
    assert!(close(fitted.conversion_rate(), expected["p_conv"].as_f64().unwrap()), "{spec:?}");
    let credit = told(&paths, fitted.credit());
    assert_eq!(credit.len(), expected["conversions"].as_object().unwrap().len());
    for (key, ours) in &credit {
        let theirs = |column: &str| expected[column][key].as_f64().unwrap();
        assert!(close(ours.effect, theirs("removal_conv")), "{spec:?} {key}: {ours:?}, not {expected}");
        assert!(close(ours.conversions, theirs("conversions")), "{spec:?} {key}: {ours:?}, not {expected}");
        assert!(close(ours.value, theirs("value")), "{spec:?} {key}: {ours:?}, not {expected}");
    }
}

#[test]
fn every_order_kind_of_state_and_use_of_null_paths_is_as_computed_elsewhere() {
    let (rows, case) = golden("values_and_repeats");
    for order in [1, 2] {
        check_golden(&rows, Markov::of_order(order), &case["markov"][order.to_string()]);
    }
    check_golden(&rows, Markov { nulls: Nulls::Omitted, ..Markov::default() }, &case["markov_nonull"]);
    check_golden(&rows, Markov { states: States::Prefix, ..Markov::of_order(2) }, &case["markov_prefix2"]);
    let (rows, case) = golden("three_paths");
    check_golden(&rows, Markov::default(), &case["markov_o1"]);
}

#[test]
fn two_channels_by_hand() {
    let rows = [
        path("g", 2.0, 0.0, 0.0),
        path("m", 1.0, 0.0, 0.0),
        path("g m", 1.0, 0.0, 0.0),
        path("g", 0.0, 0.0, 1.0),
    ];
    let paths = Paths::of_rows(&rows);
    let fitted = Markov::default().fit(&paths).unwrap();
    assert!(close(fitted.conversion_rate(), 0.8));
    assert!(close(fitted.credit()[0].conversions, 12.0 / 5.0), "{:?}", fitted.credit());
    assert!(close(fitted.credit()[1].conversions, 8.0 / 5.0), "{:?}", fitted.credit());
}

/// Effects of `a` and `b` under each removal: 2 of 4 conversions have `a`, and 1 has nothing else.
#[test]
fn each_removal_is_another_number_by_hand() {
    let rows = [path("a", 1.0, 0.0, 2.0), path("b", 2.0, 0.0, 1.0), path("a b", 1.0, 0.0, 1.0)];
    for (removal, [a, b]) in [
        // a: f 5/8, h 1/5 + 2/5·3/5 = 11/25, p 1/2; b: 1 − (5/8·1/5)/(1/2), and b is visited 5 times of which 3 convert.
        (Removal::Redirect, [0.55, 0.75]),
        (Removal::Drop, [2.0 / 4.0, 3.0 / 4.0]),
        (Removal::Refit, [1.0 - (2.0 / 5.0) / 0.5, 1.0 - (1.0 / 5.0) / 0.5]),
        (Removal::Detour, [1.0 - (3.0 / 5.0) / 0.5, 1.0 - (2.0 / 5.0) / 0.5]),
    ] {
        let credit = credit(&rows, Markov { removal, ..Markov::default() });
        assert!(close(credit["a"].effect, a), "{removal:?} a: {credit:?}");
        assert!(close(credit["b"].effect, b), "{removal:?} b: {credit:?}");
    }
}

#[test]
fn a_negative_effect_is_shown_and_earns_nothing() {
    let rows = [path("a", 1.0, 0.0, 2.0), path("b", 2.0, 0.0, 1.0), path("a b", 1.0, 0.0, 1.0)];
    let credit = credit(&rows, Markov { removal: Removal::Detour, ..Markov::default() });
    assert!(credit["a"].effect < 0.0, "{credit:?}");
    assert_eq!((credit["a"].conversions, credit["b"].conversions), (0.0, 4.0));
}

fn error(rows: &[Path], spec: Markov) -> String {
    spec.fit(&Paths::of_rows(rows)).unwrap_err().to_string()
}

#[test]
fn results_name_the_removal() {
    let paths = Paths::of_rows(&[path("a", 1.0, 0.0, 2.0)]);
    for (removal, named) in [
        (Removal::Redirect, "redirect"),
        (Removal::Drop, "drop"),
        (Removal::Refit, "refit"),
        (Removal::Detour, "detour"),
    ] {
        let remarks = Markov { removal, ..Markov::default() }.fit(&paths).unwrap().remarks();
        assert_eq!(remarks[0], Remark::Removed { removal });
        assert!(remarks[0].to_string().starts_with(&format!("removal = {named}: ")), "{remarks:?}");
        assert_eq!(serde_json::to_value(removal).unwrap(), named);
    }
}

#[test]
fn what_can_not_be_learned_from_is_refused_by_name() {
    let none = [path("a", 0.0, 0.0, 1.0)];
    assert_eq!(Markov::default().fit(&Paths::of_rows(&none)).unwrap_err(), LearnError::NoConversions);
    assert_eq!(Markov::default().fit(&Paths::of_rows(&[])).unwrap_err(), LearnError::NoConversions);
    let all = [path("a", 1.0, 0.0, 0.0)];
    let detour = Markov { removal: Removal::Detour, ..Markov::default() };
    assert_eq!(detour.fit(&Paths::of_rows(&all)).unwrap_err(), LearnError::NoNulls);
    assert_eq!(error(&all, Markov::of_order(0)), "order 0 is not one of 1, 2, 3 and 4");
    assert_eq!(error(&all, Markov::of_order(5)), "order 5 is not one of 1, 2, 3 and 4");
    let steps: Vec<String> = (0..70_000).map(|step| step.to_string()).collect();
    assert_eq!(
        error(&[path(&steps.join(" "), 1.0, 0.0, 0.0)], Markov::of_order(4)),
        "70000 keys are too many for order 4; choose a lower order, or a dimension with fewer keys"
    );
}

#[test]
fn all_may_convert_and_a_channel_may_be_called_as_a_start_a_conversion_or_a_null() {
    let rows = [path("(start) (conversion)", 3.0, 30.0, 0.0), path("(null)", 1.0, 10.0, 0.0)];
    for order in 1..=4 {
        let credit = credit(&rows, Markov::of_order(order));
        let effects: Vec<f64> = credit.values().map(|credit| credit.effect).collect();
        assert!(
            effects.iter().zip([0.75, 0.25, 0.75]).all(|(a, b)| close(*a, b)),
            "order {order}: {credit:?}"
        );
    }
}

#[test]
fn credit_notes_are_split_apart_from_gains_so_that_value_never_runs_away() {
    let rows = [path("a", 1.0, 100.0, 0.0), path("b", 1.0, -99.0, 0.0), path("a b", 1.0, 0.0, 5.0)];
    let credit = credit(&rows, Markov::default());
    // Gains end at a alone, losses at b alone, to which half of them came by way of a.
    assert!(close(credit["a"].value + credit["b"].value, 1.0), "{credit:?}");
    assert!(credit.values().all(|credit| credit.value.abs() <= 100.0), "{credit:?}");
    assert!(credit["a"].value > 0.0 && credit["b"].value < 0.0, "{credit:?}");
}

#[test]
fn one_conversion_is_split_by_the_effects_of_its_distinct_keys_evenly_over_each_ones_steps() {
    let (rows, _) = golden("values_and_repeats");
    let fitted = Markov::default().fit(&Paths::of_rows(&rows)).unwrap();
    let mut weights = Vec::new();
    fitted.weigh(Steps { keys: &[0, 0, 2, 1], ages_days: &[], about: None }, &mut weights);
    let whole = 0.4 + 1.0 + 0.125;
    assert!(weights.iter().zip([0.2, 0.2, 0.125, 1.0]).all(|(a, b)| close(*a, b / whole)), "{weights:?}");
}

fn probability(fitted: &Fitted, keys: &[u32]) -> f64 {
    fitted.probability(Steps { keys, ages_days: &[], about: None })
}

#[test]
fn the_more_often_a_past_was_seen_the_less_shorter_pasts_count() {
    let rows = [path("a b", 0.0, 0.0, 99.0), path("b", 99.0, 0.0, 0.0), path("c b", 1.0, 0.0, 1.0)];
    let two = Markov { states: States::Prefix, ..Markov::of_order(2) }.fit(&Paths::of_rows(&rows)).unwrap();
    // 200 paths, half of them convert; b was seen 200 times with h 1/2.
    assert!(close(probability(&two, &[]), 0.5));
    assert!(close(probability(&two, &[0, 1]), 0.5 / 100.0), "{}", probability(&two, &[0, 1]));
    assert!(close(probability(&two, &[1]), (99.0 + 0.5) / 100.0));
    assert!(close(probability(&two, &[2, 1]), 0.5));
    assert!(close(probability(&two, &[1, 1]), 0.5), "never seen: as b");
    assert!(
        close(probability(&two, &[0, 7, 1]), probability(&two, &[1])),
        "what is before an unknown key is not read"
    );
    let one = Markov::default().fit(&Paths::of_rows(&rows)).unwrap();
    assert!(close(probability(&one, &[0, 1]), 0.5), "order 1 looks at b alone");
}

#[test]
fn a_window_that_a_path_has_not_filled_yet_stands_for_all_paths_that_begin_so() {
    let rows = [path("a", 0.0, 0.0, 49.0), path("a b", 50.0, 0.0, 0.0), path("b", 0.0, 0.0, 1.0)];
    let two = Markov::of_order(2).fit(&Paths::of_rows(&rows)).unwrap();
    // a: the short state a, never; then the 99 that begin with a, of which 50 convert.
    let tail = (0.0 + 0.5) / 50.0;
    assert!(close(probability(&two, &[0]), (50.0 + tail) / 100.0), "{}", probability(&two, &[0]));
}

#[test]
fn the_method_of_a_name_is_the_markov_chain_of_that_order() {
    for (name, order) in [("markov", 1), ("markov_2", 2), ("markov_3", 3), ("markov_4", 4)] {
        assert_eq!(Method::builtin(name), Some(Method::Markov(Markov::of_order(order))));
    }
    let read = |text: &str| serde_json::from_str::<Method>(text);
    let spec = Markov { order: 2, removal: Removal::Drop, ..Markov::default() };
    assert_eq!(read(r#"{"method": "markov", "order": 2, "removal": "drop"}"#).unwrap(), Method::Markov(spec));
    assert!(read(r#"{"method": "markov", "orders": 2}"#).is_err());
}

/// A chain by the book: states are texts, and each removal is carried out and the chain solved anew.
mod by_the_book {
    use super::*;

    type State = Vec<String>;

    pub(super) struct Book {
        states: Vec<State>,
        starts: Vec<f64>,
        steps: Vec<Vec<f64>>,
        conversions: Vec<f64>,
        value: Vec<f64>,
    }

    fn states_of(steps: &[String], spec: Markov) -> Vec<State> {
        let order = usize::from(spec.order);
        if spec.states == States::Prefix {
            return (0..steps.len())
                .map(|place| steps[(place + 1).saturating_sub(order)..=place].to_vec())
                .collect();
        }
        if steps.len() < order {
            return vec![steps.to_vec()];
        }
        let mut states: Vec<State> = steps.windows(order).map(<[String]>::to_vec).collect();
        states.dedup();
        states
    }

    impl Book {
        pub(super) fn new(rows: &[Path], spec: Markov) -> Self {
            let mut walks = Vec::new();
            for row in rows {
                let nulls = if spec.nulls == Nulls::Counted { row.nulls } else { 0.0 };
                if row.conversions + nulls > 0.0 {
                    walks.push((states_of(&row.steps, spec), row.conversions, row.value, nulls));
                }
            }
            let states: BTreeSet<&State> = walks.iter().flat_map(|walk| &walk.0).collect();
            let states: Vec<State> = states.into_iter().cloned().collect();
            let count = states.len();
            let at = |state: &State| states.binary_search(state).unwrap();
            let begun: f64 = walks.iter().map(|walk| walk.1 + walk.3).sum();
            let (mut starts, mut steps) = (vec![0.0; count], vec![vec![0.0; count]; count]);
            let (mut conversions, mut value, mut visits) =
                (vec![0.0; count], vec![0.0; count], vec![0.0; count]);
            for (walked, converted, worth, nulls) in &walks {
                let times = converted + nulls;
                starts[at(&walked[0])] += times / begun;
                for pair in walked.windows(2) {
                    steps[at(&pair[0])][at(&pair[1])] += times;
                }
                for state in walked {
                    visits[at(state)] += times;
                }
                let last = at(walked.last().unwrap());
                conversions[last] += converted;
                value[last] += worth;
            }
            for state in 0..count {
                steps[state].iter_mut().for_each(|count| *count /= visits[state]);
                conversions[state] /= visits[state];
                value[state] /= visits[state];
            }
            Self { states, starts, steps, conversions, value }
        }

        /// Conversions and value that a start brings if nobody gets past states with a key.
        pub(super) fn without(&self, key: Option<&String>) -> (f64, f64) {
            let count = self.states.len();
            let kept = |state: usize| key.is_none_or(|key| !self.states[state].contains(key));
            let mut matrix: Vec<Vec<f64>> = (0..count)
                .map(|from| {
                    let step = |to: usize| {
                        f64::from(u8::from(from == to)) - if kept(to) { self.steps[from][to] } else { 0.0 }
                    };
                    (0..count).map(step).chain([self.conversions[from], self.value[from]]).collect()
                })
                .collect();
            for pivot in 0..count {
                let best =
                    (pivot..count).max_by(|a, b| matrix[*a][pivot].abs().total_cmp(&matrix[*b][pivot].abs()));
                matrix.swap(pivot, best.unwrap());
                let lead = matrix[pivot].clone();
                for (row, values) in matrix.iter_mut().enumerate() {
                    let factor = values[pivot] / lead[pivot];
                    if row != pivot && factor != 0.0 {
                        values.iter_mut().zip(&lead).for_each(|(value, lead)| *value -= factor * lead);
                    }
                }
            }
            let solved = |column: usize| {
                let state = |state: usize| {
                    if kept(state) {
                        self.starts[state] * matrix[state][column] / matrix[state][state]
                    } else {
                        0.0
                    }
                };
                (0..count).map(state).sum()
            };
            (solved(count), solved(count + 1))
        }
    }

    /// The paths once a key is removed.
    fn removed(rows: &[Path], key: &String, removal: Removal) -> Vec<Path> {
        let mut out = Vec::new();
        for row in rows {
            let mut row = row.clone();
            if row.steps.contains(key) {
                if removal != Removal::Detour {
                    row.nulls += row.conversions;
                    (row.conversions, row.value) = (0.0, 0.0);
                }
                if removal != Removal::Drop {
                    row.steps.retain(|step| step != key);
                }
            }
            if !row.steps.is_empty() {
                out.push(row);
            }
        }
        out
    }

    /// Removal effects on conversions and value.
    pub(super) fn effect(rows: &[Path], key: &String, spec: Markov) -> (f64, f64) {
        let book = Book::new(rows, spec);
        let (all, worth) = book.without(None);
        let (left, left_worth) = if spec.removal == Removal::Redirect {
            book.without(Some(key))
        } else {
            // What was omitted stays so; what no longer converts counts.
            let counted: Vec<Path> = rows
                .iter()
                .filter(|row| spec.nulls == Nulls::Counted || row.conversions > 0.0)
                .map(|row| Path {
                    nulls: if spec.nulls == Nulls::Counted { row.nulls } else { 0.0 },
                    ..row.clone()
                })
                .collect();
            Book::new(&removed(&counted, key, spec.removal), Markov { nulls: Nulls::Counted, ..spec })
                .without(None)
        };
        (1.0 - left / all, if worth > 0.0 { 1.0 - left_worth / worth } else { 0.0 })
    }
}

fn rows() -> impl Strategy<Value = Vec<Path>> {
    let key = prop::sample::select(vec!["a", "b", "c", "d", "e"]);
    let steps = prop::collection::vec(key, 1..9);
    let row = (steps, 0..4_u32, 0..1000_u32, 0..4_u32).prop_map(|(steps, conversions, value, nulls)| {
        let value = if conversions > 0 { f64::from(value) / 100.0 } else { 0.0 };
        Path {
            steps: steps.into_iter().map(str::to_owned).collect(),
            conversions: f64::from(conversions),
            value,
            nulls: f64::from(nulls),
        }
    });
    let some = |rows: &Vec<Path>| rows.iter().any(|row| row.conversions > 0.0);
    prop::collection::vec(row, 1..14).prop_filter("something converts", some)
}

fn specs() -> impl Strategy<Value = Markov> {
    let removals = vec![Removal::Redirect, Removal::Redirect, Removal::Drop, Removal::Refit, Removal::Detour];
    let states = prop::sample::select(vec![States::Windows, States::Prefix]);
    let nulls = prop::sample::select(vec![Nulls::Counted, Nulls::Omitted]);
    let parts = (1..=4_u8, states, prop::sample::select(removals), nulls);
    parts.prop_map(|(order, states, removal, nulls)| Markov { order, states, removal, nulls })
}

proptest! {
    #[test]
    fn every_effect_is_what_removing_the_key_and_solving_anew_gives(rows in rows(), spec in specs()) {
        let paths = Paths::of_rows(&rows);
        let fitted = match spec.fit(&paths) {
            Err(LearnError::NoNulls) if spec.removal == Removal::Detour => return Ok(()),
            fitted => fitted.unwrap(),
        };
        let worth: f64 = rows.iter().map(|row| row.value).sum();
        let walked = |key: &String| rows.iter().any(|row| {
            row.steps.contains(key) && (row.conversions > 0.0 || spec.nulls == Nulls::Counted && row.nulls > 0.0)
        });
        let effects: Vec<(f64, f64)> = paths.walked.keys.iter().map(|key| {
            let key = key.as_ref().unwrap();
            if walked(key) { by_the_book::effect(&rows, key, spec) } else { (0.0, 0.0) }
        }).collect();
        let whole: f64 = effects.iter().map(|effect| effect.1.max(0.0)).sum();
        for (credit, (effect, value)) in fitted.credit().iter().zip(&effects) {
            prop_assert!((credit.effect - effect).abs() < 1e-10, "{:?}: {:?}, not {:?}", spec, fitted.credit(), effects);
            if whole > 1e-6 {
                let share = value.max(0.0) / whole;
                prop_assert!((credit.value / worth - share).abs() < 1e-9, "{:?}: {:?}, not {:?}", spec, fitted.credit(), effects);
            }
        }
    }

    #[test]
    fn the_base_probability_is_conversions_over_starts(rows in rows(), spec in specs()) {
        let (solved, _) = by_the_book::Book::new(&rows, spec).without(None);
        let spec = Markov { removal: Removal::Redirect, ..spec };
        let fitted = spec.fit(&Paths::of_rows(&rows)).unwrap();
        prop_assert!((fitted.conversion_rate() - solved).abs() < 1e-12, "{} {solved}", fitted.conversion_rate());
    }

    #[test]
    fn credit_adds_up_to_conversions_and_value(rows in rows(), spec in specs()) {
        let spec = Markov { removal: if spec.removal == Removal::Drop { Removal::Drop } else { Removal::Redirect }, ..spec };
        let fitted = spec.fit(&Paths::of_rows(&rows)).unwrap();
        let sum = |of: &dyn Fn(&Credit) -> f64| fitted.credit().iter().map(of).sum::<f64>();
        prop_assert!(close(sum(&|credit| credit.conversions), rows.iter().map(|row| row.conversions).sum()));
        prop_assert!(close(sum(&|credit| credit.value), rows.iter().map(|row| row.value).sum()));
    }

    #[test]
    fn an_order_as_long_as_the_longest_path_is_the_share_of_conversions_with_the_key(rows in rows()) {
        let rows: Vec<Path> =
            rows.into_iter().map(|row| Path { steps: row.steps[..row.steps.len().min(4)].to_vec(), ..row }).collect();
        let effects = |spec: Markov| credit(&rows, spec).into_values().map(|credit| credit.effect);
        let long = effects(Markov { states: States::Prefix, ..Markov::of_order(4) });
        for (long, present) in long.zip(effects(Markov { removal: Removal::Drop, ..Markov::default() })) {
            prop_assert!((long - present).abs() < 1e-11, "{long} {present}");
        }
    }

    #[test]
    fn the_order_of_paths_changes_no_bit(rows in rows(), spec in specs(), cut in 0..14_usize) {
        let mut turned = rows.clone();
        turned.reverse();
        turned.rotate_left(cut % rows.len());
        let fit = |rows: &[Path]| spec.fit(&Paths::of_rows(rows)).map(|fitted| {
            let so_far: Vec<f64> = (0..5).map(|key| probability(&fitted, &[0, key])).collect();
            (fitted.credit().to_vec(), so_far)
        });
        prop_assert_eq!(fit(&rows), fit(&turned));
    }

    #[test]
    fn a_key_after_which_nothing_ever_converts_gets_nothing(rows in rows(), spec in specs()) {
        let spec = Markov { removal: if spec.removal == Removal::Drop { Removal::Drop } else { Removal::Redirect }, ..spec };
        let mut more = rows;
        more.push(path("a z z", 0.0, 0.0, 2.0));
        prop_assert_eq!(credit(&more, spec)["z"], Credit::default());
    }

    #[test]
    fn keys_that_nobody_walked_change_no_bit_however_many(rows in rows(), spec in specs()) {
        // Whole numbers are exact. With forty keys more, counters no longer fit side by side at order 4.
        let whole = |row: Path| Path { value: (row.value * 100.0).round(), ..row };
        let rows: Vec<Path> = rows.into_iter().map(whole).collect();
        let unwalked: Vec<String> = (10..50).map(|key| format!("z{key}")).collect();
        let more: Vec<Path> = rows.iter().cloned().chain([path(&unwalked.join(" "), 0.0, 0.0, 0.0)]).collect();
        let fit = |rows: &[Path]| spec.fit(&Paths::of_rows(rows)).map(|fitted| {
            let so_far: Vec<f64> = (0..5).map(|key| probability(&fitted, &[0, key, 1, 0])).collect();
            (fitted.credit()[..4.min(fitted.credit().len())].to_vec(), so_far)
        });
        let keys = Paths::of_rows(&rows).walked.keys.len();
        prop_assume!(keys == 5);
        prop_assert_eq!(fit(&rows), fit(&more));
    }

    #[test]
    fn no_past_is_certain_unless_all_is(rows in rows(), spec in specs(), past in prop::collection::vec(0..5_u32, 0..6)) {
        let spec = Markov { removal: Removal::Redirect, ..spec };
        let fitted = spec.fit(&Paths::of_rows(&rows)).unwrap();
        let probability = probability(&fitted, &past);
        let all = fitted.conversion_rate() >= 1.0;
        prop_assert!(probability > 0.0 && (probability < 1.0 || all && close(probability, 1.0)), "{probability}");
    }
}
