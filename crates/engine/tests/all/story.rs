//! Books from texts, and the `check` functions.
//!
//! `visit@1 email@5:by=bob:team=sales | lead=3 opp=5 close=9 usd=140.00 | close=20 lost` is an account with two
//! touches and two deals. Numbers after `@` and `=` are days.
//!
//! - A touch is `channel@day`, then any of `:by=NAME` (`ann` unless said, `-` for nobody), `:kind=`, `:team=`,
//!   `:campaign=`, `:content=`, `:rep=`, `:source=`, `:weight=0.5`, `:outbound`.
//! - After each bar come a deal's words: `opp=`, `close=`, `won` (so unless said, once it has closed), `lost`, `open`,
//!   an amount such as `usd=12.50`, `pipeline=`, `stage.NAME=day`, `committee=NAME:role`, `primary=NAME:role`.
//! - Of people: `lead=day` (ann's creation), `lead.NAME=day`, `member.NAME=day` (a lead, but counted elsewhere),
//!   `role.NAME=role`. `nowhere` makes it a place for people without an account.
//! - Anything else with `=` is an attribute of the deal; with `account.` before it, of the account.

use std::collections::BTreeMap;

use tributary_core::book::{Account, Book, Deal, Direction, Member, NOBODY, Outcome, Person, Term, Touch};
use tributary_core::fact::FULL_WEIGHT;
use tributary_core::id::Hash;
use tributary_core::time::DAY_MICROS;
use tributary_core::{AccountId, Currency, DealId, Money, PersonId, Time, TouchId};
use tributary_engine::journey::Subject;
use tributary_engine::model::Rule;
use tributary_engine::{By, Goal, Model, Policy, Rates, attribute, explain, journeys};

/// Texts as accounts, each with a name of its own.
pub(crate) fn book(accounts: &[&str]) -> Book {
    let named: Vec<(String, &str)> =
        accounts.iter().enumerate().map(|(index, text)| (format!("account {index}"), *text)).collect();
    book_from(&named, 0)
}

/// Named texts as accounts, all their times moved by some microseconds.
pub(crate) fn book_from(accounts: &[(String, &str)], shift: i64) -> Book {
    let mut book = Book::default();
    for (name, text) in accounts {
        Writer { book: &mut book, name, shift, people: BTreeMap::new() }.account(text);
    }
    book
}

/// A day since the beginning.
pub(crate) fn day(text: &str) -> Time {
    let days: f64 = text.parse().unwrap_or_else(|_| panic!("`{text}` is not a day"));
    Time((days * DAY_MICROS as f64).round() as i64)
}

/// A built-in model by name, or one in TOML.
pub(crate) fn model(text: &str) -> Model {
    if text.contains('=') { Model::parse("custom", text).unwrap() } else { Model::builtin(text).unwrap() }
}

/// Won deals at day 100.
pub(crate) fn policy() -> Policy {
    Policy::new(day("100"))
}

/// Policies for another goal.
pub(crate) fn goal(goal: Goal) -> Policy {
    Policy { goal, ..policy() }
}

/// Credits the won deals of one account and compares every touch: `visit 70.00, email 70.00`.
#[track_caller]
pub(crate) fn check(text: &str, model: &str, expected: &str) {
    check_under(&policy(), text, model, expected);
}

/// As [`check`], under a policy. Journeys are parted by ` | `, and one that no touch gets is `nothing 12.00`.
#[track_caller]
pub(crate) fn check_under(policy: &Policy, text: &str, model: &str, expected: &str) {
    assert_eq!(told(policy, &[text], model), expected, "{model}: {text}");
}

/// What every touch of every journey gets, in words.
pub(crate) fn told(policy: &Policy, accounts: &[&str], name: &str) -> String {
    let book = book(accounts);
    let (model, rates) = (model(name), Rates::default());
    let found = journeys(&book, policy);
    let mut all = Vec::new();
    for journey in &found.list {
        let touches = explain::explain(&found, journey, std::slice::from_ref(&model), &rates, Currency::USD);
        let told: Vec<String> = touches
            .iter()
            .filter(|touch| touch.credits[0].weight > 0.0)
            .map(|touch| {
                let channel = book.terms.get(book.touches.channel[touch.row]).unwrap_or("?");
                format!("{channel} {}", amount(policy.goal, touch.credits[0].credit_minor))
            })
            .collect();
        all.push(if told.is_empty() {
            let worth = match journey.subject {
                Subject::Deal(deal) => book.deals[deal].amount.map_or(0, |money| money.minor),
                Subject::Lead(_) => 1_000_000,
                Subject::Account => 0,
            };
            format!("nothing {}", amount(policy.goal, worth))
        } else {
            told.join(", ")
        });
    }
    all.join(" | ")
}

