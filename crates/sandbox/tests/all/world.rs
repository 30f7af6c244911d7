//! The world through its public interface: the same every time, and holding what it promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tributary_core::money::parse_decimal;
use tributary_core::time::{DAY_MICROS, When, Zone};
use tributary_core::{Time, contact};
use tributary_sandbox::{
    Channel, Known, Nature, OWN_DOMAIN, Outcome, Plan, TIME_ZONE, Touch, World, build, write_csv,
};

/// A row by column.
type Row = BTreeMap<String, String>;

fn written(plan: &Plan) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_csv(&build(plan), folder.path(), &mut |_, _, _| {}).unwrap();
    folder
}

fn hashes(folder: &Path) -> BTreeMap<String, blake3::Hash> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let hash = |path: &Path| blake3::hash(&std::fs::read(path).unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), hash(&file.path()))).collect()
}

fn rows(folder: &Path, name: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn touches_of(world: &World, account: usize) -> Vec<&Touch> {
    world.touches.iter().filter(|touch| touch.account == Some(account)).collect()
}

/// Worlds of several seeds and sizes, the smallest there is among them.
fn worlds() -> Vec<World> {
    let small = Plan { accounts: 12, days: 365, ..Plan::default() };
    let other = Plan { seed: 77, ..Plan::default() };
    [Plan::default(), small, other, Plan::with_accounts(400)].iter().map(build).collect()
}

#[test]
fn the_same_plan_writes_the_same_bytes_and_another_seed_does_not() {
    let plan = Plan::with_accounts(60);
    let first = hashes(written(&plan).path());
    assert_eq!(first.len(), 9);
    assert_eq!(first, hashes(written(&plan).path()));
    let other = hashes(written(&Plan { seed: 2, ..plan }).path());
    assert!(first.iter().all(|(name, hash)| other[name] != *hash));
}

#[test]
fn an_account_is_the_same_company_in_a_larger_world() {
    let (few, many) = (build(&Plan::with_accounts(500)), build(&Plan::with_accounts(501)));
    let names = |world: &World| world.accounts[..400].iter().map(|it| it.domain.clone()).collect::<Vec<_>>();
    assert_eq!(names(&few), names(&many));
}

#[test]
fn three_cold_accounts_are_revived_by_a_retargeting_ad_and_win() {
    for world in worlds() {
        assert_eq!(world.stories.revived.len(), 3);
        for story in &world.stories.revived {
            let times: Vec<&Touch> = touches_of(&world, story.account);
            let last = times.iter().rposition(|touch| touch.at == story.silent_from).unwrap();
            let ad = times[last + 1];
            assert_eq!((ad.at, ad.channel), (story.revived_at, Channel::Retargeting));
            assert!(ad.at.days_since(story.silent_from) >= 120.0);
            let deal = &world.deals[story.deal];
            assert_eq!((deal.account, deal.outcome), (story.account, Outcome::Won));
            assert!(deal.created_at > ad.at && deal.closes_at < world.plan.end());
        }
    }
}

#[test]
fn touches_have_a_long_tail_and_come_through_every_channel() {
    let world = build(&Plan::with_accounts(1_000));
    let mut counts = vec![0; world.accounts.len()];
    world.touches.iter().filter_map(|touch| touch.account).for_each(|account| counts[account] += 1);
    counts.sort_unstable();
    assert!((15..=25).contains(&counts[500]), "{}", counts[500]);
    assert!(counts[999] > 400, "{}", counts[999]);
    for channel in Channel::ALL {
        let count = world.touches.iter().filter(|touch| touch.channel == channel).count();
        assert!(count > 500, "{channel}: {count}");
    }
}

#[test]
fn a_plan_for_touches_comes_close() {
    let touches = build(&Plan::for_touches(40_000)).touches.len() as f64;
    assert!((touches / 40_000.0 - 1.0).abs() < 0.1, "{touches}");
}

#[test]
fn everything_happens_within_the_world_and_in_order() {
    for world in worlds() {
        let (start, end) = (world.plan.start, world.plan.end());
        assert!(world.touches.is_sorted_by_key(|touch| touch.at));
        assert!(world.touches.iter().all(|touch| start <= touch.at && touch.at < end));
        for deal in &world.deals {
            assert!(start <= deal.created_at && deal.created_at < deal.closes_at && deal.created_at < end);
            assert_eq!(deal.outcome == Outcome::Open, deal.closes_at >= end, "{}", deal.id);
            assert!(deal.amount.minor > 0 && !deal.stage.is_empty());
        }
        for pair in world.stages.windows(2).filter(|pair| pair[0].deal == pair[1].deal) {
            assert!(pair[0].entered_at <= pair[1].entered_at);
        }
        let rate = world.rates.first().map(|rate| rate.day);
        assert!(rate < Some(start), "the first deal may close on the first day");
    }
}

#[test]
fn deals_end_in_all_ways_in_two_currencies_and_several_to_an_account() {
    let world = build(&Plan::default());
    for outcome in [Outcome::Won, Outcome::Lost, Outcome::Open] {
        for currency in ["USD", "EUR"] {
            let deals = world.deals.iter().filter(|deal| deal.outcome == outcome);
            let count = deals.filter(|deal| deal.amount.currency.code() == currency).count();
            assert!(count > 0, "{outcome:?} {currency}");
        }
    }
    let mut deals = vec![0; world.accounts.len()];
    world.deals.iter().for_each(|deal| deals[deal.account] += 1);
    assert!(deals.iter().any(|count| *count > 2) && deals.contains(&0));
    assert!(
        world.deals.iter().all(|deal| world.committee.iter().any(|it| world.deals[it.deal].id == deal.id))
    );
}

#[test]
fn the_planted_truth_is_printed_as_a_table() {
    insta::assert_snapshot!(build(&Plan::default()).truth, @r"
    channel         effect  touches  incremental USD   share
    ae_meeting        0.60      374           353583   27.0%
    partner           0.50      170           193524   14.8%
    event             0.45      108           154424   11.8%
    webinar           0.40      153           138589   10.6%
    organic_search    0.25      376           120988    9.2%
    retargeting       0.30      179           116842    8.9%
    paid_search       0.20      163            79092    6.0%
    sdr               0.18      353            78076    6.0%
    email             0.08      324            41604    3.2%
    paid_social       0.06      119            19522    1.5%
    direct            0.03      222            14119    1.1%
    display           0.00      241                0    0.0%
    over 86 deals; log odds without touches -3.10
    ");
}

#[test]
fn shares_of_the_truth_sum_to_one_and_display_has_none() {
    for world in worlds() {
        let effects = &world.truth.effects;
        assert!((effects.iter().map(|effect| effect.share).sum::<f64>() - 1.0).abs() < 1e-9);
        let display = effects.iter().find(|effect| effect.channel == "display").unwrap();
        assert_eq!((display.incremental_minor, display.share), (0, 0.0));
        assert!(display.touches > 0);
    }
}

#[test]
fn deals_are_won_as_often_as_the_planted_effects_say() {
    let world = build(&Plan::with_accounts(4_000));
    let mut odds: Vec<(f64, bool)> = Vec::new();
    let mut of_account: Vec<Vec<&Touch>> = vec![Vec::new(); world.accounts.len()];
    for touch in world.touches.iter().filter(|touch| touch.nature == Nature::Human) {
        of_account[touch.account.unwrap()].push(touch);
    }
    for deal in world.deals.iter().filter(|deal| deal.is_drawn && deal.outcome != Outcome::Open) {
        let before = of_account[deal.account].iter().filter(|touch| touch.at <= deal.closes_at);
        let mut counts = [0.0_f64; 12];
        before.for_each(|touch| counts[touch.channel as usize] += 1.0);
        let sum: f64 = Channel::ALL.iter().zip(counts).map(|(it, count)| it.effect() * count.ln_1p()).sum();
        odds.push((world.truth.base + sum, deal.outcome == Outcome::Won));
    }
    assert_eq!(odds.len(), world.truth.deals);
    odds.sort_by(|a, b| a.0.total_cmp(&b.0));
    for fifth in odds.chunks(odds.len() / 5) {
        let expected = fifth.iter().map(|(odds, _)| 1.0 / (1.0 + (-odds).exp())).sum::<f64>();
        let won = fifth.iter().filter(|(_, won)| *won).count() as f64;
        assert!((won - expected).abs() < 3.0 * (fifth.len() as f64).sqrt() / 2.0, "{won} {expected}");
    }
}

#[test]
fn deals_from_nowhere_have_no_touch() {
    for world in worlds() {
        assert!(!world.stories.untouched.is_empty());
        for deal in &world.stories.untouched {
            let deal = &world.deals[*deal];
            assert_eq!(deal.outcome, Outcome::Won);
            assert!(touches_of(&world, deal.account).is_empty());
        }
    }
}

#[test]
fn one_human_under_two_ids_is_united_by_address_or_alias() {
    let world = build(&Plan::default());
    let stories = &world.stories;
    let alias = |a: (&str, &str), b: (&str, &str)| {
        let is = |x: &(&str, String), y: (&str, &str)| (x.0, x.1.as_str()) == y;
        world.aliases.iter().any(|it| (is(&it.a, a) && is(&it.b, b)) || (is(&it.a, b) && is(&it.b, a)))
    };
    let pair = |second: &usize| {
        let second = &world.people[*second];
        (&world.people[second.same_as.unwrap()], second)
    };
    assert!(!stories.doubled.is_empty() && !stories.merged.is_empty() && !stories.private.is_empty());
    for (first, second) in stories.doubled.iter().map(pair) {
        assert!(first.id != second.id && first.email != second.email);
        assert_eq!(contact::email(&first.email), contact::email(&second.email));
    }
    for (first, second) in stories.merged.iter().map(pair) {
        assert!(alias(("crm", &first.id), ("crm", &second.id)) && !second.is_in_crm);
    }
    for (first, second) in stories.private.iter().map(pair) {
        assert!(alias(("email", &first.email), ("email", &second.email)));
        assert!(contact::is_free_mail(&contact::domain(&second.email).unwrap()));
    }
    let (before, after) = pair(&stories.moved.unwrap());
    assert_ne!(before.account, after.account);
    assert!(alias(("email", &before.email), ("email", &after.email)));
    let used = |person: &str| {
        let of = |touch: &&Touch| touch.person.is_some_and(|it| world.people[it].id == person);
        world.touches.iter().filter(of).map(|touch| touch.at).collect::<Vec<_>>()
    };
    assert!(used(&before.id).iter().max() < used(&after.id).iter().min());
    for second in stories.doubled.iter().chain(&stories.merged).chain(&stories.private) {
        let record = world.people.iter().position(|it| it.id == world.people[*second].id).unwrap();
        assert_eq!(record, *second);
    }
    assert!(stories.merged.iter().any(|second| !used(&world.people[*second].id).is_empty()));
}

#[test]
fn a_mail_scanner_follows_its_links_within_two_seconds() {
    for world in worlds() {
        let clicks: Vec<&Touch> = world.touches.iter().filter(|it| it.nature == Nature::Machine).collect();
        assert!(!clicks.is_empty() && !world.stories.scanned.is_empty());
        for click in &clicks {
            let near = clicks
                .iter()
                .filter(|other| other.person == click.person && (other.at.0 - click.at.0).abs() < 2_000_000);
            assert_eq!(near.count(), 4);
            assert!(world.stories.scanned.contains(&click.account.unwrap()));
        }
    }
}

#[test]
fn visitors_are_strangers_until_their_first_form() {
    let world = build(&Plan::default());
    let mut forms: BTreeMap<u64, Time> = BTreeMap::new();
    for touch in world.touches.iter().filter(|it| it.known == Known::Form && it.nature == Nature::Human) {
        assert!(forms.insert(touch.device, touch.at).is_none(), "one form a person");
    }
    let visits = |nature| world.touches.iter().filter(move |it| it.device != 0 && it.nature == nature);
    let before = visits(Nature::Human).filter(|it| forms.get(&it.device).is_some_and(|form| it.at < *form));
    assert!(before.count() > 50);
    assert!(visits(Nature::Stranger).count() > 30);
    assert!(visits(Nature::Stranger).all(|it| !forms.contains_key(&it.device)));
}

#[test]
fn companies_have_their_own_registrable_domains_and_readable_names() {
    let world = build(&Plan::with_accounts(28_000));
    let mut seen = BTreeSet::new();
    for account in &world.accounts {
        assert_eq!(contact::domain(&account.domain).as_ref(), Some(&account.domain));
        assert!(seen.insert(&account.domain), "{} comes twice", account.domain);
        assert!(account.domain.ends_with(".example") && account.domain != OWN_DOMAIN);
        assert!(account.name.chars().all(|c| c.is_alphabetic() || c == ' '), "{}", account.name);
    }
    let reps: BTreeSet<&str> = world.reps.iter().map(|rep| rep.name.as_str()).collect();
    assert_eq!(reps.len(), world.reps.len());
}

#[test]
fn the_files_read_back_as_what_was_written() {
    let plan = Plan::with_accounts(60);
    let world = build(&plan);
    let folder = written(&plan);
    let read = |name| rows(folder.path(), name);
    let repeated = world.touches.iter().filter(|touch| touch.is_repeated).count();
    let in_crm = world.people.iter().filter(|person| person.is_in_crm).count();
    assert!(repeated > 0);
    for (name, count, columns) in [
        ("accounts.csv", world.accounts.len(), "domain employees id industry name owner region segment"),
        ("people.csv", in_crm + 1, "account created_at email id name role seniority title"),
        (
            "deals.csv",
            world.deals.len(),
            "account amount closed_at created_at currency id name outcome owner pipeline stage",
        ),
        ("stages.csv", world.stages.len(), "deal entered_at stage"),
        ("committee.csv", world.committee.len(), "deal is_primary person role"),
        ("spend.csv", world.spend.len(), "amount campaign channel currency date"),
        ("aliases.csv", world.aliases.len(), "id_a id_b kind_a kind_b seen_at"),
        ("rates.csv", world.rates.len(), "date from rate to"),
        (
            "touches.csv",
            world.touches.len() + repeated,
            "account actor anonymous_id campaign channel content cost currency direction email event_id gclid id kind \
             li_fat_id machine occurred_at person referrer team url utm_campaign utm_medium utm_source weight",
        ),
    ] {
        let rows = read(name);
        assert_eq!(rows.len(), count, "{name}");
        assert_eq!(rows[0].keys().map(String::as_str).collect::<Vec<_>>().join(" "), columns, "{name}");
    }
    let zone = Zone::parse(TIME_ZONE).unwrap();
    let people: BTreeSet<String> = read("people.csv").iter().map(|row| row["id"].clone()).collect();
    let aliases = read("aliases.csv");
    let mut ids = BTreeSet::new();
    for row in read("touches.csv") {
        let index: usize = row["id"][1..].parse().unwrap();
        let touch = &world.touches[index - 1];
        assert_eq!(When::parse(&row["occurred_at"], &zone), Ok(When::Instant(touch.at)));
        assert!(!ids.contains(&row["id"]) || touch.is_repeated);
        ids.insert(row["id"].clone());
        let person = &row["person"];
        assert!(
            person.is_empty() || people.contains(person) || aliases.iter().any(|it| it["id_a"] == *person)
        );
        assert!(row["email"].is_empty() || contact::email(&row["email"]).is_some());
        let says = |column: &str| !row[column].is_empty();
        assert!(says("person") || says("email") || says("anonymous_id") || says("account"));
    }
    for (row, deal) in read("deals.csv").iter().zip(&world.deals) {
        assert_eq!(parse_decimal(&row["amount"]), Ok(deal.amount.to_decimal()));
        assert_eq!(row["closed_at"].is_empty(), deal.outcome == Outcome::Open);
        assert!(["won", "lost", "open"].contains(&row["outcome"].as_str()));
    }
    for row in read("spend.csv") {
        assert!(
            matches!(When::parse(&row["date"], &zone), Ok(When::Day(day)) if day.from.0 % (DAY_MICROS / 24) == 0)
        );
    }
    for row in read("accounts.csv") {
        assert!(contact::domain(&row["domain"]).is_some());
    }
}

#[test]
fn web_touches_leave_the_channel_to_the_rules_and_say_where_they_came_from() {
    let world = build(&Plan::default());
    for (index, touch) in world.touches.iter().enumerate() {
        let row = world.touch_row(index);
        let channel = if touch.device == 0 && touch.nature != Nature::Copy {
            assert_eq!(row.channel, Some(touch.channel.name()));
            continue;
        } else if touch.nature == Nature::Copy {
            assert_eq!((row.channel, row.event_id.is_some()), (None, true));
            continue;
        } else {
            touch.channel
        };
        let says = (row.utm_medium, row.referrer.is_some(), row.gclid.is_some(), row.channel);
        let expected = match channel {
            Channel::OrganicSearch => (None, true, false, None),
            Channel::PaidSearch => (Some("cpc"), false, true, None),
            Channel::PaidSocial => (Some("paid_social"), false, false, None),
            Channel::Retargeting => (Some("retargeting"), false, false, None),
            Channel::Partner => (Some("partner"), false, false, None),
            Channel::Direct if row.kind == "form" => (None, false, false, Some("direct")),
            Channel::Direct => (None, false, false, None),
            other => panic!("{other} is not on the web"),
        };
        assert_eq!(says, expected, "{channel}");
    }
}

#[test]
fn progress_reaches_the_end_of_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut ends = BTreeMap::new();
    write_csv(&build(&Plan::with_accounts(12)), folder.path(), &mut |file, done, of| {
        assert!(done <= of);
        ends.insert(file.to_owned(), (done, of));
    })
    .unwrap();
    assert_eq!(ends.len(), 9);
    assert!(ends.values().all(|(done, of)| done == of && *of > 0));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taken"), "").unwrap();
    let path = folder.path().join("taken");
    let error = write_csv(&build(&Plan::with_accounts(12)), &path, &mut |_, _, _| {}).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot make the folder `{}`", path.display()));
}
