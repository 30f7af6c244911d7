//! The daemon's door as a client sees it.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;
use tributary_answers::status::Configured;
use tributary_core::Time;
use tributary_store::Store;
use tributary_store::landing::{Extent, Landed, RunEnd, RunOutcome};
use tributary_store::testkit::{sqlite, stores};
use tributary_web::{Access, MetricsAccess, Pulse, Site, router};

const TOKEN: &str = "canary-4711-of-sixteen";
/// Noon of some day.
const NOW: Time = Time((20_000 * 86_400 + 43_200) * 1_000_000);

/// A store with one source that ran twice: well, then badly.
async fn ran(store: &Store) {
    let (key, _) = store.register_source("crm", "hubspot", "{}", "1").await.unwrap();
    for (outcome, added) in [(RunOutcome::Ok, 5), (RunOutcome::Failed, 0)] {
        let run = store.begin_run(key, &[], Time(NOW.0 - 60_000_000)).await.unwrap();
        let failed = outcome == RunOutcome::Failed;
        let end = RunEnd {
            at: Time(NOW.0 - 58_000_000),
            outcome,
            message: failed.then_some("no answer from \"crm\""),
            landed: Landed { fetched: 9, added, ..Landed::default() },
            requests: 3,
            advice: failed.then_some("retry"),
            rows: &[("contacts", added, Extent::Whole)],
            streams: "[]",
            findings: "[]",
        };
        store.end_run(run, &end).await.unwrap();
    }
    store.count_requests("crm", 20_000, 6, Some(100)).await.unwrap();
    store.fail("crm", Time(NOW.0 + 60_000_000)).await.unwrap();
}

fn site(store: &Store, access: Access) -> Arc<Site> {
    let configured = Configured {
        id: "crm".to_owned(),
        connector: "hubspot",
        schedule: Some("every 15m".to_owned()),
        streams: vec!["contacts"],
        next_due: Arc::new(|_, _, _| Some(Time(NOW.0 + 60_000_000))),
    };
    let pulse = Arc::new(Pulse::default());
    pulse.beat();
    let sources = Box::new(move || vec![configured.clone()]);
    Arc::new(Site { store: store.clone(), sources, now: Box::new(|| NOW), pulse, access })
}

fn with_token() -> Access {
    Access { token: Some(TOKEN.to_owned()), metrics: MetricsAccess::Token }
}

