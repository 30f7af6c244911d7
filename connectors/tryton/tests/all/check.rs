//! `tributary check` against a Tryton.

use serde_json::{Value, json};
use tributary_core::Time;
use tributary_source::{Connector, Environment, NextStep};
use tributary_tryton::Tryton;

use crate::vendor::{Asked, Fake, connect, reply, rows, settings};

/// A Tryton of a version that shows one record of each model with all its fields, but those of `hidden`.
async fn check(version: &'static str, hidden: &'static str) -> Vec<(String, String)> {
    let answer = move |asked: &Asked| match (asked.model.as_str(), asked.action.as_str()) {
        ("", _) => rows(&json!({"id": 1, "result": version})),
        ("party.relation.type", _) => rows(&json!([{"id": 1, "name": "Champion"}])),
        ("marketing.campaign", _) if hidden == "campaigns" => reply(403, ""),
        _ => {
            let fields = asked.fields.iter().map(|field| field.split('.').next().unwrap());
            let row = fields.filter(|field| *field != hidden).map(|field| (field.to_owned(), Value::Null));
            let mut row: serde_json::Map<String, Value> = row.collect();
            row.insert("id".to_owned(), json!(1));
            rows(&json!([row]))
        }
    };
    let findings = connect(&Fake::new(answer)).check().await.unwrap();
    findings.into_iter().map(|finding| (finding.code, finding.message)).collect()
}

#[tokio::test]
async fn a_tryton_as_it_should_be_is_told_how_relations_are_read() {
    let said =
        "every relation leads from a person to their company (Champion); if some do not, write `roles`";
    assert_eq!(check("8.2", "").await, [("roles-assumed".to_owned(), said.to_owned())]);
}

#[tokio::test]
async fn an_old_server_a_hidden_field_and_a_forbidden_model_are_findings() {
    let codes =
        |findings: Vec<(String, String)>| findings.into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert_eq!(codes(check("7.0", "").await)[0], "old-version");
    let found = check("8.2", "amount").await;
    let said = "the key's user may not read amount of sale.opportunity";
    assert_eq!(found[0], ("field-hidden".to_owned(), said.to_owned()));
    assert_eq!(codes(check("8.2", "campaigns").await)[0], "stream-skipped");
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let environment = Environment::new(std::sync::Arc::new(|| Time(0)));
    for (more, said) in [
        (json!({"databse": "crm"}), "source `crm`: unknown field `databse`"),
        (json!({"page_size": 0}), "source `crm`: page_size is 0, but must be 1 to 200"),
        (json!({"database": "a/../b"}), "source `crm`: `a/../b` is no database name"),
        (json!({"cancelled": "maybe"}), "source `crm`: unknown variant `maybe`"),
        (json!({"url": "http://tryton.example.com"}), "https"),
    ] {
        let error = Tryton.connect(&settings(more), &environment).map(|_| ()).unwrap_err();
        assert_eq!(error.next, NextStep::FixConfig);
        assert!(error.to_string().contains(said), "{error}");
    }
    let mut keyless = settings(json!({}));
    keyless.secrets.clear();
    let error = Tryton.connect(&keyless, &environment).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "source `crm` lacks `key` (write key = { env = \"NAME\" })");
}
