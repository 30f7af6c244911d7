//! Logistic removal, additive hazard, and the explanation of one path.

use std::sync::Arc;

use proptest::prelude::*;
use tributary_core::Currency;
use tributary_engine::learn::explain::{Comparable, Support};
use tributary_engine::learn::hazard::{self, Hazard};
use tributary_engine::learn::logistic::{self, Logistic};
use tributary_engine::learn::{Credit, LearnError, Learned, Method, Remark};
use tributary_engine::paths::{Paths, Steps, Walked};
use tributary_engine::{By, Rates, journeys};

use crate::learned::{any_rows, assert_golden, close, golden, paths};
use crate::story::{self, policy};

fn logit(options: &logistic::Options, book: &Paths) -> Logistic {
    Logistic::fit(options, book).unwrap()
}

#[test]
fn two_cells_are_fitted_to_their_rates_and_credited_with_what_is_lost_without() {
    let book = paths(&["mail = 10/10/90", "mail > demo = 60/120/40"]);
    let fitted = logit(&logistic::Options { ridge: 1e-9, ..Default::default() }, &book);
    let chance = |path: usize| fitted.probability(book.walked.steps(path));
    assert!((chance(0) - 0.1).abs() < 1e-6 && (chance(1) - 0.6).abs() < 1e-6, "{} {}", chance(0), chance(1));
    // Without the demo 0.6 is 0.1: 5 of 6 of 60 conversions. All paths have one mail: it tells nothing.
    let [demo, mail] = fitted.credit() else { panic!("two keys") };
    assert!((demo.effect - 50.0).abs() < 1e-4, "{demo:?}");
    assert_eq!((mail.effect, demo.conversions, demo.value), (0.0, 70.0, 130.0));
    assert_eq!(fitted.remarks(), []);
}

#[test]
fn a_key_that_is_on_won_deals_alone_keeps_a_finite_effect() {
    let book = paths(&["a = 0/0/50", "a > b = 50/50/0", "b > c > c = 1/1/0"]);
    let fitted = logit(&logistic::Options::default(), &book);
    assert!(fitted.credit().iter().all(|credit| credit.effect.is_finite()));
    assert!(fitted.credit()[1].conversions > 40.0, "{:?}", fitted.credit());
    assert_eq!(fitted.remarks().iter().find(|it| matches!(it, Remark::NotConverged { .. })), None);
}

#[test]
fn a_step_that_overshoots_is_halved() {
    // From one in ten thousand, where the slope is next to flat, the first step goes thousands too far.
    let book = paths(&["a = 0/0/1000000", "b = 100/100/10"]);
    let fitted = logit(&logistic::Options { ridge: 1e-3, ..Default::default() }, &book);
    let chance = fitted.probability(book.walked.steps(1));
    assert!((chance - 100.0 / 110.0).abs() < 0.01, "{chance}");
    assert_eq!(fitted.remarks().iter().find(|it| matches!(it, Remark::NotConverged { .. })), None);
}

/// Deals of two sizes: big ones are won nine times in ten and have an event, small ones hardly and have none, but
/// for a few each that tell the two apart. Within a size, an event changes nothing.
fn sizes(big: &str, small: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (own, event, won, lost) in
        [(big, true, 36, 4), (big, false, 18, 2), (small, true, 2, 18), (small, false, 4, 36)]
    {
        for (count, outcome) in [(won, "won"), (lost, "lost")] {
            let event = if event { " event@3" } else { "" };
            out.extend((0..count).map(|_| format!("mail@1{event} | {own} close=9 {outcome}")));
        }
    }
    out
}

fn of_book(texts: &[String]) -> Paths {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let book = story::book(&texts);
    Paths::of_journeys(&journeys(&book, &policy()), By::Channel, &Rates::default(), Currency::USD)
}

