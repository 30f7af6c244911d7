//! One ordinary account's life: its people, its deals without their ends, and the touches along the way.

use tributary_core::time::DAY_MICROS;
use tributary_core::{Currency, Money, Time};

use crate::cast::HOUR;
use crate::channel::{CHANNELS, Channel};
use crate::identify;
use crate::names::{FIRST, JOBS, LAST, PLACES, ROOTS, TRADES};
use crate::story;
use crate::touch;
use crate::world::{Account, Committee, Deal, Known, Nature, Outcome, Person, Touch, World};
use tributary_core::dice::Dice;

/// Where a company stands in buying: how often each channel reaches it then, in the order of [`Channel::ALL`].
type Phase = [f64; CHANNELS];

const AWARENESS: Phase = [0.24, 0.14, 0.12, 0.02, 0.14, 0.02, 0.04, 0.03, 0.03, 0.08, 0.0, 0.14];
const CONSIDERATION: Phase = [0.10, 0.06, 0.05, 0.08, 0.08, 0.20, 0.10, 0.05, 0.05, 0.13, 0.04, 0.06];
const DECISION: Phase = [0.06, 0.03, 0.02, 0.07, 0.05, 0.12, 0.05, 0.05, 0.06, 0.10, 0.28, 0.11];
const AFTER: Phase = [0.10, 0.02, 0.02, 0.05, 0.06, 0.35, 0.12, 0.06, 0.04, 0.02, 0.08, 0.08];

/// Half of all accounts have fewer touches than this; the tail is long.
const MEDIAN_TOUCHES: f64 = 20.0;
const MOST_TOUCHES: f64 = 5_000.0;

/// A stretch of an account's life.
struct Chapter {
    from: Time,
    until: Time,
    phase: &'static Phase,
    /// The part of the account's touches that falls into it.
    part: f64,
}

/// Adds an account with everything about it.
pub(crate) fn account(world: &mut World, index: usize) {
    let mut dice = Dice::new(world.plan.seed, "account", index);
    world.accounts.push(company(&mut dice, world, index));
    if story::account(world, &mut dice, index) {
        return;
    }
    let count = dice.log_normal(MEDIAN_TOUCHES, 1.15).round().clamp(1.0, MOST_TOUCHES) as usize;
    let length = (world.plan.end().0 - world.plan.start.0) as f64;
    let first = Time(world.plan.start.0 + (length * 0.72 * dice.unit()) as i64);
    let headcount = (1 + dice.below(3) + count / 10).min(JOBS.len());
    let people = people(world, &mut dice, index, headcount, first);
    let chapters = chapters(world, &mut dice, index, count, first);
    let touches = touches(world, &mut dice, index, &people, count, &chapters);
    identify::all(world, &mut dice, &people, touches);
}

fn company(dice: &mut Dice, world: &World, index: usize) -> Account {
    // Steps prime to the number of names, so that none comes twice before all have come.
    let names = ROOTS.len() * TRADES.len();
    let name = (index * 1_379 + (world.plan.seed % 2_160) as usize) % names;
    let (root, (trade, industry)) = (ROOTS[name % ROOTS.len()], TRADES[name / ROOTS.len()]);
    let place = match index / names {
        round if round < PLACES.len() => PLACES[round].to_owned(),
        round => round.to_string(),
    };
    let name = format!("{root} {trade} {place}").trim_end().to_owned();
    let domain = format!("{}.example", name.to_lowercase().replace(' ', "-"));
    let employees = dice.log_normal(400.0, 1.4).round().clamp(8.0, 90_000.0) as u32;
    let region = ["North America", "Europe", "Asia Pacific"][dice.weighted(&[0.5, 0.38, 0.12])];
    let owner = dice.below(world.reps.len() / 3 * 2);
    Account {
        id: format!("A{:05}", index + 1),
        name,
        domain,
        industry,
        employees,
        region,
        segment: match employees {
            0..200 => "small",
            200..2_000 => "mid-market",
            _ => "enterprise",
        },
        // Every third rep is an SDR.
        owner: owner / 2 * 3 + owner % 2,
        currency: if region == "Europe" { Currency::EUR } else { Currency::USD },
    }
}

