//! What is planted on purpose: accounts that come back, deals from nowhere, and everything that makes identity hard.

use tributary_core::Time;
use tributary_core::time::DAY_MICROS;

use crate::cast::HOUR;
use crate::channel::Channel;
use crate::grow;
use crate::identify;
use crate::touch;
use crate::world::{Alias, Known, Nature, Outcome, Person, Revival, Touch, World};
use tributary_core::dice::{Dice, mix};

/// Of so many people one has a second record.
const PEOPLE_PER_SECOND: usize = 40;

/// Of so many accounts one has a mail scanner.
const ACCOUNTS_PER_SCANNER: u64 = 12;

/// Touches for each stranger, who makes two or three.
const TOUCHES_PER_STRANGER: usize = 50;

/// Tells the account's story, if it has one.
pub(crate) fn account(world: &mut World, dice: &mut Dice, index: usize) -> bool {
    let count = world.plan.account_count();
    if (1..4).any(|quarter| index == count * quarter / 4) {
        revive(world, dice, index);
    } else if index % 33 == 7 {
        surprise(world, dice, index);
    } else {
        return false;
    }
    true
}

/// A deal is lost, nobody hears of the account for months, an ad brings it back, and it buys.
fn revive(world: &mut World, dice: &mut Dice, account: usize) {
    let first = world.plan.start.plus_days(15 + dice.below(20) as i64);
    let people = grow::people(world, dice, account, 4, first);
    let mut touches = Vec::new();
    let mut tell = |dice: &mut Dice, world: &World, start: Time, scenes: &[(i64, usize, Channel)]| {
        for (day, person, channel) in scenes {
            let at =
                grow::second(Time(start.plus_days(*day).0 + (dice.between(8.0, 16.0) * HOUR as f64) as i64));
            touches.push(touch::make(dice, world, at, account, people[*person], *channel));
        }
        touches[touches.len() - 1].at
    };
    let first = Time(first.0.div_euclid(DAY_MICROS) * DAY_MICROS);
    let silent_from = tell(
        dice,
        world,
        first,
        &[
            (0, 0, Channel::OrganicSearch),
            (2, 0, Channel::PaidSearch),
            (5, 0, Channel::Email),
            (9, 1, Channel::Direct),
            (14, 0, Channel::Sdr),
            (21, 0, Channel::AeMeeting),
            (30, 2, Channel::OrganicSearch),
            (37, 0, Channel::AeMeeting),
            (48, 0, Channel::Email),
        ],
    );
    let lost = grow::deal(world, dice, account, first.plus_days(22), first.plus_days(50));
    let back = first.plus_days(48 + 130 + dice.below(40) as i64);
    tell(
        dice,
        world,
        back,
        &[
            (0, 0, Channel::Retargeting),
            (1, 0, Channel::Direct),
            (3, 1, Channel::OrganicSearch),
            (4, 0, Channel::Email),
            (8, 0, Channel::Sdr),
            (13, 0, Channel::AeMeeting),
            (20, 3, Channel::Direct),
            (27, 1, Channel::AeMeeting),
            (44, 0, Channel::AeMeeting),
        ],
    );
    let won = grow::deal(world, dice, account, back.plus_days(12), back.plus_days(55));
    for (deal, outcome) in [(lost, Outcome::Lost), (won, Outcome::Won)] {
        world.deals[deal].outcome = outcome;
        world.deals[deal].is_drawn = false;
    }
    let revived_at =
        touches.iter().find(|touch| touch.channel == Channel::Retargeting).map_or(back, |it| it.at);
    world.stories.revived.push(Revival { account, silent_from, revived_at, deal: won });
    identify::all(world, dice, &people, touches);
}

/// A deal is won, and nothing was recorded before it.
fn surprise(world: &mut World, dice: &mut Dice, account: usize) {
    let days = f64::from(world.plan.days);
    let created = world.plan.start.plus_days(dice.between(days * 0.1, days * 0.8) as i64);
    grow::people(world, dice, account, 2, created);
    let deal = grow::deal(world, dice, account, created, created.plus_days(20));
    world.deals[deal].outcome = Outcome::Won;
    world.deals[deal].is_drawn = false;
    world.stories.untouched.push(deal);
}

