//! Replies that are no records: each gets a clear error that says what to do, and shows nobody's data.

use std::sync::Arc;

use tributary_source::NextStep;

use crate::vendor::{Fake, KEY, pull, reply};

/// Pulls from a Tryton: what to do, how often it was asked, what is said.
async fn check(vendor: &Arc<Fake>) -> (NextStep, usize, String) {
    let error = pull(vendor, "employees").await.unwrap_err();
    let said = format!("{error} {error:?}");
    for secret in [KEY, "Ann Lee"] {
        assert!(!said.contains(secret), "{said}");
    }
    let asked = vendor.asked.lock().unwrap().len();
    (error.next, asked, error.to_string())
}

/// A Tryton that always answers so.
fn always(status: u16, body: &'static str) -> Arc<Fake> {
    Fake::new(move |_| reply(status, body))
}

#[tokio::test(start_paused = true)]
async fn an_html_error_is_tried_again_and_then_told() {
    let (next, asked, said) =
        check(&always(500, "<!doctype html><title>500</title><p>no such party: Ann Lee</p>")).await;
    assert_eq!((next, asked), (NextStep::Retry, 6));
    assert!(
        said.starts_with("GET https://tryton.example.com/crm/rest/model/company.employee failed 6 times")
    );
    assert!(said.ends_with("last with: Tryton failed inside (status 500); its log says why"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_model_is_not_asked_for_again() {
    let answer = check(&always(500, "<p>&#39;company.employee&#39;</p>")).await;
    let said = "Tryton knows no model or field `company.employee` (status 500): its module is not active";
    assert_eq!(answer, (NextStep::SkipStream, 1, said.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_status_200_is_an_error() {
    let (next, asked, said) = check(&always(200, r#"{"error": ["LoginException", ["Ann Lee"]]}"#)).await;
    assert_eq!((next, asked), (NextStep::Reauthorize, 1));
    assert_eq!(said, "Tryton wants another sign-in (LoginException)");
    let (next, asked, said) = check(&always(200, r#"{"error": ["UserError", ["Ann Lee", ""]]}"#)).await;
    assert_eq!((next, asked), (NextStep::SkipStream, 1));
    assert_eq!(said, "Tryton refused to read this (UserError): may the key's user read it?");
    for kind in ["ConcurrencyException", "SomethingElse"] {
        let body = format!(r#"{{"error": ["{kind}", "Ann Lee"]}}"#);
        let (next, asked, _) = check(&Fake::new(move |_| reply(200, body.clone()))).await;
        assert_eq!((next, asked), (NextStep::Retry, 6), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn html_where_json_should_be_is_a_hindrance() {
    let (next, asked, said) = check(&always(200, "\n<html>Sign in to the hotel's network</html>")).await;
    assert_eq!((next, asked), (NextStep::Retry, 6));
    assert!(said.contains("HTML instead of JSON (status 200)"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn nothing_and_garbage_are_no_records() {
    for (body, said) in [
        (b"".as_slice(), "the reply is no JSON (line 1 column 0); the API may have changed"),
        (b"\x00\xff\xfe", "the reply is no JSON (line 1 column 1); the API may have changed"),
        (b"[{\"id\": 1}, {\"na", "the reply is no JSON (line 1 column 16); the API may have changed"),
        (b"null", "the reply is JSON of another shape (line 1 column 4); the API may have changed"),
        (b"[\"Ann Lee\"]", "the reply is JSON of another shape (line 1 column 10); the API may have changed"),
        (b"[{\"name\": \"Ann Lee\"}]", "the reply has a record without id; the API may have changed"),
        (b"[{\"id\": \"Ann Lee\"}]", "the reply has a record without id; the API may have changed"),
    ] {
        let answer = check(&Fake::new(move |_| reply(200, body))).await;
        assert_eq!(answer, (NextStep::Retry, 1, said.to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn each_status_says_what_to_do() {
    for (status, next, asked, hint) in [
        (400, NextStep::SkipStream, 1, "Give one of their groups access"),
        (401, NextStep::Reauthorize, 1, "let the administrator validate it"),
        (403, NextStep::SkipStream, 1, "does not offer this to the key's user"),
        (404, NextStep::FixConfig, 1, "check `url` and `database`"),
        (423, NextStep::Retry, 6, "somebody is writing the same records"),
        (502, NextStep::Retry, 6, "the vendor failed (status 502)"),
    ] {
        let (found, tries, said) = check(&always(status, "<p>Ann Lee</p>")).await;
        assert_eq!((found, tries), (next, asked), "{status} {said}");
        assert!(said.contains(hint), "{status} {said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_is_tried_again() {
    let (next, asked, said) = check(&Fake::absent()).await;
    assert_eq!((next, asked), (NextStep::Retry, 6));
    assert!(said.ends_with("last with: cannot connect"), "{said}");
}
