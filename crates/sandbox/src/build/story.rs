//! One account's story: strangers who visit, people who become known, touches of many teams, deals and their end.

use tributary_core::Time;

use super::names::{AE, COMPANY, FIRST, LAST, PAGE, SDR, TITLE, TRADE};
use super::{Chance, Maker};
use crate::truth::CHANNELS;
use crate::world::{
    Account as AccountRow, Alias as AliasRow, Committee as CommitteeRow, Deal as DealRow,
    Person as PersonRow, Stage as StageRow, Touch as TouchRow,
};

/// How much each channel touches in the first, middle and last part of a deal, in the order of [`CHANNELS`].
const PHASES: [[f64; 12]; 3] = [
    // ae, webinar, event, organic, partner, sdr, search, retargeting, email, social, direct, display
    [0.0, 1.0, 0.6, 4.0, 0.5, 0.6, 2.5, 0.3, 1.0, 2.0, 1.5, 2.0],
    [0.6, 1.6, 1.0, 1.2, 0.5, 3.0, 0.8, 1.2, 4.0, 0.6, 1.2, 1.2],
    [4.0, 0.3, 0.5, 0.5, 0.6, 0.8, 0.3, 0.8, 1.6, 0.2, 1.6, 0.6],
];

/// The stages of every deal, with the part of its time at which they are entered.
const STAGES: [(&str, f64); 4] =
    [("Qualified", 0.60), ("Demo", 0.70), ("Proposal", 0.80), ("Negotiation", 0.90)];

/// A campaign's name for a channel and month.
pub(crate) fn campaign(channel: &str, month: usize) -> String {
    let quarter = month / 3;
    let name = match channel {
        "paid_search" => ["brand", "competitor", "category"][month % 3],
        "paid_social" => ["cfo-guide", "benchmark", "customer-story"][month % 3],
        "retargeting" => "come-back",
        "display" => "awareness",
        "webinar" => ["live-demo", "expert-hour"][month % 2],
        "event" => ["saas-summit", "ops-days"][month % 2],
        "email" => ["nurture-a", "nurture-b", "newsletter"][month % 3],
        "partner" => "partner-program",
        "sdr" => ["sequence-1", "sequence-2"][month % 2],
        _ => return String::new(),
    };
    format!("{name}-{}q{}", 2025 + quarter / 4, quarter % 4 + 1)
}

struct Someone {
    id: String,
    email: String,
    role: &'static str,
    cookie: String,
    known: Time,
}

/// Makes one account with everything about it.
pub(crate) fn account(maker: &mut Maker, index: usize) {
    let id = format!("A{:06}", index + 1);
    let (trade, industry) = *maker.dice.pick(TRADE);
    let name = format!("{} {trade}", maker.dice.pick(COMPANY));
    let domain = format!("{}{}.example", name.to_lowercase().replace(' ', "-"), index + 1);
    let employees = (maker.dice.normal() * 1.2 + 5.5).exp().round().max(3.0);
    let segment = match employees {
        small if small < 100.0 => "smb",
        middle if middle < 1000.0 => "mid_market",
        _ => "enterprise",
    };
    let region = *maker.dice.pick(&["EMEA", "AMER", "APAC"]);
    let owner = (*maker.dice.pick(AE)).to_owned();
    maker.world.accounts.push(AccountRow {
        id: id.clone(),
        name,
        domain: domain.clone(),
        industry: industry.to_owned(),
        employees: format!("{employees}"),
        region: region.to_owned(),
        segment: segment.to_owned(),
        owner: owner.clone(),
    });
    let life_days = maker.dice.between(90, i64::from(maker.plan.days).max(91));
    let start = maker.plan.start.plus_days(
        maker.dice.between(0, i64::from(maker.plan.days) - life_days.min(i64::from(maker.plan.days))),
    );
    let end = Time(start.plus_days(life_days).0.min(maker.end.0));
    let revived = index < 3;
    let people = people(maker, &id, &domain, start, end);
    let total = ((maker.dice.normal()).exp() * maker.plan.median_touches).round().clamp(2.0, 5400.0) as usize;
    let deals = if revived {
        1
    } else {
        [0.25, 0.5, 0.18, 0.07]
            .iter()
            .scan(0.0, |sum, p| {
                *sum += p;
                Some(*sum)
            })
            .position({
                let u = maker.dice.unit();
                move |sum| u < sum
            })
            .unwrap_or(1)
    };
    let windows = deals.max(1);
    for number in 0..windows {
        let span = (end.0 - start.0) / windows as i64;
        let (from, until) =
            (Time(start.0 + span * number as i64), Time(start.0 + span * (number as i64 + 1) - 1_000_000));
        let mut chance = Chance { counts: [0; 12] };
        let count = (total / windows).max(1);
        if revived {
            revive(maker, &id, &people, (from, until), &mut chance);
        } else {
            touches(maker, &id, &people, (from, until), count, &owner, &mut chance);
        }
        if deals > 0 {
            deal(maker, (&id, number, revived), &people, (from, until), &owner, chance);
        }
    }
}

