//! Versions, heads and accounts of a page.

use tributary_core::Time;
use tributary_store::landing::{Incoming, Landed, Next, State};
use tributary_store::testkit::{OwnPostgres, stores};
use tributary_store::{Store, StoreError};

use crate::pages::{Pages, contents, name, names, said};

#[tokio::test]
async fn landing_twice_writes_nothing() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        let page = [("1", Some(5), Some("Acme")), ("2", None, Some("Bolt"))];
        let first = pages.land(10, &page).await;
        assert_eq!((first.fetched, first.added), (2, 2), "{}", store.kind);
        let before = contents(&store).await;
        let again = pages.land(20, &page).await;
        assert_eq!(again, Landed { fetched: 2, unchanged: 2, ..Landed::default() }, "{}", store.kind);
        assert_eq!(contents(&store).await, before, "{}", store.kind);
    }
}

#[tokio::test]
async fn the_highest_stamp_is_current_and_a_late_older_version_is_kept() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        pages.land(10, &[("1", Some(7), Some("new"))]).await;
        let late = pages.land(20, &[("1", Some(3), Some("old"))]).await;
        assert_eq!((late.added, late.superseded), (0, 1), "{}", store.kind);
        assert_eq!(names(&store).await, [name("1", "new")]);
        let later = pages.land(30, &[("1", Some(3), Some("old"))]).await;
        assert_eq!((later.unchanged, later.superseded), (1, 0), "a kept version is kept once");
        assert_eq!(store.body(1).await.unwrap().unwrap(), b"new");
    }
}

#[tokio::test]
async fn without_stamps_the_latest_observed_is_current_and_may_come_back() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        for (at, body) in [(10, "a"), (20, "b"), (30, "a")] {
            let landed = pages.land(at, &[("1", None, Some(body))]).await;
            assert_eq!(landed.added, 1, "{} {at}", store.kind);
            assert_eq!(names(&store).await, [name("1", body)]);
        }
    }
}

#[tokio::test]
async fn a_newer_stamp_on_the_same_body_keeps_older_changes_out() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        pages.land(10, &[("1", Some(1), Some("a"))]).await;
        pages.land(20, &[("1", Some(3), Some("a"))]).await;
        let late = pages.land(30, &[("1", Some(2), Some("b"))]).await;
        assert_eq!(late.superseded, 1, "{}", store.kind);
        assert_eq!(names(&store).await, [name("1", "a")]);
    }
}

#[tokio::test]
async fn a_page_that_says_two_things_of_one_record_says_the_same_when_it_comes_again() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        let page = [("1", None, Some("a")), ("2", None, Some("x")), ("1", None, Some("b"))];
        let first = pages.land(10, &page).await;
        assert_eq!((first.added, first.superseded), (2, 1), "{}", store.kind);
        let before = (names(&store).await, contents(&store).await);
        for at in [20, 30, 40] {
            assert_eq!(pages.land(at, &page).await.unchanged, 3, "{} {at}", store.kind);
        }
        assert_eq!((names(&store).await, contents(&store).await), before);
    }
}

#[tokio::test]
async fn a_deletion_follows_what_it_deletes_and_a_restored_record_follows_it() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        let unknown = pages.land(5, &[("9", None, None)]).await;
        assert_eq!(unknown.unchanged, 1, "a deletion of nothing is nothing");
        pages.land(10, &[("1", Some(7), Some("here"))]).await;
        assert_eq!(pages.land(20, &[("1", None, None)]).await.added, 1, "{}", store.kind);
        assert_eq!(names(&store).await, [("1".to_owned(), None)]);
        assert_eq!(store.body(1).await.unwrap(), None);
        assert_eq!(pages.land(30, &[("1", None, None)]).await.unchanged, 1);
        assert_eq!(pages.land(40, &[("1", Some(7), Some("here"))]).await.added, 1);
        assert_eq!(names(&store).await, [name("1", "here")]);
    }
}

