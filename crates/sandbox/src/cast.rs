//! What all accounts share: reps, campaigns, exchange rates, and what advertising cost.

use rust_decimal::Decimal;
use tributary_core::time::{DAY_MICROS, Zone};
use tributary_core::{Currency, Money, Time};

use crate::TIME_ZONE;
use crate::channel::Channel;
use crate::names::{FAIRS, FIRST, LAST, PARTNERS, TALKS};
use crate::plan::Plan;
use crate::world::{Campaign, Rate, Rep, Spend, World};
use tributary_core::dice::Dice;

pub(crate) const HOUR: i64 = 3_600_000_000;

/// Two sales people to an SDR, about 25 accounts each.
pub(crate) fn reps(plan: &Plan) -> Vec<Rep> {
    let mut dice = Dice::new(plan.seed, "reps", 0);
    let count = (plan.account_count() / 17).clamp(3, 240);
    let first = dice.below(FIRST.len());
    let rep = |number: usize| Rep {
        // Walking both lists with steps prime to their length meets no name twice.
        name: format!(
            "{} {}",
            FIRST[(first + number * 7) % FIRST.len()],
            LAST[(first + number * 11 + number / 60) % LAST.len()]
        ),
        team: if number % 3 == 2 { "sdr" } else { "sales" },
    };
    (0..count).map(rep).collect()
}

/// Always-on campaigns, a webinar a month, a fair a quarter, a newsletter a month.
pub(crate) fn campaigns(plan: &Plan) -> Vec<Campaign> {
    let (start, end) = (plan.start, plan.end());
    let mut campaigns = Vec::new();
    let mut add = |channel, name: String, from, until| {
        campaigns.push(Campaign { name, channel, from, until });
    };
    for (channel, name) in [
        (Channel::PaidSearch, "brand-search"),
        (Channel::PaidSearch, "competitor-search"),
        (Channel::PaidSearch, "attribution-search"),
        (Channel::PaidSocial, "linkedin-revenue-leaders"),
        (Channel::PaidSocial, "linkedin-finance-abm"),
        (Channel::Retargeting, "retargeting-pricing-page"),
        (Channel::Retargeting, "retargeting-dormant-accounts"),
        (Channel::Display, "display-awareness"),
        (Channel::Email, "nurture-evaluation"),
        (Channel::Sdr, "outbound-finance-leaders"),
        (Channel::Sdr, "outbound-revenue-operations"),
    ] {
        add(channel, name.to_owned(), start, end);
    }
    for partner in PARTNERS {
        add(Channel::Partner, format!("partner-{partner}"), start, end);
    }
    let days = (end.0 - start.0) / DAY_MICROS;
    for (number, day) in (17..days - 1).step_by(30).enumerate() {
        let at = Time(weekday(start.plus_days(day)).0 + 15 * HOUR);
        let name = format!("Webinar: {} ({})", TALKS[number % TALKS.len()], month(at));
        add(Channel::Webinar, name, at, Time(at.0 + HOUR));
    }
    for (number, day) in (40..days - 3).step_by(91).enumerate() {
        let at = Time(weekday(start.plus_days(day)).0 + 8 * HOUR);
        let name = format!("{} {}", FAIRS[number % FAIRS.len()], &month(at)[..4]);
        add(Channel::Event, name, at, Time(at.0 + 34 * HOUR));
    }
    for day in (5..days).step_by(30) {
        let at = start.plus_days(day);
        add(Channel::Email, format!("newsletter-{}", month(at)), at, at.plus_days(30).min(end));
    }
    campaigns
}

/// `2026-03`
fn month(at: Time) -> String {
    let mut date = at.date_in(&Zone::default());
    date.truncate(7);
    date
}

/// The same day, or the Tuesday after a weekend's.
fn weekday(at: Time) -> Time {
    // 1970-01-01 was a Thursday.
    match (at.0.div_euclid(DAY_MICROS) + 4).rem_euclid(7) {
        6 => at.plus_days(3),
        0 => at.plus_days(2),
        _ => at,
    }
}

/// Euros in dollars, weekly: a walk around 1.09.
pub(crate) fn rates(plan: &Plan) -> Vec<Rate> {
    let mut dice = Dice::new(plan.seed, "rates", 0);
    let mut rate = 10_900_i64;
    let weeks = (plan.end().0 - plan.start.0) / DAY_MICROS / 7;
    (-1..=weeks)
        .map(|week| {
            rate += dice.below(161) as i64 - 80 + (10_900 - rate) / 20;
            let day = plan.start.plus_days(week * 7);
            Rate { day, from: Currency::EUR, to: Currency::USD, rate: Decimal::new(rate, 4) }
        })
        .collect()
}

/// What the ads of a day cost: the clicks that came, and as much again and more for those that led nowhere.
pub(crate) fn spend(world: &World) -> Vec<Spend> {
    let zone = Zone::parse(TIME_ZONE).unwrap_or_default();
    let mut days = Vec::new();
    let mut at = Time(world.plan.start.0 + 12 * HOUR);
    while at < world.plan.end() {
        let day = zone.day_of(at);
        days.push(day.from);
        at = Time(day.until.0 + 12 * HOUR);
    }
    let mut clicks = vec![vec![0_u32; days.len()]; world.campaigns.len()];
    for touch in &world.touches {
        if let Some(campaign) = touch.campaign {
            let day = days.partition_point(|day| *day <= touch.at).max(1) - 1;
            clicks[campaign][day] += 1;
        }
    }
    let mut dice = Dice::new(world.plan.seed, "spend", 0);
    let size = world.accounts.len() as f64;
    let mut spend = Vec::new();
    for (campaign, of) in world.campaigns.iter().enumerate() {
        // Cents a click, and what is spent each day whether anybody clicks or not, for every account aimed at.
        let (cents, idle) = match of.channel {
            Channel::PaidSearch => (900.0, 90.0),
            Channel::PaidSocial => (1_200.0, 80.0),
            Channel::Retargeting => (350.0, 20.0),
            Channel::Display => (40.0, 60.0),
            _ => continue,
        };
        let currency = if of.name == "linkedin-finance-abm" { Currency::EUR } else { Currency::USD };
        for (day, from) in days.iter().enumerate() {
            let cost = f64::from(clicks[campaign][day]) * cents + idle * size;
            let minor = (cost * dice.between(0.8, 1.2)).round() as i64;
            spend.push(Spend { day: *from, campaign, amount: Money::new(minor, currency) });
        }
    }
    spend
}
