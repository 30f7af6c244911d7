//! `tributary normalize`: what records mean, for whoever writes a connector or wonders about a fact.

use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use tributary_core::{Fact, Time};
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
    let (name, settings) = read_by(global, source)?;
    let connector = connectors::named(name);
    let streams: Vec<&str> = connector.streams().iter().map(|stream| stream.name).collect();
    let Some(stream) = connector.streams().iter().find(|known| known.name == stream) else {
        let failure = Failure::usage(format!("{name} has no stream `{stream}`"));
        return Err(failure.hint(suggest::hint(stream, &streams)));
    };
    let meant: Vec<Meant> = records(file, stream.name)?
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
    let failed = |error| Failure::failed(format!("failed to write facts: {error}"));
    let mut meant = serde_json::to_value(&meant).map_err(failed)?;
    write_instants(&mut meant);
    let text = serde_json::to_string_pretty(&meant).map_err(failed)?;
    show::print_text(&format!("{text}\n"))?;
    Ok(Outcome::Done)
}

/// The connector and the settings of a configured source; of a connector without any, where no source is called so.
fn read_by(global: &Global, source: &str) -> Result<(&'static str, Settings), Failure> {
    let is_configured = global.config.is_some() || Path::new(DEFAULT_CONFIG).exists();
    let context = if is_configured { Some(Context::load(global)?) } else { None };
    let sources = context.iter().flat_map(|context| &context.config.sources);
    let ids: Vec<&str> = sources.map(|configured| configured.id.as_str()).collect();
    if let Some(context) = context.as_ref().filter(|_| ids.contains(&source)) {
        let configured = context.sources(&[source.to_owned()])?[0];
        // What records mean depends on no secret.
        return Ok((configured.connector, configured.settings_with(&context.config, |_| Ok(String::new()))?));
    }
    let names = connectors::names();
    let Some(name) = names.iter().find(|name| **name == source) else {
        let known: Vec<&str> = ids.into_iter().chain(names.iter().copied()).collect();
        let failure = Failure::usage(format!("no source or connector is called `{source}`"));
        return Err(failure.hint(suggest::hint(source, &known)));
    };
    Ok((name, Settings { source: source.to_owned(), values: json!({}), ..Settings::default() }))
}

/// Writes instants as people read them: facts keep them in microseconds.
fn write_instants(value: &mut Value) {
    const INSTANTS: [&str; 7] =
        ["created_at", "closed_at", "entered_at", "occurred_at", "at", "from", "until"];
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_i64() {
                    Some(micros) if INSTANTS.contains(&name.as_str()) => {
                        *value = json!(Time(micros).to_string());
                    }
                    _ => write_instants(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(write_instants),
        _ => {}
    }
}

/// One record, a list of them, or one a line.
fn records(file: &Path, stream: &str) -> Result<Vec<Value>, Failure> {
    let mut bytes = Vec::new();
    let is_stdin = file == Path::new("-");
    let place = if is_stdin { "stdin".to_owned() } else { file.display().to_string() };
    let read = if is_stdin {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::failed(format!("failed to read {place}: {error}")))?;
    let values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
    let values: Vec<Value> = values
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::failed(format!("{place}: no JSON: {error}")))?;
    let one_by_one = values.into_iter().flat_map(|value| match value {
        Value::Array(items) => items,
        other => vec![other],
    });
    let records: Vec<Value> = one_by_one.collect();
    let expected = format!("expected a record of {stream}, a list of them, or one a line");
    if records.is_empty() {
        return Err(Failure::failed(format!("{place} has no record")).hint(expected));
    }
    match records.iter().position(|record| !record.is_object()) {
        Some(index) => {
            Err(Failure::failed(format!("{place}: record {} is no JSON object", index + 1)).hint(expected))
        }
        None => Ok(records),
    }
}
