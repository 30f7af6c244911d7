//! Sign-in: one at a time, kept before used, never shown.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::join_all;
use tributary_source::http::{Api, Auth, Credential, Login, OAuth, Request};
use tributary_source::{Error, ExposeSecret, Http, NextStep, SecretString, TokenStore};

use crate::vendor::{Fake, environment, reply};

/// Gives `one`, `two`, … in turn.
#[derive(Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl Login for Counting {
    async fn login(&self, _: &Http) -> Result<Credential, Error> {
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

/// Remembers what was kept.
#[derive(Default)]
struct Kept(Mutex<Option<String>>);

#[async_trait]
impl TokenStore for Kept {
    async fn load(&self, _: &str, _: &str) -> Result<Option<SecretString>, Error> {
        Ok(self.0.lock().unwrap().clone().map(SecretString::from))
    }

    async fn save(&self, _: &str, _: &str, token: &SecretString) -> Result<(), Error> {
        tokio::task::yield_now().await;
        *self.0.lock().unwrap() = Some(token.expose_secret().to_owned());
        Ok(())
    }
}

fn oauth() -> Auth {
    Auth::Login(Arc::new(OAuth {
        source: "crm".to_owned(),
        token_url: "https://vendor.example/token".to_owned(),
        client_id: "client".to_owned(),
        client_secret: Some(SecretString::from("client-secret")),
        refresh_token: SecretString::from("refresh-1"),
    }))
}

#[tokio::test(start_paused = true)]
async fn a_rotated_refresh_token_is_kept_before_the_new_access_token_is_used() {
    let kept = Arc::new(Kept::default());
    let watched = kept.clone();
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
        assert_eq!(watched.0.lock().unwrap().as_deref(), Some(expected));
        reply(200, &[], "{}")
    });
    let environment = tributary_source::Environment { tokens: kept, ..environment(vendor.clone()) };
    let http = Http::new(api(oauth()), &environment).unwrap();
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
