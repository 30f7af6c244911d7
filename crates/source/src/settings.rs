//! A source's settings: what its `[[source]]` table says, parsed by the connector itself.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tributary_core::time::Zone;

use crate::error::{Error, NextStep};

/// What a `[[source]]` table says beyond `id`, `connector` and `every`.
///
/// Secrets stand apart from the rest: settings are stored so that landed records can be normalised for ever,
/// secrets are not.
#[derive(Clone, Default)]
pub struct Settings {
    /// The source's stable id.
    pub source: String,
    /// Everything but secrets, as JSON.
    pub values: serde_json::Value,
    /// Values written `{ env = "NAME" }`, already read, by key.
    pub secrets: BTreeMap<String, SecretString>,
    /// The source's time zone, else the company's.
    pub zone: Zone,
    /// The folder that relative paths start from: the configuration file's.
    pub folder: std::path::PathBuf,
}

impl Settings {
    /// Parses the values into the connector's own type; unknown fields are errors there.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let values = if self.values.is_null() { serde_json::json!({}) } else { self.values.clone() };
        serde_json::from_value(values)
            .map_err(|error| Error::new(NextStep::FixConfig, format!("source `{}`: {error}", self.source)))
    }

    /// A secret by key.
    pub fn secret(&self, key: &str) -> Result<&SecretString, Error> {
        self.secrets.get(key).ok_or_else(|| {
            Error::new(
                NextStep::FixConfig,
                format!("source `{}` lacks `{key}` (write {key} = {{ env = \"NAME\" }})", self.source),
            )
        })
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets: Vec<&String> = self.secrets.keys().collect();
        f.debug_struct("Settings")
            .field("source", &self.source)
            .field("values", &self.values)
            .field("secrets", &secrets)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}
