//! Sign-ins in the store: sealed, one process at a time, with a key only where one is needed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use tributary_core::Time;
use tributary_source::{Error, ExposeSecret, Kept, NextStep, SecretString, TokenStore};
use tributary_store::Store;
use tributary_store::credentials::SealKey;
use tributary_store::testkit::{TestStore, stores};
use tributary_sync::{Keys, SealedTokens};

/// A key place that notes whether a key was made.
#[derive(Default)]
struct Place(Mutex<Vec<SealKey>>);

impl Keys for Place {
    fn known(&self) -> Result<Vec<SealKey>, Error> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn make(&self) -> Result<SealKey, Error> {
        let key = SealKey::of("made");
        self.0.lock().unwrap().push(key.clone());
        Ok(key)
    }
}

/// Another process on the same store.
async fn process(store: &TestStore, keys: &Arc<Place>, clock: &Arc<AtomicI64>) -> SealedTokens {
    let clock = Arc::clone(clock);
    let now = Arc::new(move || Time(clock.load(Ordering::SeqCst)));
    SealedTokens::new(Store::open(&store.url).await.unwrap(), Arc::clone(keys) as _, now)
}

fn token(text: &str) -> Kept {
    Kept { refresh_token: Some(SecretString::from(text)), ..Kept::default() }
}

fn read(kept: Option<Kept>) -> Option<String> {
    Some(kept?.refresh_token?.expose_secret().to_owned())
}

#[tokio::test]
async fn a_key_is_made_for_the_first_token_and_not_before() {
    for store in stores().await {
        let (keys, clock) = (Arc::new(Place::default()), Arc::default());
        let tokens = process(&store, &keys, &clock).await;
        assert!(tokens.take("crm").await.unwrap().is_none());
        tokens.keep("crm", Kept::default()).await.unwrap();
        assert!(keys.known().unwrap().is_empty(), "nothing was sealed");
        tokens.replace("crm", token("canary-refresh")).await.unwrap();
        assert_eq!(keys.known().unwrap().len(), 1);
        let later = process(&store, &keys, &clock).await;
        assert_eq!(read(later.take("crm").await.unwrap()).as_deref(), Some("canary-refresh"));
    }
}

#[tokio::test]
async fn a_lost_key_is_told_and_no_other_is_made() {
    for store in stores().await {
        let (keys, clock) = (Arc::new(Place::default()), Arc::default());
        process(&store, &keys, &clock).await.replace("crm", token("canary-refresh")).await.unwrap();
        for lost in [Place::default(), Place(Mutex::new(vec![SealKey::of("another")]))] {
            let without = process(&store, &Arc::new(lost), &clock).await;
            let error = without.take("crm").await.unwrap_err();
            assert_eq!(error.next, NextStep::FixConfig);
            assert!(error.message.contains("does not open with this key"), "{error}");
            assert!(!error.to_string().contains("canary"));
        }
        let without = process(&store, &Arc::default(), &clock).await;
        without.replace("ads", token("other")).await.unwrap_err();
        // Whoever could not read left the turn to others.
        assert!(process(&store, &keys, &clock).await.take("crm").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_second_process_waits_and_gets_what_the_first_was_given() {
    for store in stores().await {
        let (keys, clock) = (Arc::new(Place::default()), Arc::default());
        let (one, two) = (process(&store, &keys, &clock).await, process(&store, &keys, &clock).await);
        one.replace("crm", token("first")).await.unwrap();
        assert_eq!(read(one.take("crm").await.unwrap()).as_deref(), Some("first"));
        let (waited, kept) = futures::join!(two.take("crm"), one.keep("crm", token("rotated")));
        kept.unwrap();
        assert_eq!(read(waited.unwrap()).as_deref(), Some("rotated"), "{}", store.kind);
    }
}

#[tokio::test]
async fn who_died_loses_its_turn_and_can_not_write_any_more() {
    for store in stores().await {
        let (keys, clock) = (Arc::new(Place::default()), Arc::new(AtomicI64::new(0)));
        let (one, two) = (process(&store, &keys, &clock).await, process(&store, &keys, &clock).await);
        one.replace("crm", token("first")).await.unwrap();
        one.take("crm").await.unwrap();
        // As if it had stood still for a minute.
        clock.store(60_000_000, Ordering::SeqCst);
        assert_eq!(read(two.take("crm").await.unwrap()).as_deref(), Some("first"));
        let late = one.keep("crm", token("late")).await.unwrap_err();
        assert_eq!(late.next, NextStep::Retry);
        two.keep("crm", token("rotated")).await.unwrap();
        assert_eq!(read(one.take("crm").await.unwrap()).as_deref(), Some("rotated"), "{}", store.kind);
    }
}

/// A key place that is out of order until it is mended.
struct Broken(Mutex<bool>);

impl Keys for Broken {
    fn known(&self) -> Result<Vec<SealKey>, Error> {
        let fault = Error::new(NextStep::FixConfig, "the key file is open to others");
        if *self.0.lock().unwrap() { Err(fault) } else { Ok(vec![SealKey::of("key")]) }
    }

    fn make(&self) -> Result<SealKey, Error> {
        unreachable!("there is one")
    }
}

#[tokio::test]
async fn what_could_not_be_kept_is_not_forgotten() {
    for store in stores().await {
        let keys = Arc::new(Broken(Mutex::new(false)));
        let tokens = SealedTokens::new(store.store.clone(), Arc::clone(&keys) as _, Arc::new(|| Time(1)));
        tokens.replace("crm", token("first")).await.unwrap();
        tokens.take("crm").await.unwrap();
        *keys.0.lock().unwrap() = true;
        tokens.keep("crm", token("rotated")).await.unwrap_err();
        *keys.0.lock().unwrap() = false;
        // The vendor accepts the first one no more.
        assert_eq!(read(tokens.take("crm").await.unwrap()).as_deref(), Some("rotated"), "{}", store.kind);
        tokens.keep("crm", token("third")).await.unwrap();
        assert_eq!(read(tokens.take("crm").await.unwrap()).as_deref(), Some("third"));
    }
}