/// Plants what needs all accounts to be there.
pub(crate) fn plant(world: &mut World) {
    let mut dice = Dice::new(world.plan.seed, "stories", 0);
    second_records(world, &mut dice);
    change_company(world, &mut dice);
    scan_mail(world, &mut dice);
    visit_as_strangers(world, &mut dice);
    test_own_site(world, &mut dice);
    if let Some(touch) = world.touches.iter_mut().find(|touch| touch.nature == Nature::Human) {
        touch.is_repeated = true;
    }
}

/// Gives some people a second record, and half of their touches to it.
fn second_records(world: &mut World, dice: &mut Dice) {
    let mut named = vec![[0_u32; 2]; world.people.len()];
    let place = |touch: &Touch| match touch.known {
        Known::Contact => Some(0),
        Known::Email => Some(1),
        _ => None,
    };
    for touch in &world.touches {
        if let (Some(person), Some(place)) = (touch.person, place(touch)) {
            named[person][place] += 1;
        }
    }
    let able: Vec<usize> =
        (0..named.len()).filter(|person| named[*person].iter().all(|count| *count > 1)).collect();
    let count = (world.people.len() / PEOPLE_PER_SECOND).max(3);
    let step = (able.len() / count).max(1);
    let mut second: Vec<Option<(usize, Known)>> = vec![None; named.len()];
    for (number, first) in able.iter().step_by(step).enumerate() {
        let new = world.people.len();
        let mut record = Person { same_as: Some(*first), ..world.people[*first].clone() };
        let (local, domain) = record.email.split_once('@').unwrap_or_default();
        record.id = format!("P{:06}", new + 1);
        match number % 3 {
            0 => {
                record.email = format!("{}+demo@{}", local.to_uppercase(), domain);
                record.created_at = record.created_at.plus_days(3);
                world.stories.doubled.push(new);
            }
            1 => {
                record.is_in_crm = false;
                world.aliases.push(Alias {
                    a: ("crm", record.id.clone()),
                    b: ("crm", world.people[*first].id.clone()),
                    seen_at: record.created_at,
                });
                world.stories.merged.push(new);
            }
            _ => {
                record.is_in_crm = false;
                record.email = format!("made.up.{local}.{}@gmail.com", new + 1);
                world.aliases.push(Alias {
                    a: ("email", world.people[*first].email.clone()),
                    b: ("email", record.email.clone()),
                    seen_at: record.created_at,
                });
                world.stories.private.push(new);
            }
        }
        second[*first] = Some((new, if number % 3 == 2 { Known::Email } else { Known::Contact }));
        world.people.push(record);
    }
    for touch in &mut world.touches {
        if let Some(person) = touch.person
            && let Some((new, known)) = second[person]
            && touch.known == known
            && touch.nature == Nature::Human
            && dice.chance(0.5)
        {
            touch.person = Some(new);
        }
    }
}

/// Somebody leaves one account for another, and goes on there with a new address.
fn change_company(world: &mut World, dice: &mut Dice) {
    let latest = world.plan.end().plus_days(-80);
    let mut last = vec![None; world.people.len()];
    for touch in world.touches.iter().filter(|touch| touch.nature == Nature::Human) {
        if let Some(person) = touch.person {
            last[person] = last[person].max(Some(touch.at));
        }
    }
    let tells = |account: usize| world.stories.revived.iter().any(|story| story.account == account);
    let is_plain = |person: &usize| {
        let record = &world.people[*person];
        record.same_as.is_none()
            && !tells(record.account)
            && !world.people.iter().any(|other| other.same_as == Some(*person))
            && last[*person].is_some_and(|at| at < latest)
    };
    let Some(first) = (0..world.people.len()).find(is_plain) else { return };
    let from = world.people[first].account;
    let busy = |account: &usize| {
        *account != from
            && !tells(*account)
            && world.touches.iter().any(|touch| touch.account == Some(*account))
    };
    let Some(account) = (0..world.accounts.len()).rev().find(busy) else { return };
    let moved_at = last[first].map_or(latest, |at| at.plus_days(15));
    let new = world.people.len();
    let old = world.people[first].clone();
    let local = old.email.split('@').next().unwrap_or_default();
    let record = Person {
        id: format!("P{:06}", new + 1),
        account,
        email: format!("{local}@{}", world.accounts[account].domain),
        created_at: moved_at,
        device: dice.next() | 1,
        same_as: Some(first),
        ..old.clone()
    };
    world.aliases.push(Alias {
        a: ("email", old.email),
        b: ("email", record.email.clone()),
        seen_at: moved_at,
    });
    world.people.push(record);
    world.stories.moved = Some(new);
    let mut touches = Vec::new();
    for (day, channel) in [
        (0, Channel::Direct),
        (4, Channel::Email),
        (11, Channel::AeMeeting),
        (25, Channel::OrganicSearch),
        (40, Channel::AeMeeting),
    ] {
        let at = grow::second(Time(moved_at.plus_days(day).0 + day * HOUR / 12));
        touches.push(touch::make(dice, world, at, account, new, channel));
    }
    let first_visit = &mut touches[0];
    first_visit.known = Known::Form;
    first_visit.kind = "form";
    first_visit.content = "Contact us";
    world.touches.append(&mut touches);
}

