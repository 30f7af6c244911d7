//! JSON in one form: equal objects give equal bytes, in whatever order their keys came.

use serde::ser::{Serialize, SerializeMap, Serializer};
pub use serde_json_borrow::Value as Borrowed;

/// A value as compact JSON, the keys of each object in order: byte for byte what `serde_json::Value` writes. Some
/// fields of the outermost object are left out.
pub(crate) fn canonical(value: &Borrowed<'_>, left_out: &[&str]) -> Box<[u8]> {
    // Writing to memory fails only for keys that are no texts, and JSON has none.
    serde_json::to_vec(&Ordered { value, left_out }).unwrap_or_default().into_boxed_slice()
}

struct Ordered<'a> {
    value: &'a Borrowed<'a>,
    left_out: &'a [&'a str],
}

impl<'a> From<&'a Borrowed<'a>> for Ordered<'a> {
    fn from(value: &'a Borrowed<'a>) -> Self {
        Self { value, left_out: &[] }
    }
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Borrowed::Array(items) => serializer.collect_seq(items.iter().map(Ordered::from)),
            Borrowed::Object(fields) => {
                let mut sorted: Vec<(&str, &Borrowed<'_>)> = fields.iter().collect();
                sorted.retain(|(key, _)| !self.left_out.contains(key));
                sorted.sort_by_key(|(key, _)| *key);
                let mut map = serializer.serialize_map(None)?;
                for (index, (key, value)) in sorted.iter().enumerate() {
                    // Of a key that comes twice, the last one counts.
                    if sorted.get(index + 1).is_none_or(|(next, _)| next != key) {
                        map.serialize_entry(key, &Ordered::from(*value))?;
                    }
                }
                map.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Borrowed, canonical};

    #[test]
    fn writes_what_a_json_value_writes() -> Result<(), serde_json::Error> {
        let text = r#" {"b": [1, -2, 0.5, 1e30, {"y": null, "x": "\u00e9\n\"\\"}], "a": true, "": {}, "b\n": "", "a": "last"}"#;
        let as_value = serde_json::from_str::<Value>(text)?.to_string();
        assert_eq!(String::from_utf8_lossy(&canonical(&serde_json::from_str(text)?, &[])), as_value);
        Ok(())
    }

    #[test]
    fn leaves_out_fields_of_the_outermost_object_alone() -> Result<(), serde_json::Error> {
        let value: Borrowed<'_> = serde_json::from_str(r#"{"url": 1, "kept": {"url": 2}}"#)?;
        assert_eq!(&*canonical(&value, &["url"]), br#"{"kept":{"url":2}}"#);
        Ok(())
    }
}
