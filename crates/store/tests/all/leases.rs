//! One process at a time has a piece of work in hand, and none writes after it lost it.

use std::sync::Arc;
use std::time::Duration;

use tributary_core::Time;
use tributary_store::testkit::{OwnPostgres, TestStore, stores};
use tributary_store::work::{Lease, Taken};
use tributary_store::{Store, StoreError};

const LONG: Duration = Duration::from_hours(1);

async fn taken(store: &Store, ttl: Duration) -> Option<Arc<Lease>> {
    match store.take("source crm", ttl).await.unwrap() {
        Taken::Ours(lease) => Some(lease),
        Taken::By(who) => {
            assert!(who.starts_with("process "), "{who}");
            None
        }
    }
}

/// Lets a lease run out, as it does while its process sleeps: only Postgres has leases that run out.
async fn stolen(store: &TestStore) -> Option<Arc<Lease>> {
    if store.is_one_file() {
        return None;
    }
    taken(store, LONG).await
}

#[tokio::test]
async fn what_one_has_in_hand_another_gets_when_it_lets_go_or_is_gone() {
    for store in stores().await {
        let first = taken(&store, LONG).await.expect("nobody has it");
        assert!(taken(&store, LONG).await.is_none(), "{}", store.kind);
        assert!(store.holder("source crm").await.unwrap().is_some());
        store.release(&first).await.unwrap();
        assert_eq!(store.holder("source crm").await.unwrap(), None);
        let second = taken(&store, LONG).await.expect("it was let go");
        // Nothing of its holder lives any more, and nobody has to wait for an hour.
        drop(second);
        assert!(taken(&store, LONG).await.is_some(), "{}", store.kind);
    }
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_over_and_its_holder_writes_nothing_more() {
    for store in stores().await {
        let sleeper = taken(&store, Duration::from_micros(1)).await.expect("nobody has it");
        let under = store.under(&sleeper);
        under.ask("crm", Time(1)).await.expect("it is still ours");
        let Some(next) = stolen(&store).await else { continue };
        assert!(matches!(under.ask("crm", Time(2)).await, Err(StoreError::LeaseLost)), "{}", store.kind);
        assert!(matches!(store.renew(&sleeper).await, Err(StoreError::LeaseLost)));
        assert_eq!(store.planned().await.unwrap()["crm"].asked_at, Some(Time(1)), "nothing was written");
        // Letting go of what is lost takes nothing from the new holder.
        assert!(matches!(store.release(&sleeper).await, Err(StoreError::LeaseLost)));
        store.under(&next).ask("crm", Time(3)).await.expect("it is held");
    }
}

#[tokio::test]
async fn a_lease_that_is_renewed_is_not_taken_over() {
    for store in stores().await {
        let lease = taken(&store, LONG).await.expect("nobody has it");
        store.renew(&lease).await.unwrap();
        assert!(taken(&store, LONG).await.is_none(), "{}", store.kind);
        store.under(&lease).pause("crm").await.expect("it is ours");
    }
}

#[tokio::test]
async fn a_write_that_waits_for_another_sees_that_its_lease_is_gone() {
    for store in stores().await {
        if store.is_one_file() {
            continue;
        }
        let sleeper = taken(&store, Duration::from_micros(1)).await.expect("nobody has it");
        let other = Store::open(&store.url).await.unwrap();
        // Someone writes for a while; the sleeper's write stands in line behind the one who takes its lease.
        let derivation = other.begin_derivation().await.unwrap();
        let under = store.under(&sleeper);
        let mut takes = Box::pin(other.take("source crm", LONG));
        let mut writes = Box::pin(under.pause("crm"));
        for _ in 0..50 {
            tokio::select! {
                biased;
                _ = &mut takes => panic!("it had to wait"),
                _ = &mut writes => panic!("it had to wait"),
                () = tokio::task::yield_now() => {}
            }
        }
        drop(derivation);
        let (taken, written) = tokio::join!(takes, writes);
        let order = matches!(taken.unwrap(), Taken::Ours(_));
        let is_refused = matches!(written, Err(StoreError::LeaseLost));
        // Whoever came first: a write that is refused left nothing, one that is not came before the lease was taken.
        assert!(order);
        let is_paused = store.planned().await.unwrap().get("crm").is_some_and(|planned| planned.is_paused);
        assert_ne!(is_refused, is_paused);
        other.close().await;
    }
}

#[tokio::test]
async fn a_server_that_crashes_forgets_no_lease() {
    let server = OwnPostgres::start();
    let store = Store::open(&server.url()).await.unwrap();
    let first = taken(&store, Duration::from_micros(1)).await.expect("nobody has it");
    server.kill();
    server.restart();
    let store = Store::open(&server.url()).await.unwrap();
    let second = taken(&store, LONG).await.expect("it ran out");
    // Were it the same number, both might write.
    assert!(matches!(store.under(&first).ask("crm", Time(1)).await, Err(StoreError::LeaseLost)));
    store.under(&second).ask("crm", Time(2)).await.expect("it is held");
}
