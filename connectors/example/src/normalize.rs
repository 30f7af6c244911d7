//! A contact → facts. Pure.

use serde_json::Value;
use tributary_core::Fact;
use tributary_core::Time;
use tributary_core::fact::Person;
use tributary_core::time::Zone;
use tributary_source::{Normalized, Problem, Record};

pub(crate) fn normalize(record: &Record) -> Normalized {
    let Some(body) = &record.body else { return Normalized::default() };
    let contact: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut problems = Vec::new();
    let text =
        |name: &str| contact[name].as_str().map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned);
    let created_at = text("created_at").and_then(|written| {
        let at = Time::parse(&written, &Zone::default()).ok();
        if at.is_none() {
            problems.push(Problem { field: "created_at".to_owned(), reason: "not a time".to_owned() });
        }
        at
    });
    let person = Person {
        id: record.id.clone(),
        emails: text("email").into_iter().collect(),
        name: text("name"),
        created_at,
        ..Person::default()
    };
    Normalized { facts: vec![Fact::Person(person)], problems }
}
