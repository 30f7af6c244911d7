//! What is gone at the vendor is gone here, and nothing else.

use tokio_util::sync::CancellationToken;
use tributary_source::NextStep;
use tributary_store::testkit::{sqlite, stores};
use tributary_sync::{Options, Outcome, Silent, run};

use crate::vendor::{COMPANIES, OWNERS, Vendor, count, is_ok, only, options};

#[tokio::test]
async fn a_deleted_record_is_gone_after_the_next_pass() {
    for store in stores().await {
        let vendor = Vendor::with(7);
        vendor.sync(&store).await;
        vendor.world().companies.remove("004");
        vendor.world().owners.remove("2");
        let report = vendor.sync(&store).await;
        assert_eq!(report.landed().deleted, 2, "{} {report:?}", store.kind);
        assert_eq!((count(&store, COMPANIES).await, count(&store, OWNERS).await), (6, 2), "{}", store.kind);
        vendor.world().companies.insert("004".to_owned(), (4, "company 4".to_owned()));
        vendor.world().owners.insert("2".to_owned(), (2, "owner 2".to_owned()));
        vendor.sync(&store).await;
        assert_eq!(count(&store, OWNERS).await, 3, "{}: what comes back is back", store.kind);
    }
}

#[tokio::test]
async fn a_walk_that_breaks_deletes_nothing_and_goes_on_at_the_next_pass() {
    for store in stores().await {
        let vendor = Vendor::with(7);
        vendor.sync(&store).await;
        vendor.world().companies.remove("001");
        let second_page_of_the_walk = vendor.calls() + 2;
        vendor.world().faults.insert(second_page_of_the_walk, NextStep::Retry);
        let report = vendor.sync(&store).await;
        assert_eq!(vendor.world().calls[second_page_of_the_walk], "companies sweep after 003");
        assert_eq!((is_ok(&report), report.landed().deleted), (false, 0), "{}", store.kind);
        assert_eq!(count(&store, COMPANIES).await, 7, "{}", store.kind);

        // Meanwhile a record came that the walk has passed: it must stay.
        vendor.world().companies.insert("000".to_owned(), (99, "new".to_owned()));
        let before = vendor.calls();
        let report = vendor.sync(&store).await;
        assert_eq!(vendor.world().calls[before], "companies sweep after 003", "it goes on where it broke");
        assert_eq!((is_ok(&report), report.landed().deleted), (true, 1), "{} {report:?}", store.kind);
        assert_eq!(count(&store, COMPANIES).await, 7, "{}: one gone, one new", store.kind);
    }
}

#[tokio::test]
async fn an_empty_answer_does_not_empty_the_store() {
    for store in stores().await {
        let vendor = Vendor::with(60);
        vendor.sync(&store).await;
        let all = std::mem::take(&mut vendor.world().companies);
        for pass in 0..2 {
            let report = vendor.sync(&store).await;
            let Outcome::Failed { next: NextStep::FixConfig, message } = &report.outcome else {
                panic!("{} {report:?}", store.kind)
            };
            assert!(message.contains("60 of 60"), "{} {pass}: {message}", store.kind);
            assert_eq!(count(&store, COMPANIES).await, 60, "{} {pass}", store.kind);
            assert_eq!(count(&store, OWNERS).await, 3, "{} {pass}: the other stream still came", store.kind);
        }
        vendor.world().companies = all;
        assert!(is_ok(&vendor.sync(&store).await), "{}", store.kind);
        vendor.world().companies.clear();
        let allowed = Options { allow_mass_delete: true, ..options() };
        let report = run(&store, &[vendor.source("crm")], &allowed, &Silent, &CancellationToken::new()).await;
        assert_eq!(only(report.unwrap()).landed().deleted, 60, "{}", store.kind);
        assert_eq!(count(&store, COMPANIES).await, 0, "{}", store.kind);
    }
}

#[tokio::test]
async fn what_comes_with_a_mass_deletion_still_lands() {
    let store = sqlite().await;
    let vendor = Vendor::with(1);
    for number in 0..60 {
        vendor.world().owners.insert(format!("old {number:02}"), (1, "owner".to_owned()));
    }
    vendor.sync(&store).await;
    vendor.world().owners.retain(|id, _| !id.starts_with("old"));
    vendor.world().owners.insert("new".to_owned(), (2, "new owner".to_owned()));
    let report = vendor.sync(&store).await;
    assert!(matches!(report.outcome, Outcome::Failed { .. }), "{report:?}");
    assert_eq!((report.landed().added, report.landed().deleted), (1, 0));
    assert_eq!(count(&store, OWNERS).await, 3 + 60 + 1);
}