fn people(maker: &mut Maker, account: &str, domain: &str, start: Time, end: Time) -> Vec<Someone> {
    let count = 2 + maker.dice.below(5);
    (0..count)
        .map(|index| {
            let (first, last) = (*maker.dice.pick(FIRST), *maker.dice.pick(LAST));
            let (title, role, seniority) = TITLE[(index + maker.dice.below(2)) % TITLE.len()];
            let quarter = Time(start.0 + (end.0 - start.0) / 4);
            let known = maker.dice.instant(Time(start.0 + (quarter.0 - start.0) / 10), quarter);
            let id = format!("P{}", maker.world.people.len() + 1);
            let email = format!("{}.{}{index}@{domain}", first.to_lowercase(), last.to_lowercase());
            maker.world.people.push(PersonRow {
                id: id.clone(),
                account: account.to_owned(),
                email: email.clone(),
                name: format!("{first} {last}"),
                title: title.to_owned(),
                role: role.to_owned(),
                seniority: seniority.to_owned(),
                created_at: known.to_string(),
            });
            Someone { cookie: format!("c-{id}"), id, email, role, known }
        })
        .collect()
}

fn touches(
    maker: &mut Maker,
    account: &str,
    people: &[Someone],
    (from, until): (Time, Time),
    count: usize,
    owner: &str,
    chance: &mut Chance,
) {
    let mut times: Vec<Time> = (0..count).map(|_| maker.dice.instant(from, until)).collect();
    times.sort();
    let mut formed = vec![false; people.len()];
    for at in times {
        let progress = (at.0 - from.0) as f64 / (until.0 - from.0).max(1) as f64;
        let phase = if progress < 0.4 {
            0
        } else if progress < 0.7 {
            1
        } else {
            2
        };
        let channel = CHANNELS[maker.dice.weighted(&PHASES[phase])].0;
        let who = maker.dice.below(people.len());
        let person = &people[who];
        chance.note(channel);
        if at >= person.known && !formed[who] && is_visit(channel) {
            // The form that made the visitor known: cookie and address together.
            formed[who] = true;
            let mut form = web(maker, account, person, at, channel);
            "form".clone_into(&mut form.kind);
            form.email.clone_from(&person.email);
            "demo request".clone_into(&mut form.content);
            push(maker, form);
        } else {
            touch(maker, account, person, at, channel, owner);
        }
    }
}

fn is_visit(channel: &str) -> bool {
    matches!(channel, "organic_search" | "paid_search" | "paid_social" | "direct")
}

/// One touch of a channel, in the form its tool would export.
fn touch(maker: &mut Maker, account: &str, person: &Someone, at: Time, channel: &str, owner: &str) {
    let month = ((at.0 - maker.plan.start.0) / tributary_core::time::DAY_MICROS / 30).max(0) as usize;
    let campaign = campaign(channel, month);
    let base = TouchRow {
        occurred_at: at.to_string(),
        account: account.to_owned(),
        person: person.id.clone(),
        campaign,
        ..TouchRow::default()
    };
    let text = |text: &str| text.to_owned();
    let row = match channel {
        "ae_meeting" => TouchRow {
            kind: text("meeting"),
            direction: text("outbound"),
            channel: text(channel),
            team: text("sales"),
            actor: owner.to_owned(),
            content: text("discovery call"),
            ..base
        },
        "sdr" => {
            let call = maker.dice.chance(0.5);
            let actor = (*maker.dice.pick(SDR)).to_owned();
            TouchRow {
                kind: text(if call { "call" } else { "email" }),
                direction: text("outbound"),
                channel: text(channel),
                team: text("sdr"),
                actor,
                ..base
            }
        }
        "email" => TouchRow {
            kind: text("email_click"),
            direction: text("inbound"),
            channel: text(channel),
            team: text("marketing"),
            person: String::new(),
            email: person.email.clone(),
            account: String::new(),
            ..base
        },
        "webinar" | "event" => TouchRow {
            kind: text(channel),
            direction: text("inbound"),
            channel: text(channel),
            team: text("marketing"),
            ..base
        },
        "partner" => TouchRow {
            kind: text("referral"),
            direction: text("inbound"),
            channel: text(channel),
            team: text("partner"),
            ..base
        },
        "retargeting" | "display" => TouchRow {
            kind: text("ad_click"),
            direction: text("inbound"),
            channel: text(channel),
            team: text("marketing"),
            cost: format!("{}.{:02}", maker.dice.below(6), maker.dice.below(100)),
            currency: text("USD"),
            ..base
        },
        _ => web(maker, account, person, at, channel),
    };
    push(maker, row);
}

