//! Opening, and why it fails.

use std::fs;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tributary_store::testkit::{postgres_url, sqlite, stores};
use tributary_store::{Store, StoreError};

use crate::pages::Pages;

async fn refusal(url: &str) -> String {
    match Store::open(url).await {
        Ok(_) => panic!("{url} opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_store_opens_again_with_what_it_held() {
    for store in stores().await {
        Pages::new(&store).await.land(10, &[("1", None, Some("a"))]).await;
        let again = Store::open(&store.url).await.unwrap();
        assert_eq!(again.record_count().await.unwrap(), 1, "{}", store.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_may_open_a_new_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let file = format!("sqlite:{}", folder.path().join(format!("{round}.db")).display());
        for url in [file, postgres_url()] {
            let open = || {
                let url = url.clone();
                tokio::spawn(async move { Store::open(&url).await })
            };
            for opened in [(); 6].map(|()| open()) {
                opened.await.unwrap().unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_another_process_is_making_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tributary.db");
    let mut other =
        SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql("begin immediate").execute(&mut other).await.unwrap();
    let url = format!("sqlite:{}", path.display());
    let opening = tokio::spawn(async move { Store::open(&url).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!opening.is_finished());
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    opening.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_store_of_a_newer_program_is_refused() {
    for store in stores().await {
        store.pretend_version(999).await.unwrap();
        let error = Store::open(&store.url).await.unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 999, .. }), "{} {error}", store.kind);
        assert!(error.to_string().contains("use a newer tributary"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_folder_a_wrong_file_and_an_unknown_address_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such/folder/t.db");
    let error = refusal(missing.to_str().unwrap()).await;
    assert!(error.contains("the folder does not exist or may not be written"), "{error}");
    let text = folder.path().join("notes.txt");
    fs::write(&text, "these are notes, and not at all a database".repeat(50)).unwrap();
    let error = refusal(text.to_str().unwrap()).await;
    assert!(error.contains("no SQLite database"), "{error}");
    let error = refusal("mysql://root@localhost/x").await;
    assert!(error.contains("expected sqlite:PATH or postgres://"), "{error}");
}

#[tokio::test]
async fn a_database_of_something_else_is_left_alone() {
    let store = sqlite().await;
    store.pretend_foreign().await.unwrap();
    assert!(matches!(Store::open(&store.url).await, Err(StoreError::Foreign)));
}

#[tokio::test]
async fn an_absent_server_is_told_from_a_wrong_address_and_hides_the_password() {
    // A port that was free a moment ago answers nothing.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refusal(&format!("postgres://ann:hunter2@127.0.0.1:{port}/x")).await;
    assert!(error.contains("is the server running"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let error = refusal(&postgres_url().replace("/postgres?", "/no_such_database?")).await;
    assert!(error.contains("no_such_database"), "{error}");
}
