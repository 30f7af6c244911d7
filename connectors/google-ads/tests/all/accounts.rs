//! Which accounts are read, and through which manager account.

use serde_json::json;
use tributary_google_ads::GoogleAds;
use tributary_sandbox::simulator::{Fault, Habits, Reply, When};
use tributary_source::{Connector, NextStep, Part};

use crate::reading::{ads, connect, parts, pull};

const MANAGER: &str = "1000000001";
const ACCOUNT: &str = "1000000002";
const CANCELLED: &str = "1000000003";

#[tokio::test(start_paused = true)]
async fn parts_are_the_enabled_accounts_whoever_manages_them() {
    let ads = ads();
    // The list of accounts comes in pages too.
    ads.kit().behave(Habits { truncate_at: Some(1), ..Habits::default() });
    for more in [json!({}), json!({"login_customer_id": MANAGER}), json!({"customers": [ACCOUNT]})] {
        let source = connect(&ads, more.clone()).unwrap();
        assert_eq!(parts(source.as_ref(), "campaigns").await, [Part(ACCOUNT.to_owned())], "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_read_through_its_manager_even_after_a_restart() {
    let ads = ads();
    for more in [json!({}), json!({"customers": [ACCOUNT], "login_customer_id": MANAGER})] {
        // As after a kill: nobody asked this connection for parts.
        let source = connect(&ads, more).unwrap();
        pull(source.as_ref(), "campaigns", &Part(ACCOUNT.to_owned()), None).await.unwrap();
        let last = ads.kit().journal().pop().unwrap();
        assert!(last.path.contains(ACCOUNT), "{}", last.path);
        assert_eq!(last.header("login-customer-id"), Some(MANAGER));
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_the_chosen_manager_has_is_read() {
    let ads = ads();
    let source = connect(&ads, json!({"login_customer_id": CANCELLED})).unwrap();
    // The grant reaches a manager that has accounts, but this is another.
    let error = source.parts(&GoogleAds.streams()[0]).await.unwrap_err();
    assert_eq!(error.next, NextStep::FixConfig);
    assert!(error.to_string().contains("no enabled ads account"), "{error}");
    assert_eq!(source.check().await.unwrap()[0].code, "no-account");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_account_is_skipped_and_told() {
    let ads = ads();
    let chosen = json!({"customers": [CANCELLED, ACCOUNT], "login_customer_id": MANAGER});
    let source = connect(&ads, chosen).unwrap();
    let cancelled = Part(CANCELLED.to_owned());
    let error = pull(source.as_ref(), "campaigns", &cancelled, None).await.unwrap_err();
    assert_eq!(error.next, NextStep::SkipPart);
    assert!(error.to_string().contains("CUSTOMER_NOT_ENABLED"), "{error}");
    let findings = source.check().await.unwrap();
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.starts_with(CANCELLED), "{}", findings[0].message);
}

#[tokio::test(start_paused = true)]
async fn a_manager_without_accounts_is_no_success() {
    let ads = ads();
    let path = When::Path(format!("{MANAGER}/googleAds:search"));
    ads.kit().fail(path, Fault::Reply(Reply::json(200, &json!({"fieldMask": "…"}))));
    let source = connect(&ads, json!({})).unwrap();
    for stream in GoogleAds.streams() {
        assert_eq!(source.parts(stream).await.unwrap_err().next, NextStep::FixConfig);
    }
}
