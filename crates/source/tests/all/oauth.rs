//! OAuth: what is asked, what is kept of the answer, and when nothing is asked any more.

use std::sync::Arc;
use std::time::Duration;

use tributary_core::Time;
use tributary_source::http::{Api, Assertion, Auth, Authorize, Grant, OAuth, Request};
use tributary_source::{
    Environment, Error, ExposeSecret, Http, Kept, MemoryTokens, NextStep, SecretString, Settings, TokenStore,
};

use crate::vendor::{Fake, environment, reply};

const NOW: i64 = 1_795_510_800_000_000;

fn oauth(grant: Grant) -> OAuth {
    let settings = Settings { source: "crm".to_owned(), ..Settings::default() };
    let oauth = OAuth::by(grant, &settings, "us", "https://vendor.example/token".to_owned());
    let authorize = Authorize {
        url: "https://vendor.example/authorize".to_owned(),
        parameters: &[("access_type", "offline")],
        this_machine: "127.0.0.1",
    };
    OAuth {
        authorize: Some(authorize),
        client_secret: Some(SecretString::from("canary-secret")),
        scopes: vec!["crm.read".to_owned(), "offline".to_owned()],
        ..oauth
    }
}

fn configured(token: &str) -> Grant {
    Grant::RefreshToken(Some(SecretString::from(token)))
}

/// Answers the token address with this, all else with `200 {}`.
fn vendor(status: u16, body: &'static str) -> Arc<Fake> {
    Fake::new(move |seen, _| match seen.path.as_str() {
        "/token" => reply(status, &[("content-type", "application/json")], body),
        _ => reply(200, &[], "{}"),
    })
}

fn world(tokens: &Arc<MemoryTokens>, vendor: &Arc<Fake>) -> Environment {
    Environment { tokens: tokens.clone(), ..environment(vendor.clone()) }
}

/// One request of a new process.
async fn get(oauth: OAuth, environment: &Environment) -> Result<(), Error> {
    let auth = Auth::Login(Arc::new(oauth));
    let http = Http::new(Api { auth, ..Api::new("https://vendor.example") }, environment)?;
    http.send(&Request::get("items")).await.map(|_| ())
}

/// The fields of the forms that the token address saw.
fn forms(vendor: &Fake) -> Vec<Vec<(String, String)>> {
    let seen = vendor.seen.lock().unwrap();
    let asked = seen.iter().filter(|seen| seen.path == "/token");
    asked.map(|seen| url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect()).collect()
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
}

async fn kept(tokens: &MemoryTokens) -> Kept {
    tokens.take("crm").await.unwrap().unwrap_or_default()
}

const GRANTED: &str = r#"{"access_token":"canary-a","token_type":"Bearer","expires_in":3600,"scope":"crm.read",
    "refresh_token":"canary-r","refresh_token_expires_in":86400}"#;

#[tokio::test(start_paused = true)]
async fn scopes_and_lifetimes_are_kept_beside_the_token() {
    let tokens = Arc::new(MemoryTokens::default());
    get(oauth(configured("first")), &world(&tokens, &vendor(200, GRANTED))).await.unwrap();
    let kept = kept(&tokens).await;
    assert_eq!(kept.scopes, ["crm.read"]);
    assert_eq!(kept.access_until, Some(Time(NOW + 3_600_000_000)));
    assert_eq!(kept.until, Some(Time(NOW + 86_400_000_000)));
    assert!(!format!("{kept:?}").contains("canary"));
}

