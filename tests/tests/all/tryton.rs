//! What Tributary knows of a real Tryton equals what Tryton's own client says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tributary_derive::{Rules, update};
use tributary_source::Settings;
use tributary_store::{Store, testkit};
use tributary_sync::{Event, Observer, Options, Outcome, Silent, SourceRun};
use tributary_tryton_server::{Tryton, demo_events};

use crate::options;

/// Lines that say one thing each, by what they are about.
type Facts = BTreeMap<&'static str, BTreeSet<String>>;

#[tokio::test(flavor = "multi_thread")]
async fn the_store_says_what_tryton_says_whatever_happens_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tryton");
    let mut events = demo_events(12, 7);
    events.as_array_mut().unwrap().extend(rows(json!([
        {"do": "account", "key": "acme", "name": "Acme", "website": "https://www.acme.example"},
        {"do": "person", "key": "ann", "name": "Ann Berg", "email": "ann@acme.example"},
        {"do": "person", "key": "ann again", "name": "A. Berg", "email": "a.berg@acme.example"},
        {"do": "relation", "person": "ann", "account": "acme", "role": "champion"},
        {"do": "relation", "person": "ann again", "account": "acme", "role": "champion"},
        {"do": "deal", "key": "first", "account": "acme", "name": "First", "amount": "1000.00",
            "currency": "USD", "owner": "rep0", "contact": "ann"},
        {"do": "deal", "key": "second", "account": "acme", "name": "Second", "amount": "2000.00",
            "currency": "EUR", "owner": "rep1", "contact": "ann again"},
    ])));
    let mut tryton = Tryton::start_with(&cache, &folder.path().join("tryton"), &events).unwrap();
    let [one, two] = testkit::stores().await;
    let interrupted = testkit::sqlite().await;
    let truth = said(&tryton.say().unwrap());
    for (about, lines) in &truth {
        assert!(!lines.is_empty(), "Tryton says nothing about {about}");
    }
    for store in [&one, &two] {
        assert_eq!(sync(store, &tryton, &Silent).await, Outcome::Ok);
        assert_equal(&known(store).await, &truth, store.kind);
        // Once more: nothing changes.
        let before = store.digest().await.unwrap();
        assert_eq!(sync(store, &tryton, &Silent).await, Outcome::Ok);
        assert_eq!(store.digest().await.unwrap(), before, "{}", store.kind);
    }
    let kills = kill_until_done(&interrupted, &tryton).await;
    assert!(kills >= 3, "{kills}");
    assert_equal(&known(&interrupted).await, &truth, "after kills");

    tryton
        .play(&json!([
            {"do": "rename", "key": "a1", "name": "Renamed Ltd"},
            {"do": "readdress", "key": "p1-0", "value": "moved@elsewhere.example"},
            {"do": "amount", "deal": "first", "amount": "1500.50"},
            {"do": "stage", "deal": "first", "stage": "opportunity"},
            {"do": "merge", "loser": "ann again", "winner": "ann"},
            {"do": "stage", "deal": "second", "stage": "cancelled"},
            {"do": "delete", "key": "second"},
        ]))
        .unwrap();
    let changed = said(&tryton.say().unwrap());
    assert_ne!(changed, truth);
    for store in [&one, &two, &interrupted] {
        assert_eq!(sync(store, &tryton, &Silent).await, Outcome::Ok);
        assert_equal(&known(store).await, &changed, store.kind);
    }

    // A Tryton that does not answer changes nothing.
    tryton.stop();
    let before = one.digest().await.unwrap();
    assert!(matches!(sync(&one, &tryton, &Silent).await, Outcome::Failed { .. }));
    assert_eq!(one.digest().await.unwrap(), before);
}

/// Pulls once and works out what came.
async fn sync(store: &Store, tryton: &Tryton, observer: &dyn Observer) -> Outcome {
    let settings = Settings {
        source: "crm".to_owned(),
        values: json!({"url": tryton.url(), "database": tryton.database(), "page_size": 20}),
        secrets: [("key".to_owned(), SecretString::from(tryton.key()))].into(),
        ..Settings::default()
    };
    let connector = Arc::new(tributary_tryton::Tryton);
    let run = SourceRun::new("crm".to_owned(), connector, settings);
    let options = Options { allow_mass_delete: true, ..options() };
    let stop = CancellationToken::new();
    let report = tributary_sync::run(store, &[run], &options, observer, &stop).await.unwrap();
    let rules = Rules { own_domains: vec!["example.com".to_owned()], ..Rules::default() };
    update(store, &rules, &mut |_, _| {}).await.unwrap();
    report.sources[0].outcome.clone()
}

/// Drops a sync after each page in turn, as a killed process would, until one gets to its end.
async fn kill_until_done(store: &Store, tryton: &Tryton) -> usize {
    for kills in 0..1000 {
        let (sender, page) = tokio::sync::oneshot::channel();
        let observer = FirstPage(std::sync::Mutex::new(Some(sender)), AtomicUsize::new(0));
        tokio::select! {
            biased;
            true = async { page.await.is_ok() } => {}
            outcome = sync(store, tryton, &observer) => {
                assert_eq!(outcome, Outcome::Ok);
                return kills;
            }
        }
    }
    unreachable!("a sync of a few hundred pages ends")
}

/// Tells of the second page with records that a sync lands.
struct FirstPage(std::sync::Mutex<Option<tokio::sync::oneshot::Sender<()>>>, AtomicUsize);

