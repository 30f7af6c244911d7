//! What Example sends, what it means, and how it is read on a bad day.

use std::sync::Arc;

use serde_json::Value;
use tributary_core::Fact;
use tributary_example::{Example, SimulatedExample};
use tributary_sandbox::{Plan, build};
use tributary_source::testkit::conformance;
use tributary_source::{Connector, Record, Settings};

#[test]
fn it_conforms() {
    let world = build(&Plan::with_accounts(60));
    let report = conformance(Example, move |clock| Arc::new(SimulatedExample::new(&world, clock))).unwrap();
    println!("{report}");
}

#[test]
fn contacts_say_their_facts() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/contacts.json");
    let contacts: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let said: Vec<Vec<Fact>> = contacts
        .iter()
        .map(|contact| {
            let body = Some(contact.to_string().into_bytes().into_boxed_slice());
            let id = contact["id"].to_string();
            let record = Record { stream: "contacts", id, stamp: None, body, origin: None };
            let normalized = Example.normalize(&Settings::default(), &record);
            assert!(normalized.problems.is_empty(), "{:?}", normalized.problems);
            normalized.facts
        })
        .collect();
    insta::assert_debug_snapshot!(said);
}
