//! The conformance suite, tested by sources that are broken on purpose.

use tributary_source::testkit::Outcome;
use tributary_source::testkit::broken::{Bug, outcome, report};

#[test]
fn a_source_without_mistakes_holds_every_case() {
    let report = report(None);
    assert!(report.failures().is_empty(), "{report}");
}

#[test]
fn every_mistake_is_caught_by_its_case() {
    let mut missed = Vec::new();
    for (bug, case) in Bug::ALL {
        let outcome = outcome(*bug, case).unwrap();
        if !matches!(outcome, Outcome::Fails(_)) {
            missed.push(format!("{bug:?}: {case} {outcome:?}"));
        }
    }
    let (caught, all) = (Bug::ALL.len() - missed.len(), Bug::ALL.len());
    println!("{caught} of {all} mistakes caught");
    assert!(missed.is_empty(), "{caught} of {all} mistakes caught\n{}", missed.join("\n"));
}
