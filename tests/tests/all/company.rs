//! A company whose history is known: what was planted is what the store says, however its files are cut.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tributary_answers::{Question, attribution, contents, load, reconciliation};
use tributary_core::book::Columns;
use tributary_core::fact::Outcome as Ended;
use tributary_core::time::Zone;
use tributary_core::{Currency, Time};
use tributary_derive::{Rules, update};
use tributary_engine::journey::{Journey, Subject};
use tributary_engine::{By, Choice, Policy, journeys};
use tributary_sandbox::{
    Deal, Known, Nature, OWN_DOMAIN, Plan, TIME_ZONE, Touch, TouchRow, World, build, write_csv,
};
use tributary_source::Settings;
use tributary_store::{Store, testkit};
use tributary_sync::{Outcome, Silent, SourceRun};

use crate::options;

fn rules() -> Rules {
    Rules { own_domains: vec![OWN_DOMAIN.to_owned()], ..Rules::default() }
}

/// Pulls the files of a folder, and works out what they mean.
async fn import(store: &Store, folder: &Path) {
    let settings = Settings {
        source: "files".to_owned(),
        values: json!({"paths": ["."]}),
        zone: Zone::parse(TIME_ZONE).unwrap(),
        folder: folder.to_owned(),
        ..Settings::default()
    };
    let connector = Arc::new(tributary_files::Files);
    let run = SourceRun::new("files".to_owned(), connector, settings);
    let options = options();
    let report =
        tributary_sync::run(store, &[run], &options, &Silent, &CancellationToken::new()).await.unwrap();
    assert_eq!(report.sources[0].outcome, Outcome::Ok);
    update::update(store, &rules(), &mut |_, _| {}).await.unwrap();
}

fn question(as_of: Time) -> Question {
    Question {
        policy: Policy::new(as_of),
        currency: Currency::USD,
        fit_on: By::Channel,
        rules: rules().fingerprint(),
    }
}