/// A visit: before the visitor is known there is a cookie and nothing else, and the channel rules have work.
fn web(maker: &mut Maker, _account: &str, person: &Someone, at: Time, channel: &str) -> TouchRow {
    let month = ((at.0 - maker.plan.start.0) / tributary_core::time::DAY_MICROS / 30).max(0) as usize;
    let page = *maker.dice.pick(PAGE);
    let mut row = TouchRow {
        occurred_at: at.to_string(),
        anonymous_id: person.cookie.clone(),
        kind: "visit".to_owned(),
        content: page.to_owned(),
        url: format!("https://www.tributary.example{page}"),
        ..TouchRow::default()
    };
    match channel {
        "organic_search" => "https://www.google.com/".clone_into(&mut row.referrer),
        "paid_search" => {
            row.gclid = format!("g{:016x}", maker.dice.between(0, i64::MAX - 1));
            "google".clone_into(&mut row.utm_source);
            "cpc".clone_into(&mut row.utm_medium);
            row.utm_campaign = campaign(channel, month);
        }
        "paid_social" => {
            "linkedin".clone_into(&mut row.utm_source);
            "paid-social".clone_into(&mut row.utm_medium);
            row.utm_campaign = campaign(channel, month);
        }
        _ => {}
    }
    row
}

fn push(maker: &mut Maker, mut row: TouchRow) {
    row.id = format!("T{}", maker.world.touches.len() + 1);
    maker.world.touches.push(row);
}

/// An account that goes cold for half a year and comes back after a retargeting ad.
fn revive(
    maker: &mut Maker,
    account: &str,
    people: &[Someone],
    (from, _): (Time, Time),
    chance: &mut Chance,
) {
    let day = |days: i64| Time(from.plus_days(days).0 + 36_000_000_000);
    let person = &people[0];
    for (days, channel) in
        [(1, "organic_search"), (3, "paid_search"), (8, "webinar"), (12, "sdr"), (20, "email")]
    {
        chance.note(channel);
        touch(maker, account, person, day(days), channel, AE[0]);
    }
    for (days, channel) in [
        (200, "retargeting"),
        (201, "direct"),
        (204, "email"),
        (210, "sdr"),
        (220, "ae_meeting"),
        (235, "ae_meeting"),
    ] {
        chance.note(channel);
        touch(maker, account, person, day(days), channel, AE[0]);
    }
    maker.world.revived.push(account.to_owned());
}

fn deal(
    maker: &mut Maker,
    (account, number, revived): (&str, usize, bool),
    people: &[Someone],
    (from, until): (Time, Time),
    owner: &str,
    chance: Chance,
) {
    let id = format!("D{}", maker.world.deals.len() + 1);
    let part = |part: f64| Time(from.0 + ((until.0 - from.0) as f64 * part / 1e6) as i64 * 1_000_000);
    let (created, closed) =
        if revived { (from.plus_days(222), from.plus_days(250)) } else { (part(0.60), until) };
    let thousands = (maker.dice.normal() * 0.8 + 3.2).exp().clamp(2.0, 900.0);
    let minor = (thousands * 100_000.0).round() as i64;
    let in_euro = maker.dice.chance(0.2);
    let open = !revived && maker.dice.chance(0.12);
    let won = revived || (!open && maker.dice.chance(chance.probability()));
    maker.fates.push((chance.counts, if in_euro { minor * 108 / 100 } else { minor }));
    let mut stages: Vec<(&str, Time)> = if revived {
        vec![("Qualified", created), ("Proposal", from.plus_days(240))]
    } else {
        STAGES.iter().map(|(stage, at)| (*stage, part(*at))).collect()
    };
    if open {
        stages.truncate(1 + maker.dice.below(3));
    } else {
        stages.push((if won { "Closed Won" } else { "Closed Lost" }, closed));
    }
    maker.world.deals.push(DealRow {
        id: id.clone(),
        account: account.to_owned(),
        name: format!("{} {}", if number == 0 { "Platform" } else { "Expansion" }, number + 1),
        amount: format!("{}.{:02}", minor / 100, minor % 100),
        currency: if in_euro { "EUR" } else { "USD" }.to_owned(),
        created_at: created.to_string(),
        closed_at: if open { String::new() } else { closed.to_string() },
        outcome: if open {
            "open"
        } else if won {
            "won"
        } else {
            "lost"
        }
        .to_owned(),
        stage: stages.last().map(|(stage, _)| (*stage).to_owned()).unwrap_or_default(),
        owner: owner.to_owned(),
        pipeline: if number == 0 { "new business" } else { "expansion" }.to_owned(),
    });
    for (stage, at) in stages {
        maker.world.stages.push(StageRow {
            deal: id.clone(),
            stage: stage.to_owned(),
            entered_at: at.to_string(),
        });
    }
    for (index, person) in people.iter().enumerate().take(4) {
        maker.world.committee.push(CommitteeRow {
            deal: id.clone(),
            person: person.id.clone(),
            role: person.role.to_owned(),
            is_primary: (index == 0).to_string(),
        });
    }
}