/// The rules that every touch of the won deals met, in words.
pub(crate) fn rules(account: &str, name: &str) -> String {
    let book = book(&[account]);
    let (model, policy) = (model(name), policy());
    let found = journeys(&book, &policy);
    let mut all = Vec::new();
    for journey in &found.list {
        let rows = found.touches(journey);
        let (mut met, mut weights) = (vec![Vec::new(); rows.len()], Vec::new());
        let told = &mut |place: usize, rule: Rule<'_>| met[place].push(rule.to_string());
        model.bind(&found).weigh(&found, journey, &mut weights, told);
        all.extend(rows.iter().zip(met).map(|(row, met)| {
            let channel = book.terms.get(book.touches.channel[row]).unwrap_or("?");
            format!("{channel}: {}", met.join(" + "))
        }));
    }
    all.join(", ")
}

/// Credit by a dimension in words: `visit 70.00, - 70.00`, a `-` for no key; what is unattributed comes last.
pub(crate) fn by(policy: &Policy, accounts: &[&str], name: &str, by: By) -> String {
    let book = book(accounts);
    let credit = attribute(&journeys(&book, policy), &model(name), by, &Rates::default(), Currency::USD);
    let mut told: Vec<String> = credit
        .rows
        .iter()
        .map(|row| format!("{} {}", row.key.as_deref().unwrap_or("-"), amount(policy.goal, row.credit_minor)))
        .collect();
    if credit.unattributed_minor != 0 {
        told.push(format!("unattributed {}", amount(policy.goal, credit.unattributed_minor)));
    }
    told.join(", ")
}

fn amount(goal: Goal, minor: i64) -> String {
    if goal == Goal::Lead {
        return format!("{minor}");
    }
    Money::new(minor, Currency::USD).to_decimal().to_string()
}

struct Writer<'a> {
    book: &'a mut Book,
    name: &'a str,
    shift: i64,
    people: BTreeMap<String, u32>,
}