#[tokio::test]
async fn state_moves_with_the_page_and_can_be_forgotten() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        pages.next = Next::More { span: "since", resume: "page 2" };
        pages.land(10, &[("1", None, Some("a"))]).await;
        let key = ("companies".to_owned(), String::new());
        let state = |cursor: Option<&str>, open: Option<(&str, &str)>| State {
            cursor: cursor.map(str::to_owned),
            open: open.map(|(span, resume)| (span.to_owned(), resume.to_owned())),
            // A span is complete as of its first page, and the first one saw all ids.
            complete_at: cursor.map(|_| Time(10)),
            swept_at: cursor.map(|_| Time(10)),
        };
        let states = store.states(pages.source).await.unwrap();
        assert_eq!(states[&key], state(None, Some(("since", "page 2"))), "{}", store.kind);
        pages.next = Next::Done { cursor: Some("c1") };
        pages.land(20, &[]).await;
        assert_eq!(store.states(pages.source).await.unwrap()[&key], state(Some("c1"), None));
        pages.next = Next::Done { cursor: None };
        pages.land(30, &[]).await;
        assert_eq!(store.states(pages.source).await.unwrap()[&key], state(Some("c1"), None));
        store.forget_state(pages.source, "companies", "").await.unwrap();
        assert!(store.states(pages.source).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_page_that_fails_leaves_nothing_and_the_state_where_it_was() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        pages.land(10, &[("1", None, Some("a"))]).await;
        let before = contents(&store).await;
        let page = tributary_store::landing::Landing {
            source: pages.source,
            stream: "companies",
            part: "",
            after: None,
            observed_at: Time(20),
            records: &[Incoming {
                stream: "companies",
                id: "2",
                stamp: None,
                body: Some(b"b"),
                origin: None,
            }],
            rejects: &[],
            seen: &[],
            next: Next::Done { cursor: Some("far ahead") },
            deletes: Default::default(),
            reach: Default::default(),
            progress: None,
        };
        let store_two = store.store.clone();
        let died = tokio::spawn(async move {
            let page = tributary_store::landing::Landing { records: page.records, ..page };
            store_two.land(&page, &|_| panic!("killed in the middle of a page")).await
        });
        assert!(died.await.is_err());
        assert_eq!(contents(&store).await, before, "{}", store.kind);
        let state = &store.states(pages.source).await.unwrap()[&("companies".to_owned(), String::new())];
        assert_eq!(state.cursor.as_deref(), Some("c"));
    }
}

#[tokio::test]
async fn text_that_a_database_cannot_hold_still_lands() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        let bodies = ["{\"a\":\"\u{0}\"}", "naïve 🦀 \u{202e}", ""];
        let records: Vec<Incoming<'_>> = bodies
            .iter()
            .map(|body| Incoming {
                stream: "companies",
                id: body,
                stamp: None,
                body: Some(body.as_bytes()),
                origin: None,
            })
            .collect();
        let landed = pages.land_records(10, &records).await.unwrap();
        assert_eq!(landed.added, 3, "{}", store.kind);
        assert_eq!(pages.land_records(20, &records).await.unwrap().unchanged, 3, "{}", store.kind);
        for (record, body) in (1..).zip(bodies) {
            assert_eq!(store.body(record).await.unwrap().unwrap(), body.as_bytes(), "{}", store.kind);
        }
    }
}

#[tokio::test]
async fn many_rows_go_in_at_once() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        let ids: Vec<String> = (0..12_345).map(|number| format!("id'{number}\"")).collect();
        let bodies: Vec<String> = ids.iter().map(|id| format!("name of {id}")).collect();
        let records: Vec<Incoming<'_>> = ids
            .iter()
            .zip(&bodies)
            .map(|(id, body)| Incoming {
                stream: "companies",
                id,
                stamp: None,
                body: Some(body.as_bytes()),
                origin: None,
            })
            .collect();
        assert_eq!(pages.land_records(10, &records).await.unwrap().added, 12_345, "{}", store.kind);
        assert_eq!(pages.land_records(20, &records).await.unwrap().unchanged, 12_345, "{}", store.kind);
        assert_eq!(store.body(12_345).await.unwrap().unwrap(), bodies[12_344].as_bytes());
        assert_eq!(store.record_count().await.unwrap(), 12_345);
    }
}

#[tokio::test]
async fn a_new_normaliser_reads_landed_records_anew() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        pages.land(10, &[("1", Some(1), Some("a")), ("2", Some(1), Some("b"))]).await;
        pages.land(20, &[("1", Some(2), Some("c")), ("2", None, None)]).await;
        let mut run = store.begin_derivation().await.unwrap();
        let dirty = run.dirty().await.unwrap();
        assert_eq!(dirty, [1, 2], "{}", store.kind);
        run.clear_dirty(&dirty).await.unwrap();
        run.finish("rules").await.unwrap();

        let (source, is_stale) = store.register_source("crm", "fake", "{}", "2").await.unwrap();
        assert!(is_stale);
        let shout = |_: &str, id: &str, _: Option<Time>, body: &[u8]| said(id, &body.to_ascii_uppercase());
        assert_eq!(store.renormalize(source, "2", &shout).await.unwrap(), 1, "{}", store.kind);
        assert_eq!(names(&store).await, [name("1", "C"), ("2".to_owned(), None)]);
        assert_eq!(
            store.dirty_records().await.unwrap(),
            [1],
            "only what says something else is derived anew"
        );
        assert_eq!(store.register_source("crm", "fake", "{}", "2").await.unwrap(), (source, false));
        // What the new normaliser finds wrong, and what it no longer does, is in quarantine or not.
        let doubt = |_: &str, id: &str, _: Option<Time>, _: &[u8]| said(id, b"?");
        store.renormalize(source, "3", &doubt).await.unwrap();
        assert_eq!(store.quarantined(10).await.unwrap().1, 1, "{}: heads only", store.kind);
        store.renormalize(source, "2", &shout).await.unwrap();
        assert_eq!(store.quarantined(10).await.unwrap().1, 0, "{}", store.kind);
    }
}

