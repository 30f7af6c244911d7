//! Sign-in: one at a time, kept before used, never shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::join_all;
use tributary_source::http::{Api, Auth, Bare, Credential, Grant, Limit, Login, OAuth, Request};
use tributary_source::{
    Environment, Error, ExposeSecret, Http, Kept, MemoryTokens, NextStep, SecretString, Settings, TokenStore,
};

use crate::vendor::{Fake, environment, reply};

/// Gives `one`, `two`, … in turn.
#[derive(Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl Login for Counting {
    async fn login(&self, _: &Bare) -> Result<Credential, Error> {
        tokio::task::yield_now().await;
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Credential::bearer(&SecretString::from(format!("secret-canary-{number}")), None)
    }
}

fn api(auth: Auth) -> Api {
    Api { auth, ..Api::new("https://vendor.example") }
}

#[tokio::test(start_paused = true)]
async fn twenty_callers_sign_in_once() {
    let login = Arc::new(Counting::default());
    let vendor = Fake::script([]);
    let http = Http::new(api(Auth::Login(login.clone())), &environment(vendor)).unwrap();
    let request = Request::get("items");
    for result in join_all((0..20).map(|_| http.send(&request))).await {
        result.unwrap();
    }
    assert_eq!(login.0.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_is_renewed_once_however_many_notice() {
    let login = Arc::new(Counting::default());
    let vendor =
        Fake::new(|seen, _| reply(if seen.credential.ends_with("-1") { 401 } else { 200 }, &[], "{}"));
    let http = Http::new(api(Auth::Login(login.clone())), &environment(vendor)).unwrap();
    let request = Request::get("items");
    for result in join_all((0..8).map(|_| http.send(&request))).await {
        result.unwrap();
    }
    assert_eq!(login.0.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_credential_refused_twice_needs_a_person() {
    let login = Arc::new(Counting::default());
    let vendor = Fake::new(|_, _| reply(401, &[], "{}"));
    let http = Http::new(api(Auth::Login(login)), &environment(vendor.clone())).unwrap();
    let error = http.send(&Request::get("items")).await.unwrap_err();
    assert_eq!(error.next, NextStep::Reauthorize);
    assert_eq!(vendor.count("/items"), 2);
    let shown = format!("{error} {error:?} {http:?} {:?}", Auth::Bearer(SecretString::from("secret-canary")));
    assert!(!shown.contains("canary"), "{shown}");
}

/// What was kept of the source.
async fn kept(tokens: &MemoryTokens) -> Kept {
    tokens.take("crm").await.unwrap().unwrap_or_default()
}

fn token(kept: &Kept) -> Option<&str> {
    kept.refresh_token.as_ref().map(ExposeSecret::expose_secret)
}

fn oauth() -> Auth {
    oauth_with("refresh-1")
}

fn oauth_with(refresh_token: &str) -> Auth {
    Auth::Login(Arc::new(client(Grant::RefreshToken(Some(SecretString::from(refresh_token))))))
}

fn client(grant: Grant) -> OAuth {
    let settings = Settings { source: "crm".to_owned(), ..Settings::default() };
    let secret = SecretString::from("client-secret");
    let oauth = OAuth::by(grant, &settings, "client", "https://vendor.example/token".to_owned());
    OAuth { client_secret: Some(secret), ..oauth }
}

fn with(tokens: &Arc<MemoryTokens>, vendor: &Arc<Fake>) -> Environment {
    Environment { tokens: tokens.clone(), ..environment(vendor.clone()) }
}

#[tokio::test(start_paused = true)]
async fn a_rotated_refresh_token_is_kept_before_the_new_access_token_is_used() {
    let tokens = Arc::new(MemoryTokens::default());
    let watched = tokens.clone();
    let vendor = Fake::new(move |seen, before| {
        if seen.path == "/token" {
            let (old, new) =
                if before == 0 { ("refresh-1", "refresh-2") } else { ("refresh-2", "refresh-3") };
            assert!(seen.body.contains(old), "{}", seen.body);
            let body = format!(
                r#"{{"access_token":"access-{before}","token_type":"bearer","expires_in":100,"refresh_token":"{new}"}}"#
            );
            return reply(200, &[("content-type", "application/json")], &body);
        }
        let expected = if seen.credential == "Bearer access-0" { "refresh-2" } else { "refresh-3" };
        let kept = kept(&watched).now_or_never().unwrap();
        assert_eq!(token(&kept), Some(expected));
        reply(200, &[], "{}")
    });
    let http = Http::new(api(oauth()), &with(&tokens, &vendor)).unwrap();
    http.send(&Request::get("items")).await.unwrap();
    http.send(&Request::get("items")).await.unwrap();
    assert_eq!(vendor.count("/token"), 1, "a living token is not renewed");
    tokio::time::sleep(std::time::Duration::from_secs(95)).await;
    http.send(&Request::get("items")).await.unwrap();
    assert_eq!(vendor.count("/token"), 2, "a dying token is renewed before it dies");
}

#[tokio::test(start_paused = true)]
async fn an_invalid_grant_stops_all_further_tries() {
    let vendor = Fake::new(|_, _| {
        reply(
            400,
            &[("content-type", "application/json")],
            r#"{"error":"invalid_grant","error_description":"refresh-1"}"#,
        )
    });
    let http = Http::new(api(oauth()), &environment(vendor.clone())).unwrap();
    for _ in 0..3 {
        let error = http.send(&Request::get("items")).await.unwrap_err();
        assert_eq!(error.next, NextStep::Reauthorize);
        assert!(!error.to_string().contains("refresh-1"));
    }
    assert_eq!(vendor.count("/token"), 1);
    assert_eq!(vendor.count("/items"), 0);
}

/// Answers the token address with ever new tokens, all else with `200 {}`.
fn rotating() -> Arc<Fake> {
    Fake::new(|seen, before| {
        let body = match seen.path.as_str() {
            "/token" => format!(
                r#"{{"access_token":"access-{before}","token_type":"bearer","expires_in":3600,"refresh_token":"rotated-{before}"}}"#
            ),
            _ => "{}".to_owned(),
        };
        reply(200, &[("content-type", "application/json")], &body)
    })
}

#[tokio::test(start_paused = true)]
async fn more_callers_than_places_wait_for_one_sign_in() {
    let vendor = rotating();
    let api = Api { limit: Limit { concurrent: 1, ..Limit::default() }, ..api(oauth()) };
    let http = Http::new(api, &environment(vendor.clone())).unwrap();
    let request = Request::get("items");
    let all = join_all((0..20).map(|_| http.send(&request)));
    for result in tokio::time::timeout(Duration::from_mins(10), all).await.expect("no deadlock") {
        result.unwrap();
    }
    assert_eq!(vendor.count("/token"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_does_not_lose_the_rotated_token() {
    let tokens = Arc::new(MemoryTokens::default());
    let vendor = rotating();
    let http = Http::new(api(oauth()), &with(&tokens, &vendor)).unwrap();
    let request = Request::get("items");
    let mut call = Box::pin(http.send(&request));
    while vendor.count("/token") == 0 {
        assert!(futures::poll!(call.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    drop(call);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(token(&kept(&tokens).await), Some("rotated-0"));
}

#[tokio::test(start_paused = true)]
async fn signing_in_is_tried_again_when_the_vendor_stumbles() {
    let vendor = Fake::new(|seen, before| match (seen.path.as_str(), before) {
        ("/token", 0) => reply(503, &[], "<html>busy</html>"),
        ("/token", 1) => reply(429, &[("retry-after", "3")], ""),
        ("/token", _) => reply(
            200,
            &[("content-type", "application/json")],
            r#"{"access_token":"access","token_type":"bearer"}"#,
        ),
        _ => reply(200, &[], "{}"),
    });
    let http = Http::new(api(oauth()), &environment(vendor.clone())).unwrap();
    http.send(&Request::get("items")).await.unwrap();
    assert_eq!(vendor.count("/token"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_token_configured_anew_takes_the_place_of_the_one_kept() {
    let tokens = Arc::new(MemoryTokens::default());
    for configured in ["refresh-1", "pasted-2"] {
        let vendor = rotating();
        let http = Http::new(api(oauth_with(configured)), &with(&tokens, &vendor)).unwrap();
        http.send(&Request::get("items")).await.unwrap();
        let first = vendor.seen.lock().unwrap()[0].body.clone();
        assert!(first.contains(configured), "{first}");
    }
}
