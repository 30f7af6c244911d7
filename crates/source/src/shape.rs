//! Which fields the records of a stream have, so that somebody is told when a vendor adds one, or writes another kind
//! of value into it.
//!
//! Pure. Not responsible for what a field means: what can't be understood any more is a problem of its record, and
//! what is new is kept in landing, whether anybody reads it or not.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Records after which a field that was never met is news; before, a rare one is just met for the first time.
const LEARNED: u64 = 500;
/// Fields that are remembered: enough for any vendor, and a bound for one that writes data into its keys.
const MOST: usize = 1000;
/// Levels that are looked into.
const DEPTH: usize = 6;

/// The fields of a stream's records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    records: u64,
    fields: BTreeMap<String, BTreeSet<Kind>>,
}

/// A kind of value; null is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Text,
    Number,
    Truth,
    List,
    Table,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Truth => "true or false",
            Self::List => "a list",
            Self::Table => "a table",
        }
    }
}

impl Shape {
    /// Looks at one record. Bytes that are no JSON have no shape.
    pub fn observe(&mut self, body: &[u8]) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
        self.records += 1;
        self.look(&body, &mut String::new(), DEPTH);
    }

    fn look(&mut self, value: &Value, path: &mut String, depth: usize) {
        let kind = match value {
            Value::Null => return,
            Value::String(_) => Kind::Text,
            Value::Number(_) => Kind::Number,
            Value::Bool(_) => Kind::Truth,
            Value::Array(_) => Kind::List,
            Value::Object(_) => Kind::Table,
        };
        if !path.is_empty() && (self.fields.len() < MOST || self.fields.contains_key(path)) {
            self.fields.entry(path.clone()).or_default().insert(kind);
        }
        if depth == 0 {
            return;
        }
        let length = path.len();
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    // A table by number is data, not shape.
                    let key = if key.bytes().all(|c| c.is_ascii_digit()) { "*" } else { key };
                    path.push_str(if length == 0 { "" } else { "." });
                    path.push_str(key);
                    self.look(value, path, depth - 1);
                    path.truncate(length);
                }
            }
            Value::Array(items) => {
                path.push_str("[]");
                for item in items {
                    self.look(item, path, depth - 1);
                }
                path.truncate(length);
            }
            _ => {}
        }
    }

    /// Takes in what was met later, and says what is new in it: lower-case fragments, one a field.
    pub fn learn(&mut self, later: &Self) -> Vec<String> {
        let is_learned = self.records >= LEARNED;
        self.records = self.records.saturating_add(later.records);
        let mut news: Vec<String> = Vec::new();
        let mut added: Option<&str> = None;
        // In the order of paths what lies within a field follows it.
        for (path, kinds) in &later.fields {
            let has_room = self.fields.len() < MOST;
            match self.fields.get_mut(path) {
                Some(known) => {
                    let before: Vec<&str> = known.iter().map(|kind| kind.name()).collect();
                    let others = kinds.difference(known).map(|kind| {
                        format!("`{path}` is {} now, and was {}", kind.name(), before.join(" or "))
                    });
                    news.extend(others.collect::<Vec<_>>());
                    known.extend(kinds);
                }
                None if has_room => {
                    self.fields.insert(path.clone(), kinds.clone());
                    let is_within = |outer: &str| {
                        path.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']))
                    };
                    if !added.is_some_and(is_within) {
                        news.push(format!("`{path}` is new: it is kept, and nothing reads it yet"));
                        added = Some(path);
                    }
                }
                None => {}
            }
        }
        if is_learned { news } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape(bodies: &[Value]) -> Shape {
        let mut shape = Shape::default();
        for body in bodies {
            shape.observe(body.to_string().as_bytes());
        }
        shape
    }

    fn learned() -> Shape {
        let body = json!({"id": 1, "name": "Ann", "by": {"7": {"at": null}}, "tags": [{"label": "x"}]});
        shape(&vec![body; LEARNED as usize])
    }

    #[test]
    fn a_new_field_and_another_kind_of_value_are_told_once() {
        let later = shape(&[
            json!({"id": "1", "name": null, "by": {"8": {"at": null}}, "tags": []}),
            json!({"id": 2, "plan": {"name": "gold", "seats": [1]}, "planned": true}),
        ]);
        let mut shape = learned();
        assert_eq!(
            shape.learn(&later),
            [
                "`id` is a text now, and was a number",
                "`plan` is new: it is kept, and nothing reads it yet",
                "`planned` is new: it is kept, and nothing reads it yet",
            ]
        );
        assert!(shape.learn(&later).is_empty());
    }

    #[test]
    fn nothing_is_news_before_the_shape_is_known() {
        let mut shape = shape(&[json!({"id": 1})]);
        assert!(shape.learn(&learned()).is_empty());
        assert!(!shape.learn(&super::tests::shape(&[json!({"colour": "red"})])).is_empty());
    }

    #[test]
    fn a_vendor_that_writes_data_into_its_keys_is_bounded() {
        let mut shape = learned();
        for number in 0..5000 {
            shape.observe(json!({format!("key {number}"): 1}).to_string().as_bytes());
        }
        assert_eq!(shape.fields.len(), MOST);
        shape.observe(b"no JSON");
    }
}
