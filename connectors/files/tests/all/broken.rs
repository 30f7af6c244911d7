//! A broken row is reported with file, line, column and reason, and the rest goes in.

use proptest::prelude::*;
use serde_json::json;
use tributary_files::Files;
use tributary_source::{Connector, NextStep, Record};

use crate::reading::{normalize, read, settings, try_read};

#[test]
fn broken_rows_are_kept_out_one_by_one() {
    let content = b"id,name,domain\n\
        a1,Acme,acme.example\n\
        a2,too,many,fields\n\
        a3\n\
        a4,\"never closed,x.example\n\
        a5,Bad \xff bytes,b.example\n\
        a6,Fine,fine.example\n";
    let read = read(&[("accounts.csv", content)], json!({}));
    let ids: Vec<&str> = read.records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["a1", "a6"]);
    let rejects: Vec<String> = read
        .rejects
        .iter()
        .map(|it| format!("{} {} {}", it.origin, it.problem.field, it.problem.reason))
        .collect();
    assert_eq!(
        rejects,
        [
            "accounts.csv:3  4 fields where the header has 3: quote fields that contain the separator",
            "accounts.csv:4  1 field where the header has 3: is the separator the same in every line?",
            "accounts.csv:5  a quote is never closed: close it or double it",
            "accounts.csv:6 name not UTF-8: save the file as UTF-8",
        ]
    );
    assert!(read.rejects[2].body.starts_with(b"a4"));
}

#[test]
fn a_stray_quote_costs_no_other_row() {
    let content = b"id,name,domain\n\
        a1,5\" pipe,one.example\n\
        a2,6\" pipe,two.example\n\
        a3,\"open,three.example\n\
        a4,\"Four\",four.example\n\
        a5,\"Five\" Ltd,five.example\n\
        a6,\"Six \"\"6\"\"\nLtd\",six.example\r\n\
        a7,\"Seven\",\"seven.example\"\r\n";
    let read = read(&[("accounts.csv", content)], json!({}));
    let ids: Vec<&str> = read.records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["a1", "a2", "a4", "a6", "a7"]);
    let rejects: Vec<&str> = read.rejects.iter().map(|it| it.origin.as_str()).collect();
    assert_eq!(rejects, ["accounts.csv:4", "accounts.csv:6"]);
    assert!(read.rejects[0].problem.reason.starts_with("text follows a closing quote"));
    let body = |at: usize| String::from_utf8(read.records[at].body.clone().unwrap().into()).unwrap();
    assert_eq!(body(0), r#"{"domain":"one.example","id":"a1","name":"5\" pipe"}"#);
    assert_eq!(body(3), r#"{"domain":"six.example","id":"a6","name":"Six \"6\"\nLtd"}"#);
}

#[test]
fn broken_values_are_named_by_column() {
    let deals = b"id,amount,currency,closed_at,outcome\n\
        d1,abc,USD,2026-01-01,won\n\
        d2,1.005,USD,2026-01-01,won\n\
        d3,5,XYZ,2026-01-01,won\n\
        d4,5,,2026-01-01,won\n\
        d5,5,USD,yesterday,won\n\
        d6,5,USD,2026-01-01,maybe\n\
        d7,5,USD,,won\n\
        d8,5.5,JPY,2026-01-01,won\n";
    let records = read(&[("deals.csv", deals)], json!({})).records;
    let (facts, problems) = normalize(&records, json!({}));
    assert!(facts.is_empty());
    insta::assert_snapshot!(problems.join("\n"), @r#"
    deals.csv:2: amount `abc` is not a decimal number
    deals.csv:3: amount `1.005` has more decimals than USD has (2)
    deals.csv:4: currency unknown currency `XYZ` (expected an ISO 4217 code such as USD)
    deals.csv:5: currency is empty: add the column, or write currency = "USD" for this source
    deals.csv:6: closed_at `yesterday` is not a time (expected RFC 3339 such as 2026-03-31T09:30:00Z, or a date such as 2026-03-31)
    deals.csv:7: outcome `maybe` is no outcome (expected won, lost or open)
    deals.csv:8: closed_at is empty, though the deal is closed
    deals.csv:9: amount `5.5` has more decimals than JPY has (0)
    "#);
}

#[test]
fn a_very_long_row_is_kept_out_and_the_next_is_read() {
    let mut content = b"id,name\na1,".to_vec();
    content.extend(vec![b'x'; 2 << 20]);
    content.extend(b"\na2,fine\n");
    let read = read(&[("accounts.csv", &content)], json!({}));
    assert_eq!(read.records.len(), 1);
    assert_eq!(read.rejects[0].problem.reason, "the row is longer than 1 MiB: shorten it or split the file");
    assert!(read.rejects[0].body.len() <= 64 << 10);
}

#[test]
fn files_that_are_not_what_their_name_says_get_a_clear_error() {
    let check = |name: &str, content: &[u8], expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), content).unwrap();
        let error = try_read(folder.path(), json!({})).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("touches.csv", b"a,b\n1,2\n", "is no touches file: its header has none of id, occurred_at, kind");
    check("touches.csv", b"\xff\xfea\0,\0", "is UTF-16: save it as UTF-8");
    check("touches.csv", b"", "has no header");
    check("touches.csv", b"id,kind,Kind\n", "has the column `kind` twice");
    check("notes.txt", b"", "no canonical file found");
    let folder = tempfile::tempdir().unwrap();
    let error = try_read(folder.path(), json!({"paths": ["nowhere"]})).unwrap_err();
    assert_eq!(error.next, NextStep::FixConfig);
    assert!(error.to_string().contains("does not exist"), "{error}");
    let error = try_read(folder.path(), json!({"pats": ["x"]})).unwrap_err();
    assert!(error.to_string().contains("unknown field `pats`"), "{error}");
}

proptest! {
    #[test]
    fn no_row_whatsoever_breaks_the_connector(
        stream in 0_usize..9,
        cells in proptest::collection::btree_map(
            prop_oneof![Just("id"), Just("amount"), Just("currency"), Just("occurred_at"), Just("kind"), Just("weight"), Just("date"), Just("rate"), Just("from"), Just("to"), Just("kind_a"), Just("id_a"), Just("closed_at"), Just("is_primary"), Just("email")],
            "\\PC{0,12}", 0..8),
        raw in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
    ) {
        let stream = &Files.streams()[stream];
        let body = raw.unwrap_or_else(|| serde_json::to_vec(&cells).unwrap());
        let record = Record { stream: stream.name, id: "x".to_owned(), stamp: None, body: Some(body.into()), origin: None };
        let settings = settings(std::path::Path::new("."), json!({}));
        let once = Files.normalize(&settings, &record);
        prop_assert_eq!(once, Files.normalize(&settings, &record));
    }
}
