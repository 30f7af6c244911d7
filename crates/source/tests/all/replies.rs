//! What is tried again, how long, and what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tributary_core::Time;
use tributary_source::environment::Vendor;
use tributary_source::http::{Api, Request, Response, Sent, Verdict};
use tributary_source::{Environment, Http, NextStep};

use crate::vendor::{Fake, environment, reply};

fn api() -> Api {
    Api::new("https://vendor.example/v1")
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    let vendor =
        Fake::script([reply(503, &[], ""), reply(500, &[], ""), reply(200, &[], "<html>proxy</html>")]);
    let http = Http::new(api(), &environment(vendor.clone())).unwrap();
    let response = http.send(&Request::get("items")).await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(vendor.count("/v1/items"), 4);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_pass_is_not_tried_again() {
    for status in [400, 403, 404, 422] {
        let vendor = Fake::new(move |_, _| reply(status, &[], "{}"));
        let http = Http::new(api(), &environment(vendor.clone())).unwrap();
        http.send(&Request::get("items")).await.unwrap_err();
        assert_eq!(vendor.count("/v1/items"), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_six_tries_the_error_says_what_how_often_and_why() {
    let vendor = Fake::new(|_, _| reply(502, &[], "secret-canary"));
    let http = Http::new(api(), &environment(vendor.clone())).unwrap();
    let error = http.send(&Request::get("items").query("token", "secret-canary")).await.unwrap_err();
    assert_eq!(vendor.count("/v1/items"), 6);
    assert_eq!(error.next, NextStep::Retry);
    let message = error.to_string();
    assert!(message.starts_with("GET https://vendor.example/v1/items failed 6 times in "), "{message}");
    assert!(message.ends_with("last with: the vendor failed (status 502)"), "{message}");
    assert!(!message.contains("canary"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_kept_to_in_seconds_and_as_a_date() {
    for after in ["7", "Tue, 24 Nov 2026 09:00:07 GMT"] {
        let vendor = Fake::script([reply(429, &[("retry-after", after)], "")]);
        let http = Http::new(api(), &environment(vendor)).unwrap();
        let started = Instant::now();
        http.send(&Request::get("items")).await.unwrap();
        let waited = started.elapsed();
        assert!(waited >= Duration::from_secs(7) && waited < Duration::from_secs(8), "{after}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_request_holds_the_whole_account() {
    let vendor = Fake::script([reply(429, &[("retry-after", "30")], "")]);
    let http = Http::new(api(), &environment(vendor)).unwrap();
    let started = Instant::now();
    let (first, second) = (Request::get("a"), Request::get("b"));
    let other = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        http.send(&second).await.unwrap();
        started.elapsed()
    };
    let (one, two) = tokio::join!(http.send(&first), other);
    one.unwrap();
    assert!(two >= Duration::from_secs(30), "{two:?}");
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_the_daemons_business() {
    let vendor = Fake::script([reply(429, &[("retry-after", "86400")], "")]);
    let http = Http::new(api(), &environment(vendor.clone())).unwrap();
    let error = http.send(&Request::get("items")).await.unwrap_err();
    assert!(
        matches!(error.next, NextStep::Wait(until) if until.to_string() == "2026-11-25T09:00:00Z"),
        "{error:?}"
    );
    assert_eq!(vendor.count("/v1/items"), 1);
}

#[tokio::test]
async fn requests_go_to_allowed_hosts_only_and_encrypted() {
    let vendor = Fake::script([]);
    let http = Http::new(api(), &environment(vendor.clone())).unwrap();
    let error = http.send(&Request::get("https://evil.example/next?page=2")).await.unwrap_err();
    assert!(error.to_string().contains("evil.example"), "{error}");
    http.send(&Request::get("http://vendor.example/v1/next")).await.unwrap_err();
    assert!(vendor.seen.lock().unwrap().is_empty());
    let plain = Http::new(Api::new("http://vendor.example"), &environment(vendor.clone())).unwrap_err();
    assert_eq!(plain.next, NextStep::FixConfig);
    assert!(Http::new(Api::new("http://127.0.0.1:8000"), &environment(vendor)).is_ok());
}

#[tokio::test]
async fn a_reply_of_another_shape_is_named_by_place_not_by_content() {
    let vendor = Fake::script([reply(200, &[], r#"{"email":"ann@acme.example"}"#)]);
    let http = Http::new(api(), &environment(vendor)).unwrap();
    let response = http.send(&Request::get("items")).await.unwrap();
    let error = response.json::<Vec<String>>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the reply is JSON of another shape (line 1 column 0); the API may have changed"
    );
    assert!(!format!("{response:?} {error:?}").contains("acme"));
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_told_to_every_caller_at_once() {
    let vendor = Fake::script([reply(429, &[("retry-after", "86400")], "")]);
    let http = Http::new(api(), &environment(vendor.clone())).unwrap();
    let started = Instant::now();
    http.send(&Request::get("items")).await.unwrap_err();
    let error = http.send(&Request::get("others")).await.unwrap_err();
    assert!(matches!(error.next, NextStep::Wait(until) if until.to_string() == "2026-11-25T09:00:00Z"));
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(vendor.count("/v1/others"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_date_to_wait_for_is_read_by_the_vendors_clock() {
    let headers =
        [("date", "Tue, 24 Nov 2026 10:30:00 GMT"), ("retry-after", "Tue, 24 Nov 2026 10:30:20 GMT")];
    let vendor = Fake::script([reply(429, &headers, "")]);
    let http = Http::new(api(), &environment(vendor)).unwrap();
    let started = Instant::now();
    http.send(&Request::get("items")).await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 20);
}

/// Hangs, and answers once it is awake.
#[derive(Default)]
struct Sleeper {
    is_awake: AtomicBool,
    asked: AtomicUsize,
}

#[async_trait]
impl Vendor for Sleeper {
    async fn answer(&self, _: Sent) -> Result<Response, Verdict> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if !self.is_awake.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(reply(503, &[], ""))
    }
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_does_not_answer_is_not_asked_again_and_again_for_each_request() {
    let vendor = Arc::new(Sleeper::default());
    let environment = Environment {
        vendor: Some(Arc::<Sleeper>::clone(&vendor)),
        ..Environment::new(Arc::new(|| Time(0)))
    };
    let http = Http::new(api(), &environment).unwrap();
    let asked = async |expected: usize| {
        let before = vendor.asked.load(Ordering::Relaxed);
        let error = http.send(&Request::get("items")).await.unwrap_err();
        assert_eq!(error.next, NextStep::Retry, "{error}");
        assert_eq!(vendor.asked.load(Ordering::Relaxed) - before, expected, "{error}");
        error.to_string()
    };
    // Five minutes, then a minute for each further one.
    assert!(asked(5).await.contains("no answer in time"));
    assert!(asked(1).await.contains("no answer in time"));
    assert!(asked(1).await.contains("failed: no answer in time"));
    // Who answers, even that it is busy, is asked as patiently as before.
    vendor.is_awake.store(true, Ordering::Relaxed);
    assert!(asked(6).await.contains("status 503"));
    assert!(asked(6).await.contains("failed 6 times"));
}
