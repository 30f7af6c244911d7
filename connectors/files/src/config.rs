//! What `[[source]] connector = "files"` says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_core::Currency;

/// Settings of a files source.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Folders or files.
    pub(crate) paths: Vec<String>,
    /// By file name without ending: what its columns are called here.
    pub(crate) columns: BTreeMap<String, BTreeMap<String, String>>,
    /// For amounts without a currency.
    #[schemars(with = "Option<String>")]
    pub(crate) currency: Option<Currency>,
    /// How numbers are written.
    pub(crate) decimal: Decimal,
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decimal {
    /// As the number itself suggests; `1.234` is a little more than one.
    #[default]
    Auto,
    /// With a comma; points separate thousands.
    Comma,
}
