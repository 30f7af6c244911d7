//! Passes in which nothing goes wrong.

use std::sync::atomic::Ordering;

use tributary_core::Time;
use tributary_source::{NextStep, Reach};
use tributary_store::landing::StreamCoverage;
use tributary_store::testkit::stores;

use crate::vendor::{COMPANIES, OWNERS, Vendor, count, digest, is_ok};

#[tokio::test]
async fn everything_lands_and_a_second_pass_adds_nothing() {
    for store in stores().await {
        let vendor = Vendor::with(7);
        let first = vendor.sync(&store).await;
        assert!(is_ok(&first), "{} {first:?}", store.kind);
        assert_eq!((first.landed().fetched, first.landed().added), (10, 10), "{}", store.kind);
        assert!(first.streams.iter().all(|stream| stream.complete));
        assert_eq!((count(&store, COMPANIES).await, count(&store, OWNERS).await), (7, 3));
        assert_eq!(
            vendor.calls(),
            4 + 2,
            "seven companies are four pages, three owners two: {:?}",
            vendor.world().calls
        );

        let before = (digest(&store).await, store.last_observed().await.unwrap());
        let written = store.written().await.unwrap();
        let second = vendor.sync(&store).await;
        assert_eq!((second.landed().added, second.landed().unchanged), (0, 1 + 3), "{}", store.kind);
        assert_eq!((digest(&store).await, store.last_observed().await.unwrap()), before, "{}", store.kind);
        // Not a row but the run's own, what runs came to, where each stream stands, and who has the source in hand.
        let mut again = store.written().await.unwrap();
        assert_eq!(again["run"].0, written["run"].0 + 1, "{}", store.kind);
        assert_eq!(again["stream_state"].0, written["stream_state"].0, "{}", store.kind);
        assert_eq!(again["lease"].0, written["lease"].0, "{}", store.kind);
        for table in ["run", "run_total", "stream_day", "lease", "stream_state"] {
            again.insert(table.to_owned(), written[table]);
        }
        assert_eq!(again, written, "{}", store.kind);
        let calls = vendor.world().calls[6..].to_vec();
        assert_eq!(calls[0], "companies since 7 after ", "from the cursor on");
        assert_eq!(calls[1], "companies sweep after ");
    }
}

#[tokio::test]
async fn a_change_is_seen_at_the_next_pass() {
    for store in stores().await {
        let vendor = Vendor::with(3);
        vendor.sync(&store).await;
        vendor.world().companies.insert("002".to_owned(), (9, "renamed".to_owned()));
        let second = vendor.sync(&store).await;
        assert_eq!((second.landed().added, second.landed().deleted), (1, 0), "{}", store.kind);
        assert_eq!(store.body(2).await.unwrap().unwrap(), b"renamed", "{}", store.kind);
    }
}

#[tokio::test]
async fn a_new_normaliser_reads_landed_records_without_asking_the_vendor() {
    for store in stores().await {
        let vendor = Vendor::with(3);
        vendor.sync(&store).await;
        vendor.normalizer.store(2, Ordering::Relaxed);
        vendor.world().broken = Some(("", tributary_source::NextStep::Retry));
        let second = vendor.sync(&store).await;
        assert_eq!(second.renormalized, 6, "{}", store.kind);
        assert_eq!(second.landed().fetched, 0);
    }
}

#[tokio::test]
async fn what_is_complete_is_known_by_stream() {
    let known = |coverage: Vec<StreamCoverage>| -> Vec<(String, Option<Time>, bool)> {
        coverage.into_iter().map(|it| (it.stream, it.since, it.until.is_some())).collect()
    };
    let companies = |since, is_read| (COMPANIES.to_owned(), since, is_read);
    let owners = |since, is_read| (OWNERS.to_owned(), since, is_read);
    for store in stores().await {
        let vendor = Vendor::with(7);
        vendor.world().broken = Some((COMPANIES, NextStep::Reauthorize));
        vendor.sync(&store).await;
        let coverage = known(store.coverage().await.unwrap());
        // Neither was read, the second not even tried.
        assert_eq!(coverage, [companies(None, false), owners(None, false)], "{}", store.kind);
        vendor.world().broken = None;
        vendor.world().reach = Reach::Since(Time(5));
        assert!(is_ok(&vendor.sync(&store).await));
        let since = Some(Time(5));
        let coverage = known(store.coverage().await.unwrap());
        assert_eq!(coverage, [companies(since, true), owners(since, true)], "{}", store.kind);
    }
}