#[tokio::test]
async fn a_new_normaliser_reads_all_records_of_its_source_and_no_other() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        let own = pages.source;
        let ids: Vec<String> = (0..2_500).map(|id| format!("{id}")).collect();
        let records: Vec<Incoming<'_>> = ids
            .iter()
            .map(|id| Incoming { stream: "companies", id, stamp: None, body: Some(b"a"), origin: None })
            .collect();
        // Another source's records take the ids between, more of them than are read at once.
        pages.land_records(10, &records[..100]).await.unwrap();
        (pages.source, _) = store.register_source("ads", "fake", "{}", "1").await.unwrap();
        pages.land_records(20, &records).await.unwrap();
        pages.source = own;
        pages.land_records(30, &records).await.unwrap();
        let shout = |_: &str, id: &str, _: Option<Time>, body: &[u8]| said(id, &body.to_ascii_uppercase());
        assert_eq!(store.renormalize(own, "2", &shout).await.unwrap(), 2_500, "{}", store.kind);
        assert_eq!(store.renormalize(own, "2", &shout).await.unwrap(), 0, "{}", store.kind);
    }
}

#[tokio::test]
async fn every_version_can_be_read_back_as_it_was_sent() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        pages.land(10, &[("0", None, Some("other")), ("1", Some(3), Some("a"))]).await;
        pages.land(20, &[("1", Some(2), Some("older"))]).await;
        pages.land(30, &[("1", None, None)]).await;
        let versions = store.versions(2).await.unwrap();
        let bodies: Vec<Option<&[u8]>> = versions.iter().map(|version| version.body.as_deref()).collect();
        assert_eq!(bodies, [Some(b"a".as_slice()), Some(b"older"), None], "{}", store.kind);
        let current: Vec<bool> = versions.iter().map(|version| version.is_current).collect();
        assert_eq!(current, [false, false, true], "{}", store.kind);
    }
}

#[tokio::test]
async fn a_source_keeps_its_connector() {
    for store in stores().await {
        Pages::new(&store).await;
        let error = store.register_source("crm", "another", "{}", "1").await.unwrap_err().to_string();
        assert!(error.contains("filled by connector `fake`"), "{} {error}", store.kind);
    }
}

#[tokio::test]
async fn a_page_lands_only_where_the_one_before_it_did() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        pages.next = Next::More { span: "since", resume: "r1" };
        pages.land(1, &[("1", None, Some("a"))]).await;
        for after in ["r0", "r2"] {
            pages.after = Some(after);
            let refused = pages.try_land(2, &[("2", None, Some("b"))]).await;
            assert!(matches!(refused, Err(StoreError::Forgotten)), "{} {refused:?}", store.kind);
        }
        pages.after = Some("r1");
        pages.next = Next::Done { cursor: Some("c") };
        pages.land(3, &[("2", None, Some("b"))]).await;
        assert_eq!(store.record_count().await.unwrap(), 2, "{}", store.kind);
        // The span is over: nothing goes on from there.
        assert!(matches!(pages.try_land(4, &[]).await, Err(StoreError::Forgotten)), "{}", store.kind);
    }
}

#[tokio::test]
async fn what_a_dying_server_forgot_is_pulled_again_and_not_passed_over() {
    let server = OwnPostgres::start();
    let mut forgotten = 0;
    for round in 0..5 {
        let store = Store::open(&server.url()).await.unwrap();
        let part = round.to_string();
        let ids = [format!("{round} one"), format!("{round} other")];
        let page =
            |id| [Incoming { stream: "companies", id, stamp: None, body: Some(&b"a"[..]), origin: None }];
        let mut pages = Pages::new(&store).await;
        pages.part = &part;
        pages.next = Next::More { span: "since", resume: "r1" };
        server.keep();
        pages.land_records(1, &page(&ids[0])).await.unwrap();
        server.kill();
        server.restart();
        pages.after = Some("r1");
        pages.next = Next::Done { cursor: Some("c") };
        match pages.land_records(2, &page(&ids[1])).await {
            Ok(_) => {}
            Err(StoreError::Forgotten) => {
                forgotten += 1;
                pages.after = None;
                for id in &ids {
                    pages.land_records(2, &page(id)).await.unwrap();
                }
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(store.record_count().await.unwrap(), 2 * (round + 1));
    }
    assert!(forgotten > 0, "the server forgot nothing: this test shows nothing");
}
