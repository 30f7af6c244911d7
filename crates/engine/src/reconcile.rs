//! Credit + unattributed + unconverted = won, per currency and in total, every difference with its reason.
//!
//! What was won is added up from the deals of the book, choosing them anew by the policy; journeys have no part in
//! it. What was credited comes out of [`attribute`] itself, once for each currency and once for all. So a deal that
//! a journey dropped, doubled or changed shows, and so does a cent that the split lost.

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_core::book::{Account, Book, Deal, Outcome, Term};
use tributary_core::{Currency, Money, Time};

use crate::credit::{Attribution, By, Worth, attribute, worth};
use crate::journey::{Goal, Journey, Journeys, ONE_LEAD, Policy, Subject, Value};
use crate::money::Rates;
use crate::splitter::Splits;

/// One currency's accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The deals' own currency.
    pub currency: String,
    /// Deals with an amount in it.
    pub deals: u64,
    /// Their amount, in its minor units.
    pub won_minor: i64,
    /// Converted, in minor units of the reporting currency.
    pub converted_minor: i64,
    /// Credited, in the reporting currency.
    pub credit_minor: i64,
    /// Not credited, since no touch weighs anything, in the reporting currency.
    pub unattributed_minor: i64,
    /// Not converted, since there is no rate, in its own minor units.
    pub unconverted_minor: i64,
}

/// A deal that stands outside the credit, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// The deal's id in its source.
    pub deal: String,
    /// Its name.
    pub label: String,
    /// Its amount in its own currency.
    pub amount: Option<Money>,
    /// Why.
    pub reason: String,
}

/// The accounts of all won deals (lost or all deals, if that is the goal).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// The reporting currency.
    pub currency: Currency,
    /// By currency.
    pub lines: Vec<Line>,
    /// Deals outside the credit.
    pub exceptions: Vec<Exception>,
    /// Whether credit + unattributed + unconverted equals what was won, in every currency and in total.
    pub balances: bool,
}

/// The reason of a deal that a mistake of ours left out.
const MISSING: &str = "asked for, but in no journey";

/// Checks one model's credit against the deals themselves.
pub fn reconcile<'m>(
    journeys: &Journeys<'_>,
    model: impl Into<Splits<'m>>,
    rates: &Rates,
    reporting: Currency,
) -> Reconciliation {
    let model = model.into();
    let books = Books::of(journeys.book, &journeys.policy, rates, reporting);
    let whole = attribute(journeys, model, By::Channel, rates, reporting);
    let mut part = journeys.clone();
    let mut balances = books.match_total(&whole);
    let mut lines = Vec::new();
    for (currency, won) in &books.by_currency {
        let theirs =
            |journey: &&Journey| matches!(journey.value, Value::Money(it) if it.currency == *currency);
        part.list = journeys.list.iter().filter(theirs).cloned().collect();
        let credit = attribute(&part, model, By::Channel, rates, reporting);
        balances &= won.matches(&credit);
        lines.push(Line {
            currency: currency.to_string(),
            deals: won.deals,
            won_minor: won.amount_minor,
            converted_minor: won.converted_minor,
            credit_minor: credited(&credit),
            unattributed_minor: credit.unattributed_minor,
            unconverted_minor: unconverted(&credit).0,
        });
    }
    let total = |value: fn(&Line) -> i64| lines.iter().map(value).sum::<i64>();
    if journeys.goal != Goal::Lead {
        balances &= total(|line| line.credit_minor) == credited(&whole);
        balances &= total(|line| line.unattributed_minor) == whole.unattributed_minor;
    }
    let exceptions = exceptions(journeys, model, rates, reporting);
    balances &= exceptions.iter().all(|exception| exception.reason != MISSING);
    Reconciliation { currency: reporting, lines, exceptions, balances }
}

fn credited(credit: &Attribution) -> i64 {
    credit.rows.iter().map(|row| row.credit_minor).sum()
}

/// Money without a rate, in its own minor units, and its deals.
fn unconverted(credit: &Attribution) -> (i64, u64) {
    let lines = &credit.unconverted;
    (lines.iter().map(|line| line.amount_minor).sum(), lines.iter().map(|line| line.deals).sum())
}

/// What the deals of one currency say by themselves.
#[derive(Clone, Copy, Debug, Default)]
struct Won {
    deals: u64,
    amount_minor: i64,
    converted_minor: i64,
    /// Of the deals that have a rate, in their own minor units.
    with_rate_minor: i64,
    with_rate: u64,
}

impl Won {
    /// Whether the credit of the currency's deals is all of it, and no more.
    fn matches(&self, credit: &Attribution) -> bool {
        let (unconverted_minor, unconverted_deals) = unconverted(credit);
        self.converted_minor == credited(credit) + credit.unattributed_minor
            && self.converted_minor == credit.total_minor
            && self.amount_minor == self.with_rate_minor + unconverted_minor
            && self.with_rate == credit.deals
            && self.deals == self.with_rate + unconverted_deals
    }
}

/// What a book's deals say by themselves.
#[derive(Clone, Debug, Default)]
struct Books {
    by_currency: BTreeMap<Currency, Won>,
    /// Deals without an amount.
    blank: u64,
    leads: u64,
}

