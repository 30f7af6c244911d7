//! Credit + unattributed + unconverted = won, and whoever breaks it is found out.

use tributary_core::{Currency, Money, Time};
use tributary_engine::journey::{Journeys, Value};
use tributary_engine::reconcile::{Reconciliation, reconcile};
use tributary_engine::{Goal, Policy, Rates, journeys};

use crate::story::{book, day, goal, model, policy};

const DEALS: &[&str] = &[
    "a@1 b@2 | close=9 usd=10.00 | close=9 eur=7.00 | close=9 jpy=300 | close=2 jpy=99",
    "| close=9 usd=5.00 | close=9 jpy=200",
    "direct@1 | close=9 usd=1.00 | close=9 lost usd=64.00 | open usd=128.00 | close=9",
    "a@1 | close=20 usd=2.00 | close=9 usd=4.00 pipeline=renewal",
];

fn rates() -> Rates {
    let mut rates = Rates::default();
    rates.add(day("3"), Currency::parse("JPY").unwrap(), Currency::USD, "0.01".parse().unwrap());
    rates
}

fn accounts(policy: &Policy, name: &str, tamper: impl FnOnce(&mut Journeys<'_>)) -> Reconciliation {
    let book = book(DEALS);
    let mut found = journeys(&book, policy);
    tamper(&mut found);
    reconcile(&found, &model(name), &rates(), Currency::USD)
}

fn told(it: &Reconciliation) -> Vec<String> {
    let line = |line: &tributary_engine::reconcile::Line| {
        format!(
            "{} x{}: won {}, converted {} = credit {} + unattributed {}; unconverted {}",
            line.currency,
            line.deals,
            line.won_minor,
            line.converted_minor,
            line.credit_minor,
            line.unattributed_minor,
            line.unconverted_minor
        )
    };
    it.lines.iter().map(line).collect()
}

fn reasons(it: &Reconciliation) -> Vec<String> {
    it.exceptions.iter().map(|exception| format!("{}: {}", exception.deal, exception.reason)).collect()
}

#[test]
fn every_won_deal_is_credited_unattributed_or_unconverted() {
    let it = accounts(&policy(), "linear", |_| {});
    assert_eq!(
        told(&it),
        [
            "EUR x1: won 700, converted 0 = credit 0 + unattributed 0; unconverted 700",
            "JPY x3: won 599, converted 500 = credit 300 + unattributed 200; unconverted 99",
            "USD x5: won 2200, converted 2200 = credit 1700 + unattributed 500; unconverted 0",
        ]
    );
    assert_eq!(
        reasons(&it),
        [
            "account 2, deal 3: no amount",
            "account 1, deal 0: unattributed: no touch before the close",
            "account 1, deal 1: unattributed: no touch before the close",
            "account 0, deal 1: unconverted: no rate from EUR to USD at or before the close",
            "account 0, deal 3: unconverted: no rate from JPY to USD at or before the close",
        ]
    );
    assert!(it.balances);
}

#[test]
fn what_was_not_asked_for_is_an_exception_and_not_won() {
    let within = Policy {
        period: Some(tributary_core::time::Span { from: Time::MIN, until: day("10") }),
        pipelines: [String::new()].into(),
        ..policy()
    };
    let it = accounts(&within, "rest = 1.0\nexclude = { channel = [\"direct\"] }", |_| {});
    assert!(told(&it)[2].starts_with("USD x3: won 1600, converted 1600 = credit 1000 + unattributed 600;"));
    let reasons = reasons(&it);
    assert!(
        reasons.contains(&"account 2, deal 0: unattributed: the model gives no touch any weight".to_owned())
    );
    for deal in ["account 3, deal 0", "account 3, deal 1"] {
        assert!(reasons.contains(&format!("{deal}: outside the asked period, pipelines or filter")));
    }
    assert!(it.balances);
}

#[test]
fn other_goals_balance_too() {
    for (name, deals) in [(Goal::Lost, 1), (Goal::Opportunity, 11)] {
        let it = accounts(&goal(name), "w", |_| {});
        assert!(it.balances, "{name:?}");
        assert_eq!(it.lines.iter().map(|line| line.deals).sum::<u64>(), deals, "{name:?}");
    }
    assert!(accounts(&goal(Goal::Lead), "linear", |_| {}).balances);
}

#[test]
fn a_deal_that_the_journeys_lost_doubled_or_changed_breaks_the_balance() {
    let broken = |tamper: fn(&mut Journeys<'_>)| accounts(&policy(), "linear", tamper);
    for (name, tamper) in [
        ("lost", (|it| drop(it.list.remove(0))) as fn(&mut Journeys<'_>)),
        ("lost a deal without rate", |it| drop(it.list.remove(1))),
        ("lost a deal without amount", |it| it.list.retain(|journey| journey.value != Value::Nothing)),
        ("doubled", |it| it.list.push(it.list[0].clone())),
        ("one for another", |it| it.list[0] = it.list[4].clone()),
        ("one for another of the same amount", |it| {
            let value = it.list[0].value;
            it.list[0] = it.list[4].clone();
            it.list[0].value = value;
        }),
        ("a cent more", |it| it.list[0].value = Value::Money(Money::new(1001, Currency::USD))),
        ("another currency", |it| it.list[0].value = Value::Money(Money::new(1000, Currency::EUR))),
        ("no amount", |it| it.list[0].value = Value::Nothing),
        ("an earlier rate", |it| it.list[2].end = day("2")),
        ("a later rate", |it| it.list[3].end = day("9")),
    ] {
        assert!(!broken(tamper).balances, "{name}");
    }
    let it = broken(|it| drop(it.list.remove(0)));
    assert!(reasons(&it).contains(&"account 0, deal 0: asked for, but in no journey".to_owned()));
}

#[test]
fn a_lost_lead_breaks_the_balance() {
    let book = book(&["a@1 | lead=3 lead.bob=4"]);
    let leads = goal(Goal::Lead);
    let mut found = journeys(&book, &leads);
    let balances =
        |found: &Journeys<'_>| reconcile(found, &model("linear"), &rates(), Currency::USD).balances;
    assert!(balances(&found));
    found.list.pop();
    assert!(!balances(&found));
}
