//! The JSON schema of `tributary.toml`, for editors: the file's own tables, and each connector's settings.

use serde_json::{Map, Value, json};
use tributary_source::{Connector, settings};

use super::file::File;
use super::timing::Timing;
use crate::connectors;

/// The schema as it is committed and printed.
pub(crate) fn text() -> String {
    format!("{:#}\n", schema())
}

/// The whole schema, draft 7.
pub(crate) fn schema() -> Value {
    let mut schema = settings::schema::<File>().to_value();
    schema["title"] = json!("tributary.toml");
    schema["properties"]["source"] = json!({
        "description": "The systems to read.",
        "type": "array",
        "items": { "oneOf": connectors::all().iter().map(|it| source(it.as_ref())).collect::<Vec<_>>() },
    });
    schema
}

/// A `[[source]]` of one connector.
fn source(connector: &dyn Connector) -> Value {
    let spec = connector.spec();
    let mut properties = json!({
        "id": {
            "description": "A short name that never changes: it names this source's records for ever.",
            "type": "string",
            "minLength": 1,
        },
        "connector": { "const": connector.name() },
        "time_zone": { "description": "The zone of dates without one. Default: the company's.", "type": "string" },
    });
    let timing = settings::schema::<Timing>().to_value();
    let timing = timing.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let own = spec.settings.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let secrets = spec.secrets.iter().map(|secret| (secret.name.to_owned(), environment(secret.about)));
    if let Some(properties) = properties.as_object_mut() {
        properties.extend(timing.into_iter().chain(own).chain(secrets.collect::<Map<_, _>>()));
    }
    let mut required = vec![json!("id"), json!("connector")];
    required.extend(spec.settings.get("required").and_then(Value::as_array).into_iter().flatten().cloned());
    json!({
        "title": connector.name(),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// `{ env = "NAME" }`
fn environment(about: &str) -> Value {
    json!({
        "description": format!("{about} Written {{ env = \"NAME\" }}: read from that environment variable."),
        "type": "object",
        "properties": { "env": { "type": "string" } },
        "required": ["env"],
        "additionalProperties": false,
    })
}
