//! What could not be understood.

use tributary_store::Store;
use tributary_store::landing::{Deletes, Incoming, Reject};
use tributary_store::testkit::stores;

use crate::pages::Pages;

async fn open(store: &Store) -> Vec<String> {
    let (faults, count) = store.quarantined(100).await.unwrap();
    assert_eq!(faults.len() as u64, count);
    faults.into_iter().map(|fault| fault.native_id.or(fault.origin).unwrap()).collect()
}

#[tokio::test]
async fn a_record_with_a_problem_stays_in_quarantine_until_a_clean_version_comes() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        let landed = pages.land(10, &[("1", None, Some("?")), ("2", None, Some("fine"))]).await;
        assert_eq!((landed.added, landed.problems, landed.rejected), (2, 1, 0), "{}", store.kind);
        assert_eq!(open(&store).await, ["1"], "{}", store.kind);
        pages.land(20, &[("1", None, Some("still?"))]).await;
        assert_eq!(open(&store).await, ["1"], "the same fault stands once");
        pages.land(30, &[("1", None, Some("clean"))]).await;
        assert!(open(&store).await.is_empty(), "{}", store.kind);
        pages.land(40, &[("1", None, Some("again?"))]).await;
        assert_eq!(open(&store).await, ["1"], "a fault that comes back is open again");
        pages.land(50, &[("1", None, None)]).await;
        assert!(open(&store).await.is_empty(), "a deleted record has no faults");
    }
}

#[tokio::test]
async fn bytes_that_are_no_record_are_kept_once_until_their_place_holds_one() {
    let reject = |origin, body| Reject { stream: "companies", origin, field: "id", reason: "no id", body };
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        let rejects = [reject("companies.csv:2", b",Acme".as_slice()), reject("companies.csv:3", b",Bolt")];
        pages.rejects = &rejects;
        let landed = pages.land(10, &[]).await;
        assert_eq!((landed.fetched, landed.rejected), (2, 2), "{}", store.kind);
        pages.land(20, &[]).await;
        assert_eq!(open(&store).await, ["companies.csv:2", "companies.csv:3"], "{}", store.kind);
        pages.rejects = &rejects[1..];
        let origin = Some("companies.csv:2");
        let mended = Incoming { stream: "companies", id: "1", stamp: None, body: Some(b"Acme"), origin };
        pages.land_records(30, &[mended]).await.unwrap();
        assert_eq!(open(&store).await, ["companies.csv:3"], "{}", store.kind);
        // A span that covers everything and does not meet them ends them.
        pages.rejects = &[];
        pages.deletes = Deletes::Unseen;
        pages.land_records(40, &[mended]).await.unwrap();
        assert!(open(&store).await.is_empty(), "{}", store.kind);
    }
}
