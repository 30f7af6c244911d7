//! What a `[[source]]` with `connector = "tryton"` may say.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_source::{Error, Secret, Settings};

/// The secrets beside [`Config`].
pub(crate) const SECRETS: &[Secret] =
    &[Secret { name: "key", about: "The key of a user application of kind REST." }];

/// The settings of a Tryton source, beside the secret `key`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The server's address, such as `https://tryton.example.com`.
    pub(crate) url: String,
    /// The name of the database.
    pub(crate) database: String,
    /// Records a request, 1 to 200.
    #[schemars(range(min = 1, max = 200))]
    #[serde(default = "page_size")]
    pub(crate) page_size: usize,
    /// Relation types that lead from a person to their company, and the role each means.
    /// Without it every relation does, and its type's name is the role.
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, String>,
    /// What a cancelled opportunity is.
    #[serde(default)]
    pub(crate) cancelled: Cancelled,
}

/// What a cancelled opportunity is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cancelled {
    /// No deal: it was created by mistake.
    #[default]
    Ignored,
    /// A lost deal.
    Lost,
}

/// Ids of one page must fit into the address of one request.
const LARGEST_PAGE: usize = 200;

fn page_size() -> usize {
    100
}

impl Config {
    /// Reads and checks the settings.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let config: Self = settings.parse()?;
        let fault = |what: String| settings.fault(what);
        if !(1..=LARGEST_PAGE).contains(&config.page_size) {
            return Err(fault(format!("page_size is {}, but must be 1 to {LARGEST_PAGE}", config.page_size)));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if config.database.is_empty() || !config.database.chars().all(is_plain) {
            return Err(fault(format!("`{}` is no database name", config.database)));
        }
        Ok(config)
    }
}
