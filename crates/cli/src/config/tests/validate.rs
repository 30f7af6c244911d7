//! What a JSON schema says of a value, by its draft 7, as far as the committed schema goes: an editor's own validator
//! must come to the same.
//!
//! It stands alone, so that a schema that says less than the program is seen. Not a validator of any schema: it panics
//! at a keyword that it does not know, so that none is passed over.

use serde_json::Value;

/// Adds the places of what does not fit, as JSON pointers. Where one of several must fit it is the place of the choice.
pub(super) fn validate(schema: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else { panic!("{schema} is no schema") };
    let fits = |schema: &Value| {
        let mut wrong = Vec::new();
        validate(schema, value, place, &mut wrong);
        wrong.is_empty()
    };
    let how_many = |choices: &Value| list(choices).iter().filter(|choice| fits(choice)).count();
    let number = value.as_f64();
    let holds = |keyword: &str, said: &Value| match keyword {
        "type" => is_type(said, value),
        "const" => value == said,
        "oneOf" => how_many(said) == 1,
        "anyOf" => how_many(said) > 0,
        "minimum" => number.is_none_or(|number| number >= limit(said)),
        "exclusiveMinimum" => number.is_none_or(|number| number > limit(said)),
        "maximum" => number.is_none_or(|number| number <= limit(said)),
        "minLength" => value.as_str().is_none_or(|text| text.chars().count() as f64 >= limit(said)),
        "pattern" if said == "^[0-9]+[smhd]$" => value.as_str().is_none_or(is_duration),
        "required" => value.as_object().is_none_or(|fields| {
            list(said).iter().all(|key| key.as_str().is_some_and(|key| fields.contains_key(key)))
        }),
        // The first three speak of what is inside, the others of nothing.
        "additionalProperties"
        | "properties"
        | "items"
        | "$schema"
        | "title"
        | "description"
        | "default"
        | "format" => true,
        _ => panic!("the schema says `{keyword}`: {said}"),
    };
    if schema.iter().any(|(keyword, said)| !holds(keyword, said)) {
        wrong.push(place.to_owned());
        return;
    }
    let known = schema.get("properties").and_then(Value::as_object);
    for (key, value) in value.as_object().into_iter().flatten() {
        match known.and_then(|known| known.get(key)).or_else(|| schema.get("additionalProperties")) {
            Some(Value::Bool(false)) => wrong.push(place.to_owned()),
            Some(Value::Bool(true)) | None => {}
            Some(schema) => validate(schema, value, &format!("{place}/{key}"), wrong),
        }
    }
    if let Some(schema) = schema.get("items") {
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            validate(schema, value, &format!("{place}/{index}"), wrong);
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or_else(|| panic!("{value} is no list"), Vec::as_slice)
}

fn limit(said: &Value) -> f64 {
    said.as_f64().unwrap_or_else(|| panic!("{said} is no limit"))
}

fn is_type(said: &Value, value: &Value) -> bool {
    let one = |name: &Value| match name.as_str() {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("number") => value.is_number(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => panic!("the schema says type {name}"),
    };
    said.as_array().map_or_else(|| one(said), |names| names.iter().any(one))
}

fn is_duration(text: &str) -> bool {
    let Some((number, unit)) = text.len().checked_sub(1).and_then(|at| text.split_at_checked(at)) else {
        return false;
    };
    !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()) && matches!(unit, "s" | "m" | "h" | "d")
}