async fn ask(site: &Arc<Site>, method: &str, path: &str, token: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    let response = router(Arc::clone(site)).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn nothing_but_health_is_told_without_the_token() {
    let store = sqlite().await;
    let closed = site(&store, with_token());
    let nobody = site(&store, Access::default());
    for path in ["/api/v1/status", "/api/v1/runs", "/api/v1/sources/crm", "/metrics"] {
        for wrong in [None, Some("wrong"), Some(""), Some(&TOKEN[1..])] {
            let (status, body) = ask(&closed, "GET", path, wrong).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} {wrong:?}");
            assert!(json(&body)["hint"].as_str().unwrap().contains("Bearer"), "{body}");
        }
        assert_ne!(ask(&closed, "GET", path, Some(TOKEN)).await.0, StatusCode::UNAUTHORIZED);
        let (status, body) = ask(&nobody, "GET", path, Some("")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        assert!(json(&body)["hint"].as_str().unwrap().contains("[daemon] token"), "{body}");
    }
    let (status, _) = ask(&closed, "POST", "/api/v1/sources/crm/pause", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(store.planned().await.unwrap().is_empty());
    for path in ["/healthz", "/readyz", "/api/v1/openapi.json"] {
        assert_eq!(ask(&nobody, "GET", path, None).await.0, StatusCode::OK, "{path}");
    }
    let open = site(&store, Access { metrics: MetricsAccess::Open, ..Access::default() });
    assert_eq!(ask(&open, "GET", "/metrics", None).await.0, StatusCode::OK);
    assert_eq!(ask(&open, "GET", "/api/v1/status", None).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_daemon_is_ready_while_its_loop_goes_round_and_the_store_answers() {
    let store = sqlite().await;
    let mut stuck = Arc::into_inner(site(&store, with_token())).unwrap();
    stuck.pulse = Arc::new(Pulse::default());
    let (status, body) = ask(&Arc::new(stuck), "GET", "/readyz", None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("loop"), "{body}");
    let site = site(&store, with_token());
    assert_eq!(ask(&site, "GET", "/readyz", None).await.0, StatusCode::OK);
    Store::clone(&store).close().await;
    assert_eq!(ask(&site, "GET", "/readyz", None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let (status, body) = ask(&site, "GET", "/api/v1/status", Some(TOKEN)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(json(&body)["error"], "the store did not answer");
    assert_eq!(ask(&site, "GET", "/healthz", None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn state_problems_and_runs_are_told_as_json() {
    for store in stores().await {
        ran(&store).await;
        let site = site(&store, with_token());
        let status = json(&ask(&site, "GET", "/api/v1/status", Some(TOKEN)).await.1);
        let crm = &status["sources"][0];
        assert_eq!((&crm["state"], &crm["failures"]), (&"resting".into(), &1.into()), "{}", store.kind);
        assert_eq!((&crm["requests_today"], &crm["requests_allowed"]), (&6.into(), &100.into()));
        assert_eq!(status["problems"][0]["code"], "failing");
        let one = json(&ask(&site, "GET", "/api/v1/sources/crm", Some(TOKEN)).await.1);
        assert_eq!((&one["source"], &one["problems"]), (crm, &status["problems"]));
        let runs = json(&ask(&site, "GET", "/api/v1/runs?source=crm&last=1", Some(TOKEN)).await.1);
        assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
        assert_eq!(runs["runs"][0]["outcome"], "failed");
        let (code, body) = ask(&site, "GET", "/api/v1/runs?sauce=crm", Some(TOKEN)).await;
        assert_eq!(code, StatusCode::BAD_REQUEST, "{body}");
        let (code, body) = ask(&site, "GET", "/api/v1/sources/erp", Some(TOKEN)).await;
        assert_eq!(
            (code, json(&body)["hint"].as_str()),
            (StatusCode::NOT_FOUND, Some("the configuration has: crm"))
        );
    }
}

#[tokio::test]
async fn what_is_asked_of_the_daemon_stands_in_the_store() {
    for store in stores().await {
        ran(&store).await;
        let site = site(&store, with_token());
        let post = async |path: &str| ask(&site, "POST", path, Some(TOKEN)).await.0;
        assert_eq!(post("/api/v1/sources/crm/pause").await, StatusCode::ACCEPTED);
        assert!(store.planned().await.unwrap()["crm"].is_paused, "{}", store.kind);
        assert_eq!(post("/api/v1/sources/crm/resume").await, StatusCode::ACCEPTED);
        assert!(!store.planned().await.unwrap()["crm"].is_paused);
        assert_eq!(post("/api/v1/sources/crm/sync").await, StatusCode::ACCEPTED);
        assert_eq!(store.planned().await.unwrap()["crm"].asked_at, Some(NOW));
        assert_eq!(post("/api/v1/sources/erp/sync").await, StatusCode::NOT_FOUND);
        assert_eq!(post("/api/v1/sources/crm/delete").await, StatusCode::NOT_FOUND);
        assert_eq!(
            ask(&site, "GET", "/api/v1/sources/crm/sync", Some(TOKEN)).await.0,
            StatusCode::METHOD_NOT_ALLOWED
        );
    }
}

#[tokio::test]
async fn metrics_are_prometheus_text_of_the_same_state() {
    let store = sqlite().await;
    ran(&store).await;
    let (status, text) = ask(&site(&store, with_token()), "GET", "/metrics", Some(TOKEN)).await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "# TYPE tributary_runs_total counter",
        "tributary_runs_total{source=\"crm\",outcome=\"failed\"} 1",
        "tributary_records_total{source=\"crm\",result=\"new\"} 5",
        "tributary_records_total{source=\"crm\",result=\"read\"} 18",
        "tributary_requests_total{source=\"crm\"} 6",
        "tributary_source_failures_in_a_row{source=\"crm\"} 1",
        "tributary_source_requests_allowed{source=\"crm\"} 100",
        "tributary_source_last_success_timestamp_seconds{source=\"crm\"} 1728043142",
        "tributary_source_problems{source=\"crm\",code=\"failing\"} 1",
        "tributary_dirty_records 0",
        "tributary_derive_total{outcome=\"ok\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn the_document_says_what_is_answered() {
    let store = sqlite().await;
    ran(&store).await;
    let site = site(&store, with_token());
    let document = json(&ask(&site, "GET", "/api/v1/openapi.json", None).await.1);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let (status, body) =
                ask(&site, &method.to_uppercase(), &path.replace("{id}", "crm"), Some(TOKEN)).await;
            assert!(status.is_success(), "{method} {path}: {status} {body}");
            assert!(methods[method]["responses"].get(status.as_str()).is_some(), "{method} {path}: {status}");
        }
    }
    let status = json(&ask(&site, "GET", "/api/v1/status", Some(TOKEN)).await.1);
    let source = &status["sources"][0];
    for (schema, answer) in [
        ("Status", &status),
        ("Source", source),
        ("LastRun", &source["last_run"]),
        ("Stream", &source["streams"][0]),
        ("Total", &source["totals"]["ok"]),
        ("Problem", &status["problems"][0]),
    ] {
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
        assert_eq!(keys(&document["components"]["schemas"][schema]["properties"]), keys(answer), "{schema}");
    }
}