#[tokio::test(start_paused = true)]
async fn a_life_that_the_vendor_only_documents_begins_with_each_new_token() {
    let tokens = Arc::new(MemoryTokens::default());
    let rotating = r#"{"access_token":"a","token_type":"bearer","refresh_token":"r"}"#;
    let of = |token| OAuth { refresh_life: Some(Duration::from_mins(1)), ..oauth(configured(token)) };
    get(of("first"), &world(&tokens, &vendor(200, rotating))).await.unwrap();
    assert_eq!(kept(&tokens).await.until, Some(Time(NOW + 60_000_000)));
    // No new token, so no new life.
    let same = vendor(200, r#"{"access_token":"a","token_type":"bearer","scopes":["crm.read"]}"#);
    get(of("first"), &world(&tokens, &same)).await.unwrap();
    let kept = kept(&tokens).await;
    assert_eq!((kept.until, kept.scopes), (Some(Time(NOW + 60_000_000)), vec!["crm.read".to_owned()]));
    assert_eq!(field(&forms(&same)[0], "refresh_token"), "r");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_kept_and_the_vendor_asked_again_only_with_another_token() {
    let tokens = Arc::new(MemoryTokens::default());
    let vendor = vendor(400, r#"{"error":"invalid_grant"}"#);
    for (token, asked) in [("first", 1), ("first", 1), ("another", 2), ("another", 2)] {
        let error = get(oauth(configured(token)), &world(&tokens, &vendor)).await.unwrap_err();
        assert_eq!(error.next, NextStep::Reauthorize);
        assert!(error.message.contains("tributary connect crm"), "{error}");
        assert_eq!(vendor.count("/token"), asked, "{token}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_dead_grant_needs_re_authorization_for_good() {
    let tokens = Arc::new(MemoryTokens::default());
    for (status, body) in [(401, "no JSON"), (400, r#"{"error":"invalid_client"}"#), (400, "<html>")] {
        let refuses = vendor(status, body);
        get(oauth(configured("first")), &world(&tokens, &refuses)).await.unwrap_err();
        assert!(kept(&tokens).await.refused.is_none(), "{body}");
    }
    get(oauth(configured("first")), &world(&tokens, &vendor(200, GRANTED))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_not_connected_says_how() {
    let vendor = vendor(200, GRANTED);
    let tokens = Arc::new(MemoryTokens::default());
    let error = get(oauth(Grant::RefreshToken(None)), &world(&tokens, &vendor)).await.unwrap_err();
    assert_eq!(error.next, NextStep::Reauthorize);
    assert_eq!(error.message, "source `crm` is not connected: run `tributary connect crm`");
    assert_eq!(vendor.seen.lock().unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_ask_for_itself() {
    let vendor = vendor(200, r#"{"access_token":"a","token_type":"bearer","expires_in":60}"#);
    let tokens = Arc::new(MemoryTokens::default());
    get(oauth(Grant::ClientCredentials), &world(&tokens, &vendor)).await.unwrap();
    let form = &forms(&vendor)[0];
    let expected = [
        ("grant_type", "client_credentials"),
        ("scope", "crm.read offline"),
        ("client_id", "us"),
        ("client_secret", "canary-secret"),
    ];
    let found: Vec<(&str, &str)> = form.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
    assert_eq!(found, expected);
    assert!(kept(&tokens).await.refresh_token.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_can_not_sign_is_a_mistake_in_the_configuration() {
    for key in ["canary-key", "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n"] {
        let assertion = Assertion {
            issuer: "us".to_owned(),
            subject: None,
            audience: "https://vendor.example/token".to_owned(),
            key: SecretString::from(key),
        };
        let vendor = vendor(200, GRANTED);
        let world = world(&Arc::default(), &vendor);
        let error = get(oauth(Grant::JwtBearer(assertion)), &world).await.unwrap_err();
        assert_eq!(error.next, NextStep::FixConfig);
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(vendor.seen.lock().unwrap().len(), 0);
    }
}

const REDIRECT: &str = "http://127.0.0.1:8723/callback";

#[tokio::test(start_paused = true)]
async fn a_persons_consent_is_asked_with_pkce_and_kept() {
    let (tokens, vendor) = (Arc::new(MemoryTokens::default()), vendor(200, GRANTED));
    let world = world(&tokens, &vendor);
    // What was refused before does not matter any more.
    tokens.keep("crm", Kept { refused: Some("revoked".to_owned()), ..Kept::default() }).await.unwrap();
    let oauth = oauth(Grant::RefreshToken(None));
    let consent = oauth.consent(REDIRECT).unwrap();
    let asked = url::Url::parse(consent.address()).unwrap();
    let asked: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
    assert!(consent.address().starts_with("https://vendor.example/authorize?"));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "us"),
        ("redirect_uri", REDIRECT),
        ("scope", "crm.read offline"),
        ("code_challenge_method", "S256"),
        ("access_type", "offline"),
    ] {
        assert_eq!(field(&asked, name), value);
    }
    let state = field(&asked, "state");
    let code = consent.answered(&format!("/callback?code=canary-code&state={state}")).unwrap();
    assert_eq!(code.expose_secret(), "canary-code");
    let granted = consent.redeem(&code, &world).await.unwrap();
    assert_eq!(granted.scopes, ["crm.read"]);
    let form = &forms(&vendor)[0];
    assert_eq!(field(form, "grant_type"), "authorization_code");
    assert_eq!(field(form, "redirect_uri"), REDIRECT);
    let verifier = oauth2::PkceCodeVerifier::new(field(form, "code_verifier").to_owned());
    let challenge = oauth2::PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    assert_eq!(field(&asked, "code_challenge"), challenge.as_str());
    assert!(kept(&tokens).await.refused.is_none());
    // From now on the source signs in with what was kept.
    get(oauth, &world).await.unwrap();
    assert_eq!(field(&forms(&vendor)[1], "refresh_token"), "canary-r");
}

#[test]
fn only_the_answer_to_this_question_is_taken() {
    let oauth = oauth(Grant::RefreshToken(None));
    let consent = oauth.consent(REDIRECT).unwrap();
    let asked = url::Url::parse(consent.address()).unwrap();
    let state = asked.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let check = |query: &str, expected: &str| {
        let address = format!("{REDIRECT}?{}", query.replace("STATE", &state));
        let told = [consent.answered(&address), consent.pasted(&address)];
        for told in told {
            let told = told.map_or_else(|error| error.to_string(), |code| code.expose_secret().to_owned());
            assert!(told.starts_with(expected), "{query}: {told}");
        }
    };
    check("code=abc&state=STATE", "abc");
    check("code=abc&state=other", "the answer belongs to another attempt");
    check("code=abc", "the answer belongs to another attempt");
    check("error=access_denied&state=STATE", "access was denied (access_denied)");
    check("error=%3Cb%3E&state=STATE", "the vendor refused (an error)");
    check("state=STATE", "the answer has no code");
    assert_eq!(consent.pasted(" abc\n").unwrap().expose_secret(), "abc");
    assert!(consent.pasted("\n").is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_can_not_be_renewed_is_not_kept() {
    for (answer, expected) in [
        (r#"{"access_token":"canary","token_type":"bearer"}"#, "the vendor gave no refresh token"),
        (r#"{"access_token":"canary","token_type":"bearer","refresh_token":""}"#, "the vendor gave no"),
        (r#"{"error":"invalid_grant"}"#, "the vendor does not accept the code"),
    ] {
        let status = if answer.contains("error") { 400 } else { 200 };
        let tokens = Arc::new(MemoryTokens::default());
        let world = world(&tokens, &vendor(status, answer));
        let oauth = oauth(Grant::RefreshToken(None));
        let consent = oauth.consent(REDIRECT).unwrap();
        let error = consent.redeem(&SecretString::from("code"), &world).await.unwrap_err();
        assert!(error.message.starts_with(expected), "{error}");
        assert!(kept(&tokens).await.refresh_token.is_none());
    }
}