/// Adds people; `first` is when the CRM knew them, unless their touches say otherwise.
pub(crate) fn people(
    world: &mut World,
    dice: &mut Dice,
    account: usize,
    count: usize,
    first: Time,
) -> Vec<usize> {
    let start = world.people.len();
    for number in 0..count {
        let (title, role, seniority) = JOBS[number % JOBS.len()];
        let (given, family) = (*dice.pick(&FIRST), *dice.pick(&LAST));
        let local = format!("{}.{}", given.to_lowercase(), family.to_lowercase());
        let domain = &world.accounts[account].domain;
        let mut email = format!("{local}@{domain}");
        if world.people[start..].iter().any(|person| person.email == email) {
            email = format!("{local}.{}@{domain}", number + 1);
        }
        let waited = dice.between(0.0, 40.0) * DAY_MICROS as f64;
        world.people.push(Person {
            id: format!("P{:06}", world.people.len() + 1),
            account,
            name: format!("{given} {family}"),
            email,
            title,
            role,
            seniority,
            created_at: second(Time(first.0 + waited as i64)).min(Time(world.plan.end().0 - HOUR)),
            device: dice.next() | 1,
            same_as: None,
            is_in_crm: true,
        });
    }
    (start..world.people.len()).collect()
}

/// Adds a deal and its committee; how it ends is decided when all touches are known.
pub(crate) fn deal(
    world: &mut World,
    dice: &mut Dice,
    account: usize,
    created_at: Time,
    closes_at: Time,
) -> usize {
    let deal = world.deals.len();
    let earlier = world.deals.iter().rev().take_while(|deal| deal.account == account).count();
    let of = &world.accounts[account];
    let size = match of.segment {
        "small" => 9_000.0,
        "mid-market" => 26_000.0,
        _ => 70_000.0,
    };
    let mut minor = (dice.log_normal(size, 0.6) / 50.0).round() as i64 * 5_000;
    if dice.chance(0.3) {
        minor += dice.below(5_000) as i64;
    }
    world.deals.push(Deal {
        id: format!("D{:05}", deal + 1),
        account,
        name: format!("{} – {}", of.name, ["Platform", "More seats", "Second region"][earlier.min(2)]),
        amount: Money::new(minor.max(100_000), of.currency),
        created_at: second(created_at),
        closes_at: second(closes_at),
        outcome: Outcome::Open,
        stage: "",
        owner: of.owner,
        pipeline: if earlier == 0 { "new business" } else { "expansion" },
        is_drawn: true,
    });
    let most = 2 + dice.below(5);
    let people: Vec<usize> =
        (0..world.people.len()).rev().take_while(|person| world.people[*person].account == account).collect();
    for (number, person) in people.into_iter().rev().take(most).enumerate() {
        let role = world.people[person].role;
        world.committee.push(Committee { deal, person, role, is_primary: number == 0 });
    }
    deal
}

