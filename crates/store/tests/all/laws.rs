//! What holds for any order of arrival.

use proptest::prelude::*;
use tributary_store::landing::Landed;
use tributary_store::testkit::{postgres, sqlite};
use tributary_store::{Store, testkit::TestStore};

use crate::pages::{Pages, Version, contents, names};

const IDS: [&str; 4] = ["1", "2", "3", "4"];
const BODIES: [&str; 3] = ["a", "b", "c"];

/// Versions with distinct stamps a record, as a vendor stamps them, cut into pages; and the same in another order.
fn arrivals() -> impl Strategy<Value = (Vec<Vec<Version>>, Vec<Vec<Version>>)> {
    let version = (0..IDS.len(), 0..6i64, 0..BODIES.len());
    prop::collection::vec(version, 1..25).prop_flat_map(|drawn| {
        let mut versions: Vec<Version> = Vec::new();
        for (id, stamp, body) in drawn {
            if !versions.iter().any(|(known, at, _)| *known == IDS[id] && *at == Some(stamp)) {
                versions.push((IDS[id], Some(stamp), Some(BODIES[body])));
            }
        }
        let pages = |versions: Vec<Version>| {
            (Just(versions).prop_shuffle(), 1..6usize).prop_map(|(versions, size)| {
                versions.chunks(size).map(<[Version]>::to_vec).collect::<Vec<_>>()
            })
        };
        (pages(versions.clone()), pages(versions))
    })
}

async fn land_all(store: &Store, arrival: &[Vec<Version>]) {
    let pages = Pages::new(store).await;
    for (at, page) in (10..).zip(arrival) {
        let landed = pages.land(at, page).await;
        balanced(&landed);
    }
}

fn balanced(landed: &Landed) {
    assert_eq!(landed.fetched, landed.added + landed.unchanged + landed.superseded + landed.rejected);
}

async fn check(left: TestStore, right: TestStore, arrivals: &(Vec<Vec<Version>>, Vec<Vec<Version>>)) {
    land_all(&left, &arrivals.0).await;
    land_all(&right, &arrivals.1).await;
    assert_eq!(left.landing_digest().await.unwrap(), right.landing_digest().await.unwrap());
    let sorted = |mut names: Vec<(String, Option<String>)>| {
        names.sort();
        names
    };
    assert_eq!(sorted(names(&left).await), sorted(names(&right).await));
    // And once more, in the other order: nothing is new.
    let before = contents(&left).await;
    land_all(&left, &arrivals.1).await;
    assert_eq!(contents(&left).await, before);
}

#[test]
fn the_order_of_arrival_does_not_matter_and_landing_twice_writes_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(48));
    runner
        .run(&arrivals(), |arrivals| {
            runtime.block_on(async { check(sqlite().await, sqlite().await, &arrivals).await });
            Ok(())
        })
        .unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(6));
    runner
        .run(&arrivals(), |arrivals| {
            runtime.block_on(async { check(sqlite().await, postgres().await, &arrivals).await });
            Ok(())
        })
        .unwrap();
}
