//! Path files: hand cases, and the inputs that make others crash or lie.

use tributary_engine::Model;
use tributary_engine::paths::{PathError, Raw, attribute, read};

use crate::story::model;

/// Reads lines of `path, conversions, value, nulls` and tells `key conversions value` a row, then the problems.
fn told(lines: &[[&str; 4]], model: &Model) -> (Vec<String>, Vec<String>) {
    let mut problems = Vec::new();
    let raw = |(index, [path, conversions, value, nulls]): (usize, &[&'static str; 4])| Raw {
        line: index as u64 + 2,
        path,
        conversions,
        value,
        nulls,
    };
    let lines: Vec<[&'static str; 4]> =
        lines.iter().map(|line| line.map(|text| &*Box::leak(text.to_owned().into_boxed_str()))).collect();
    let paths: Vec<_> =
        lines.iter().enumerate().map(raw).filter_map(|raw| read(&raw, &mut problems)).collect();
    let rows = attribute(&paths, model).unwrap().rows;
    let rows =
        rows.iter().map(|row| format!("{} {:.2} {:.2}", row.key, row.conversions, row.value)).collect();
    (rows, problems.iter().map(|problem| format!("{}: {}", problem.line, problem.reason)).collect())
}

#[track_caller]
fn check(lines: &[[&str; 4]], name: &str, expected: &[&str], problems: &[&str]) {
    assert_eq!(told(lines, &model(name)), (owned(expected), owned(problems)), "{name}");
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn rule_models_share_conversions_and_value() {
    let lines =
        [["g", "2", "20", "1"], ["m", "1", "5", ""], ["g > m", "1", "140", ""], ["m > x > g", "0", "", "3"]];
    check(&lines, "first", &["g 3.00 160.00", "m 1.00 5.00", "x 0.00 0.00"], &[]);
    check(&lines, "last", &["g 2.00 20.00", "m 2.00 145.00", "x 0.00 0.00"], &[]);
    check(&lines, "linear", &["g 2.50 90.00", "m 1.50 75.00", "x 0.00 0.00"], &[]);
    check(&lines, "j", &["g 2.25 55.00", "m 1.75 110.00", "x 0.00 0.00"], &[]);
    let three = [["a > b > c > b", "1", "140", ""]];
    check(&three, "linear", &["b 0.50 70.00", "a 0.25 35.00", "c 0.25 35.00"], &[]);
    check(&three, "position", &["b 0.50 70.00", "a 0.40 56.00", "c 0.10 14.00"], &[]);
    let direct = [["a > direct", "1", "10", ""], ["direct", "1", "1", ""]];
    check(&direct, "last_non_direct", &["a 1.00 10.00", "direct 1.00 1.00"], &[]);
}

#[test]
fn shares_are_of_all_conversions() {
    let mut problems = Vec::new();
    let raw = Raw { line: 2, path: "a > b > b > b", conversions: "8", ..Raw::default() };
    let paths = [read(&raw, &mut problems).unwrap()];
    let rows = attribute(&paths, &model("linear")).unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.share).collect::<Vec<_>>(), [0.75, 0.25]);
}

#[test]
fn an_empty_path_is_a_problem_not_a_crash() {
    let lines = [["", "1", "", ""], ["  ", "1", "", ""], [" > ", "1", "", ""], ["a", "1", "", ""]];
    let reason = "the path is empty: the row is left out";
    let expected = [format!("2: {reason}"), format!("3: {reason}"), format!("4: {reason}")];
    check(&lines, "linear", &["a 1.00 0.00"], &expected.each_ref().map(String::as_str));
    assert_eq!(attribute(&[], &model("linear")).unwrap().rows, []);
}

#[test]
fn blank_steps_and_trailing_or_double_separators_are_left_out() {
    let lines = [["a > > b", "1", "", ""], ["> a > b >", "1", "", ""], ["a>b", "2", "", ""]];
    let problems = ["2: 1 blank steps are left out of the path", "3: 2 blank steps are left out of the path"];
    check(&lines, "last", &["b 4.00 0.00", "a 0.00 0.00"], &problems);
}

#[test]
fn no_conversion_at_all_and_nothing_but_conversions_are_fine() {
    check(&[["a > b", "0", "0", "5"]], "linear", &["a 0.00 0.00", "b 0.00 0.00"], &[]);
    let paths = [read(&Raw { path: "a", nulls: "5", ..Raw::default() }, &mut Vec::new()).unwrap()];
    assert_eq!(attribute(&paths, &model("linear")).unwrap().rows[0].share.to_bits(), 0.0_f64.to_bits());
    check(&[["a > b", "5", "10", "0"]], "linear", &["a 2.50 5.00", "b 2.50 5.00"], &[]);
}

#[test]
fn rows_that_say_nothing_or_nonsense_are_left_out_with_a_reason() {
    for (row, reason) in [
        (["a", "0", "0", "0"], "neither conversions nor nulls: the row is left out"),
        (["a", "", "", ""], "neither conversions nor nulls: the row is left out"),
        (["a", "x", "", ""], "conversions `x` is not a number: the row is left out"),
        (["a", "1", "NaN", ""], "value `NaN` is not a number: the row is left out"),
        (["a", "1", "", "inf"], "nulls `inf` is not a number: the row is left out"),
        (["a", "-1", "", ""], "conversions and nulls must be 0 or more: the row is left out"),
        (["a", "1", "", "-1"], "conversions and nulls must be 0 or more: the row is left out"),
    ] {
        check(&[row], "linear", &[], &[&format!("2: {reason}")]);
    }
}

#[test]
fn value_without_a_conversion_does_not_count() {
    let reason = "value 9 without a conversion: the value is left out";
    check(&[["a", "0", "9", "1"]], "linear", &["a 0.00 0.00"], &[&format!("2: {reason}")]);
    let nothing = "neither conversions nor nulls: the row is left out";
    check(&[["a", "0", "9", "0"]], "linear", &[], &[&format!("2: {reason}"), &format!("2: {nothing}")]);
}

#[test]
fn a_negative_value_is_credited_as_it_is() {
    let lines = [["a > b", "1", "-10", ""], ["a", "1", "4", ""]];
    check(&lines, "linear", &["a 1.50 -1.00", "b 0.50 -5.00"], &[]);
}

#[test]
fn no_name_is_reserved_and_any_text_is_a_name() {
    let lines =
        [["(start) > (conversion) > (null)", "3", "", ""], ["Zürich, große Messe > 広告", "2", "", ""]];
    let expected = [
        "(conversion) 1.00 0.00",
        "(null) 1.00 0.00",
        "(start) 1.00 0.00",
        "Zürich, große Messe 1.00 0.00",
        "広告 1.00 0.00",
    ];
    check(&lines, "linear", &expected, &[]);
}

#[test]
fn the_order_of_the_rows_changes_no_bit() {
    let paths: Vec<_> = (1..200)
        .map(|index| {
            let path = format!("c{} > c{} > c{}", index % 7, index % 5, index % 3);
            let (conversions, value) =
                (format!("{}", index % 4 + 1), format!("{}.{index}", 7919 * index % 1000));
            let raw = Raw { path: &path, conversions: &conversions, value: &value, ..Raw::default() };
            read(&raw, &mut Vec::new()).unwrap()
        })
        .collect();
    let backwards: Vec<_> = paths.iter().rev().cloned().collect();
    let print = |paths: &[_]| {
        let rows = attribute(paths, &model("position")).unwrap().rows;
        rows.iter()
            .map(|row| format!("{} {:.12} {:.9}", row.key, row.conversions, row.value))
            .collect::<Vec<_>>()
    };
    assert_eq!(print(&paths), print(&backwards));
}

#[test]
fn what_a_path_does_not_have_is_said_rather_than_guessed() {
    let error = |text: &str| attribute(&[], &model(text)).unwrap_err();
    assert!(matches!(error("time_decay"), PathError::NeedsTimes(_)));
    assert!(matches!(error("rest = 1.0\nlookback_days = 3.0"), PathError::NeedsTimes(_)));
    for name in ["u", "w", "full_path"] {
        assert!(matches!(error(name), PathError::NeedsMilestones(..)));
    }
    assert_eq!(
        error("rest = 1.0\nexclude = { team = [\"sales\"] }").to_string(),
        "model custom looks at team, and path files have only channels; use it on a store, or choose linear or position"
    );
    let factor = error("rest = 1.0\nmultiply = { kind = { call = 2.0 } }");
    assert_eq!(factor, PathError::NeedsDimension("custom".to_owned(), "kind".to_owned()));
    let weights = error("rest = 1.0\nuse_weight = true");
    assert_eq!(weights, PathError::NeedsWeights("custom".to_owned()));
}

#[test]
fn exclusions_and_multipliers_by_channel_work_on_paths() {
    let lines = [["a > b > b", "1", "10", ""], ["b", "1", "4", ""]];
    check(&lines, "rest = 1.0\nexclude = { channel = [\"a\"] }", &["b 2.00 14.00", "a 0.00 0.00"], &[]);
    check(&lines, "rest = 1.0\nexclude = { channel = [\"b\"] }", &["a 1.00 10.00", "b 0.00 0.00"], &[]);
    check(&lines, "rest = 1.0\nmultiply = { channel = { a = 2.0 } }", &["b 1.50 9.00", "a 0.50 5.00"], &[]);
    check(&lines, "rest = 1.0\nmultiply = { channel = { b = 0.0 } }", &["a 1.00 10.00", "b 0.00 0.00"], &[]);
}

#[test]
fn what_no_step_gets_is_unattributed() {
    let raw = |path| Raw { path, conversions: "2", value: "7", ..Raw::default() };
    let paths = ["a > b", "b", "b > b"].map(|path| read(&raw(path), &mut Vec::new()).unwrap());
    for rule in ["exclude = { channel = [\"b\"] }", "multiply = { channel = { b = 0.0 } }"] {
        let credited = attribute(&paths, &model(&format!("rest = 1.0\n{rule}"))).unwrap();
        assert_eq!(credited.rows[0].conversions.to_bits(), 2.0_f64.to_bits(), "{rule}");
        let left = [credited.unattributed_conversions, credited.unattributed_value];
        assert_eq!(left.map(f64::to_bits), [4.0, 14.0].map(f64::to_bits), "{rule}");
    }
}
