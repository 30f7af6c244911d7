//! What a `[[source]]` with `connector = "example"` may say.

use serde::Deserialize;

/// The settings of an Example source, beside the secret `key`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The API's address.
    #[serde(default = "url")]
    pub(crate) url: String,
}

fn url() -> String {
    "https://api.example.com".to_owned()
}