/// What real data always holds: duplicates, a merge, a change of company, scanners, a tester, deals out of the blue.
pub(crate) fn odd_things(maker: &mut Maker) {
    let world = &mut maker.world;
    let start = maker.plan.start;
    // The same rows twice.
    let twice: Vec<TouchRow> = world.touches.iter().take(5).cloned().collect();
    world.touches.extend(twice);
    if let Some(first) = world.people.first().cloned() {
        // One person under two ids, found by the address; and one that the CRM merged.
        world.people.push(PersonRow { id: "P-dup".to_owned(), ..first.clone() });
        world.people.push(PersonRow {
            id: "P-old".to_owned(),
            email: "old.address@mail.example".to_owned(),
            ..first.clone()
        });
        world.aliases.push(AliasRow {
            kind_a: "crm".to_owned(),
            id_a: "P-old".to_owned(),
            kind_b: "crm".to_owned(),
            id_b: first.id.clone(),
        });
        // A mail scanner follows every link of a mail at once.
        for link in 0..4_i64 {
            let at = Time(start.plus_days(30).0 + link * 300_000);
            let row = TouchRow {
                occurred_at: at.to_string(),
                email: first.email.clone(),
                kind: "email_click".to_owned(),
                direction: "inbound".to_owned(),
                channel: "email".to_owned(),
                content: format!("link {link}"),
                ..TouchRow::default()
            };
            push(maker, row);
        }
    }
    let world = &mut maker.world;
    if world.accounts.len() > 5 {
        // Someone leaves the fifth account for the sixth.
        let (from, to) = (world.accounts[4].clone(), world.accounts[5].clone());
        if let Some(person) = world.people.iter().find(|person| person.account == from.id).cloned() {
            let moved = PersonRow {
                id: "P-moved".to_owned(),
                account: to.id.clone(),
                email: format!("moved@{}", to.domain),
                created_at: start.plus_days(400).to_string(),
                ..person.clone()
            };
            world.people.push(moved);
            world.aliases.push(AliasRow {
                kind_a: "crm".to_owned(),
                id_a: "P-moved".to_owned(),
                kind_b: "crm".to_owned(),
                id_b: person.id,
            });
            let row = TouchRow {
                occurred_at: start.plus_days(420).to_string(),
                email: format!("moved@{}", to.domain),
                kind: "webinar".to_owned(),
                channel: "webinar".to_owned(),
                ..TouchRow::default()
            };
            push(maker, row);
        }
    }
    // One of our own people tries the site.
    for day in 0..6 {
        let row = TouchRow {
            occurred_at: start.plus_days(50 + day).to_string(),
            email: format!("tester@{}", crate::OWN_DOMAIN),
            kind: "visit".to_owned(),
            ..TouchRow::default()
        };
        push(maker, row);
    }
    // Strangers who never say who they are.
    for number in 0..maker.plan.accounts / 4 {
        let at = maker.dice.instant(start, maker.end);
        let row = TouchRow {
            occurred_at: at.to_string(),
            anonymous_id: format!("stranger-{number}"),
            kind: "visit".to_owned(),
            referrer: "https://duckduckgo.com/".to_owned(),
            ..TouchRow::default()
        };
        push(maker, row);
    }
    // Deals out of the blue: won, and nothing was ever recorded.
    for number in 0..2 {
        let id = format!("A-blue{number}");
        maker.world.accounts.push(AccountRow {
            id: id.clone(),
            name: format!("Blue Sky {number}"),
            domain: format!("blue-sky{number}.example"),
            ..AccountRow::default()
        });
        maker.world.deals.push(DealRow {
            id: format!("D-blue{number}"),
            account: id,
            name: "Out of the blue".to_owned(),
            amount: format!("{}000.00", 12 + number),
            currency: "USD".to_owned(),
            created_at: start.plus_days(100).to_string(),
            closed_at: start.plus_days(130).to_string(),
            outcome: "won".to_owned(),
            stage: "Closed Won".to_owned(),
            owner: AE[1].to_owned(),
            pipeline: "new business".to_owned(),
        });
    }
}
