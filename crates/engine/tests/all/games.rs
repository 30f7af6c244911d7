//! Shapley values and Shao–Li against reference numbers, enumeration and the axioms.

use proptest::prelude::*;
use tributary_engine::learn::shapley::{Shapley, ordered};
use tributary_engine::learn::shapley_rate::{Game, Options, ShapleyRate};
use tributary_engine::learn::{LearnError, Learned, Method, Remark};
use tributary_engine::paths::{Path, Paths};

use crate::learned::{any_rows, assert_golden, close, golden, golden_paths, paths, rows};

/// The Shapley values of any game of up to 32 players, by enumeration of all 2^n sets.
pub(crate) fn enumerate(players: usize, game: impl Fn(u32) -> f64) -> Vec<f64> {
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    let weight = |size: usize| factorial(size) * factorial(players - size - 1) / factorial(players);
    let value = |player: usize| {
        let without = (0..1_u32 << players).filter(|set| set >> player & 1 == 0);
        without.map(|set| weight(set.count_ones() as usize) * (game(set | 1 << player) - game(set))).sum()
    };
    (0..players).map(value).collect()
}

pub(crate) fn masks(paths: &Paths) -> Vec<u32> {
    paths.walked.all().map(|steps| steps.keys.iter().fold(0, |mask, key| mask | 1 << key)).collect()
}

fn sum_game(paths: &Paths, column: &[f64]) -> Vec<f64> {
    let masks = masks(paths);
    let inside = |set: u32| {
        masks.iter().zip(column).filter(|(mask, _)| *mask & !set == 0).map(|(_, won)| won).sum::<f64>()
    };
    enumerate(paths.walked.keys.len(), inside)
}

#[test]
fn the_sum_game_gives_the_reference_numbers_for_conversions_and_value() {
    let case = golden("values_and_repeats");
    let book = golden_paths(&case);
    let fitted = Shapley::fit(&book).unwrap();
    assert_golden(&book, fitted.credit(), |it| it.conversions, &case["shapley"], 1e-12);
    assert_golden(&book, fitted.credit(), |it| it.value, &case["shapley_value"], 1e-12);
    let case = golden("three_paths");
    let book = golden_paths(&case);
    let fitted = Shapley::fit(&book).unwrap();
    assert_golden(&book, fitted.credit(), |it| it.effect, &case["shapley"], 1e-12);
}

#[test]
fn the_ordered_variant_gives_the_reference_numbers() {
    let case = golden("values_and_repeats");
    let book = golden_paths(&case);
    let ours = ordered(&book);
    for (key, places) in case["shapley_ordered"].as_object().unwrap() {
        let number = book.walked.keys.iter().position(|it| it.as_ref() == Some(key)).unwrap();
        let places = places.as_object().unwrap();
        assert_eq!(ours[number].len(), places.len(), "{key}");
        for (place, theirs) in places {
            let ours = ours[number][place.parse::<usize>().unwrap() - 1].conversions;
            assert!(close(ours, theirs.as_f64().unwrap()), "{key} {place}: {ours}");
        }
    }
}

#[test]
fn two_left_gloves_share_what_the_right_one_leaves() {
    let case = golden("glove_game");
    let book = paths(&["L1 > R = 1/1/0", "L2 > R = 1/1/0", "L1 > L2 > R = 1/-1/0"]);
    let fitted = Shapley::fit(&book).unwrap();
    assert_golden(&book, fitted.credit(), |it| it.value, &case["phi"], 1e-12);
}

fn rate(options: Options, book: &Paths) -> ShapleyRate {
    ShapleyRate::fit(&options, book).unwrap()
}

#[test]
fn both_rate_games_give_the_reference_numbers_and_a_negative_one_gets_no_credit() {
    let case = golden("values_and_repeats");
    let book = golden_paths(&case);
    let subset = rate(Options::default(), &book);
    assert_golden(&book, subset.credit(), |it| it.effect, &case["shapley_rate"]["subset"], 1e-12);
    assert_eq!(subset.remarks(), [Remark::Negative { keys: 1 }]);
    // It does add value to the paths that it is on.
    let last = subset.credit()[2];
    assert!(last.effect < 0.0 && last.conversions.abs() < f64::EPSILON && last.value > 0.0, "{last:?}");
    let exact = rate(Options { game: Game::Exact, ..Options::default() }, &book);
    assert_golden(&book, exact.credit(), |it| it.effect, &case["shapley_rate"]["exact"], 1e-12);
    assert_eq!(exact.remarks(), []);
}

