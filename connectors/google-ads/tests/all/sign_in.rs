//! Signing in: a client that a person allowed, or a service account.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tributary_google_ads::{GoogleAds, SimulatedGoogleAds};
use tributary_source::environment::Vendor;
use tributary_source::http::{Response, Sent, Verdict};
use tributary_source::testkit::Simulated;
use tributary_source::{Connector, Environment, ExposeSecret, NextStep, SecretString};

use crate::reading::{NOW, ads};

/// A key that was made for this test and opens nothing.
const KEY: &str = include_str!("../../fixtures/service_account.pem");
const ACCOUNT: &str = "tributary@project.iam.gserviceaccount.com";

/// Notes what an assertion says, and then gives a token as for any grant.
struct ServiceAccounts {
    ads: Arc<SimulatedGoogleAds>,
    told: Mutex<Vec<Value>>,
}

#[async_trait]
impl Vendor for ServiceAccounts {
    async fn answer(&self, mut sent: Sent) -> Result<Response, Verdict> {
        if sent.url.path() == "/token" {
            let form: Vec<(String, String)> = url::form_urlencoded::parse(&sent.body).into_owned().collect();
            let field = |name: &str| &form.iter().find(|(key, _)| key == name).unwrap().1;
            assert_eq!(field("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
            let part = |index| {
                let text = field("assertion").split('.').nth(index).unwrap();
                serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
            };
            self.told.lock().unwrap().extend([part(0), part(1)]);
            let granted = SimulatedGoogleAds::secrets()["refresh_token"].expose_secret().to_owned();
            sent.body = format!("grant_type=refresh_token&refresh_token={granted}").into();
        }
        self.ads.answer(sent).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_account_asks_for_itself() {
    let vendor = Arc::new(ServiceAccounts { ads: ads(), told: Mutex::default() });
    let mut settings = vendor.ads.settings();
    settings.values["service_account"] = json!(ACCOUNT);
    settings.values.as_object_mut().unwrap().remove("client_id");
    // As it stands in Google's JSON file.
    let key = KEY.replace('\n', "\\n");
    settings.secrets = [("private_key".to_owned(), SecretString::from(key))].into();
    let now = Arc::new(|| tributary_core::Time(NOW));
    let environment = Environment { vendor: Some(Arc::clone(&vendor) as _), ..Environment::new(now) };
    let source = GoogleAds.connect(&settings, &environment).unwrap();
    source.check().await.unwrap();
    let told = vendor.told.lock().unwrap();
    assert_eq!(told[0], json!({"alg": "RS256", "typ": "JWT"}));
    assert_eq!((&told[1]["iss"], &told[1]["sub"]), (&json!(ACCOUNT), &json!(ACCOUNT)));
    assert_eq!(told[1]["aud"], settings.values["token_url"]);
    assert_eq!(told[1]["scope"], "https://www.googleapis.com/auth/adwords");
    assert_eq!(told[1]["iat"], NOW / 1_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_client_and_a_service_account_exclude_each_other() {
    let mut settings = ads().settings();
    let check = |settings: &tributary_source::Settings| {
        let error = GoogleAds.oauth(settings).map(|_| ()).unwrap_err();
        assert_eq!(error.next, NextStep::FixConfig);
        assert!(error.message.contains("either a `client_id` or a `service_account`"), "{error}");
    };
    settings.values["service_account"] = json!(ACCOUNT);
    check(&settings);
    let values = settings.values.as_object_mut().unwrap();
    values.remove("client_id");
    values.remove("service_account");
    check(&settings);
}