impl Books {
    fn of(book: &Book, policy: &Policy, rates: &Rates, reporting: Currency) -> Self {
        let mut out = Self::default();
        if policy.goal == Goal::Lead {
            out.leads = leads(book, policy);
            return out;
        }
        for account in &book.accounts {
            for deal in &book.deals[account.deals.clone()] {
                let Some(end) = asked(book, account, deal, policy) else { continue };
                let Some(amount) = deal.amount else {
                    out.blank += 1;
                    continue;
                };
                let won = out.by_currency.entry(amount.currency).or_default();
                won.deals += 1;
                won.amount_minor += amount.minor;
                if let Some(converted) = rates.convert(amount, reporting, end) {
                    won.converted_minor += converted.minor;
                    won.with_rate_minor += amount.minor;
                    won.with_rate += 1;
                }
            }
        }
        out
    }

    /// Whether the credit of all journeys is all there is, and no more.
    fn match_total(&self, credit: &Attribution) -> bool {
        let sum = |value: fn(&Won) -> i64| self.by_currency.values().map(value).sum::<i64>();
        let with_rate: u64 = self.by_currency.values().map(|won| won.with_rate).sum();
        let converted = sum(|won| won.converted_minor) + self.leads as i64 * ONE_LEAD;
        converted == credited(credit) + credit.unattributed_minor
            && converted == credit.total_minor
            && with_rate + self.blank + self.leads == credit.deals
    }
}

/// When a deal's journey ends, if the deal is asked for: the rules of the policy, put a second time.
fn asked(book: &Book, account: &Account, deal: &Deal, policy: &Policy) -> Option<Time> {
    if outside_goal(deal, policy.goal) {
        return None;
    }
    let closed = deal.closed_at.unwrap_or(policy.as_of);
    let (end, dated) = match policy.goal {
        Goal::Opportunity => [deal.created_at.unwrap_or(closed); 2].into(),
        Goal::Open => (policy.as_of, deal.created_at.unwrap_or(policy.as_of)),
        Goal::Won | Goal::Lost | Goal::Lead => (closed, closed),
    };
    let pipeline = book.terms.get(deal.pipeline).unwrap_or("");
    let in_pipeline = policy.pipelines.is_empty() || policy.pipelines.contains(pipeline);
    let in_period = policy.period.is_none_or(|period| period.contains(dated));
    let fits = |pair| says(book, &deal.attributes, pair) || says(book, &account.attributes, pair);
    (in_pipeline && in_period && policy.filter.iter().all(fits)).then_some(end)
}

fn outside_goal(deal: &Deal, goal: Goal) -> bool {
    match goal {
        Goal::Won => deal.outcome != Outcome::Won,
        Goal::Lost => deal.outcome != Outcome::Lost,
        Goal::Open => deal.outcome != Outcome::Open,
        Goal::Opportunity => false,
        Goal::Lead => true,
    }
}

fn says(book: &Book, attributes: &[(Term, Term)], (name, value): &(String, String)) -> bool {
    attributes.iter().any(|(its, has)| {
        book.terms.get(*its) == Some(name.as_str()) && book.terms.get(*has) == Some(value.as_str())
    })
}

fn leads(book: &Book, policy: &Policy) -> u64 {
    let fits = |account: &&Account| policy.filter.iter().all(|pair| says(book, &account.attributes, pair));
    let people = book.accounts.iter().filter(fits).flat_map(|account| &book.people[account.people.clone()]);
    let created = people.filter(|person| person.is_lead_here).filter_map(|person| person.created_at);
    created.filter(|at| policy.period.is_none_or(|period| period.contains(*at))).count() as u64
}

/// The deals outside the credit, by reason, then by deal.
fn exceptions(
    journeys: &Journeys<'_>,
    model: Splits<'_>,
    rates: &Rates,
    reporting: Currency,
) -> Vec<Exception> {
    let book = journeys.book;
    let text = |term| book.terms.get(term).unwrap_or_default().to_owned();
    let mut found = Vec::new();
    let mut except = |deal: &Deal, reason: &str| {
        found.push(Exception {
            deal: text(deal.key),
            label: text(deal.label),
            amount: deal.amount,
            reason: reason.to_owned(),
        });
    };
    let mut bound = model.bind(journeys);
    let mut weights = Vec::new();
    let mut counted = vec![false; book.deals.len()];
    for journey in &journeys.list {
        let Subject::Deal(row) = journey.subject else { continue };
        counted[row] = true;
        let deal = &book.deals[row];
        bound.weights(journeys, journey, &mut weights);
        match (journey.value, worth(journey, rates, reporting)) {
            (Value::Nothing, _) => except(deal, "no amount"),
            (_, Worth::Unconverted(money)) => except(
                deal,
                &format!(
                    "unconverted: no rate from {} to {reporting} at or before the close",
                    money.currency
                ),
            ),
            _ if journey.touches.is_empty() => except(deal, "unattributed: no touch before the close"),
            _ if weights.iter().all(|weight| *weight <= 0.0) => {
                except(deal, "unattributed: the model gives no touch any weight");
            }
            _ => {}
        }
    }
    for account in &book.accounts {
        for row in account.deals.clone() {
            let deal = &book.deals[row];
            if counted[row] || outside_goal(deal, journeys.goal) {
                continue;
            }
            except(
                deal,
                match asked(book, account, deal, &journeys.policy) {
                    None => "outside the asked period, pipelines or filter",
                    Some(_) => MISSING,
                },
            );
        }
    }
    found.sort_by(|a, b| (&a.reason, &a.deal).cmp(&(&b.reason, &b.deal)));
    found
}
