//! The incremental run and the full one give the same store, whatever the order of arrival.

use proptest::prelude::*;
use tributary_core::Time;
use tributary_core::fact::{Click, Entity, Fact, Name, NameOf};
use tributary_derive::{Rules, rebuild, update};
use tributary_store::Store;
use tributary_store::facts::RecordFacts;
use tributary_store::landing::{Deletes, Incoming, Landing, Next, Said as Meaning};

use crate::world::{Said, anonymous, crm, email};

/// Lands records, each as it stands: its body is its own debug text, and its facts are given.
pub(crate) async fn land(store: &Store, records: &[(RecordFacts, bool)], at: i64) {
    for source in ["crm", "web"] {
        let ours: Vec<&(RecordFacts, bool)> =
            records.iter().filter(|(record, _)| &*record.source == source).collect();
        let bodies: Vec<String> = ours.iter().map(|(record, _)| format!("{:?}", record.facts)).collect();
        let incoming: Vec<Incoming<'_>> = ours
            .iter()
            .zip(&bodies)
            .map(|((record, deleted), body)| Incoming {
                stream: &record.stream,
                id: &record.native_id,
                stamp: None,
                body: (!deleted).then_some(body.as_bytes()),
                origin: None,
            })
            .collect();
        let (key, _) = store.register_source(source, "test", "{}", "1").await.expect("a source");
        let page = Landing {
            source: key,
            stream: "all",
            part: "",
            after: None,
            observed_at: Time(at),
            records: &incoming,
            rejects: &[],
            seen: &[],
            next: Next::Done { cursor: Some("x") },
            deletes: Deletes::Nothing,
            reach: Default::default(),
            progress: None,
        };
        let meaning = |index: usize| Meaning { facts: ours[index].0.facts.clone(), problems: Vec::new() };
        store.land(&page, &meaning).await.expect("a landed page");
    }
}

pub(crate) async fn open(folder: &tempfile::TempDir, name: &str) -> Store {
    let path = folder.path().join(name);
    Store::open(&path.to_string_lossy()).await.expect("a store")
}

/// A small world in which everything may touch everything.
fn world(choices: &[(u8, u8, u8, u8)]) -> Vec<RecordFacts> {
    let mut said = Said::default();
    for (index, (what, a, b, c)) in choices.iter().enumerate() {
        let source = if c % 3 == 0 { "web" } else { "crm" };
        let (a, b) = (a % 6, b % 6);
        let at = i64::from(*c % 90);
        let address = format!("p{a}@firm{b}.example");
        said = match what % 10 {
            0 => said.account("crm", &format!("a{a}"), &format!("firm{b}.example")),
            1 => said.person(source, &format!("p{a}"), &format!("a{b}"), &address, at),
            2 => said.deal(&format!("d{a}"), &format!("a{b}"), 1000 + at, at + 30),
            3 => said.touch(source, &format!("t{index}"), at, &[crm(&format!("p{a}"))]),
            4 => {
                said.touch(source, &format!("t{index}"), at, &[anonymous(&format!("c{a}")), email(&address)])
            }
            5 => said.touch(source, &format!("t{index}"), at, &[anonymous(&format!("c{a}"))]),
            6 => said.alias(crm(&format!("p{a}")), crm(&format!("p{b}"))),
            7 => said.merge(Entity::Account, &format!("a{a}"), &format!("a{b}")),
            8 => {
                let click = Click {
                    id: format!("g{a}"),
                    channel: (b > 2).then(|| "display".to_owned()),
                    campaign: Some(format!("Name {b}")),
                    content: None,
                    day: None,
                };
                said.fact("crm", "clicks", &format!("g{a}/{b}"), Fact::Click(click)).touch_with(
                    "web",
                    &format!("g{index}"),
                    at,
                    &[anonymous(&format!("c{b}"))],
                    |touch| {
                        touch.attributes.insert("gclid".to_owned(), format!("g{a}"));
                    },
                )
            }
            _ => {
                let name =
                    Name { of: NameOf::Campaign, id: format!("k{a}"), name: format!("Name {b}"), team: None };
                said.fact("crm", "names", &format!("k{a}"), Fact::Name(name)).touch_with(
                    "crm",
                    &format!("n{index}"),
                    at,
                    &[crm(&format!("p{b}"))],
                    |touch| touch.campaign = Some(format!("k{a}")),
                )
            }
        };
    }
    // One record an id: later ones of the same id are further versions, which the caller may land in turn.
    said.records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn incremental_work_and_any_order_give_the_digest_of_a_rebuild(
        choices in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 1..40),
        pages in 1_usize..6,
        turn in 0_usize..40,
        deleted in proptest::collection::vec(any::<bool>(), 40..=80),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let folder = tempfile::tempdir().expect("a folder");
            let mut unique = std::collections::BTreeMap::new();
            for record in world(&choices) {
                unique.insert((record.source.clone(), record.stream.clone(), record.native_id.clone()), record);
            }
            let records: Vec<(RecordFacts, bool)> = unique.into_values().map(|record| (record, false)).collect();
            let rules = Rules { own_domains: vec!["firm5.example".to_owned()], ..Rules::default() };

            let whole = open(&folder, "whole.db").await;
            land(&whole, &records, 1).await;
            let gone: Vec<(RecordFacts, bool)> = records.iter().zip(&deleted).filter(|(_, gone)| **gone).map(|((record, _), _)| (record.clone(), true)).collect();
            land(&whole, &gone, 2).await;
            rebuild(&whole, &rules, &mut |_, _| {}).await.expect("a rebuild");

            let stepwise = open(&folder, "steps.db").await;
            rebuild(&stepwise, &rules, &mut |_, _| {}).await.expect("a rebuild of nothing");
            let mut other = records.clone();
            let turn = turn % other.len().max(1);
            other.rotate_left(turn);
            for page in other.chunks(records.len().div_ceil(pages).max(1)) {
                land(&stepwise, page, 3).await;
                update(&stepwise, &rules, &mut |_, _| {}).await.expect("an update");
            }
            for page in gone.chunks(3) {
                land(&stepwise, page, 4).await;
                update(&stepwise, &rules, &mut |_, _| {}).await.expect("an update");
            }
            let left = whole.export().await.expect("rows");
            let right = stepwise.export().await.expect("rows");
            for (left, right) in left.iter().zip(&right) {
                prop_assert_eq!(left, right);
            }
            prop_assert_eq!(whole.digest().await.expect("a digest"), stepwise.digest().await.expect("a digest"));
            // Landing the same again changes nothing, and gives deriving nothing to do.
            let before = stepwise.revision().await.expect("a revision");
            land(&stepwise, &gone, 5).await;
            update(&stepwise, &rules, &mut |_, _| {}).await.expect("an update");
            prop_assert_eq!(stepwise.revision().await.expect("a revision"), before);
            Ok(())
        })?;
    }
}

