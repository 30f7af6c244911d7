//! Facts as they are, and as they were known.

use tributary_core::{Fact, Time};
use tributary_store::Store;
use tributary_store::landing::{Extent, Landed, RunEnd, RunOutcome, RunTotal, StreamDay};
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
            advice: Some("retry"),
            rows: &[("companies", 2, Extent::Whole), ("owners", 0, Extent::Part)],
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
        assert_eq!(runs[0].advice.as_deref(), Some("retry"));
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

#[tokio::test]
async fn what_runs_came_to_is_added_up_by_outcome_and_by_day() {
    const DAY: i64 = 86_400_000_000;
    for store in stores().await {
        let pages = Pages::new(&store).await;
        for (began, outcome, added) in
            [(10, RunOutcome::Ok, 5), (20, RunOutcome::Failed, 1), (DAY, RunOutcome::Ok, 7)]
        {
            let run = store.begin_run(pages.source, &[], Time(began)).await.unwrap();
            let extent = if outcome == RunOutcome::Ok { Extent::Whole } else { Extent::Part };
            let end = RunEnd {
                at: Time(began + 5),
                outcome,
                message: None,
                landed: Landed { fetched: 9, added, problems: 1, rejected: 1, ..Landed::default() },
                requests: 2,
                advice: None,
                rows: &[("companies", added, extent)],
                streams: "[]",
                findings: "[]",
            };
            store.end_run(run, &end).await.unwrap();
        }
        // A run that died counts too, once the next begins.
        store.begin_run(pages.source, &[], Time(DAY + 30)).await.unwrap();
        store.begin_run(pages.source, &[], Time(DAY + 40)).await.unwrap();
        let totals = store.run_totals().await.unwrap();
        let of = |outcome: &str| totals[&("crm".to_owned(), outcome.to_owned())];
        let ok = RunTotal {
            runs: 2,
            fetched: 18,
            added: 12,
            problems: 4,
            requests: 4,
            took_micros: 10,
            ended_at: Time(DAY + 5),
            ..RunTotal::default()
        };
        assert_eq!((of("ok"), of("failed").runs, of("interrupted").runs), (ok, 1, 1), "{}", store.kind);
        let days = store.stream_days(&[0, 1, 5]).await.unwrap();
        let companies = &days[&("crm".to_owned(), "companies".to_owned())];
        let expected = [(0, StreamDay { added: 6, completed: 1 }), (1, StreamDay { added: 7, completed: 1 })];
        assert_eq!(companies.iter().map(|(day, it)| (*day, *it)).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn requests_of_a_day_and_what_is_allowed_are_known() {
    for store in stores().await {
        assert_eq!(store.count_requests("crm", 3, 5, None).await.unwrap(), 5);
        assert_eq!(store.count_requests("crm", 3, 2, Some(40)).await.unwrap(), 7);
        assert_eq!(store.count_requests("crm", 3, 1, None).await.unwrap(), 8);
        let requests = store.requests_on(3).await.unwrap();
        assert_eq!((requests["crm"].sent, requests["crm"].allowed), (8, Some(40)), "{}", store.kind);
        assert!(store.requests_on(4).await.unwrap().is_empty());
    }
}
