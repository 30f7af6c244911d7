//! What a completed span has not seen.

use tributary_core::Time;
use tributary_store::StoreError;
use tributary_store::landing::{Deletes, Incoming, Next};
use tributary_store::testkit::stores;

use crate::pages::{Pages, contents, name, names};

#[tokio::test]
async fn a_completed_span_deletes_what_no_page_of_it_has_seen() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        pages.land(10, &[("1", None, Some("a")), ("2", None, Some("b")), ("3", None, Some("c"))]).await;
        pages.deletes = Deletes::Unseen;
        pages.next = Next::More { span: "sweep", resume: "2" };
        assert_eq!(pages.land(20, &[("1", None, Some("a"))]).await.deleted, 0);
        pages.next = Next::Done { cursor: None };
        let seen = ["3".to_owned()];
        pages.seen = &seen;
        assert_eq!(pages.land(30, &[]).await.deleted, 1, "{}", store.kind);
        assert_eq!(names(&store).await, [name("1", "a"), ("2".to_owned(), None), name("3", "c")]);
        // The next span begins with nothing seen.
        assert_eq!(pages.land(40, &[]).await.deleted, 1, "{}", store.kind);
        assert_eq!(names(&store).await[2], name("3", "c"));
    }
}

#[tokio::test]
async fn an_aborted_span_deletes_nothing() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        pages.land(10, &[("1", None, Some("a")), ("2", None, Some("b"))]).await;
        let before = contents(&store).await;
        pages.deletes = Deletes::Unseen;
        pages.next = Next::More { span: "sweep", resume: "2" };
        pages.land(20, &[]).await;
        assert_eq!(contents(&store).await, before, "{}", store.kind);
    }
}

#[tokio::test]
async fn what_landed_since_the_span_began_is_not_deleted() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        pages.land(10, &[("1", None, Some("a"))]).await;
        pages.deletes = Deletes::Unseen;
        pages.next = Next::More { span: "sweep", resume: "2" };
        pages.land(20, &[("1", None, Some("a"))]).await;
        // Another stream's page brings a record that the walk has passed already.
        let other = tributary_store::landing::Landing {
            source: pages.source,
            stream: "contacts",
            part: "",
            after: None,
            observed_at: Time(25),
            records: &[Incoming {
                stream: "companies",
                id: "0",
                stamp: None,
                body: Some(b"z"),
                origin: None,
            }],
            rejects: &[],
            seen: &[],
            next: Next::Done { cursor: Some("c") },
            deletes: Deletes::Nothing,
            reach: Default::default(),
            progress: None,
        };
        store.land(&other, &|_| crate::pages::said("0", b"z")).await.unwrap();
        pages.next = Next::Done { cursor: None };
        assert_eq!(pages.land(30, &[]).await.deleted, 0, "{}", store.kind);
    }
}

#[tokio::test]
async fn a_part_deletes_its_own_records_only() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        pages.deletes = Deletes::Unseen;
        pages.part = "north";
        pages.land(10, &[("1", None, Some("a")), ("2", None, Some("b"))]).await;
        pages.part = "south";
        assert_eq!(pages.land(20, &[("3", None, Some("c"))]).await.deleted, 0, "{}", store.kind);
        pages.part = "north";
        assert_eq!(pages.land(30, &[("1", None, Some("a"))]).await.deleted, 1, "{}", store.kind);
        assert_eq!(names(&store).await, [name("1", "a"), ("2".to_owned(), None), name("3", "c")]);
    }
}

#[tokio::test]
async fn a_mass_deletion_is_asked_about_first() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        let ids: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
        let record = |id| Incoming { stream: "companies", id, stamp: None, body: Some(b"x"), origin: None };
        let records: Vec<Incoming<'_>> = ids.iter().map(|id| record(id)).collect();
        pages.land_records(10, &records).await.unwrap();
        let before = contents(&store).await;
        pages.deletes = Deletes::Unseen;
        match pages.land_records(20, &records[..150]).await {
            Err(StoreError::MassDelete { missing: 50, known: 200, .. }) => {}
            other => panic!("{} {other:?}", store.kind),
        }
        assert_eq!(contents(&store).await, before, "{}", store.kind);
        assert_eq!(
            pages.land_records(30, &records[..151]).await.unwrap().deleted,
            49,
            "fewer than 50 are not many"
        );
        pages.deletes = Deletes::UnseenHoweverMany;
        assert_eq!(pages.land_records(40, &records[..1]).await.unwrap().deleted, 150);
    }
}
