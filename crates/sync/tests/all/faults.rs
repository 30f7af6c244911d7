//! What a pass does about each kind of error.

use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;
use tributary_core::Time;
use tributary_source::{NextStep, Problem, Reject};
use tributary_store::testkit::{sqlite, stores};
use tributary_sync::{Outcome, Silent, run};

use crate::vendor::{COMPANIES, OWNERS, Vendor, count, digest, is_ok, options};

#[tokio::test]
async fn each_next_step_has_its_answer() {
    // Whether the other stream still comes, and whether the source counts as failed.
    let far = NextStep::Wait(Time(i64::MAX));
    let cases = [
        (NextStep::FixConfig, false, true),
        (NextStep::Reauthorize, false, true),
        (NextStep::Bug, false, true),
        (far, false, false),
        (NextStep::Retry, true, true),
        (NextStep::SplitWindow, true, true),
        (NextStep::SkipRecord, true, true),
        (NextStep::Restart, true, true),
        (NextStep::SkipStream, true, false),
        (NextStep::SkipPart, true, false),
    ];
    for (next, goes_on, fails) in cases {
        let store = sqlite().await;
        let vendor = Vendor::with(3);
        vendor.world().broken = Some((COMPANIES, next));
        let report = vendor.sync(&store).await;
        assert_eq!(count(&store, OWNERS).await, if goes_on { 3 } else { 0 }, "{next:?}");
        assert_eq!(matches!(report.outcome, Outcome::Failed { .. }), fails, "{next:?} {report:?}");
        if let Outcome::Paused { until, message } = &report.outcome {
            assert_eq!((NextStep::Wait(*until), message.contains("broken for good")), (next, true));
            continue;
        }
        if let Outcome::Failed { next: told, message } = &report.outcome {
            assert_eq!((*told, message.contains("broken for good")), (next, true), "{next:?}");
        } else {
            assert!(report.findings[0].message.contains("companies: broken for good"), "{next:?}");
        }
    }
}

#[tokio::test]
async fn a_used_up_day_pauses_the_source_and_the_next_pass_goes_on_there() {
    let store = sqlite().await;
    let vendor = Vendor::with(7);
    let tomorrow = Time(i64::MAX / 2);
    vendor.world().faults.insert(2, NextStep::Wait(tomorrow));
    let sources = [vendor.source("crm")];
    let report = run(&store, &sources, &options(), &Silent, &CancellationToken::new()).await.unwrap();
    assert!(!report.has_failures() && !report.was_interrupted());
    let paused = &report.sources[0];
    assert!(matches!(paused.outcome, Outcome::Paused { until, .. } if until == tomorrow), "{paused:?}");
    assert_eq!(
        (paused.landed().fetched, store.last_runs().await.unwrap()[0].outcome.as_str()),
        (4, "paused")
    );
    assert!(is_ok(&vendor.sync(&store).await));
    assert_eq!(vendor.calls(), 6 + 1, "no page is asked for twice but the one that was refused");
    assert_eq!(count(&store, COMPANIES).await, 7);
}

#[tokio::test]
async fn a_stream_of_which_much_cannot_be_understood_is_given_up_and_the_others_go_on() {
    // So many bad among so many: a hundred are borne, and so is one in a hundred.
    for (bad, all, is_given_up) in [(100, 300, false), (130, 300, true), (130, 14_000, false)] {
        let store = sqlite().await;
        let vendor = Vendor::with(all);
        for row in vendor.world().companies.values_mut().rev().take(bad) {
            "bad".clone_into(&mut row.1);
        }
        vendor.world().page = 250;
        let report = vendor.sync(&store).await;
        assert_eq!(
            matches!(report.outcome, Outcome::Failed { .. }),
            is_given_up,
            "{bad} of {all}: {report:?}"
        );
        assert_eq!(count(&store, OWNERS).await, 3, "{bad} of {all}");
        if let Outcome::Failed { message, .. } = &report.outcome {
            assert!(message.contains("companies: ") && message.contains("can't be understood"), "{message}");
        }
        // What came is kept, with its reasons.
        assert!(store.quarantined(1).await.unwrap().1 > 90, "{bad} of {all}");
    }
}

#[tokio::test]
async fn what_a_newer_connector_understands_leaves_quarantine_without_a_request() {
    for store in stores().await {
        let vendor = Vendor::with(7);
        vendor.world().companies.insert("003".to_owned(), (3, "bad until 2".to_owned()));
        vendor.sync(&store).await;
        assert_eq!(store.quarantined(10).await.unwrap().1, 1, "{}", store.kind);
        let before = vendor.calls();
        vendor.normalizer.store(2, Ordering::Relaxed);
        vendor.world().broken = Some(("", NextStep::Retry));
        let report = vendor.sync(&store).await;
        assert_eq!(report.landed().fetched, 0, "{}", store.kind);
        assert_eq!(vendor.calls(), before + 2, "{}: nothing was answered", store.kind);
        assert_eq!(store.quarantined(10).await.unwrap().1, 0, "{}", store.kind);
    }
}

