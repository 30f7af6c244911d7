//! Credit + unattributed + unconverted = won, per currency and in total, every difference with its reason.

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_core::book::Outcome;
use tributary_core::{Currency, Money};

use crate::credit::{Worth, worth};
use crate::journey::{Journeys, Subject, Value};
use crate::model::Model;
use crate::money::Rates;

/// One currency's accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The deals' own currency.
    pub currency: String,
    /// Deals won in it.
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

/// The accounts of all won deals.
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

/// Checks one model's credit against the deals themselves.
pub fn reconcile(
    journeys: &Journeys<'_>,
    model: &Model,
    rates: &Rates,
    reporting: Currency,
) -> Reconciliation {
    let book = journeys.book;
    let text = |term| book.terms.get(term).unwrap_or_default().to_owned();
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    let mut exceptions = Vec::new();
    let mut bound = model.bind(journeys);
    let (mut weights, mut shares) = (Vec::new(), Vec::new());
    let mut counted = vec![false; book.deals.len()];
    for journey in &journeys.list {
        let Subject::Deal(row) = journey.subject else { continue };
        counted[row] = true;
        let deal = &book.deals[row];
        let mut except = |reason: &str| {
            exceptions.push(Exception {
                deal: text(deal.key),
                label: text(deal.label),
                amount: deal.amount,
                reason: reason.to_owned(),
            });
        };
        let Value::Money(money) = journey.value else {
            except("no amount");
            continue;
        };
        let line = lines.entry(money.currency.to_string()).or_default();
        line.deals += 1;
        line.won_minor += money.minor;
        match worth(journey, rates, reporting) {
            Worth::Unconverted(money) => {
                line.unconverted_minor += money.minor;
                except(&format!(
                    "unconverted: no rate from {} to {reporting} at or before the close",
                    money.currency
                ));
            }
            Worth::Minor(minor) => {
                line.converted_minor += minor;
                bound.weights(journeys, journey, &mut weights);
                shares.clear();
                if tributary_core::money::split(minor, &weights, &mut shares) {
                    line.credit_minor += shares.iter().sum::<i64>();
                } else {
                    line.unattributed_minor += minor;
                    except(if journey.touches.is_empty() {
                        "unattributed: no touch before the close"
                    } else {
                        "unattributed: the model gives no touch any weight"
                    });
                }
            }
        }
    }
    for deal in
        book.deals.iter().enumerate().filter(|(row, deal)| deal.outcome == Outcome::Won && !counted[*row])
    {
        exceptions.push(Exception {
            deal: text(deal.1.key),
            label: text(deal.1.label),
            amount: deal.1.amount,
            reason: "outside the asked period, pipelines or filter".to_owned(),
        });
    }
    exceptions.sort_by(|a, b| (&a.reason, &a.deal).cmp(&(&b.reason, &b.deal)));
    let lines: Vec<Line> = lines.into_iter().map(|(currency, line)| Line { currency, ..line }).collect();
    let balances = lines.iter().all(|line| {
        let whole = line.converted_minor == line.credit_minor + line.unattributed_minor;
        let own = line.currency != reporting.code() || line.won_minor == line.converted_minor;
        let unconverted = line.unconverted_minor == 0 || line.converted_minor == 0;
        whole && own && (unconverted || line.deals > 0)
    });
    Reconciliation { currency: reporting, lines, exceptions, balances }
}
