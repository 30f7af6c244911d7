//! What spreadsheets write is read like what programs write.

use proptest::prelude::*;
use serde_json::json;
use tributary_core::Fact;

use crate::reading::{normalize, read};

const PLAIN: &str = "id,account,amount,currency,created_at,closed_at,outcome\n\
    d1,a1,1234.50,USD,2026-03-01T00:00:00+01:00,2026-03-31,won\n\
    d2,a1,12.00,EUR,2026-03-02T00:00:00+01:00,,open\n";

fn facts(content: &[u8]) -> Vec<Fact> {
    let read = read(&[("deals.csv", content)], json!({}));
    assert!(read.rejects.is_empty(), "{:?}", read.rejects);
    let (facts, problems) = normalize(&read.records, json!({}));
    assert!(problems.is_empty(), "{problems:?}");
    facts
}

#[test]
fn every_habit_gives_the_same_facts() {
    let plain = facts(PLAIN.as_bytes());
    assert_eq!(plain.len(), 2);
    let variants: [(&str, Vec<u8>); 8] = [
        ("byte-order mark", [b"\xef\xbb\xbf", PLAIN.as_bytes()].concat()),
        ("line ends", PLAIN.replace('\n', "\r\n").into_bytes()),
        ("semicolons", PLAIN.replace(',', ";").into_bytes()),
        ("tabs", PLAIN.replace(',', "\t").into_bytes()),
        (
            "decimal comma",
            PLAIN.replace(',', ";").replace("1234.50", "1.234,50").replace("12.00", "12,00").into_bytes(),
        ),
        ("header case", PLAIN.replace("closed_at", " Closed At ").replace("id,", "ID,").into_bytes()),
        ("quotes", PLAIN.replace("a1", "\"a1\"").into_bytes()),
        ("empty cells and rows", PLAIN.replace("won\n", "won,,,\n,,,,,,\n\n").into_bytes()),
    ];
    for (habit, content) in variants {
        assert_eq!(facts(&content), plain, "{habit}");
    }
}

#[test]
fn a_plain_date_is_the_end_of_the_day_where_something_closes_and_its_beginning_elsewhere() {
    let facts =
        facts(b"id,amount,currency,created_at,closed_at,outcome\nd,1,USD,2026-03-01,31.03.2026,lost\n");
    let Fact::Deal(deal) = &facts[0] else { panic!("a deal") };
    assert_eq!(deal.created_at.unwrap().to_string(), "2026-02-28T23:00:00Z");
    assert_eq!(deal.closed_at.unwrap().to_string(), "2026-03-31T21:59:59.999999Z");
}

#[test]
fn a_row_without_id_is_its_content_and_a_corrected_amount_replaces_the_old_one() {
    let ids = |name: &str, content: &str| {
        let read = read(&[(name, content.as_bytes())], json!({}));
        read.records.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    let touches = ids(
        "touches.csv",
        "occurred_at,kind,email\n2026-01-01,call,a@b.example\n2026-01-01,call,a@b.example\n",
    );
    assert_eq!(touches[0], touches[1]);
    let before = ids("spend.csv", "date,channel,campaign,amount,currency\n2026-01-01,paid,x,10,USD\n");
    let after = ids(
        "spend.csv",
        "date,channel,campaign,amount,currency\n2026-01-01,paid,x,12,USD\n2026-01-01,paid,y,12,USD\n",
    );
    assert_eq!(before[0], after[0]);
    assert_ne!(after[0], after[1]);
}

#[test]
fn columns_are_mapped_and_unknown_ones_kept() {
    let values = json!({"columns": {"touches": {"When": "occurred_at", "What": "kind"}}});
    let read =
        read(&[("touches.csv", b"When,What,Email,Mood\n2026-01-01,Call,a@b.example,good\n")], values.clone());
    let (facts, problems) = normalize(&read.records, values);
    assert!(problems.is_empty(), "{problems:?}");
    let Fact::Touch(touch) = &facts[0] else { panic!("a touch") };
    assert_eq!(touch.kind, "call");
    assert_eq!(touch.attributes.get("mood").map(String::as_str), Some("good"));
}

#[test]
fn json_lines_say_the_same_as_csv() {
    let csv = read(&[("accounts.csv", b"id,name,employees\na,\"Acme, Inc\",12\n")], json!({}));
    let jsonl = read(
        &[("accounts.jsonl", b"{\"id\":\"a\",\"employees\":12,\"name\":\"Acme, Inc\",\"x\":null}\n\n")],
        json!({}),
    );
    assert_eq!(csv.records[0].body, jsonl.records[0].body);
}

#[test]
fn a_decimal_comma_can_be_said() {
    let values = json!({"decimal": "comma", "currency": "EUR"});
    let read = read(&[("deals.csv", b"id;amount\nd;1.234\n")], values.clone());
    let (facts, _) = normalize(&read.records, values);
    let Fact::Deal(deal) = &facts[0] else { panic!("a deal") };
    assert_eq!(deal.amount.unwrap().to_string(), "1234.00 EUR");
}

proptest! {
    #[test]
    fn separator_order_quoting_and_line_ends_do_not_change_records(
        rows in proptest::collection::vec(("[a-z]{1,6}", "[A-Za-zÄ ,;\"]{0,8}", 0..9_u8), 1..12),
        separator in prop_oneof![Just(","), Just(";"), Just("\t")],
        swap in any::<bool>(),
        crlf in any::<bool>(),
    ) {
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let write = |separator: &str, swap: bool, end: &str, always: bool| {
            let mut out = String::new();
            let header = if swap { ["industry", "name", "id"] } else { ["id", "name", "industry"] };
            out.push_str(&(header.join(separator) + end));
            for (id, name, industry) in &rows {
                let industry = format!("i{industry}");
                let id = if always { quote(id) } else { id.clone() };
                let cells = if swap { [industry, quote(name), id] } else { [id, quote(name), industry] };
                out.push_str(&(cells.join(separator) + end));
            }
            out
        };
        let plain = read(&[("accounts.csv", write(",", false, "\n", false).as_bytes())], json!({}));
        let other = read(&[("accounts.csv", write(separator, swap, if crlf { "\r\n" } else { "\n" }, true).as_bytes())], json!({}));
        prop_assert!(plain.rejects.is_empty());
        prop_assert_eq!(plain.records, other.records);
    }
}

#[test]
fn a_decimal_comma_is_for_texts_and_leaves_json_numbers_alone() {
    let deals = br#"{"id": "d1", "amount": 1234.5, "currency": "EUR"}
{"id": "d2", "amount": "1.234,50", "currency": "EUR"}
"#;
    let comma = json!({"decimal": "comma"});
    let records = read(&[("deals.jsonl", deals)], comma.clone()).records;
    let (facts, problems) = normalize(&records, comma);
    assert!(problems.is_empty(), "{problems:?}");
    let amounts: Vec<i64> = facts
        .iter()
        .map(|fact| match fact {
            Fact::Deal(deal) => deal.amount.unwrap().minor,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(amounts, [123_450, 123_450]);
}
