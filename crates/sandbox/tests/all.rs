//! The world is the same every time, and holds what it says.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

use std::collections::BTreeMap;

use tributary_core::Time;
use tributary_core::time::Zone;
use tributary_sandbox::{Plan, build, write_csv};

fn files(plan: &Plan) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    write_csv(&build(plan), folder.path(), &mut |_, _, _| {}).unwrap();
    std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn the_same_plan_gives_the_same_bytes_and_another_seed_others() {
    let plan = Plan::with_accounts(30);
    let first = files(&plan);
    assert_eq!(first.len(), 9);
    assert!(first == files(&plan));
    assert!(first != files(&Plan { seed: 2, ..plan }));
}

#[test]
fn revived_accounts_are_silent_for_four_months_before_a_retargeting_ad() {
    let world = build(&Plan::default());
    assert_eq!(world.revived.len(), 3);
    let time = |text: &str| Time::parse(text, &Zone::default()).unwrap();
    for account in &world.revived {
        let ours = |touch: &&tributary_sandbox::Touch| touch.account == *account && touch.id.starts_with('T');
        let mut times: Vec<(Time, &str)> = world
            .touches
            .iter()
            .filter(ours)
            .map(|touch| (time(&touch.occurred_at), touch.channel.as_str()))
            .collect();
        times.sort();
        let gap =
            times.windows(2).find(|pair| pair[1].0.days_since(pair[0].0) > 120.0).expect("a long silence");
        assert_eq!(gap[1].1, "retargeting");
        assert!(world.deals.iter().any(|deal| deal.account == *account && deal.outcome == "won"));
    }
}

#[test]
fn deals_are_won_lost_and_open_in_two_currencies() {
    let world = build(&Plan::default());
    for outcome in ["won", "lost", "open"] {
        assert!(world.deals.iter().filter(|deal| deal.outcome == outcome).count() >= 5, "{outcome}");
    }
    assert!(world.deals.iter().any(|deal| deal.currency == "EUR" && deal.outcome == "won"));
    let mut by_account: BTreeMap<&str, usize> = BTreeMap::new();
    world.deals.iter().for_each(|deal| *by_account.entry(&deal.account).or_default() += 1);
    assert!(by_account.values().any(|count| *count > 1));
}

#[test]
fn the_planted_truth_sums_to_one_and_gives_display_nothing() {
    let truth = build(&Plan::default()).truth;
    let sum: f64 = truth.effects.iter().map(|effect| effect.share).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert_eq!(truth.effects.iter().find(|effect| effect.channel == "display").unwrap().incremental_minor, 0);
    assert!(truth.to_string().contains("ae_meeting"));
}

#[test]
fn a_plan_for_touches_comes_close() {
    let touches = build(&Plan::for_touches(20_000)).touches.len() as f64;
    assert!((touches / 20_000.0 - 1.0).abs() < 0.25, "{touches}");
}
