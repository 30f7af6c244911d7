//! What a `[[source]]` with `connector = "example"` may say.

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_source::Secret;

/// The secrets beside [`Config`].
pub(crate) const SECRETS: &[Secret] = &[Secret { name: "key", about: "An API key." }];

/// The settings of an Example source, beside the secret `key`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The API's address.
    #[serde(default = "url")]
    pub(crate) url: String,
}

fn url() -> String {
    "https://api.example.com".to_owned()
}
