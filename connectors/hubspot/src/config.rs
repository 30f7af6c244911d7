//! What a `[[source]]` with `connector = "hubspot"` may say.

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_core::Currency;
use tributary_source::http::{Authorize, OAuth};
use tributary_source::{Error, Secret, Settings};

/// The secrets beside [`Config`].
pub(crate) const SECRETS: &[Secret] = &[
    Secret { name: "token", about: "A service key, or the token of a legacy private app." },
    Secret { name: "client_secret", about: "The OAuth app's secret, if there is no `token`." },
    Secret { name: "refresh_token", about: "What a user granted the app, if not by `tributary connect`." },
];

/// The settings of a HubSpot source, beside the secrets `token`, or `client_secret`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The API's address.
    #[serde(default = "url")]
    pub(crate) url: String,
    /// Where access tokens come from; below `url` without it.
    #[serde(default)]
    pub(crate) token_url: Option<String>,
    /// Where a person allows the OAuth app.
    #[serde(default = "authorize_url")]
    pub(crate) authorize_url: String,
    /// What the OAuth app asks for, exactly as the app says at HubSpot.
    #[serde(default = "scopes")]
    pub(crate) scopes: Vec<String>,
    /// The API's version, such as `2026-09`.
    #[serde(default = "version")]
    pub(crate) version: String,
    /// The OAuth app's id, if there is no `token`.
    #[serde(default)]
    pub(crate) client_id: Option<String>,
    /// The currency of deals that do not name one.
    #[serde(default)]
    pub(crate) currency: Option<String>,
    /// Requests a second.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[serde(default = "requests_per_second")]
    pub(crate) requests_per_second: f64,
    /// Records a request, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default = "page_size")]
    pub(crate) page_size: usize,
}

fn url() -> String {
    "https://api.hubapi.com".to_owned()
}

fn authorize_url() -> String {
    "https://app.hubspot.com/oauth/authorize".to_owned()
}

fn scopes() -> Vec<String> {
    let objects = ["companies", "contacts", "deals", "owners"];
    let objects = objects.iter().map(|object| format!("crm.objects.{object}.read"));
    std::iter::once("oauth".to_owned()).chain(objects).chain(["sales-email-read".to_owned()]).collect()
}

fn version() -> String {
    "2026-09".to_owned()
}

fn requests_per_second() -> f64 {
    19.0
}

fn page_size() -> usize {
    100
}

impl Config {
    /// Reads and checks the settings.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let config: Self = settings.parse()?;
        let fault = |what: String| settings.fault(what);
        if !(1..=100).contains(&config.page_size) {
            return Err(fault(format!("`page_size` is {}, but must be 1 to 100", config.page_size)));
        }
        if !(config.requests_per_second > 0.0 && config.requests_per_second.is_finite()) {
            return Err(fault("`requests_per_second` must be more than 0".to_owned()));
        }
        let is_version = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if config.version.is_empty() || !config.version.chars().all(is_version) {
            return Err(fault(format!("`version` is `{}`, but must be such as 2026-09", config.version)));
        }
        if let Some(code) = &config.currency {
            Currency::parse(code).map_err(|error| fault(format!("`currency`: {error}")))?;
        }
        Ok(config)
    }

    /// How an OAuth app signs in; `None` where there is a key.
    pub(crate) fn oauth(&self, settings: &Settings) -> Result<Option<OAuth>, Error> {
        let Some(client_id) = &self.client_id else { return Ok(None) };
        let below = || format!("{}/oauth/2026-03/token", self.url.trim_end_matches('/'));
        let oauth = OAuth::of(settings, client_id, self.token_url.clone().unwrap_or_else(below))?;
        // HubSpot accepts unencrypted answers at `localhost` only.
        let authorize =
            Authorize { url: self.authorize_url.clone(), parameters: &[], this_machine: "localhost" };
        Ok(Some(OAuth { authorize: Some(authorize), scopes: self.scopes.clone(), ..oauth }))
    }
}