fn model(name: &str) -> Vec<Choice> {
    vec![Choice::builtin(name).unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planted_is_what_the_reports_say() {
    let world = build(&Plan::with_accounts(60));
    let folder = tempfile::tempdir().unwrap();
    write_csv(&world, folder.path(), &mut |_, _, _| {}).unwrap();
    for store in testkit::stores().await {
        import(&store, folder.path()).await;
        let counts = contents::contents(&store).await.unwrap().counts;
        let touches = |fits: fn(&Nature) -> bool| {
            world.touches.iter().filter(|touch| fits(&touch.nature)).count() as u64
        };
        assert_eq!(counts.accounts, world.accounts.len() as u64);
        assert_eq!(counts.deals, world.deals.len() as u64);
        // One event is one touch, however many tools report it.
        assert_eq!(counts.touches, touches(|it| *it != Nature::Copy));
        assert_eq!(counts.silent["machine"], touches(|it| *it == Nature::Machine));
        assert_eq!(counts.silent["internal"], touches(|it| *it == Nature::Internal));
        let humans = touches(|it| *it == Nature::Human);
        let strangers = touches(|it| *it == Nature::Stranger);
        assert_eq!(counts.unresolved, strangers + humans - counted(&world).count() as u64);

        let data = load(&store, &rules(), None, Columns::ALL).await.unwrap();
        let question = question(data.as_of);
        let accounts =
            reconciliation::reconcile(&data, &question, &model("linear")).unwrap().remove(0).accounts;
        assert!(accounts.balances, "{accounts:?}");
        let lines = accounts.lines.iter().map(|line| (line.currency.clone(), line.won_minor));
        assert_eq!(lines.collect::<BTreeMap<_, _>>(), won(&world));

        let found =
            attribution::attribute(&data, &question, &model("linear"), By::Deal).unwrap().remove(0).credit;
        let planted = touches_by_won_deal(&world);
        let told: BTreeMap<String, u64> =
            found.rows.iter().map(|row| (row.key.clone().unwrap(), row.touches)).collect();
        assert_eq!(told, planted);
        let untouched = world.stories.untouched.iter().map(|deal| &world.deals[*deal]);
        let untouched = untouched.filter(|deal| deal.outcome == Ended::Won).count() as u64;
        assert!(untouched > 0);
        assert_eq!(found.unattributed_deals, untouched);

        // A rep's calls and meetings are touches like any other.
        let found =
            attribution::attribute(&data, &question, &model("linear"), By::Rep).unwrap().remove(0).credit;
        let told = found.rows.iter().filter_map(|row| Some((row.key.clone()?, row.touches)));
        assert_eq!(told.collect::<BTreeMap<_, _>>(), touches_by_rep(&world));
        assert!(found.rows.iter().all(|row| row.credit_minor > 0));

        // The ad that revived an account stands in its deal's journey, after a silence.
        let journeys = journeys(&data.book, &question.policy);
        let touches = &data.book.touches;
        for revival in &world.stories.revived {
            let id = &world.deals[revival.deal].id;
            let is_theirs = |journey: &&Journey| match journey.subject {
                Subject::Deal(deal) => data.book.terms.get(data.book.deals[deal].key) == Some(id),
                Subject::Lead(_) | Subject::Account => false,
            };
            let journey = journeys.list.iter().find(is_theirs).unwrap();
            let mut rows = journeys.touches(journey).iter();
            let first = rows.find(|row| touches.at[*row] > revival.silent_from).unwrap();
            assert_eq!(touches.at[first], revival.revived_at);
            assert_eq!(data.book.terms.get(touches.channel[first]), Some("retargeting"));
        }
    }
}

/// Human touches whose person may be known: all but visits by browsers that never said who they are.
fn counted(world: &World) -> impl Iterator<Item = &Touch> {
    let browsers = |known: &dyn Fn(&TouchRow<'_>) -> bool| -> BTreeSet<String> {
        let rows = (0..world.touches.len()).map(|index| world.touch_row(index));
        rows.filter(|row| known(row)).filter_map(|row| row.anonymous_id).collect()
    };
    let mut told = browsers(&|row| row.email.is_some());
    let aliases = world.aliases.iter().flat_map(|alias| [&alias.a, &alias.b]);
    told.extend(aliases.filter(|(kind, _)| *kind == "anonymous").map(|(_, id)| id.clone()));
    world.touches.iter().enumerate().filter_map(move |(index, touch)| {
        let browser = (touch.known == Known::Device).then(|| world.touch_row(index).anonymous_id.unwrap());
        let is_known = browser.is_none_or(|browser| told.contains(&browser));
        (touch.nature == Nature::Human && is_known).then_some(touch)
    })
}

/// Won money by currency.
fn won(world: &World) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for deal in world.deals.iter().filter(|deal| deal.outcome == Ended::Won) {
        *sums.entry(deal.amount.currency.to_string()).or_default() += deal.amount.minor;
    }
    sums
}

/// Each won deal with each touch of its account up to its close.
fn touches_of_won_deals(world: &World) -> Vec<(&Deal, &Touch)> {
    let touches: Vec<&Touch> = counted(world).collect();
    let won = world.deals.iter().filter(|deal| deal.outcome == Ended::Won);
    won.flat_map(|deal| {
        let is_theirs = |touch: &&&Touch| touch.account == Some(deal.account) && touch.at <= deal.closes_at;
        touches.iter().filter(is_theirs).map(move |touch| (deal, *touch)).collect::<Vec<_>>()
    })
    .collect()
}

/// How often each name comes.
fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

fn touches_by_won_deal(world: &World) -> BTreeMap<String, u64> {
    count(touches_of_won_deals(world).into_iter().map(|(deal, _)| deal.id.clone()))
}

fn touches_by_rep(world: &World) -> BTreeMap<String, u64> {
    let reps = touches_of_won_deals(world).into_iter().filter_map(|(_, touch)| touch.actor);
    count(reps.map(|rep| world.reps[rep].name.clone()))
}

/// What every model gives each person and channel, asked at one time: hazard reads how old the touches of an account
/// without a deal are then, and each import has a time of its own.
async fn credits(store: &Store) -> Vec<tributary_engine::Attribution> {
    let data = load(store, &rules(), None, Columns::ALL).await.unwrap();
    let models: Vec<Choice> = Choice::names().iter().map(|name| Choice::builtin(name).unwrap()).collect();
    let asked = Time::from_seconds(1_900_000_000);
    let by = |by| attribution::attribute(&data, &question(asked), &models, by).unwrap();
    [By::Person, By::Channel].into_iter().flat_map(by).map(|answer| answer.credit).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_shuffled_cut_and_doubled_are_the_same_company() {
    let world = build(&Plan::with_accounts(30));
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    write_csv(&world, &whole, &mut |_, _, _| {}).unwrap();
    std::fs::create_dir(&cut).unwrap();
    for entry in std::fs::read_dir(&whole).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let name = entry.path().file_stem().unwrap().to_string_lossy().into_owned();
        let (header, rows) = text.split_once('\n').unwrap();
        let mut rows: Vec<&str> = rows.lines().collect();
        let doubled: Vec<&str> = rows.iter().step_by(3).copied().collect();
        rows.extend(doubled);
        rows.reverse();
        let (one, other) = rows.split_at(rows.len() / 3);
        for (part, rows) in [("1", one), ("2", other)] {
            let text = format!("{header}\n{}\n", rows.join("\n"));
            std::fs::write(cut.join(format!("{name}-{part}.csv")), text).unwrap();
        }
    }
    let mut digests = BTreeSet::new();
    for (here, there) in testkit::stores().await.into_iter().zip(testkit::stores().await) {
        import(&here, &whole).await;
        import(&there, &cut).await;
        digests.extend([here.digest().await.unwrap(), there.digest().await.unwrap()]);
        assert_eq!(credits(&here).await, credits(&there).await);
        // Once more: nothing changes.
        import(&there, &cut).await;
        digests.insert(there.digest().await.unwrap());
    }
    assert_eq!(digests.len(), 1);
}
