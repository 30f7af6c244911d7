//! From when and until when a stream is complete.

use tributary_core::Time;
use tributary_store::landing::{Next, Reach, StreamCoverage};
use tributary_store::testkit::stores;

use crate::pages::Pages;

fn of(since: Option<i64>, until: Option<i64>) -> Vec<StreamCoverage> {
    let (source, stream) = ("crm".to_owned(), "companies".to_owned());
    vec![StreamCoverage { source, stream, since: since.map(Time), until: until.map(Time), labels: false }]
}

#[tokio::test]
async fn a_stream_is_complete_until_its_last_whole_read_began() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        pages.next = Next::More { span: "since", resume: "2" };
        pages.land(10, &[("1", None, Some("a"))]).await;
        assert_eq!(store.coverage().await.unwrap(), of(None, None), "{}", store.kind);
        pages.next = Next::Done { cursor: Some("c") };
        pages.land(20, &[("2", None, Some("b"))]).await;
        assert_eq!(store.coverage().await.unwrap(), of(None, Some(10)), "{}", store.kind);
        // A read on its way takes nothing back, and a walk over ids reads nothing.
        pages.next = Next::More { span: "since", resume: "2" };
        pages.land(30, &[]).await;
        pages.next = Next::Done { cursor: None };
        pages.land(40, &[]).await;
        assert_eq!(store.coverage().await.unwrap(), of(None, Some(10)), "{}", store.kind);
        pages.next = Next::Done { cursor: Some("c") };
        pages.land(50, &[]).await;
        assert_eq!(store.coverage().await.unwrap(), of(None, Some(50)), "{}", store.kind);
    }
}

#[tokio::test]
async fn a_stream_reaches_as_far_back_as_reads_without_a_gap() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        for (at, reach, since) in [
            (100, Reach::Since(Time(50)), 50),
            (110, Reach::Everything, 50),
            (120, Reach::Since(Time(90)), 50),
            (130, Reach::Since(Time(20)), 20),
            // Nothing was read between 130 and 140.
            (200, Reach::Since(Time(140)), 140),
        ] {
            pages.reach = reach;
            pages.land(at, &[]).await;
            assert_eq!(store.coverage().await.unwrap(), of(Some(since), Some(at)), "{} {at}", store.kind);
        }
        pages.reach = Reach::Itself;
        pages.land(300, &[]).await;
        assert_eq!(store.coverage().await.unwrap(), of(None, Some(i64::MAX)), "{}", store.kind);
    }
}

#[tokio::test]
async fn a_stream_that_only_labels_touches_says_so() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        pages.reach = Reach::Labels(Time(50));
        pages.land(100, &[]).await;
        pages.next = Next::More { span: "since", resume: "2" };
        pages.reach = Reach::Everything;
        pages.land(110, &[]).await;
        let found = store.coverage().await.unwrap().remove(0);
        assert_eq!((found.labels, found.since), (true, Some(Time(50))), "{}", store.kind);
    }
}

#[tokio::test]
async fn of_several_parts_the_one_that_lacks_most_counts() {
    for store in stores().await {
        let mut pages = Pages::new(&store).await;
        pages.part = "north";
        pages.reach = Reach::Since(Time(50));
        pages.land(100, &[]).await;
        pages.part = "south";
        pages.reach = Reach::Everything;
        pages.land(90, &[]).await;
        assert_eq!(store.coverage().await.unwrap(), of(Some(50), Some(90)), "{}", store.kind);
        store.expect_streams(pages.source, &["companies"], Time(95)).await.unwrap();
        assert_eq!(store.coverage().await.unwrap(), of(Some(50), None), "{}", store.kind);
        store.forget_state(pages.source, "companies", "").await.unwrap();
        store.retire_part(pages.source, "companies", "south").await.unwrap();
        assert_eq!(store.coverage().await.unwrap(), of(Some(50), Some(100)), "{}", store.kind);
    }
}
