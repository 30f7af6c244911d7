//! The book as it was known at a time.

use tributary_core::Time;
use tributary_core::book::Outcome;
use tributary_derive::{Rules, book_as_of};
use tributary_store::facts::RecordFacts;

use crate::update::{land, open};
use crate::world::{Said, crm, day};

#[test]
fn later_events_and_later_versions_are_not_known_yet() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder, "store.db").await;
        let first = Said::default()
            .account("crm", "a", "acme.example")
            .person("crm", "p", "a", "ann@acme.example", 10)
            .deal("d", "a", 1000, 60)
            .touch("crm", "t1", 5, &[crm("p")])
            .touch("crm", "t2", 50, &[crm("p")]);
        let all = |said: &Said| -> Vec<(RecordFacts, bool)> {
            said.records.iter().map(|it| (it.clone(), false)).collect()
        };
        land(&store, &all(&first), day(100).0).await;
        // On day 120 the amount turns out to have been another.
        land(&store, &all(&Said::default().deal("d", "a", 2000, 60)), day(120).0).await;

        let at = |days: i64| {
            let store = store.clone();
            async move { book_as_of(&store, &Rules::default(), day(days)).await.unwrap().0 }
        };
        let early = at(40).await;
        assert_eq!(early.touches.len(), 1);
        assert_eq!((early.deals[0].outcome, early.deals[0].closed_at), (Outcome::Open, None));
        assert!(at(20).await.deals.is_empty(), "the opportunity was created on day 30");
        let closed = at(110).await;
        assert_eq!(closed.touches.len(), 2);
        assert_eq!(closed.deals[0].outcome, Outcome::Won);
        assert_eq!(closed.deals[0].amount.map(|money| money.minor), Some(1000));
        assert_eq!(at(130).await.deals[0].amount.map(|money| money.minor), Some(2000));
        assert_eq!(at(5).await.people[0].created_at, None::<Time>);
    });
}
