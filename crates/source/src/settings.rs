//! A source's settings: what its `[[source]]` table says, parsed by the connector itself.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use schemars::transform::{RecursiveTransform, Transform};
use secrecy::{ExposeSecret, SecretString};
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
        let nothing = serde_json::Value::Object(serde_json::Map::new());
        let values = if self.values.is_null() { &nothing } else { &self.values };
        // Borrowed: normalisers read their settings for every record.
        T::deserialize(values).map_err(|error| self.fault(error))
    }

    /// Says what is wrong with the settings: a fragment that names the key and what it must be.
    pub fn fault(&self, what: impl fmt::Display) -> Error {
        Error::new(NextStep::FixConfig, format!("source `{}`: {what}", self.source))
    }

    /// Whether a connection made with these would be the same.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let secrets = |settings: &Self| {
            let shown =
                |(key, secret): (&String, &SecretString)| (key.clone(), secret.expose_secret().to_owned());
            settings.secrets.iter().map(shown).collect::<Vec<_>>()
        };
        self.source == other.source
            && self.values == other.values
            && self.zone.name() == other.zone.name()
            && self.folder == other.folder
            && secrets(self) == secrets(other)
    }

    /// A secret by key.
    pub fn secret(&self, key: &str) -> Result<&SecretString, Error> {
        let missing = || {
            let source = &self.source;
            let message = format!("source `{source}` lacks `{key}` (write {key} = {{ env = \"NAME\" }})");
            Error::new(NextStep::FixConfig, message)
        };
        self.secrets.get(key).ok_or_else(missing)
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

/// What a `[[source]]` of one connector may say beyond `id`, `connector`, `time_zone` and `every`.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The settings' JSON schema, complete in itself.
    pub settings: schemars::Schema,
    /// The secrets beside them.
    pub secrets: &'static [Secret],
}

/// A value that is written `{ env = "NAME" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its key.
    pub name: &'static str,
    /// What it is: a sentence.
    pub about: &'static str,
}

impl Spec {
    /// From the type that [`Settings::parse`] gives, and the secrets.
    pub fn of<T: JsonSchema>(secrets: &'static [Secret]) -> Self {
        Self { settings: schema::<T>(), secrets }
    }

    /// Every key that is no secret.
    pub fn keys(&self) -> Vec<&str> {
        let properties = self.settings.get("properties").and_then(serde_json::Value::as_object);
        properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect()
    }

    /// Whether a key is a secret.
    pub fn is_secret(&self, key: &str) -> bool {
        self.secrets.iter().any(|secret| secret.name == key)
    }
}

/// The JSON schema (draft 7, which editors know) of what is read from TOML: complete in itself, and without `null`,
/// which TOML has not.
pub fn schema<T: JsonSchema>() -> schemars::Schema {
    let settings = schemars::generate::SchemaSettings::draft07().with(|it| it.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(without_null).transform(&mut schema);
    schema
}

fn without_null(schema: &mut schemars::Schema) {
    let is_null =
        |value: &serde_json::Value| value == "null" || value.get("type").is_some_and(|it| it == "null");
    if schema.get("default").is_some_and(serde_json::Value::is_null) {
        schema.remove("default");
    }
    if let Some(choices) = schema.get_mut("enum").and_then(serde_json::Value::as_array_mut) {
        choices.retain(|choice| !choice.is_null());
    }
    for key in ["type", "anyOf"] {
        let Some(choices) = schema.get_mut(key).and_then(serde_json::Value::as_array_mut) else { continue };
        choices.retain(|choice| !is_null(choice));
        if choices.len() > 1 {
            continue;
        }
        match choices.pop() {
            Some(serde_json::Value::Object(only)) => {
                schema.remove(key);
                // What is said of the field itself holds before what is said of its type.
                let said = std::mem::take(schema.ensure_object());
                schema.ensure_object().extend(only.into_iter().chain(said));
            }
            Some(only) => drop(schema.insert(key.to_owned(), only)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Some {
        /// A text.
        text: Option<String>,
        /// Another.
        other: Option<Other>,
    }

    /// One or the other.
    #[derive(JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Other {
        One,
        TheOther,
    }

    #[test]
    fn a_schema_knows_no_null_and_refers_to_nothing() {
        let schema = schema::<Some>();
        let properties = &schema.get("properties").unwrap();
        assert_eq!(properties["text"], serde_json::json!({ "description": "A text.", "type": "string" }));
        assert_eq!(properties["other"]["enum"], serde_json::json!(["one", "the_other"]));
        let text = serde_json::to_string(&schema).unwrap();
        assert!(!text.contains("null") && !text.contains("$ref"), "{text}");
    }
}