#[test]
fn more_than_24_keys_are_enumerated_by_nobody() {
    let book = paths(&["a = 1/1/1"]);
    let refused = ShapleyRate::fit(&Options { exact_up_to: 25, ..Options::default() }, &book);
    assert_eq!(refused.err(), Some(LearnError::Option("exact_up_to must be at most 24")));
    let many: Vec<Path> = (0..30)
        .map(|number| Path {
            steps: vec![format!("{number}"), format!("{}", number % 7)],
            conversions: f64::from(number % 3),
            value: 0.0,
            nulls: 1.0,
        })
        .collect();
    let fitted = rate(Options { permutations: 400, ..Options::default() }, &Paths::of_rows(&many));
    let remarks = fitted.remarks();
    assert!(
        matches!(remarks.last(), Some(Remark::Sampled { permutations: 400, bound, .. }) if *bound < 0.2),
        "{remarks:?}"
    );
}

#[test]
fn a_stated_interval_holds_the_exact_value_as_often_as_it_says() {
    let book = paths(&[
        "a > b > c > d = 9/9/3",
        "a > c = 2/2/9",
        "b = 1/1/7",
        "d > e > a = 4/4/2",
        "e > f = 1/1/30",
        "f > b > e = 6/6/1",
        "c > f = 0/0/9",
    ]);
    let exact = rate(Options::default(), &book);
    let (mut inside, mut all, mut farthest, mut widest) = (0, 0, 0.0_f64, 0.0_f64);
    for seed in 0..40 {
        let options = Options { exact_up_to: 0, permutations: 200, seed, ..Options::default() };
        let sampled = rate(options, &book);
        let remarks = sampled.remarks();
        let Some(Remark::Sampled { bound, interval, .. }) = remarks.last() else { panic!("{remarks:?}") };
        assert!(interval < bound && *interval > 0.0);
        for (one, other) in exact.credit().iter().zip(sampled.credit()) {
            let off = (one.effect - other.effect).abs();
            assert!(off <= *bound, "{off} is more than {bound}");
            (farthest, widest) = (farthest.max(off), widest.max(*interval));
            inside += usize::from(off <= *interval);
            all += 1;
        }
    }
    assert!(inside * 100 >= all * 95, "{inside} of {all}");
    assert!(farthest > widest / 3.0, "an interval of {widest} is too wide for errors of {farthest}");
}

#[test]
fn shao_and_li_give_the_reference_numbers() {
    for name in ["three_paths", "values_and_repeats"] {
        let case = golden(name);
        let book = golden_paths(&case);
        let fitted = Method::builtin("shao_li").unwrap().fit(&book).unwrap();
        assert_golden(&book, fitted.credit(), |it| it.effect, &case["shao_li"], 1e-12);
    }
}

#[test]
fn an_effect_below_0_gets_no_credit_is_kept_and_is_remarked() {
    // Alone both convert well, together they hardly do.
    let book = paths(&["a = 9/9/1", "b = 1/1/9", "a > b = 1/1/40"]);
    let fitted = Method::builtin("shao_li").unwrap().fit(&book).unwrap();
    let mut weights = Vec::new();
    fitted.weigh(book.walked.steps(2), &mut weights);
    assert_eq!(fitted.remarks(), [Remark::Clamped { conversions: 1.0 }], "{:?}", fitted.credit());
    // p(a) = 10/51, p(b) = 2/51, p(a,b) = 1/41: C(b) = 2/51 + (1/41 − 12/51)/2 < 0.
    assert_eq!(weights, [1.0, 0.0]);
    let alone_is_b = 2.0 / 51.0;
    assert!(close(fitted.credit()[1].effect, alone_is_b * 2.0 + (1.0 / 41.0 - 12.0 / 51.0) / 2.0));
}