/// Some accounts' mail scanners follow every link of a mail before its reader does.
fn scan_mail(world: &mut World, dice: &mut Dice) {
    let clicked = |touch: &&Touch| touch.kind == "email_click" && touch.nature == Nature::Human;
    let has_scanner = |account: usize| mix(account as u64 + 1).is_multiple_of(ACCOUNTS_PER_SCANNER);
    let mut mails: Vec<Touch> = world
        .touches
        .iter()
        .filter(clicked)
        .filter(|touch| touch.account.is_some_and(has_scanner))
        .filter(|_| dice.chance(0.4))
        .cloned()
        .collect();
    if mails.is_empty() {
        mails.extend(world.touches.iter().find(clicked).cloned());
    }
    for mail in mails {
        if let Some(account) = mail.account
            && !world.stories.scanned.contains(&account)
        {
            world.stories.scanned.push(account);
        }
        let received = mail.at.0 - (dice.between(0.3, 1.5) * HOUR as f64) as i64;
        for (link, content) in ["/pricing", "/customers", "/webinars", "/unsubscribe"].into_iter().enumerate()
        {
            let at = Time(received + link as i64 * 310_000);
            world.touches.push(Touch {
                at,
                content,
                nature: Nature::Machine,
                is_repeated: false,
                ..mail.clone()
            });
        }
    }
}

/// Some visitors never say who they are.
fn visit_as_strangers(world: &mut World, dice: &mut Dice) {
    let channels =
        [Channel::OrganicSearch, Channel::Direct, Channel::PaidSearch, Channel::PaidSocial, Channel::Display];
    let length = (world.plan.end().0 - world.plan.start.0 - DAY_MICROS) as f64;
    for _ in 0..(world.touches.len() / TOUCHES_PER_STRANGER).max(3) {
        let device = dice.next() | 1;
        let mut at = Time(world.plan.start.0 + (length * dice.unit()) as i64);
        for _ in 0..=dice.below(4) {
            let channel = channels[dice.weighted(&[0.5, 0.25, 0.15, 0.1, 0.0])];
            let visit = touch::make(dice, world, grow::second(at), 0, 0, channel);
            let nature = Nature::Stranger;
            world.touches.push(Touch { account: None, person: None, device, nature, ..visit });
            at = Time(at.0 + (dice.between(0.02, 3.0) * HOUR as f64) as i64);
        }
    }
}

/// A tester of the company's own fills in forms.
fn test_own_site(world: &mut World, dice: &mut Dice) {
    let device = dice.next() | 1;
    for number in 0..12_i64 {
        let at = Time(world.plan.start.plus_days(9 + number * 29).0 + 10 * HOUR);
        let visit = touch::make(dice, world, at, 0, 0, Channel::Direct);
        world.touches.push(Touch {
            account: None,
            person: None,
            known: Known::Form,
            kind: "form",
            content: "Demo request",
            device,
            nature: Nature::Internal,
            ..visit
        });
    }
}
