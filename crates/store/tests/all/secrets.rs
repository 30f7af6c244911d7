//! Secrets at rest.

use tributary_store::StoreError;
use tributary_store::landing::SealKey;
use tributary_store::testkit::stores;

#[tokio::test]
async fn a_secret_opens_with_its_key_for_its_source_and_name_only() {
    let (key, other) = (SealKey::of("correct horse"), SealKey::of("battery staple"));
    for store in stores().await {
        store.seal(&key, [7; 24], "crm", "token", b"s3cret").await.unwrap();
        assert_eq!(store.unseal(&key, "crm", "token").await.unwrap().unwrap(), b"s3cret", "{}", store.kind);
        assert_eq!(store.unseal(&key, "crm", "other").await.unwrap(), None);
        let refused = store.unseal(&other, "crm", "token").await;
        assert!(matches!(refused, Err(StoreError::Sealed(_))), "{}", store.kind);
        store.seal(&key, [8; 24], "crm", "token", b"rotated").await.unwrap();
        assert_eq!(store.unseal(&key, "crm", "token").await.unwrap().unwrap(), b"rotated");
    }
    assert!(!format!("{key:?}").contains("horse"));
}