#[test]
fn what_a_control_explains_is_not_credited_to_the_touch_that_comes_with_it() {
    let none = logistic::Options { controls: Vec::new(), amount_bands: 0, ..Default::default() };
    for (big, small) in [("segment=big", "segment=small"), ("usd=90000", "usd=50")] {
        let book = of_book(&sizes(big, small));
        let event = |options: &logistic::Options| logit(options, &book).credit()[0].effect;
        assert!(event(&none) > 15.0, "{big}: {}", event(&none));
        assert!(event(&logistic::Options::default()).abs() < 2.0, "{big}: {}", event(&Default::default()));
    }
}

#[test]
fn a_path_is_judged_by_its_own_controls() {
    let book = of_book(&sizes("segment=big", "segment=small"));
    let fitted = logit(&logistic::Options::default(), &book);
    let segment = |path: usize| book.walked.about[path].traits[0];
    let big = (0..book.len()).find(|path| segment(*path) == 1).unwrap();
    let small = (0..book.len()).find(|path| segment(*path) == 2).unwrap();
    let chance = |path: usize| fitted.probability(book.walked.steps(path));
    assert!(chance(big) > 0.8 && chance(small) < 0.2, "{} {}", chance(big), chance(small));
    let unknown = fitted.probability(Steps { about: None, ..book.walked.steps(big) });
    assert!(unknown > 0.3 && unknown < 0.7, "{unknown}");
}

#[test]
fn accounts_without_a_deal_count_only_where_there_are_no_deals_to_compare() {
    let mut texts = sizes("segment=big", "segment=small");
    let before = logit(&logistic::Options::default(), &of_book(&texts));
    texts.extend((0..50).map(|_| "mail@1 event@2 event@3".to_owned()));
    let after = logit(&logistic::Options::default(), &of_book(&texts));
    assert_eq!(before.credit(), after.credit());
    let leads = of_book(&["a@1 | close=9 usd=1.00".to_owned(), "b@1".to_owned()]);
    assert!(logit(&logistic::Options::default(), &leads).remarks().contains(&Remark::BeyondDeals));
}

#[test]
fn keys_beyond_the_most_are_remarked_and_a_ridge_of_0_is_refused() {
    let book = paths(&["a > b = 9/9/1", "b = 1/1/9", "b > c = 1/1/2"]);
    let fitted = logit(&logistic::Options { most_keys: 1, ..Default::default() }, &book);
    assert!(fitted.remarks().contains(&Remark::TooMany { keys: 1 }), "{:?}", fitted.remarks());
    let refused = Logistic::fit(&logistic::Options { ridge: 0.0, ..Default::default() }, &book);
    assert_eq!(refused.err(), Some(LearnError::Option("ridge must be above 0")));
}

/// A path by its steps as key and age, conversions and nulls.
type Clocked = (Vec<(u32, f64)>, f64, f64);

fn clocked(keys: &[&str], rows: &[Clocked]) -> Paths {
    let mut walked = Walked {
        keys: keys.iter().map(|key| Some((*key).to_owned())).collect(),
        starts: vec![0],
        ..Walked::default()
    };
    for (steps, _, _) in rows {
        for (key, age) in steps {
            walked.steps.push(*key);
            walked.ages_days.push(*age);
        }
        walked.starts.push(walked.steps.len());
    }
    let conversions: Vec<f64> = rows.iter().map(|row| row.1).collect();
    Paths {
        walked: Arc::new(walked),
        value: conversions.iter().map(|won| won * 3.0).collect(),
        conversions,
        nulls: rows.iter().map(|row| row.2).collect(),
    }
}