impl Observer for FirstPage {
    fn event(&self, _: &str, event: Event) {
        let Event::Page { landed, .. } = event else { return };
        if landed.added > 0
            && self.1.fetch_add(1, Ordering::SeqCst) == 1
            && let Some(sender) = self.0.lock().unwrap().take()
        {
            // Whoever does not wait any more has ended.
            let _ = sender.send(());
        }
    }
}

fn assert_equal(known: &Facts, truth: &Facts, when: &str) {
    for (about, lines) in truth {
        let ours = &known[about];
        let missing: Vec<_> = lines.difference(ours).collect();
        let invented: Vec<_> = ours.difference(lines).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "{when}, {about}: missing {missing:#?}, invented {invented:#?}"
        );
    }
}

fn rows(list: Value) -> Vec<Value> {
    let Value::Array(rows) = list else { unreachable!("a list") };
    rows
}

/// What Tryton says, line by line.
fn said(truth: &Value) -> Facts {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = |about: &str, line: &dyn Fn(&Value) -> Vec<String>| -> BTreeSet<String> {
        truth[about].as_array().unwrap().iter().flat_map(line).collect()
    };
    // Six digits after the point, where ours end with the last that says something.
    let at = |value: &Value| match text(value).strip_suffix('Z').map(|at| at.split_once('.')) {
        Some(Some((second, rest))) => match rest.trim_end_matches('0') {
            "" => format!("{second}Z"),
            rest => format!("{second}.{rest}Z"),
        },
        _ => text(value),
    };
    let host = |value: &Value| text(value).replace("https://www.", "");
    let mut facts = Facts::new();
    let line =
        |row: &Value| vec![format!("{} {} {}", text(&row["id"]), text(&row["name"]), host(&row["website"]))];
    facts.insert("accounts", lines("accounts", &line));
    let line = |row: &Value| vec![format!("{} {}", text(&row["id"]), text(&row["name"]))];
    facts.insert("people", lines("people", &line));
    let line = |row: &Value| {
        let emails = row["emails"].as_array().unwrap();
        emails.iter().map(|email| format!("{} {}", text(&row["id"]), text(email))).collect()
    };
    facts.insert("emails", lines("people", &line));
    let line = |row: &Value| {
        vec![format!(
            "{} {} {}",
            text(&row["person"]),
            text(&row["account"]),
            text(&row["role"]).to_lowercase()
        )]
    };
    facts.insert("roles", lines("roles", &line));
    let line = |row: &Value| {
        let [before, after] =
            [["id", "name", "account", "amount", "currency", "state"].as_slice(), &["owner", "contact"]]
                .map(|fields| fields.iter().map(|field| text(&row[field])).collect::<Vec<_>>().join(" "));
        vec![format!("{before} {} {after}", at(&row["created"]))]
    };
    facts.insert("deals", lines("deals", &line));
    let line =
        |row: &Value| vec![format!("{} {} {}", text(&row["deal"]), text(&row["stage"]), at(&row["at"]))];
    facts.insert("stages", lines("stages", &line));
    let line = |row: &Value| {
        let kind = if row["kind"] == "email_opened" { "email_open" } else { "email_click" };
        vec![format!("{} {} {kind} {}", text(&row["id"]), at(&row["at"]), text(&row["campaign"]))]
    };
    facts.insert("touches", lines("touches", &line));
    facts
}

/// What the store's tables for people say, in the same lines.
async fn known(store: &Store) -> Facts {
    let tables: BTreeMap<&str, Vec<BTreeMap<&str, String>>> = store
        .export()
        .await
        .unwrap()
        .into_iter()
        .map(|table| {
            let rows = table.rows.into_iter().map(|row| {
                let cells = row.into_iter().map(Option::unwrap_or_default);
                table.columns.iter().copied().zip(cells).collect()
            });
            (table.name, rows.collect())
        })
        .collect();
    let lines = |table: &str, fields: &[&str]| -> BTreeSet<String> {
        let line = |row: &BTreeMap<&str, String>| {
            fields.iter().map(|field| row[field].as_str()).collect::<Vec<_>>().join(" ")
        };
        tables[table].iter().map(line).collect()
    };
    let mut facts = Facts::new();
    facts.insert("accounts", lines("accounts", &["id", "name", "domain"]));
    facts.insert("people", lines("people", &["id", "name"]));
    let emails = tables["identifiers"].iter().filter(|row| row["kind"] == "email");
    facts.insert("emails", emails.map(|row| format!("{} {}", row["person"], row["value"])).collect());
    facts.insert("roles", lines("people", &["id", "account", "role"]));
    let contact = |deal: &str| {
        let found = tables["committee"].iter().find(|row| row["deal"] == deal && row["is_primary"] == "true");
        found.map(|row| row["person"].clone()).unwrap_or_default()
    };
    let deals = tables["deals"].iter().map(|row| {
        let fields = ["id", "name", "account", "amount", "currency", "stage", "created_at", "owner"];
        format!("{} {}", fields.map(|field| row[field].as_str()).join(" "), contact(&row["id"]))
    });
    facts.insert("deals", deals.collect());
    facts.insert("stages", lines("stages", &["deal", "stage", "entered_at"]));
    facts.insert("touches", lines("touches", &["record_id", "occurred_at", "kind", "campaign"]));
    facts
}
