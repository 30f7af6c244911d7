//! Spend and claims: what belongs to no account.

use tributary_core::fact::NameOf;
use tributary_core::time::Span;
use tributary_core::{Currency, Money, Time};
use tributary_store::Store;
use tributary_store::derived::{ClaimRow, Loose, NameRow, SpendRow};
use tributary_store::testkit::stores;

use crate::pages::Pages;

const DAY: Span = Span { from: Time(0), until: Time(86_400_000_000) };

fn spend(record: i64, campaign: Option<&str>, cents: i64) -> SpendRow {
    let campaign = campaign.map(str::to_owned);
    let channel = campaign.as_ref().map(|_| "display".to_owned());
    SpendRow { record, day: DAY, channel, campaign, amount: Money::new(cents, Currency::USD) }
}

fn claim(record: i64, conversions: &str, cents: Option<i64>) -> ClaimRow {
    ClaimRow {
        record,
        day: DAY,
        channel: None,
        campaign: Some("9".to_owned()),
        impressions: 1_520,
        clicks: 88,
        conversions: conversions.to_owned(),
        value: cents.map(|cents| Money::new(cents, Currency::USD)),
    }
}

fn name(record: i64, name: &str) -> NameRow {
    let (source, id) = ("crm".to_owned(), "9".to_owned());
    NameRow { record, source, of: NameOf::Campaign, id, name: name.to_owned(), team: None }
}

async fn replace(store: &Store, records: &[i64], loose: &Loose) {
    let mut run = store.begin_derivation().await.unwrap();
    run.replace_loose(records, loose).await.unwrap();
    run.finish("test").await.unwrap();
}

/// A table of the export, a line a row.
async fn exported(store: &Store, name: &str) -> Vec<String> {
    let tables = store.export().await.unwrap();
    let table = tables.into_iter().find(|table| table.name == name).unwrap();
    let line = |row: Vec<Option<String>>| {
        row.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join(" ")
    };
    table.rows.into_iter().map(line).collect()
}

#[tokio::test]
async fn what_is_restated_replaces_what_the_record_said() {
    for store in stores().await {
        Pages::new(&store).await.land(1, &[("1", None, Some("a")), ("2", None, Some("b"))]).await;
        let first = Loose {
            spend: vec![spend(1, Some("9"), 4_312), spend(2, Some("10"), 100)],
            claims: vec![claim(1, "3.5", Some(91_000)), claim(2, "0", None)],
            ..Loose::default()
        };
        replace(&store, &[1, 2], &first).await;
        let restated = Loose {
            spend: vec![spend(1, Some("9"), 4_000)],
            claims: vec![claim(1, "4.25", None)],
            ..Loose::default()
        };
        replace(&store, &[1], &restated).await;
        let day = "1970-01-01T00:00:00Z";
        assert_eq!(
            exported(&store, "spend").await,
            [format!("{day} display 10 1.00 USD crm"), format!("{day} display 9 40.00 USD crm")],
            "{}",
            store.kind
        );
        let claims = [format!("{day} - 9 1520 88 0 - - crm"), format!("{day} - 9 1520 88 4.25 - - crm")];
        assert_eq!(exported(&store, "claims").await, claims, "{}", store.kind);
        // A record that is gone says nothing.
        replace(&store, &[1, 2], &Loose::default()).await;
        assert_eq!(exported(&store, "spend").await, [""; 0], "{}", store.kind);
        assert_eq!(exported(&store, "claims").await, [""; 0], "{}", store.kind);
    }
}

#[tokio::test]
async fn money_of_a_campaign_with_two_names_is_counted_once() {
    let mut seen = Vec::new();
    for store in stores().await {
        let records = [("1", None, Some("a")), ("2", None, Some("b"))];
        Pages::new(&store).await.land(1, &records).await;
        let loose = Loose {
            names: vec![name(1, "Brand 2026"), name(2, "Brand")],
            spend: vec![spend(1, Some("9"), 4_312), spend(2, None, 7)],
            claims: vec![claim(1, "3.5", None), claim(1, "3.5", Some(7)), claim(1, "3.5", Some(5))],
            ..Loose::default()
        };
        replace(&store, &[1, 2], &loose).await;
        let spend = exported(&store, "spend").await;
        assert_eq!(spend.len(), 2, "{}", store.kind);
        assert!(spend[1].contains(" Brand 43.12 "), "{spend:?}");
        seen.push((spend, exported(&store, "claims").await));
    }
    // The order does not depend on where a database puts what is missing.
    assert_eq!(seen[0], seen[1]);
}
