//! Facts as they are, and as they were known.

use tributary_core::{Fact, Time};
use tributary_store::Store;
use tributary_store::landing::{Landed, RunEnd, RunOutcome};
use tributary_store::testkit::stores;

use crate::pages::{Pages, name};

type Known = Vec<(String, Option<String>)>;

async fn as_of(store: &Store, at: i64) -> Known {
    let records = store.facts_as_of(Time(at), 0, 100).await.unwrap();
    records
        .into_iter()
        .map(|record| match record.facts.first() {
            Some(Fact::Account(account)) => (record.native_id, account.name.clone()),
            _ => (record.native_id, None),
        })
        .collect()
}

#[tokio::test]
async fn history_is_known_from_its_stamp_and_changes_from_when_they_were_observed() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        pages.land(1_000, &[("1", Some(100), Some("first")), ("2", None, Some("always"))]).await;
        pages.land(2_000, &[("1", Some(1_500), Some("second"))]).await;
        pages.land(3_000, &[("1", None, None)]).await;
        let cases: [(i64, Known); 5] = [
            (99, vec![name("2", "always")]),
            (100, vec![name("1", "first"), name("2", "always")]),
            (1_999, vec![name("1", "first"), name("2", "always")]),
            (2_000, vec![name("1", "second"), name("2", "always")]),
            (3_000, vec![("1".to_owned(), None), name("2", "always")]),
        ];
        for (at, expected) in cases {
            assert_eq!(as_of(&store, at).await, expected, "{} {at}", store.kind);
        }
        assert_eq!(store.last_observed().await.unwrap(), Some(Time(3_000)));
    }
}

#[tokio::test]
async fn streams_are_counted_without_deleted_records() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        pages.land(10, &[("1", None, Some("a")), ("2", None, Some("b")), ("1", None, Some("c"))]).await;
        pages.land(20, &[("2", None, None)]).await;
        let counts = store.stream_counts().await.unwrap();
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(("crm".to_owned(), "companies".to_owned()), 1)]);
    }
}

#[tokio::test]
async fn the_last_run_of_each_source_is_known() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        let run = store.begin_run(pages.source, &[], Time(10)).await.unwrap();
        assert_eq!(store.last_runs().await.unwrap()[0].outcome, "running");
        let landed = Landed { fetched: 3, added: 2, unchanged: 1, ..Landed::default() };
        let end = RunEnd {
            at: Time(20),
            outcome: RunOutcome::Failed,
            message: Some("no answer"),
            landed,
            requests: 7,
            streams: "[]",
            findings: "[]",
        };
        store.end_run(run, &end).await.unwrap();
        let runs = store.last_runs().await.unwrap();
        assert_eq!(
            (runs.len(), runs[0].outcome.as_str(), runs[0].landed),
            (1, "failed", landed),
            "{}",
            store.kind
        );
        assert_eq!((runs[0].message.as_deref(), runs[0].requests), (Some("no answer"), 7));
        // Who begins a run has the source in hand: one without an end died.
        store.begin_run(pages.source, &[], Time(30)).await.unwrap();
        store.begin_run(pages.source, &[], Time(40)).await.unwrap();
        let outcomes = store.runs(Some("crm"), 10).await.unwrap().into_iter().map(|run| run.outcome);
        assert_eq!(outcomes.collect::<Vec<_>>(), ["running", "interrupted", "failed"]);
    }
}

#[tokio::test]
async fn a_reader_is_not_held_up_by_a_writer() {
    for store in stores().await {
        let pages = Pages::new(&store).await;
        pages.land(10, &[("1", None, Some("a"))]).await;
        let _writer = store.begin_derivation().await.unwrap();
        assert_eq!(store.record_count().await.unwrap(), 1, "{}", store.kind);
        let second = Store::open(&store.url).await.expect("opening an up-to-date store writes nothing");
        assert_eq!(second.record_count().await.unwrap(), 1, "{}", store.kind);
    }
}
