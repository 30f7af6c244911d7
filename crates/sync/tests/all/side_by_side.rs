//! First reads of several streams at once, where the vendor allows it.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tributary_source::NextStep;
use tributary_store::testkit::{TestStore, stand_still, stores};
use tributary_sync::Outcome;

use crate::vendor::{AtPage, COMPANIES, OWNERS, Vendor, count, digest, is_ok};

/// How long the vendor takes for a page.
const LATENCY: Duration = Duration::from_mins(1);

/// Stores whose work takes no time on the paused clock.
async fn still() -> [TestStore; 2] {
    stand_still();
    stores().await
}

/// Twelve companies, on six pages, and twelve owners.
fn vendor(at_once: usize) -> Vendor {
    let vendor = Vendor::with(12);
    {
        let mut world = vendor.world();
        (world.at_once, world.latency) = (at_once, LATENCY);
        world.owners = world.companies.clone();
    }
    vendor
}

#[tokio::test(start_paused = true)]
async fn first_reads_take_the_time_of_the_longest_and_say_the_same() {
    for (one, other) in still().await.into_iter().zip(still().await) {
        let mut took = Vec::new();
        for (store, at_once) in [(&one, 1), (&other, 2)] {
            let vendor = vendor(at_once);
            let start = Instant::now();
            let report = vendor.sync(store).await;
            assert!(is_ok(&report), "{report:?}");
            let names: Vec<&str> = report.streams.iter().map(|stream| stream.stream).collect();
            assert_eq!(names, [COMPANIES, OWNERS], "in their order, whichever ended first");
            took.push(start.elapsed().as_secs() / LATENCY.as_secs());
            assert_eq!(vendor.world().most_at_once, at_once);
            // What changed comes stream by stream.
            vendor.world().most_at_once = 0;
            vendor.sync(store).await;
            assert_eq!(vendor.world().most_at_once, 1);
        }
        assert_eq!(took, [12, 6], "{}", one.kind);
        assert_eq!(digest(&one).await, digest(&other).await, "{}", one.kind);
    }
}

#[tokio::test(start_paused = true)]
async fn first_reads_that_were_stopped_go_on_where_they_were() {
    for (whole, store) in still().await.into_iter().zip(still().await) {
        vendor(1).sync(&whole).await;
        let vendor = vendor(2);
        let stop = CancellationToken::new();
        let report = vendor.pass(&store, &AtPage::new(4, || stop.cancel()), &stop).await;
        let left = vec![COMPANIES.to_owned(), OWNERS.to_owned()];
        assert_eq!(report.outcome, Outcome::Interrupted { left }, "{}", store.kind);
        assert!(is_ok(&vendor.sync(&store).await));
        // The request that was on its way when the fifth page landed is asked again.
        assert!(vendor.calls() <= 12 + 1, "{:?}", vendor.world().calls);
        assert_eq!(digest(&store).await, digest(&whole).await, "{}", store.kind);
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_the_source_ends_the_streams_beside_it_after_their_pages_in_hand() {
    for store in still().await {
        let vendor = vendor(2);
        vendor.world().broken = Some(("owners since 0 after 004", NextStep::Reauthorize));
        let report = vendor.sync(&store).await;
        let Outcome::Failed { next, .. } = report.outcome else { panic!("{report:?}") };
        assert_eq!(next, NextStep::Reauthorize);
        let asked = vendor.world().calls.iter().filter(|call| call.starts_with(COMPANIES)).count();
        assert!((2..=4).contains(&asked), "companies end with owners: {asked}");
        assert_eq!(count(&store, COMPANIES).await, 2 * asked as u64, "pages in hand have landed");
        vendor.world().broken = None;
        assert!(is_ok(&vendor.sync(&store).await));
        assert_eq!(count(&store, COMPANIES).await, 12, "{}", store.kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_for_itself_leaves_the_one_beside_it_alone() {
    for store in still().await {
        let vendor = vendor(2);
        vendor.world().broken = Some(("owners since 0 after 004", NextStep::Retry));
        let report = vendor.sync(&store).await;
        let Outcome::Failed { next, .. } = report.outcome else { panic!("{report:?}") };
        assert_eq!(next, NextStep::Retry);
        assert_eq!(count(&store, COMPANIES).await, 12, "{}", store.kind);
    }
}
