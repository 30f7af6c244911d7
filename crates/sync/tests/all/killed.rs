//! Passes that end in the middle.

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tributary_source::NextStep;
use tributary_store::testkit::{sqlite, stores};
use tributary_sync::{Outcome, run};

use crate::vendor::{AtPage, Vendor, digest, is_ok, options};

/// Calls of a first pass over seven companies and three owners.
const CALLS: usize = 6;

#[tokio::test]
async fn a_pass_killed_after_any_page_goes_on_there_and_loses_nothing() {
    let whole = sqlite().await;
    Vendor::with(7).sync(&whole).await;
    let expected = digest(&whole).await;
    for page in 0..CALLS {
        for store in stores().await {
            let vendor = Vendor::with(7);
            let kill = Notify::new();
            let at_page = AtPage::new(page, || kill.notify_one());
            let (sources, options, stop) = ([vendor.source("crm")], options(), CancellationToken::new());
            tokio::select! {
                biased;
                () = kill.notified() => {}
                report = run(&store, &sources, &options, &at_page, &stop) => {
                    assert!(!report.unwrap().has_failures());
                }
            }
            // The first of four pages of companies has landed, not the last.
            if page == 0 {
                assert_eq!(
                    store.unfinished().await.unwrap(),
                    ["crm/companies", "crm/owners"],
                    "{}",
                    store.kind
                );
            }
            let report = vendor.sync(&store).await;
            assert!(is_ok(&report), "{} killed at {page}: {report:?}", store.kind);
            assert!(store.unfinished().await.unwrap().is_empty());
            assert_eq!(digest(&store).await, expected, "{} killed at {page}", store.kind);
            // The page that had not landed when it died is asked for again, no more.
            let calls = vendor.world().calls.clone();
            let since_beginning = calls.iter().filter(|call| call.starts_with("companies since 0")).count();
            assert!(since_beginning <= 4 + 1, "{} killed at {page}: {calls:?}", store.kind);
        }
    }
}

#[tokio::test]
async fn a_pass_that_fails_at_any_call_goes_on_there() {
    let whole = sqlite().await;
    Vendor::with(7).sync(&whole).await;
    let expected = digest(&whole).await;
    for call in 0..CALLS {
        for store in stores().await {
            let vendor = Vendor::with(7);
            vendor.world().faults.insert(call, NextStep::Retry);
            let first = vendor.sync(&store).await;
            assert!(matches!(first.outcome, Outcome::Failed { .. }), "{} {call}", store.kind);
            let again = vendor.sync(&store).await;
            assert!(is_ok(&again), "{} {call} {again:?}", store.kind);
            assert_eq!(digest(&store).await, expected, "{} failed at {call}", store.kind);
            let calls = vendor.world().calls.clone();
            let since_beginning = calls.iter().filter(|call| call.starts_with("companies since 0")).count();
            assert!(since_beginning <= 4 + 1, "{} failed at {call}: {calls:?}", store.kind);
        }
    }
}

#[tokio::test]
async fn a_stopped_pass_lands_the_page_in_hand_and_asks_for_no_page_twice() {
    for page in 0..3 {
        for store in stores().await {
            let vendor = Vendor::with(7);
            let stop = CancellationToken::new();
            let at_page = AtPage::new(page, || stop.cancel());
            let stopped = vendor.pass(&store, &at_page, &stop).await;
            let left = vec!["companies".to_owned(), "owners".to_owned()];
            if page < 2 {
                assert_eq!(stopped.outcome, Outcome::Interrupted { left }, "{} {page}", store.kind);
            }
            assert_eq!(
                stopped.landed().fetched as usize,
                (vendor.calls() * 2).min(7),
                "{} {page}",
                store.kind
            );
            assert_eq!(store.last_runs().await.unwrap()[0].outcome, "interrupted");
            assert!(is_ok(&vendor.sync(&store).await));
            let mut calls = vendor.world().calls.clone();
            calls.retain(|call| call.starts_with("companies since 0"));
            assert_eq!(calls.len(), 4, "{} stopped at {page}: {calls:?}", store.kind);
        }
    }
}

#[tokio::test]
async fn a_pass_that_was_stopped_before_it_began_says_what_is_left() {
    let store = sqlite().await;
    let stop = CancellationToken::new();
    stop.cancel();
    let vendor = Vendor::with(7);
    let report = vendor.pass(&store, &tributary_sync::Silent, &stop).await;
    let left = vec!["companies".to_owned(), "owners".to_owned()];
    assert_eq!((report.outcome, vendor.calls()), (Outcome::Interrupted { left }, 0));
}