#[test]
fn em_gives_the_reference_numbers() {
    let case = golden("additive_hazard");
    let key = |name: &str| u32::from(name.as_bytes()[0] - b'a');
    let rows: Vec<_> = case["journeys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let end = row[1].as_f64().unwrap();
            let step =
                |step: &serde_json::Value| (key(step[0].as_str().unwrap()), end - step[1].as_f64().unwrap());
            let steps = row[0].as_array().unwrap().iter().map(step).collect();
            let won = row[2].as_f64().unwrap();
            (steps, won, 1.0 - won)
        })
        .collect();
    let book = clocked(&["a", "b", "c"], &rows);
    let options = hazard::Options { floor_days: 0.0, rounds: 60, tolerance: 0.0 };
    let fitted = Hazard::fit(&options, &book).unwrap();
    let likelihoods = fitted.likelihoods();
    let theirs: Vec<f64> = case["loglik"].as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect();
    let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * b.abs();
    assert!(near(likelihoods[0], theirs[0]), "{likelihoods:?}");
    assert!(near(*likelihoods.last().unwrap(), theirs[2]), "{likelihoods:?}");
    let effect = |number: fn(&hazard::Effect) -> f64| {
        let of = |it: &hazard::Effect| Credit { effect: number(it), ..Credit::default() };
        fitted.effects().iter().map(of).collect::<Vec<_>>()
    };
    assert_golden(&book, &effect(|it| it.beta), |it| it.effect, &case["beta"], 1e-4);
    assert_golden(&book, &effect(|it| it.omega), |it| it.effect, &case["omega"], 1e-4);
    assert_golden(&book, fitted.credit(), |it| it.conversions, &case["credit"], 1e-4);
}

#[test]
fn a_touch_a_minute_before_the_close_does_not_explain_it_all() {
    let rows: Vec<_> = (0..40)
        .map(|number| (vec![(0, 3.0 + f64::from(number % 5)), (1, 0.0007)], 1.0, 0.0))
        .chain((0..40).map(|_| (vec![(0, 60.0), (1, 60.0)], 0.0, 1.0)))
        .collect();
    let book = clocked(&["demo", "signing"], &rows);
    let floored = Hazard::fit(&hazard::Options::default(), &book).unwrap();
    let bare = Hazard::fit(&hazard::Options { floor_days: 0.0, ..Default::default() }, &book).unwrap();
    assert!(floored.effects()[1].omega < 2.0, "{:?}", floored.effects());
    assert!(bare.effects()[1].omega > 100.0, "{:?}", bare.effects());
}

#[test]
fn old_paths_paths_without_a_clock_and_fits_cut_short_are_dealt_with() {
    let old = clocked(&["a", "b"], &[(vec![(0, 20_000.0), (1, 19_993.0)], 1.0, 0.0)]);
    let fitted = Hazard::fit(&hazard::Options::default(), &old).unwrap();
    let sum: f64 = fitted.credit().iter().map(|credit| credit.conversions).sum();
    assert!(close(sum, 1.0), "{:?}", fitted.credit());
    let file = paths(&["a = 1/1/1"]);
    assert_eq!(Method::builtin("hazard").unwrap().fit(&file).err(), Some(LearnError::NeedsTimes));
    assert_eq!(
        Method::builtin("hazard").unwrap().fit(&paths(&["a = 0/0/1"])).err(),
        Some(LearnError::NoConversions)
    );
    let short = Hazard::fit(&hazard::Options { rounds: 1, ..Default::default() }, &old).unwrap();
    assert_eq!(short.remarks(), [Remark::NotConverged { rounds: 1 }]);
}

#[test]
fn the_chance_that_is_left_fades_with_time() {
    let book = clocked(&["a"], &[(vec![(0, 5.0)], 1.0, 0.0), (vec![(0, 90.0)], 0.0, 1.0)]);
    let fitted = Hazard::fit(&hazard::Options::default(), &book).unwrap();
    let chance = |age: f64| fitted.probability(Steps { keys: &[0], ages_days: &[age], about: None });
    let whole = 1.0 - (-fitted.effects()[0].beta).exp();
    assert!(close(chance(0.0), whole) && chance(10.0) < chance(1.0) && chance(1.0) < whole);
    assert!(close(fitted.probability(Steps { keys: &[], ages_days: &[], about: None }), 0.0));
}

