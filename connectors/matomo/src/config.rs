//! What a `[[source]]` with `connector = "matomo"` may say.

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_core::time::{When, Zone};
use tributary_source::{Error, Secret, Settings};

/// The secrets beside [`Config`].
pub(crate) const SECRETS: &[Secret] =
    &[Secret { name: "token", about: "A token with view access; it is sent in the body of requests only." }];

/// The settings of a Matomo source, beside the secret `token`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The server's address, such as `https://matomo.example.com`.
    pub(crate) url: String,
    /// Ids of the sites to read; every site that the token may see without it.
    #[serde(default)]
    pub(crate) sites: Vec<u32>,
    /// The first day to read, `YYYY-MM-DD`.
    #[serde(default)]
    pub(crate) start: Option<String>,
    /// Visits a request, 1 to 2000.
    #[schemars(range(min = 1, max = 2000))]
    #[serde(default = "page_size")]
    pub(crate) page_size: usize,
}

fn page_size() -> usize {
    500
}

impl Config {
    /// Reads and checks the settings.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let config: Self = settings.parse()?;
        let fault = |what: String| settings.fault(what);
        if !(1..=2000).contains(&config.page_size) {
            return Err(fault(format!("`page_size` is {}, but must be 1 to 2000", config.page_size)));
        }
        if let Some(start) = &config.start
            && (start.len() != 10 || When::parse(start, &Zone::default()).is_err())
        {
            return Err(fault(format!("`start` is `{start}`, but must be a day such as 2025-01-31")));
        }
        Ok(config)
    }
}