#[tokio::test]
async fn a_new_field_and_another_kind_of_value_are_told_once() {
    for store in stores().await {
        let vendor = Vendor::with(0);
        vendor.world().page = 10;
        for number in 0..600 {
            let body = r#"{"size": 7, "owner": null}"#.to_owned();
            vendor.world().companies.insert(format!("{number:03}"), (1, body));
        }
        let told = async || {
            let report = vendor.sync(&store).await;
            assert!(is_ok(&report), "{} {report:?}", store.kind);
            report.findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>()
        };
        assert!(told().await.is_empty(), "{}", store.kind);
        let changed = (2, r#"{"size": "seven", "owner": null, "plan": {"seats": 3}}"#.to_owned());
        vendor.world().companies.insert("005".to_owned(), changed);
        assert_eq!(
            told().await,
            [
                "companies: `plan` is new: it is kept, and nothing reads it yet",
                "companies: `size` is a text now, and was a number",
            ],
            "{}",
            store.kind
        );
        assert!(told().await.is_empty(), "{}", store.kind);
    }
}

#[tokio::test]
async fn a_short_wait_is_waited_out() {
    let store = sqlite().await;
    let vendor = Vendor::with(7);
    vendor.world().faults.extend([(0, NextStep::Wait(Time(0))), (3, NextStep::Wait(Time(0)))]);
    let report = vendor.sync(&store).await;
    assert!(is_ok(&report), "{report:?}");
    assert_eq!((count(&store, COMPANIES).await, vendor.calls()), (7, 6 + 2));
}

#[tokio::test]
async fn a_vendor_that_always_says_wait_is_left_for_the_next_pass() {
    let store = sqlite().await;
    let vendor = Vendor::with(7);
    vendor.world().broken = Some((COMPANIES, NextStep::Wait(Time(0))));
    let report = vendor.sync(&store).await;
    assert!(matches!(report.outcome, Outcome::Failed { next: NextStep::Retry, .. }), "{report:?}");
}

#[tokio::test]
async fn a_long_wait_can_be_stopped() {
    let store = sqlite().await;
    let vendor = Vendor::with(7);
    let (sources, stop, options) = ([vendor.source("crm")], CancellationToken::new(), options());
    let in_a_while = Time((options.now)().0 + 600_000_000);
    vendor.world().faults.insert(1, NextStep::Wait(in_a_while));
    let stopper = async {
        while vendor.calls() < 2 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (report, ()) = tokio::join!(run(&store, &sources, &options, &Silent, &stop), stopper);
    assert!(report.unwrap().was_interrupted());
    assert_eq!(count(&store, COMPANIES).await, 2, "the page before the wait has landed");
}

#[tokio::test]
async fn a_lost_cursor_starts_the_stream_anew_and_adds_nothing() {
    for store in stores().await {
        let vendor = Vendor::with(7);
        vendor.sync(&store).await;
        let before = digest(&store).await;
        let call = vendor.calls();
        vendor.world().faults.insert(call, NextStep::Restart);
        let report = vendor.sync(&store).await;
        assert!(is_ok(&report), "{} {report:?}", store.kind);
        assert_eq!((report.landed().added, report.landed().unchanged), (0, 7 + 3), "{}", store.kind);
        assert_eq!(digest(&store).await, before);
    }
}

#[tokio::test]
async fn pages_that_lead_in_a_circle_end() {
    let store = sqlite().await;
    let vendor = Vendor::with(7);
    vendor.world().loops = true;
    let report = vendor.sync(&store).await;
    let Outcome::Failed { message, .. } = &report.outcome else { panic!("{report:?}") };
    assert!(message.contains("lead back"), "{message}");
    assert!(vendor.calls() <= 2 * 2);
}

#[tokio::test]
async fn a_bad_record_goes_to_quarantine_and_the_rest_goes_in() {
    for store in stores().await {
        let vendor = Vendor::with(7);
        vendor.world().companies.insert("003".to_owned(), (3, "bad".to_owned()));
        vendor.world().companies.insert("005".to_owned(), (5, "breaks".to_owned()));
        let problem = Problem { field: "id".to_owned(), reason: "is missing".to_owned() };
        let (origin, body) = ("page 1, record 2".to_owned(), b"{garbage".to_vec());
        vendor.world().rejects.push(Reject { stream: COMPANIES, origin, problem, body });
        let report = vendor.sync(&store).await;
        assert!(is_ok(&report), "{} {report:?}", store.kind);
        let landed = report.landed();
        assert_eq!((landed.added, landed.rejected, landed.problems), (10, 1, 2), "{}", store.kind);
        assert_eq!(landed.fetched, landed.added + landed.unchanged + landed.superseded + landed.rejected);
        let (faults, count) = store.quarantined(10).await.unwrap();
        assert_eq!(count, 3, "{} {faults:?}", store.kind);
        assert_eq!(faults[1].native_id.as_deref(), Some("003"), "{faults:?}");
        vendor.world().companies.insert("005".to_owned(), (8, "mended".to_owned()));
        vendor.sync(&store).await;
        assert_eq!(store.quarantined(10).await.unwrap().1, 2, "{}", store.kind);
    }
}

#[tokio::test]
async fn a_failing_source_does_not_stop_the_others() {
    for store in stores().await {
        let (good, bad) = (Vendor::with(7), Vendor::with(7));
        bad.world().broken = Some(("", NextStep::Reauthorize));
        let sources = [bad.source("bad"), good.source("misconfigured"), good.source("crm")];
        let report = run(&store, &sources, &options(), &Silent, &CancellationToken::new()).await.unwrap();
        assert!(report.has_failures() && !report.was_interrupted());
        let next: Vec<Option<NextStep>> = report
            .sources
            .iter()
            .map(|source| match &source.outcome {
                Outcome::Failed { next, .. } => Some(*next),
                _ => None,
            })
            .collect();
        assert_eq!(next, [Some(NextStep::Reauthorize), Some(NextStep::FixConfig), None], "{}", store.kind);
        assert_eq!(count(&store, COMPANIES).await, 7, "{}", store.kind);
    }
}

#[tokio::test]
async fn a_run_that_brings_other_than_the_vendor_counts_fails_and_reads_it_all_again() {
    for store in stores().await {
        let vendor = Vendor::with(5);
        vendor.world().ungiven = 2;
        let report = vendor.sync(&store).await;
        let Outcome::Failed { next: NextStep::Retry, message } = &report.outcome else {
            panic!("{} {report:?}", store.kind)
        };
        assert!(message.contains("the vendor counts 7 records, before and after, and 5 came"), "{message}");
        assert_eq!(report.streams[0].counted, Some(7), "{}", store.kind);
        // What came is kept, the other stream too, and nothing is taken for read or for deleted.
        assert_eq!((count(&store, COMPANIES).await, count(&store, OWNERS).await), (5, 3), "{}", store.kind);
        assert_eq!(store.unfinished().await.unwrap(), ["crm/companies", "crm/owners"], "{}", store.kind);
        assert_eq!(store.last_runs().await.unwrap()[0].outcome, "failed", "{}", store.kind);

        vendor.world().ungiven = 0;
        let call = vendor.calls();
        let mended = vendor.sync(&store).await;
        assert!(is_ok(&mended), "{} {mended:?}", store.kind);
        assert_eq!(mended.streams[0].counted, Some(5), "{}", store.kind);
        assert_eq!(vendor.world().calls[call], "companies since 0 after ", "{}", store.kind);
        assert!(store.unfinished().await.unwrap().is_empty(), "{}", store.kind);
    }
}

#[tokio::test]
async fn a_list_that_is_shorter_than_the_vendor_counts_deletes_nothing() {
    for store in stores().await {
        let vendor = Vendor::with(1);
        assert!(is_ok(&vendor.sync(&store).await));
        vendor.world().owners.remove("2");
        vendor.world().ungiven = 1;
        vendor.sync(&store).await;
        assert_eq!(count(&store, OWNERS).await, 3, "{}", store.kind);
        vendor.world().ungiven = 0;
        vendor.sync(&store).await;
        assert_eq!(count(&store, OWNERS).await, 2, "{}", store.kind);
    }
}

#[tokio::test]
async fn records_that_come_and_go_while_a_vendor_is_read_fail_no_run() {
    let store = sqlite().await;
    let vendor = Vendor::with(5);
    vendor.world().newcomers = 2;
    let report = vendor.sync(&store).await;
    assert!(is_ok(&report) && report.findings.is_empty(), "five lie between five and seven: {report:?}");
    // More than that is not explained by the counts, nor proof of a loss.
    vendor.world().ungiven = 1;
    let report = vendor.sync(&store).await;
    assert!(is_ok(&report), "{report:?}");
    assert!(report.findings[0].message.contains("count went from"), "{report:?}");
}
