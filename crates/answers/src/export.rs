//! Credit as rows for BI, one at a time: a row a touch and deal under each model.
//!
//! The tables that credit refers to are the store's own (`Store::export`); a touch has the same id in both.

use serde::Serialize;
use tributary_engine::journey::Subject;
use tributary_engine::{Choice, explain, journeys};

use crate::journey::text;
use crate::{AnswerError, Coverage, Data, Question};

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
    /// Whether everything was read that may tell of the deal or lead.
    pub covered: bool,
}

/// What each model gives each touch of each deal, and what it leaves; each deal adds up to its worth.
pub fn credits<E>(
    data: &Data,
    question: &Question,
    models: &[Choice],
    mut row: impl FnMut(CreditRow) -> Result<(), E>,
) -> Result<(), E>
where
    E: From<AnswerError>,
{
    let book = &data.book;
    let journeys = journeys(book, &question.policy);
    let ready = question.ready(data, &journeys, models)?;
    let currency = question.currency;
    for journey in &journeys.list {
        let tributary_engine::credit::Worth::Minor(worth) =
            tributary_engine::credit::worth(journey, &data.rates, currency)
        else {
            continue;
        };
        let touches = explain::explain(&journeys, journey, &ready, &data.rates, currency);
        let (deal, lead) = match journey.subject {
            Subject::Deal(deal) => (text(book, book.deals[deal].key), None),
            Subject::Lead(person) => (None, text(book, book.people[person].key)),
            Subject::Account => (None, None),
        };
        let covered = Coverage::of_journey(data, &question.policy, journey).is_complete();
        for (index, model) in models.iter().enumerate() {
            let mut left = worth;
            let line = |touch: Option<String>, rule: String, weight: f64, minor: i64| CreditRow {
                model: model.name().to_owned(),
                goal: journeys.goal,
                deal: deal.clone(),
                lead: lead.clone(),
                touch,
                rule,
                weight,
                credit: amount(journeys.goal, minor, currency),
                currency: (lead.is_none()).then(|| currency.to_string()),
                covered,
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
