//! Rows for BI: one table a function, one row at a time, so that a million touches need no memory.

use serde::Serialize;
use tributary_core::book::Outcome;
use tributary_core::{Book, Time};
use tributary_engine::journey::Subject;
use tributary_engine::{Model, explain, journeys};

use crate::journey::text;
use crate::{Data, Question};

/// An account.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "columns, named as in the canonical files")]
pub struct AccountRow {
    pub id: Option<String>,
    pub name: Option<String>,
    pub domain: Option<String>,
    pub industry: Option<String>,
    pub region: Option<String>,
    pub segment: Option<String>,
    pub owner: Option<String>,
}

/// A person as a member of an account.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "columns, named as in the canonical files")]
pub struct PersonRow {
    pub id: Option<String>,
    pub account: Option<String>,
    pub name: Option<String>,
    pub role: Option<String>,
    pub created_at: Option<String>,
}

/// A deal.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "columns, named as in the canonical files")]
pub struct DealRow {
    pub id: Option<String>,
    pub account: Option<String>,
    pub name: Option<String>,
    pub amount: Option<String>,
    pub currency: Option<String>,
    pub created_at: Option<String>,
    pub closed_at: Option<String>,
    pub outcome: &'static str,
    pub stage: Option<String>,
    pub owner: Option<String>,
    pub pipeline: Option<String>,
}

/// A touch.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "columns, named as in the canonical files")]
pub struct TouchRow {
    pub id: String,
    pub occurred_at: String,
    pub account: Option<String>,
    pub person: Option<String>,
    pub kind: Option<String>,
    pub direction: &'static str,
    pub channel: Option<String>,
    pub campaign: Option<String>,
    pub content: Option<String>,
    pub team: Option<String>,
    pub actor: Option<String>,
    pub source: Option<String>,
    pub weight: f64,
}

/// What one model gives one touch of one deal.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CreditRow {
    pub model: String,
    pub goal: tributary_engine::Goal,
    pub deal: Option<String>,
    /// The person, for the goal `lead`.
    pub lead: Option<String>,
    /// Empty for money that no touch gets.
    pub touch: Option<String>,
    pub rule: String,
    pub weight: f64,
    pub credit: String,
    pub currency: Option<String>,
}

/// The accounts.
pub fn accounts(book: &Book) -> impl Iterator<Item = AccountRow> {
    book.accounts.iter().filter(|account| account.id.is_some()).map(|account| {
        let attribute = |name: &str| {
            let name = book.terms.find(name)?;
            account
                .attributes
                .iter()
                .find(|(known, _)| *known == name)
                .and_then(|(_, value)| text(book, *value))
        };
        AccountRow {
            id: text(book, account.key),
            name: text(book, account.label),
            domain: attribute("domain"),
            industry: attribute("industry"),
            region: attribute("region"),
            segment: attribute("segment"),
            owner: attribute("owner"),
        }
    })
}

/// The people, once for each account they belong to.
pub fn people(book: &Book) -> impl Iterator<Item = PersonRow> {
    book.accounts.iter().flat_map(move |account| {
        book.people[account.people.clone()].iter().map(move |person| PersonRow {
            id: text(book, person.key),
            account: text(book, account.key),
            name: text(book, person.label),
            role: text(book, person.role),
            created_at: time(person.created_at),
        })
    })
}

/// The deals.
pub fn deals(book: &Book) -> impl Iterator<Item = DealRow> {
    book.accounts.iter().flat_map(move |account| {
        book.deals[account.deals.clone()].iter().map(move |deal| DealRow {
            id: text(book, deal.key),
            account: text(book, account.key),
            name: text(book, deal.label),
            amount: deal.amount.map(|amount| amount.to_decimal().to_string()),
            currency: deal.amount.map(|amount| amount.currency.to_string()),
            created_at: time(deal.created_at),
            closed_at: time(deal.closed_at),
            outcome: match deal.outcome {
                Outcome::Open => "open",
                Outcome::Won => "won",
                Outcome::Lost => "lost",
            },
            stage: text(book, deal.stage),
            owner: text(book, deal.owner),
            pipeline: text(book, deal.pipeline),
        })
    })
}

/// The touches.
pub fn touches(book: &Book) -> impl Iterator<Item = TouchRow> {
    book.accounts.iter().flat_map(move |account| {
        account.touches.clone().map(move |row| {
            let touch = crate::journey::touch(book, row, None);
            TouchRow {
                id: touch.id,
                occurred_at: book.touches.at[row].to_string(),
                account: text(book, account.key),
                person: touch.person.and_then(|person| person.key),
                kind: touch.kind,
                direction: match touch.direction {
                    tributary_core::book::Direction::Inbound => "inbound",
                    tributary_core::book::Direction::Outbound => "outbound",
                },
                channel: touch.channel,
                campaign: touch.campaign,
                content: touch.content,
                team: touch.team,
                actor: touch.actor,
                source: touch.source,
                weight: f64::from(book.touches.weight[row]) / f64::from(tributary_core::fact::FULL_WEIGHT),
            }
        })
    })
}

/// What each model gives each touch of each deal, and what it leaves; each deal adds up to its worth.
pub fn credits<E>(
    data: &Data,
    question: &Question,
    models: &[Model],
    mut row: impl FnMut(CreditRow) -> Result<(), E>,
) -> Result<(), E> {
    let book = &data.book;
    let journeys = journeys(book, &question.policy);
    let currency = question.currency;
    for journey in &journeys.list {
        let tributary_engine::credit::Worth::Minor(worth) =
            tributary_engine::credit::worth(journey, &data.rates, currency)
        else {
            continue;
        };
        let touches = explain::explain(&journeys, journey, models, &data.rates, currency);
        let (deal, lead) = match journey.subject {
            Subject::Deal(deal) => (text(book, book.deals[deal].key), None),
            Subject::Lead(person) => (None, text(book, book.people[person].key)),
        };
        for (index, model) in models.iter().enumerate() {
            let mut left = worth;
            let line = |touch: Option<String>, rule: String, weight: f64, minor: i64| CreditRow {
                model: model.name.clone(),
                goal: journeys.goal,
                deal: deal.clone(),
                lead: lead.clone(),
                touch,
                rule,
                weight,
                credit: amount(journeys.goal, minor, currency),
                currency: (lead.is_none()).then(|| currency.to_string()),
            };
            for touch in &touches {
                let credit = &touch.credits[index];
                left -= credit.credit_minor;
                if credit.weight > 0.0 {
                    let id = book.touches.id[touch.row].to_string();
                    row(line(Some(id), credit.rule.clone(), credit.weight, credit.credit_minor))?;
                }
            }
            if left != 0 {
                row(line(None, "unattributed".to_owned(), 0.0, left))?;
            }
        }
    }
    Ok(())
}

/// Major units: of the currency, or leads.
fn amount(goal: tributary_engine::Goal, minor: i64, currency: tributary_core::Currency) -> String {
    if goal == tributary_engine::Goal::Lead {
        (minor as f64 / tributary_engine::journey::ONE_LEAD as f64).to_string()
    } else {
        tributary_core::Money::new(minor, currency).to_decimal().to_string()
    }
}

fn time(at: Option<Time>) -> Option<String> {
    at.map(|at| at.to_string())
}
