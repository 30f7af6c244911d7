//! `tributary normalize`: what records mean, for whoever writes a connector or wonders about a fact.

use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use tributary_core::Fact;
use tributary_source::{Problem, Record, Settings};

use super::{Context, DEFAULT_CONFIG};
use crate::arguments::Global;
use crate::config::suggest;
use crate::connectors;
use crate::failure::{Failure, Outcome};
use crate::show;

/// What one record means.
#[derive(Serialize)]
struct Meant {
    record: String,
    facts: Vec<Fact>,
    problems: Vec<Problem>,
}

/// Reads records from a file and prints what they mean, as JSON whatever the format: facts are no table.
pub(super) fn run(global: &Global, source: &str, stream: &str, file: &Path) -> Result<Outcome, Failure> {
    let is_configured = global.config.is_some() || Path::new(DEFAULT_CONFIG).exists();
    let names = connectors::names();
    let (name, settings) = if let Some(name) = names.iter().find(|name| **name == source && !is_configured) {
        let settings = Settings { source: source.to_owned(), values: json!({}), ..Settings::default() };
        (*name, settings)
    } else {
        let context = Context::load(global)?;
        let configured = context.sources(&[source.to_owned()])?[0];
        // What records mean depends on no secret.
        (configured.connector, configured.settings_with(&context.config, |_| Ok(String::new()))?)
    };
    let connector = connectors::named(name);
    let streams: Vec<&str> = connector.streams().iter().map(|stream| stream.name).collect();
    let Some(stream) = connector.streams().iter().find(|known| known.name == stream) else {
        let failure = Failure::usage(format!("{name} has no stream `{stream}`"));
        return Err(failure.hint(suggest::hint(stream, &streams)));
    };
    let meant: Vec<Meant> = records(file)?
        .into_iter()
        .enumerate()
        .map(|(index, body)| {
            // A record's id is its connector's business; here the field of that name will do.
            let id = match &body["id"] {
                Value::String(id) => id.clone(),
                Value::Number(id) => id.to_string(),
                _ => format!("record {}", index + 1),
            };
            let bytes = body.to_string().into_bytes().into_boxed_slice();
            let record =
                Record { stream: stream.name, id: id.clone(), stamp: None, body: Some(bytes), origin: None };
            let normalized = connector.normalize(&settings, &record);
            Meant { record: id, facts: normalized.facts, problems: normalized.problems }
        })
        .collect();
    let text = serde_json::to_string_pretty(&meant)
        .map_err(|error| Failure::failed(format!("failed to write facts: {error}")))?;
    show::print_text(&format!("{text}\n"))?;
    Ok(Outcome::Done)
}

/// One record, a list of them, or one a line.
fn records(file: &Path) -> Result<Vec<Value>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::failed(format!("failed to read {}: {error}", file.display())))?;
    let values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
    let values: Vec<Value> = values
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::failed(format!("{}: no JSON: {error}", file.display())))?;
    Ok(values
        .into_iter()
        .flat_map(|value| match value {
            Value::Array(items) => items,
            other => vec![other],
        })
        .collect())
}
