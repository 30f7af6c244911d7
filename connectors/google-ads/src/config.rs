//! What a `[[source]]` with `connector = "google-ads"` may say.

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_source::http::{Assertion, Authorize, Grant, OAuth};
use tributary_source::{Error, Secret, Settings};

/// The secrets beside [`Config`].
pub(crate) const SECRETS: &[Secret] = &[
    Secret { name: "client_secret", about: "The OAuth client's secret." },
    Secret { name: "refresh_token", about: "What a user granted the client, if not by `tributary connect`." },
    Secret { name: "private_key", about: "The service account's private key, PEM, in place of a client." },
    Secret { name: "developer_token", about: "Not needed since September 2026; sent if given." },
];

/// The settings of a Google Ads source, beside the secrets `client_secret`, or `private_key`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The API's address.
    #[serde(default = "url")]
    pub(crate) url: String,
    /// Where access tokens come from.
    #[serde(default = "token_url")]
    pub(crate) token_url: String,
    /// The API's version, such as `v25`.
    #[serde(default = "version")]
    pub(crate) version: String,
    /// Where a person allows the client.
    #[serde(default = "authorize_url")]
    pub(crate) authorize_url: String,
    /// What is asked for.
    #[serde(default = "scopes")]
    pub(crate) scopes: Vec<String>,
    /// The OAuth client's id.
    #[serde(default)]
    pub(crate) client_id: Option<String>,
    /// The address of a service account that was invited to the ads account, in place of a client.
    #[serde(default)]
    pub(crate) service_account: Option<String>,
    /// Ids of ads accounts, digits only; all that can be seen without it.
    #[serde(default)]
    pub(crate) customers: Vec<String>,
    /// The manager account through which they are seen.
    #[serde(default)]
    pub(crate) login_customer_id: Option<String>,
    /// Requests a second.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[serde(default = "requests_per_second")]
    pub(crate) requests_per_second: f64,
    /// For how many days after a click its conversions come in: the longest window of any conversion action, 1 to 90.
    #[schemars(range(min = 1, max = 90))]
    #[serde(default = "conversion_days")]
    pub(crate) conversion_days: i64,
    /// The first month of spend, `YYYY-MM`.
    #[serde(default)]
    pub(crate) start: Option<String>,
}

fn url() -> String {
    "https://googleads.googleapis.com".to_owned()
}

fn token_url() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

fn authorize_url() -> String {
    "https://accounts.google.com/o/oauth2/v2/auth".to_owned()
}

fn scopes() -> Vec<String> {
    vec!["https://www.googleapis.com/auth/adwords".to_owned()]
}

fn requests_per_second() -> f64 {
    5.0
}

fn conversion_days() -> i64 {
    90
}

fn version() -> String {
    "v25".to_owned()
}

impl Config {
    /// Reads and checks the settings.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let config: Self = settings.parse()?;
        let fault = |what: String| settings.fault(what);
        let is_id = |id: &String| id.len() <= 12 && !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
        if let Some(id) = config.customers.iter().chain(&config.login_customer_id).find(|id| !is_id(id)) {
            return Err(fault(format!("`{id}` is no account id: write its digits without dashes")));
        }
        if !(config.requests_per_second > 0.0 && config.requests_per_second.is_finite()) {
            return Err(fault("`requests_per_second` must be more than 0".to_owned()));
        }
        if !(1..=90).contains(&config.conversion_days) {
            return Err(fault("`conversion_days` must be 1 to 90, as at Google".to_owned()));
        }
        let number = config.version.strip_prefix('v').unwrap_or_default();
        if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit()) {
            return Err(fault(format!("`version` is `{}`, but must be such as v25", config.version)));
        }
        if let Some(start) = config.start.as_ref().filter(|start| crate::pull::Month::parse(start).is_none())
        {
            return Err(fault(format!("`start` is `{start}`, but must be a month such as 2025-01")));
        }
        Ok(config)
    }

    /// How it signs in: as a client that a person allows, or as a service account.
    pub(crate) fn oauth(&self, settings: &Settings) -> Result<OAuth, Error> {
        let oauth = match (&self.client_id, &self.service_account) {
            (Some(client), None) => {
                // Without these Google gives no refresh token, or only the first time.
                let parameters = &[("access_type", "offline"), ("prompt", "consent")];
                let url = self.authorize_url.clone();
                let authorize = Some(Authorize { url, parameters, this_machine: "127.0.0.1" });
                OAuth { authorize, ..OAuth::of(settings, client, self.token_url.clone())? }
            }
            (None, Some(account)) => {
                let assertion = Assertion {
                    issuer: account.clone(),
                    subject: None,
                    audience: self.token_url.clone(),
                    key: settings.secret("private_key")?.clone(),
                };
                OAuth::by(Grant::JwtBearer(assertion), settings, account, self.token_url.clone())
            }
            _ => return Err(settings.fault("needs either a `client_id` or a `service_account`")),
        };
        Ok(OAuth { scopes: self.scopes.clone(), ..oauth })
    }
}
