//! Tokens at rest, whose turn it is to renew one, and new keys.

use tributary_core::Time;
use tributary_store::credentials::{Credential, SealKey, Sealed};
use tributary_store::testkit::{TestStore, stores};
use tributary_store::{Store, StoreError};

fn keys() -> (SealKey, SealKey) {
    (SealKey::of("correct horse"), SealKey::of("battery staple"))
}

/// Keeps a token in a turn of its own.
async fn keep(store: &TestStore, source: &str, token: Sealed) {
    assert!(store.take_turn(source, "me", Time(1), Time(9)).await.unwrap());
    store.keep_credential(source, "me", &credential(Some(token))).await.unwrap();
}

fn credential(sealed: Option<Sealed>) -> Credential {
    Credential {
        origin: "configured".to_owned(),
        sealed,
        scopes: vec!["crm.read".to_owned(), "offline".to_owned()],
        access_until: Some(Time(7)),
        until: None,
        refused: Some("revoked".to_owned()),
    }
}

#[test]
fn a_token_opens_with_its_key_for_its_source_only() {
    let (key, other) = keys();
    let sealed = key.seal([7; 24], "crm", b"s3cret").unwrap();
    let opens = |keys: &[SealKey], source: &str| sealed.open(keys, source).is_ok();
    assert_eq!(sealed.open(&[other.clone(), key.clone()], "crm").unwrap(), b"s3cret");
    assert!(opens(std::slice::from_ref(&key), "crm"));
    assert!(!opens(std::slice::from_ref(&key), "ads"));
    assert!(!opens(&[other], "crm") && !opens(&[], "crm"));
    assert!(!format!("{key:?}").contains("horse"));
}

#[tokio::test]
async fn what_is_kept_of_a_sign_in_comes_back_until_it_is_forgotten() {
    let (key, _) = keys();
    for store in stores().await {
        let sealed = key.seal([7; 24], "crm", b"s3cret").unwrap();
        keep(&store, "crm", sealed.clone()).await;
        keep(&store, "ads", key.seal([8; 24], "ads", b"other").unwrap()).await;
        assert_eq!(store.credential("crm").await.unwrap(), Some(credential(Some(sealed))), "{}", store.kind);
        assert_eq!(store.credentials().await.unwrap().len(), 2);
        assert!(store.forget_credential("crm").await.unwrap());
        assert!(!store.forget_credential("crm").await.unwrap());
        assert_eq!(store.credential("crm").await.unwrap(), None);
    }
}

#[tokio::test]
async fn one_process_renews_at_a_time_and_a_dead_one_loses_its_turn() {
    for store in stores().await {
        let other = Store::open(&store.url).await.unwrap();
        let take = async |store: &Store, holder, now, until| {
            store.take_turn("crm", holder, Time(now), Time(until)).await.unwrap()
        };
        assert!(take(&store, "a", 10, 40).await);
        assert!(!take(&other, "b", 20, 50).await, "{}", store.kind);
        assert!(take(&store, "a", 30, 60).await, "who has the turn keeps it for longer");
        assert!(!take(&other, "b", 59, 90).await);
        // It is dead, or thought to be.
        assert!(take(&other, "b", 60, 90).await);
        let late = store.keep_credential("crm", "a", &credential(None)).await;
        assert!(matches!(late, Err(StoreError::TurnLost(_))), "{late:?}");
        assert_eq!(store.credential("crm").await.unwrap(), None);
        other.keep_credential("crm", "b", &credential(None)).await.unwrap();
        assert!(take(&store, "a", 61, 90).await, "keeping ends the turn");
        store.end_turn("crm", "a").await.unwrap();
        assert!(take(&other, "b", 62, 90).await);
    }
}

#[tokio::test]
async fn all_tokens_get_a_new_key_or_none_does() {
    let (old, new) = keys();
    for store in stores().await {
        for source in ["ads", "crm"] {
            keep(&store, source, old.seal([7; 24], source, source.as_bytes()).unwrap()).await;
        }
        let (by_old, by_new) = ([old.clone()], [new.clone()]);
        let reseal = |fails_at: &'static str| {
            let (old, new) = (by_old.clone(), new.clone());
            move |source: &str, sealed: &Sealed| {
                if source == fails_at {
                    return Err(StoreError::Sealed(source.to_owned()));
                }
                new.seal([9; 24], source, &sealed.open(&old, source)?)
            }
        };
        let opened = async |keys: &[SealKey], source| {
            store.credential(source).await.unwrap().unwrap().sealed.unwrap().open(keys, source)
        };
        store.reseal(Time(10), &reseal("crm")).await.unwrap_err();
        assert_eq!(opened(&by_old, "ads").await.unwrap(), b"ads", "{}", store.kind);
        assert_eq!(opened(&by_old, "crm").await.unwrap(), b"crm");

        assert!(store.take_turn("crm", "me", Time(10), Time(40)).await.unwrap());
        let busy = store.reseal(Time(20), &reseal("")).await;
        assert!(matches!(busy, Err(StoreError::InTurn(_))), "{busy:?}");
        store.end_turn("crm", "me").await.unwrap();

        assert_eq!(store.reseal(Time(20), &reseal("")).await.unwrap(), 2);
        assert_eq!(opened(&by_new, "crm").await.unwrap(), b"crm");
        assert!(matches!(opened(&by_old, "crm").await, Err(StoreError::Sealed(_))));
    }
}