/// The campaign and the channel's reason of the one visit, and that a rebuild says the same.
async fn told_of_visit(store: &Store, rules: &Rules) -> (Option<String>, Option<String>) {
    update(store, rules, &mut |_, _| {}).await.expect("an update");
    let stepwise = store.digest().await.expect("a digest");
    let tables = store.export().await.expect("rows");
    let touches = tables.iter().find(|table| table.name == "touches").expect("the table of touches");
    let column = |name: &str| touches.columns.iter().position(|column| *column == name).expect("a column");
    let visit = touches
        .rows
        .iter()
        .find(|row| row[column("record_id")].as_deref() == Some("visit"))
        .expect("the visit");
    rebuild(store, rules, &mut |_, _| {}).await.expect("a rebuild");
    assert_eq!(store.digest().await.expect("a digest"), stepwise);
    (visit[column("campaign")].clone(), visit[column("channel_rule")].clone())
}

#[test]
fn a_click_tells_its_campaign_whenever_it_comes_and_until_it_goes() {
    let click = Click {
        id: "Cj0".to_owned(),
        channel: Some("display".to_owned()),
        campaign: Some("9".to_owned()),
        content: None,
        day: None,
    };
    let click = Said::default().fact("crm", "clicks", "1/Cj0", Fact::Click(click)).records.remove(0);
    let name = Name { of: NameOf::Campaign, id: "9".to_owned(), name: "Brand".to_owned(), team: None };
    let name = Said::default().fact("crm", "campaigns", "9", Fact::Name(name)).records.remove(0);
    let visit = Said::default()
        .touch_with("web", "visit", 3, &[anonymous("c")], |touch| {
            touch.attributes.insert("gclid".to_owned(), "Cj0".to_owned());
        })
        .records
        .remove(0);
    // So many others that what is new is worked in rather than all computed anew.
    let crowd = |said: Said, n: i64| said.touch("web", &format!("other{n}"), n, &[anonymous(&n.to_string())]);
    let crowd: Vec<(RecordFacts, bool)> =
        (0..20).fold(Said::default(), crowd).records.into_iter().map(|record| (record, false)).collect();
    let rules = Rules::default();
    let told = |campaign: Option<&str>, rule: &str| (campaign.map(str::to_owned), Some(rule.to_owned()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, visit_first) in [("visit-first.db", true), ("click-first.db", false)] {
            let store = open(&folder, file).await;
            land(&store, &crowd, 1).await;
            update(&store, &rules, &mut |_, _| {}).await.expect("an update");
            if visit_first {
                land(&store, &[(visit.clone(), false)], 2).await;
                assert_eq!(told_of_visit(&store, &rules).await, told(None, "gclid"));
                land(&store, &[(click.clone(), false)], 3).await;
            } else {
                land(&store, &[(click.clone(), false)], 2).await;
                update(&store, &rules, &mut |_, _| {}).await.expect("an update");
                land(&store, &[(visit.clone(), false)], 3).await;
            }
            assert_eq!(told_of_visit(&store, &rules).await, told(Some("9"), "click"));
            land(&store, &[(name.clone(), false)], 4).await;
            assert_eq!(told_of_visit(&store, &rules).await, told(Some("Brand"), "click"));
            land(&store, &[(click.clone(), true)], 5).await;
            assert_eq!(told_of_visit(&store, &rules).await, told(None, "gclid"));
            land(&store, &[(click.clone(), false)], 6).await;
            assert_eq!(told_of_visit(&store, &rules).await, told(Some("Brand"), "click"));
        }
    });
}

