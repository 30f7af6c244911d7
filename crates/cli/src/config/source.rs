//! `[[source]]` tables: which connector, under which id, with which settings.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tributary_core::time::Zone;
use tributary_source::{Settings, Spec};

use super::diagnostic::{Diagnostic, Text};
use super::suggest;
use super::timing::{self, SourceTiming};

/// One `[[source]]`.
#[derive(Debug)]
pub(crate) struct SourceConfig {
    /// Its stable id.
    pub(crate) id: String,
    /// The connector's name.
    pub(crate) connector: &'static str,
    /// When the daemon pulls it.
    pub(crate) timing: SourceTiming,
    zone: Zone,
    values: serde_json::Map<String, Value>,
    secrets: BTreeMap<String, Secret>,
    header: Range<usize>,
    keys: BTreeMap<String, Range<usize>>,
}

/// A value written `{ env = "NAME" }`.
#[derive(Debug)]
struct Secret {
    variable: String,
    span: Range<usize>,
}

const OWN_KEYS: [&str; 3] = ["id", "connector", "time_zone"];

/// Reads all `[[source]]` tables.
pub(super) fn read(
    text: &Text,
    tables: Spanned<DeValue<'_>>,
    zone: &Zone,
    connectors: &[&'static str],
) -> Result<Vec<SourceConfig>, Diagnostic> {
    let span = tables.span();
    let DeValue::Array(tables) = tables.into_inner() else {
        return Err(text
            .at(span, "`source` must be a list of tables")
            .hint("write [[source]] with two brackets"));
    };
    let mut sources: Vec<(SourceConfig, Range<usize>)> = Vec::new();
    for table in tables {
        let span = table.span();
        let DeValue::Table(table) = table.into_inner() else {
            return Err(text
                .at(span, "a source must be a table")
                .hint("write [[source]] on a line of its own"));
        };
        let (source, id_span) = one(text, table, span, zone, connectors)?;
        if let Some((_, first)) = sources.iter().find(|(known, _)| known.id == source.id) {
            return Err(text
                .at(id_span, format!("two sources have the id `{}`", source.id))
                .and(text, first.clone(), "the first is here")
                .hint("an id names one source's records for ever: give each its own"));
        }
        sources.push((source, id_span));
    }
    Ok(sources.into_iter().map(|(source, _)| source).collect())
}

fn one(
    text: &Text,
    mut table: DeTable<'_>,
    span: Range<usize>,
    zone: &Zone,
    connectors: &[&'static str],
) -> Result<(SourceConfig, Range<usize>), Diagnostic> {
    let keys = table.keys().map(|key| (key.get_ref().to_string(), key.span())).collect();
    let mut own = OWN_KEYS.map(|key| table.remove(key)).into_iter();
    let mut take = |key: &str| match own.next().flatten() {
        None => Ok(None),
        Some(value) => match value.get_ref().as_str() {
            Some(found) => Ok(Some(Spanned::new(value.span(), found.to_owned()))),
            None => Err(text.at(value.span(), format!("`{key}` must be a text"))),
        },
    };
    let (id, connector, time_zone) = (take("id")?, take("connector")?, take("time_zone")?);

    let known = connectors;
    let missing =
        |key: &str, hint: String| text.at(span.clone(), format!("this source lacks `{key}`")).hint(hint);
    let Some(id) = id else {
        return Err(missing("id", "write id = \"…\": a short name that never changes".to_owned()));
    };
    if id.get_ref().trim().is_empty() {
        return Err(text.at(id.span(), "a source's id cannot be empty"));
    }
    let Some(connector) = connector else {
        return Err(missing("connector", format!("write connector = \"…\", one of: {}", known.join(", "))));
    };
    let Some(name) = known.iter().find(|name| *name == connector.get_ref()) else {
        return Err(text
            .at(connector.span(), format!("unknown connector `{}`", connector.get_ref()))
            .hint(suggest::hint(connector.get_ref(), known)));
    };
    let own_zone = super::zone(text, time_zone.as_ref())?;
    let zone = own_zone.unwrap_or_else(|| zone.clone());
    let connector = crate::connectors::named(name);
    let streams: Vec<&'static str> = connector.streams().iter().map(|stream| stream.name).collect();
    let timing = timing::KEYS.iter().filter_map(|key| table.remove_entry(*key)).collect();
    let timing = timing::read(text, Spanned::new(span.clone(), timing), &zone, &streams)?;

    let spec = connector.spec();
    let mut values = serde_json::Map::new();
    let mut secrets = BTreeMap::new();
    for (key, value) in table {
        let (span, name) = (key.span(), key.into_inner().into_owned());
        accept(text, &spec, &name, span, &value)?;
        if let Some(variable) = environment(value.get_ref()) {
            secrets.insert(name, Secret { variable, span: value.span() });
        } else {
            values.insert(name, json(text, value)?);
        }
    }
    let source = SourceConfig {
        id: id.get_ref().clone(),
        connector: name,
        timing,
        zone,
        values,
        secrets,
        header: span,
        keys,
    };
    Ok((source, id.span()))
}

/// Refuses a key that the connector does not know, a secret in plain sight, and what is no secret out of it.
fn accept(
    text: &Text,
    spec: &Spec,
    key: &str,
    span: Range<usize>,
    value: &Spanned<DeValue<'_>>,
) -> Result<(), Diagnostic> {
    let settings = spec.keys();
    match (spec.is_secret(key), environment(value.get_ref()).is_some()) {
        (true, false) => Err(text
            .at(value.span(), format!("`{key}` is a secret, which does not belong into a file"))
            .hint(format!(
                "write {key} = {{ env = \"NAME\" }}, and put it into the environment variable NAME"
            ))),
        (false, true) if settings.contains(&key) => Err(text
            .at(value.span(), format!("`{key}` is no secret"))
            .hint("write it here: only secrets are read from the environment")),
        (false, _) if !settings.contains(&key) => {
            let secrets = spec.secrets.iter().map(|secret| secret.name);
            let own = OWN_KEYS.into_iter().chain(timing::KEYS);
            let known: Vec<&str> = own.chain(settings).chain(secrets).collect();
            Err(text.at(span, format!("unknown key `{key}`")).hint(suggest::hint(key, &known)))
        }
        _ => Ok(()),
    }
}

/// The variable of `{ env = "NAME" }`.
fn environment(value: &DeValue<'_>) -> Option<String> {
    let table = value.as_table()?;
    let name = table.get("env")?.get_ref().as_str()?;
    (table.len() == 1).then(|| name.to_owned())
}

/// TOML as JSON; dates become texts.
fn json(text: &Text, value: Spanned<DeValue<'_>>) -> Result<Value, Diagnostic> {
    let span = value.span();
    Ok(match value.into_inner() {
        DeValue::String(value) => Value::String(value.into_owned()),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(value) => Value::String(value.to_string()),
        DeValue::Integer(value) => i64::from_str_radix(value.as_str(), value.radix())
            .map(Value::from)
            .map_err(|_| text.at(span, "this number is too large"))?,
        DeValue::Float(value) => value
            .as_str()
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| text.at(span, "this number cannot be used"))?,
        DeValue::Array(values) => {
            Value::Array(values.into_iter().map(|value| json(text, value)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(values) => Value::Object(
            values
                .into_iter()
                .map(|(key, value)| Ok((key.into_inner().into_owned(), json(text, value)?)))
                .collect::<Result<_, _>>()?,
        ),
    })
}

impl SourceConfig {
    /// A source that the configuration does not name, for files that are imported once.
    pub(crate) fn unnamed(id: &str, connector: &'static str, zone: &Zone) -> Self {
        Self {
            id: id.to_owned(),
            connector,
            timing: SourceTiming::default(),
            zone: zone.clone(),
            values: serde_json::Map::new(),
            secrets: BTreeMap::new(),
            header: 0..0,
            keys: BTreeMap::new(),
        }
    }

    /// What the connector is given, its secrets read from the environment.
    pub(crate) fn settings(&self, config: &super::Config) -> Result<Settings, Diagnostic> {
        self.settings_with(config, |variable| std::env::var(variable))
    }

    /// What the connector is given, its secrets looked up by the names of their variables.
    pub(crate) fn settings_with(
        &self,
        config: &super::Config,
        look_up: impl Fn(&str) -> Result<String, std::env::VarError>,
    ) -> Result<Settings, Diagnostic> {
        let mut settings = self.settings_without_secrets(config);
        for (key, secret) in &self.secrets {
            let value = look_up(&secret.variable).map_err(|_| {
                let message = format!("the environment variable `{}` is not set", secret.variable);
                config.text.at(secret.span.clone(), message)
            })?;
            settings.secrets.insert(key.clone(), value.into());
        }
        Ok(settings)
    }

    /// What the connector is given, but for secrets.
    pub(crate) fn settings_without_secrets(&self, config: &super::Config) -> Settings {
        Settings {
            source: self.id.clone(),
            values: Value::Object(self.values.clone()),
            secrets: BTreeMap::new(),
            zone: self.zone.clone(),
            folder: config.folder.clone(),
        }
    }

    /// Shows the connector's complaint at the key it speaks of, else at the source's head.
    pub(super) fn complaint(&self, text: &Text, message: &str) -> Diagnostic {
        let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let place = words.iter().find_map(|word| self.keys.get(*word));
        let place = place.cloned().unwrap_or_else(|| self.header.clone());
        text.at(place, message)
    }
}