impl Writer<'_> {
    fn account(&mut self, text: &str) {
        let sections: Vec<&str> = text.split('|').collect();
        let [people, deals, touches] =
            [self.book.people.len(), self.book.deals.len(), self.book.touches.len()];
        let key = self.book.terms.intern(self.name);
        let mut account = Account {
            id: Some(AccountId(Hash::of("account", &[self.name]))),
            key,
            label: Term::NONE,
            touches: touches..touches,
            people: people..people,
            deals: deals..deals,
            attributes: Vec::new(),
        };
        let mut said: Vec<(Time, &str)> = sections[0]
            .split_whitespace()
            .map(|word| {
                let (_, rest) = word.split_once('@').unwrap_or_else(|| panic!("`{word}` has no day"));
                (self.at(rest.split(':').next().unwrap()), word)
            })
            .collect();
        said.sort_by_key(|(at, _)| *at);
        for (index, (at, word)) in said.iter().enumerate() {
            self.touch(index, *at, word);
        }
        for (index, section) in sections[1..].iter().enumerate() {
            self.deal(index, section, &mut account);
        }
        account.people.end = self.book.people.len();
        account.deals.end = self.book.deals.len();
        account.touches.end = self.book.touches.len();
        self.book.accounts.push(account);
    }

    fn at(&self, text: &str) -> Time {
        Time(day(text).0 + self.shift)
    }

    /// A person's row. Names in upper case are the same person under every account.
    fn person(&mut self, name: &str) -> u32 {
        if let Some(row) = self.people.get(name) {
            return *row;
        }
        let own = if name.starts_with(char::is_uppercase) { "" } else { self.name };
        let key = self.book.terms.intern(name);
        self.book.people.push(Person {
            id: PersonId(Hash::of("person", &[own, name])),
            key,
            label: key,
            role: Term::NONE,
            created_at: None,
            is_lead_here: false,
        });
        let row = self.book.people.len() as u32 - 1;
        self.people.insert(name.to_owned(), row);
        row
    }

    fn touch(&mut self, index: usize, at: Time, word: &str) {
        let mut parts = word.split(':');
        let channel = parts.next().unwrap().split('@').next().unwrap();
        let channel = self.book.terms.intern(channel);
        let mut touch = Touch {
            id: TouchId(Hash::of("touch", &[self.name, &index.to_string()])),
            at,
            kind: channel,
            channel,
            weight: FULL_WEIGHT,
            ..Touch::default()
        };
        let mut who = "ann";
        for part in parts {
            let (field, value) = part.split_once('=').unwrap_or((part, ""));
            let mut term = || self.book.terms.intern(value);
            match field {
                "by" => who = value,
                "kind" => touch.kind = term(),
                "team" => touch.team = term(),
                "campaign" => touch.campaign = term(),
                "content" => touch.content = term(),
                "rep" => touch.actor = term(),
                "source" => touch.source = term(),
                "weight" => {
                    touch.weight = (value.parse::<f64>().unwrap() * f64::from(FULL_WEIGHT)) as u32;
                }
                "outbound" => touch.direction = Direction::Outbound,
                _ => panic!("a touch has no `{field}`"),
            }
        }
        touch.person = if who == "-" { NOBODY } else { self.person(who) };
        self.book.touches.push(touch);
    }

    fn deal(&mut self, index: usize, section: &str, account: &mut Account) {
        let key = format!("{}, deal {index}", self.name);
        let mut deal = Deal {
            id: DealId(Hash::of("deal", &[&key])),
            key: self.book.terms.intern(&key),
            label: Term::NONE,
            amount: None,
            created_at: None,
            closed_at: None,
            outcome: Outcome::Open,
            stage: Term::NONE,
            owner: Term::NONE,
            pipeline: Term::NONE,
            stages: Vec::new(),
            committee: Vec::new(),
            attributes: Vec::new(),
        };
        let mut is_deal = false;
        for word in section.split_whitespace() {
            let (field, value) = word.split_once('=').unwrap_or((word, ""));
            let (field, of) = field.split_once('.').unwrap_or((field, ""));
            let of_ann = if of.is_empty() { "ann" } else { of };
            let own = !matches!(field, "lead" | "member" | "role" | "account" | "nowhere");
            is_deal |= own;
            match field {
                "lead" | "member" => {
                    let (at, row) = (self.at(value), self.person(of_ann) as usize);
                    let person = &mut self.book.people[row];
                    (person.created_at, person.is_lead_here) = (Some(at), field == "lead");
                }
                "role" => {
                    let (role, row) = (self.book.terms.intern(value), self.person(of) as usize);
                    self.book.people[row].role = role;
                }
                "nowhere" => (account.id, account.key) = (None, Term::NONE),
                "account" => {
                    account.attributes.push((self.book.terms.intern(of), self.book.terms.intern(value)));
                }
                "opp" => deal.created_at = Some(self.at(value)),
                "close" => {
                    (deal.closed_at, deal.outcome) = (Some(self.at(value)), Outcome::Won);
                }
                "won" => deal.outcome = Outcome::Won,
                "lost" => deal.outcome = Outcome::Lost,
                "open" => deal.outcome = Outcome::Open,
                "pipeline" => deal.pipeline = self.book.terms.intern(value),
                "stage" => deal.stages.push((self.book.terms.intern(of), self.at(value))),
                "committee" | "primary" => {
                    let (name, role) = value.split_once(':').unwrap_or((value, ""));
                    let (person, role) = (self.person(name), self.book.terms.intern(role));
                    deal.committee.push(Member { person, role, is_primary: field == "primary" });
                }
                code => {
                    if let Ok(currency) = Currency::parse(code) {
                        deal.amount = Some(Money::parse(value, currency).unwrap());
                    } else {
                        let pair = (self.book.terms.intern(field), self.book.terms.intern(value));
                        deal.attributes.push(pair);
                    }
                }
            }
        }
        if is_deal {
            self.book.deals.push(deal);
        }
    }
}