#[test]
fn a_small_change_rewrites_about_what_changed_and_a_rebuild_says_the_same() {
    let many = |count: usize, name: &str| {
        let told = |said: Said, n: usize| {
            let said = said.account("crm", &format!("a{n}"), &format!("{name}{n}.example"));
            said.touch("crm", &format!("t{n}"), n as i64 % 90, &[email(&format!("p@{name}{n}.example"))])
        };
        let records = (0..count).fold(Said::default(), told).records;
        records.into_iter().map(|record| (record, false)).collect::<Vec<_>>()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(&folder, "layers.db").await;
        let rules = Rules::default();
        land(&store, &many(600, "firm"), 1).await;
        let first = update(&store, &rules, &mut |_, _| {}).await.expect("an update");
        assert!(first.rebuilt);
        for (round, name) in ["other", "third", "fourth"].into_iter().enumerate() {
            land(&store, &many(6, name), 2 + round as i64).await;
            let summary = update(&store, &rules, &mut |_, _| {}).await.expect("an update");
            assert_eq!((summary.rebuilt, summary.chunks), (false, 1));
            let mut run = store.begin_derivation().await.expect("a run");
            let chunks = run.chunks().await.expect("chunks");
            let settled = |chunk: &&tributary_store::chunks::ChunkRow| chunk.layer == 0;
            let settled: u64 = chunks.iter().filter(settled).map(|chunk| chunk.entries).sum();
            assert_eq!(settled, 600, "what did not change stays where it is");
            let recent: u64 = chunks.iter().map(|chunk| chunk.entries).sum::<u64>() - settled;
            assert!(recent <= 18 * (round as u64 + 1), "{recent} entries after round {round}");
        }
        let stepwise = store.digest().await.expect("a digest");
        rebuild(&store, &rules, &mut |_, _| {}).await.expect("a rebuild");
        assert_eq!(store.digest().await.expect("a digest"), stepwise);
    });
}

#[test]
fn rows_that_say_the_same_as_before_are_not_written() {
    let touched = |touches: usize| {
        let touch = |said: Said, n: usize| {
            let who = [email(&format!("p{}@acme.example", n % 10))];
            said.touch("crm", &format!("t{n}"), n as i64 % 90, &who)
        };
        let records = (0..touches).fold(Said::default().account("crm", "a", "acme.example"), touch).records;
        records.into_iter().map(|record| (record, false)).collect::<Vec<_>>()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(&folder, "quiet.db").await;
        let rules = Rules::default();
        land(&store, &touched(300), 1).await;
        update(&store, &rules, &mut |_, _| {}).await.expect("an update");
        let all = store.writes().await.expect("a count");
        assert!(all > 1_500, "{all} rows");
        land(&store, &touched(301)[301..], 2).await;
        let before = store.writes().await.expect("a count");
        let summary = update(&store, &rules, &mut |_, _| {}).await.expect("an update");
        let written = store.writes().await.expect("a count") - before;
        assert_eq!((summary.rebuilt, summary.touches), (false, 301));
        assert!(written < 60, "{written} rows");
        let stepwise = store.digest().await.expect("a digest");
        rebuild(&store, &rules, &mut |_, _| {}).await.expect("a rebuild");
        assert_eq!(store.digest().await.expect("a digest"), stepwise);
    });
}