#[test]
fn more_than_64_keys_are_sets_as_well() {
    let mut book = rows(&["a > b > a = 2/20/1", "b = 1/5/3", "b > a = 1/1/1"]);
    let few = Shapley::fit(&Paths::of_rows(&book)).unwrap();
    book.extend((0..100).map(|number| Path {
        steps: vec![format!("rare {number}")],
        conversions: 0.0,
        value: 0.0,
        nulls: 1.0,
    }));
    let book = Paths::of_rows(&book);
    let many = Shapley::fit(&book).unwrap();
    assert_eq!(many.credit()[..2], *few.credit());
    let rate = |own: f64, seen: f64| (own + 10.0 * 4.0 / 109.0) / (seen + 10.0);
    assert!(close(many.probability(book.walked.steps(0)), rate(3.0, 5.0)));
    assert!(close(many.probability(book.walked.steps(1)), rate(1.0, 4.0)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_closed_form_of_the_sum_game_is_what_enumeration_gives(rows in any_rows(6)) {
        let book = Paths::of_rows(&rows);
        let Ok(fitted) = Shapley::fit(&book) else { return Ok(()) };
        let (conversions, value) = (sum_game(&book, &book.conversions), sum_game(&book, &book.value));
        for (key, ours) in fitted.credit().iter().enumerate() {
            prop_assert!(close(ours.conversions, conversions[key]));
            prop_assert!(close(ours.value, value[key]));
        }
    }

    #[test]
    fn both_rate_games_are_what_enumeration_gives(rows in any_rows(5)) {
        let book = Paths::of_rows(&rows);
        let masks = masks(&book);
        // Keys on paths that count, for a path of 0 conversions and 0 nulls is none.
        let counts = |path: usize| book.conversions[path] + book.nulls[path] > 0.0;
        prop_assume!((0..book.len()).all(counts));
        for game in [Game::Subset, Game::Exact] {
            let Ok(fitted) = ShapleyRate::fit(&Options { game, ..Options::default() }, &book) else {
                continue;
            };
            let inside = |set: u32, mask: u32| match game {
                Game::Subset => mask & !set == 0,
                Game::Exact => mask == set,
            };
            let rate = |set: u32| {
                let own = || (0..book.len()).filter(|path| inside(set, masks[*path]));
                let won: f64 = own().map(|path| book.conversions[path]).sum();
                let lost: f64 = own().map(|path| book.nulls[path]).sum();
                if won + lost > 0.0 { won / (won + lost) } else { 0.0 }
            };
            let theirs = enumerate(book.walked.keys.len(), rate);
            for (ours, theirs) in fitted.credit().iter().zip(theirs) {
                prop_assert!(close(ours.effect, theirs), "{:?}: {} {}", game, ours.effect, theirs);
            }
        }
    }

    #[test]
    fn every_sample_adds_up_to_the_rate_of_all_paths_and_keeps_to_its_bound(
        rows in any_rows(6), seed in any::<u64>()
    ) {
        let book = Paths::of_rows(&rows);
        let Ok(exact) = ShapleyRate::fit(&Options::default(), &book) else { return Ok(()) };
        let options = Options { exact_up_to: 0, permutations: 1, seed, ..Options::default() };
        let sampled = rate(options, &book);
        let (won, lost): (f64, f64) = (book.conversions.iter().sum(), book.nulls.iter().sum());
        for fitted in [&exact, &sampled] {
            let sum: f64 = fitted.credit().iter().map(|credit| credit.effect).sum();
            prop_assert!(close(sum, won / (won + lost)));
        }
        let remarks = sampled.remarks();
        let Some(Remark::Sampled { permutations: 40, bound, .. }) = remarks.last() else {
            panic!("{remarks:?}")
        };
        for (one, other) in exact.credit().iter().zip(sampled.credit()) {
            prop_assert!((one.effect - other.effect).abs() <= *bound);
        }
    }

    #[test]
    fn the_sum_game_is_additive(one in any_rows(4), other in any_rows(4)) {
        let key = |rows: &[Path], name: &str| {
            let book = Paths::of_rows(rows);
            let number = book.walked.keys.iter().position(|key| key.as_deref() == Some(name));
            Shapley::fit(&book).ok().zip(number).map_or(0.0, |(it, number)| it.credit()[number].conversions)
        };
        let both = [one.clone(), other.clone()].concat();
        for name in ["a", "b", "c", "d"] {
            prop_assert!(close(key(&both, name), key(&one, name) + key(&other, name)));
        }
    }

    #[test]
    fn keys_that_do_the_same_get_the_same(rows in any_rows(4)) {
        // Each path again with y for x, and both where both are.
        let renamed = |row: &Path, from: &str, to: &str| {
            let step = |step: &String| if step == from { to.to_owned() } else { step.clone() };
            Path { steps: row.steps.iter().map(step).collect(), ..row.clone() }
        };
        let swapped = rows.iter().map(|row| renamed(&renamed(&renamed(row, "a", "?"), "b", "a"), "?", "b"));
        let both: Vec<Path> = rows.iter().cloned().chain(swapped).collect();
        let book = Paths::of_rows(&both);
        if book.walked.keys.len() < 2 || book.walked.keys[1].as_deref() != Some("b") {
            return Ok(());
        }
        for name in Method::names().iter().filter(|name| name.starts_with("sha")) {
            let Ok(fitted) = Method::builtin(name).unwrap().fit(&book) else { continue };
            let (a, b) = (fitted.credit()[0], fitted.credit()[1]);
            prop_assert!(close(a.effect, b.effect), "{}: {:?} {:?}", name, a, b);
        }
    }

    #[test]
    fn positions_of_the_ordered_variant_add_up_to_the_sum_game(rows in any_rows(5)) {
        let book = Paths::of_rows(&rows);
        let Ok(fitted) = Shapley::fit(&book) else { return Ok(()) };
        for (places, whole) in ordered(&book).iter().zip(fitted.credit()) {
            prop_assert!(close(places.iter().map(|it| it.conversions).sum(), whole.conversions));
            prop_assert!(close(places.iter().map(|it| it.value).sum(), whole.value));
        }
    }
}