/// Plans an account's life around its deals, if it has any.
fn chapters(world: &mut World, dice: &mut Dice, account: usize, count: usize, first: Time) -> Vec<Chapter> {
    let end = world.plan.end();
    let days = |dice: &mut Dice, median, spread| (dice.log_normal(median, spread) * DAY_MICROS as f64) as i64;
    let mut chapters = Vec::new();
    let mut add = |from: Time, until: Time, phase, part| {
        if from < end {
            chapters.push(Chapter { from, until: until.min(end), phase, part });
        }
    };
    let buys = match count {
        0..6 => 0.2,
        6..15 => 0.55,
        _ => 0.85,
    };
    if !dice.chance(buys) {
        let whole = days(dice, 120.0, 0.7);
        add(first, Time(first.0 + whole / 2), &AWARENESS, 0.6);
        add(Time(first.0 + whole / 2), Time(first.0 + whole), &CONSIDERATION, 0.4);
        return chapters;
    }
    let mut created = Time(first.0 + days(dice, 50.0, 0.6));
    let middle = Time(first.0 + (created.0 - first.0) / 2);
    add(first, middle, &AWARENESS, 0.5);
    add(middle, created, &CONSIDERATION, 0.6);
    loop {
        let closes = Time(created.0 + days(dice, 60.0, 0.5).max(10 * DAY_MICROS));
        add(created, closes, &DECISION, 1.0);
        if created < end {
            deal(world, dice, account, created, closes);
        }
        let next = Time(closes.0 + days(dice, 110.0, 0.6));
        if next >= end || !dice.chance(0.5) {
            add(closes, closes.plus_days(90), &AFTER, 0.25);
            return chapters;
        }
        add(closes, next, &AFTER, 0.35);
        created = next;
    }
}

fn touches(
    world: &World,
    dice: &mut Dice,
    account: usize,
    people: &[usize],
    count: usize,
    chapters: &[Chapter],
) -> Vec<Touch> {
    let parts: Vec<f64> = chapters.iter().map(|chapter| chapter.part).collect();
    // Accounts differ in the channels they like, so that channels can be told apart.
    let tastes: Phase = std::array::from_fn(|_| dice.log_normal(1.0, 0.9));
    let crowd: Vec<f64> = (0..people.len()).map(|number| 1.0 / (number as f64 + 1.5)).collect();
    let last = Time(world.plan.end().0 - HOUR);
    let mut touches: Vec<Touch> = Vec::with_capacity(count);
    while touches.len() < count {
        let chapter = &chapters[dice.weighted(&parts)];
        let weights: Phase = std::array::from_fn(|place| chapter.phase[place] * tastes[place]);
        let channel = Channel::ALL[dice.weighted(&weights)];
        let person = people[dice.weighted(&crowd)];
        let drawn = Time(chapter.from.0 + ((chapter.until.0 - chapter.from.0) as f64 * dice.unit()) as i64);
        let at = by_day(dice, drawn, channel).min(last);
        let mut touch = touch::make(dice, world, at, account, person, channel);
        if matches!(channel, Channel::Webinar | Channel::Event)
            && let Some((campaign, at)) = touch::attend(dice, world, channel, at)
        {
            let came =
                touches.iter().any(|touch| touch.person == Some(person) && touch.campaign == Some(campaign));
            touch.campaign = Some(campaign);
            if came {
                touch.kind = "content";
                touch.content = "Recording";
            } else {
                touch.at = at;
            }
        }
        if channel == Channel::AeMeeting && dice.chance(0.16) {
            // The calendar reports what the CRM has already logged.
            touch.event = Some((account as u64) << 16 | touches.len() as u64);
            let known = Known::Email;
            let copy = Touch { known, nature: Nature::Copy, is_repeated: false, ..touch.clone() };
            touches.push(touch);
            touches.push(copy);
        } else {
            touches.push(touch);
        }
    }
    touches.sort_by_key(|touch| touch.at);
    touches
}

/// Moves a time into the day: people who sell work office hours.
fn by_day(dice: &mut Dice, at: Time, channel: Channel) -> Time {
    let midnight = at.0.div_euclid(DAY_MICROS) * DAY_MICROS;
    let sells = matches!(channel, Channel::Sdr | Channel::AeMeeting | Channel::Partner);
    let (first, last) = if sells { (7.0, 16.0) } else { (5.0, 22.0) };
    second(Time(midnight + (dice.between(first, last) * HOUR as f64) as i64))
}

/// The same time without fractions of a second.
pub(crate) fn second(at: Time) -> Time {
    Time(at.0.div_euclid(1_000_000) * 1_000_000)
}