#[test]
fn a_path_is_explained_by_the_chance_without_each_touch_and_the_paths_that_say_so() {
    let book = paths(&[
        "a > b = 3/3/1",
        "a > b > c = 1/1/2",
        "a = 1/1/9",
        "a > c = 0/0/4",
        "b > b = 2/2/6",
        "c = 0/0/9",
    ]);
    let comparable = Comparable::of(&book);
    for name in Method::names().iter().filter(|name| **name != "hazard") {
        let fitted = Method::builtin(name).unwrap().fit(&book).unwrap();
        let steps = book.walked.steps(0);
        let told = comparable.explain(&*fitted, steps);
        assert_eq!(told.probability.to_bits(), fitted.probability(steps).to_bits());
        // With both a and b: 4 of 7 convert. With b and not a: 2 of 8. With a and not b: 1 of 14.
        assert_eq!(told.with, Support { paths: 7.0, conversions: 4.0 }, "{name}");
        let without: Vec<_> = told.steps.iter().map(|step| (step.key, step.without)).collect();
        assert_eq!(
            without,
            [(0, Support { paths: 8.0, conversions: 2.0 }), (1, Support { paths: 14.0, conversions: 1.0 })],
            "{name}"
        );
        for (step, left) in told.steps.iter().zip([1, 0]) {
            let alone = fitted.probability(Steps { keys: &[left], ..steps });
            assert_eq!(step.probability_without.to_bits(), alone.to_bits(), "{name}");
        }
        assert!(close(told.steps.iter().map(|step| step.weight).sum(), 1.0), "{name}");
    }
    // One of two touches of a key less is still a path with that key.
    let fitted = Method::builtin("shapley").unwrap().fit(&book).unwrap();
    let twice = comparable.explain(&*fitted, book.walked.steps(4));
    assert_eq!(twice.steps[0].probability_without.to_bits(), twice.probability.to_bits());
}

fn any_clocked() -> impl Strategy<Value = Vec<Clocked>> {
    let age = prop_oneof![0.0..3.0_f64, 0.0..200.0_f64, Just(0.0), Just(20_000.0)];
    let steps = prop::collection::vec((0..3_u32, age), 1..6);
    let row =
        (steps, 0..3_u32, 0..3_u32).prop_map(|(steps, won, lost)| (steps, f64::from(won), f64::from(lost)));
    prop::collection::vec(row, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_likelihood_never_falls(rows in any_clocked(), floor_days in prop::sample::select(vec![0.01, 1.0])) {
        let book = clocked(&["a", "b", "c"], &rows);
        let options = hazard::Options { floor_days, rounds: 80, tolerance: 0.0 };
        let Ok(fitted) = Hazard::fit(&options, &book) else { return Ok(()) };
        for pair in fitted.likelihoods().windows(2) {
            prop_assert!(pair[0].is_finite() && pair[1] >= pair[0], "{:?}", pair);
        }
        let sum = |number: fn(&Credit) -> f64| fitted.credit().iter().map(number).sum::<f64>();
        prop_assert!(close(sum(|it| it.conversions), book.conversions.iter().sum()));
        prop_assert!(close(sum(|it| it.value), book.value.iter().sum()));
    }

    #[test]
    fn the_order_of_clocked_paths_changes_no_bit(
        (rows, shuffled) in any_clocked().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        let fit = |rows: &[Clocked]| {
            Hazard::fit(&hazard::Options::default(), &clocked(&["a", "b", "c"], rows)).ok().map(|it| {
                let credit = it.credit().iter().flat_map(|it| [it.conversions, it.value]);
                credit.map(f64::to_bits).collect::<Vec<_>>()
            })
        };
        prop_assert_eq!(fit(&rows), fit(&shuffled));
    }

    #[test]
    fn chances_of_all_paths_together_are_what_was_won(rows in any_rows(5)) {
        // The intercept's own equation at the maximum: nothing pulls it.
        let book = Paths::of_rows(&rows);
        let Ok(fitted) = Logistic::fit(&logistic::Options::default(), &book) else { return Ok(()) };
        let counts = |path: usize| book.conversions[path] + book.nulls[path];
        let chances = (0..book.len()).map(|path| counts(path) * fitted.probability(book.walked.steps(path)));
        let (expected, won): (f64, f64) = (chances.sum(), book.conversions.iter().sum());
        prop_assert!((expected - won).abs() < 1e-4, "{} {}", expected, won);
    }
}
