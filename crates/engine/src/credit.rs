//! A deal's money over its touches, to the cent, by any dimension.
//!
//! Each deal is converted and rounded first, then split over its touches by largest remainder, then summed by key;
//! so every dimension gives the same total.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tributary_core::book::{Direction, NOBODY, Term};
use tributary_core::{Currency, money};

use crate::journey::{Goal, Journey, Journeys, ONE_LEAD, Subject, Value};
use crate::model::Model;
use crate::money::Rates;

/// The dimension that credit is summed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum By {
    #[default]
    Channel,
    Campaign,
    Content,
    Team,
    Rep,
    Person,
    Role,
    Kind,
    Direction,
    Account,
    Deal,
    Source,
}

impl By {
    /// Every dimension, in the order of the documentation.
    pub const ALL: [Self; 12] = [
        Self::Channel,
        Self::Campaign,
        Self::Content,
        Self::Team,
        Self::Rep,
        Self::Person,
        Self::Role,
        Self::Kind,
        Self::Direction,
        Self::Account,
        Self::Deal,
        Self::Source,
    ];
}

/// Credit of one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The key; `None` for touches without the dimension.
    pub key: Option<String>,
    /// A readable name, for accounts, people and deals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Minor units of the reporting currency; millionths of a lead for the goal `lead`.
    pub credit_minor: i64,
    /// Of the total.
    pub share: f64,
    /// Touches with this key in the journeys, once for each journey.
    pub touches: u64,
    /// Journeys with such a touch.
    pub deals: u64,
}

/// Money in a currency without a rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unconverted {
    /// Its currency.
    pub currency: String,
    /// Minor units.
    pub amount_minor: i64,
    /// Deals.
    pub deals: u64,
}

/// Credit by one dimension under one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribution {
    /// The model's name.
    pub model: String,
    /// The dimension.
    pub by: By,
    /// What is being credited.
    pub goal: Goal,
    /// The reporting currency; `None` for the goal `lead`.
    pub currency: Option<Currency>,
    /// By credit, largest first, then by key.
    pub rows: Vec<Row>,
    /// Money of deals where no touch weighs anything.
    pub unattributed_minor: i64,
    /// Deals where no touch weighs anything.
    pub unattributed_deals: u64,
    /// Money that no rate converts: outside the total.
    pub unconverted: Vec<Unconverted>,
    /// Credit and unattributed money.
    pub total_minor: i64,
    /// Deals (leads) counted, those without an amount included.
    pub deals: u64,
}

/// What a journey is worth in the reporting currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Minor units, or millionths of a lead.
    Minor(i64),
    /// No rate converts it.
    Unconverted(tributary_core::Money),
}

/// What a journey is worth.
pub fn worth(journey: &Journey, rates: &Rates, reporting: Currency) -> Worth {
    match journey.value {
        Value::Lead => Worth::Minor(ONE_LEAD),
        Value::Nothing => Worth::Minor(0),
        Value::Money(money) => match rates.convert(money, reporting, journey.end) {
            Some(converted) => Worth::Minor(converted.minor),
            None => Worth::Unconverted(money),
        },
    }
}

/// A key and a label.
pub(crate) type Name = (Option<String>, Option<String>);

/// Which group each touch falls in, and what the groups are called.
///
/// What reads the same is one group: a person under several accounts, all the people without an account, and
/// two sources' deals that share both id and name.
pub(crate) struct Groups {
    by: By,
    /// The group by row of the book, for accounts, people and deals.
    rows: Vec<u32>,
    /// The groups' names; the first has none, except for directions.
    pub(crate) names: Vec<Name>,
}

impl Groups {
    pub(crate) fn new(journeys: &Journeys<'_>, by: By) -> Self {
        let book = journeys.book;
        let text = |term: Term| book.terms.get(term).map(str::to_owned);
        let pair = |(key, label)| (text(key), text(label));
        let (rows, names) = match by {
            By::Person => number(book.people.iter().map(|person| pair((person.key, person.label)))),
            By::Account => number(book.accounts.iter().map(|account| pair((account.key, account.label)))),
            By::Deal => number(book.deals.iter().map(|deal| pair((deal.key, deal.label)))),
            By::Direction => {
                (Vec::new(), ["inbound", "outbound"].map(|name| (Some(name.to_owned()), None)).to_vec())
            }
            _ => (Vec::new(), (0..book.terms.len()).map(|term| (text(Term(term as u32)), None)).collect()),
        };
        Self { by, rows, names }
    }

    pub(crate) fn of(&self, journeys: &Journeys<'_>, journey: &Journey, row: usize) -> usize {
        let touches = &journeys.book.touches;
        let term = match self.by {
            By::Channel => touches.channel[row],
            By::Campaign => touches.campaign[row],
            By::Content => touches.content[row],
            By::Team => touches.team[row],
            By::Rep => touches.actor[row],
            By::Kind => touches.kind[row],
            By::Source => touches.source[row],
            By::Role => journeys.role(journey, touches.person[row]),
            By::Direction => return usize::from(touches.direction[row] == Direction::Outbound),
            By::Account => return self.rows[journey.account] as usize,
            By::Deal => {
                return if let Subject::Deal(deal) = journey.subject { self.rows[deal] as usize } else { 0 };
            }
            By::Person => {
                let person = touches.person[row];
                return if person == NOBODY { 0 } else { self.rows[person as usize] as usize };
            }
        };
        term.0 as usize
    }
}

/// Numbers names by first use; no name at all is 0.
fn number(named: impl Iterator<Item = Name>) -> (Vec<u32>, Vec<Name>) {
    let mut seen = BTreeMap::from([((None, None), 0)]);
    let rows = named
        .map(|name| {
            let next = seen.len() as u32;
            *seen.entry(name).or_insert(next)
        })
        .collect();
    let mut names = vec![(None, None); seen.len()];
    for (name, group) in seen {
        names[group as usize] = name;
    }
    (rows, names)
}

#[derive(Clone, Copy, Default)]
struct Sum {
    credit: i64,
    touches: u64,
    deals: u64,
    last_journey: usize,
}

/// Credits every journey under one model.
pub fn attribute(
    journeys: &Journeys<'_>,
    model: &Model,
    by: By,
    rates: &Rates,
    reporting: Currency,
) -> Attribution {
    let groups = Groups::new(journeys, by);
    let mut sums = vec![Sum { last_journey: usize::MAX, ..Sum::default() }; groups.names.len()];
    let mut bound = model.bind(journeys);
    let (mut weights, mut shares) = (Vec::new(), Vec::new());
    let mut unconverted: BTreeMap<Currency, (i64, u64)> = BTreeMap::new();
    let (mut unattributed_minor, mut unattributed_deals, mut total_minor, mut deals) = (0, 0, 0, 0);
    for (index, journey) in journeys.list.iter().enumerate() {
        let minor = match worth(journey, rates, reporting) {
            Worth::Minor(minor) => minor,
            Worth::Unconverted(money) => {
                let slot = unconverted.entry(money.currency).or_default();
                *slot = (slot.0 + money.minor, slot.1 + 1);
                continue;
            }
        };
        deals += 1;
        total_minor += minor;
        bound.weights(journeys, journey, &mut weights);
        shares.clear();
        if !money::split(minor, &weights, &mut shares) {
            unattributed_minor += minor;
            unattributed_deals += 1;
        }
        for (row, share) in journeys.touches(journey).iter().zip(&shares) {
            let sum = &mut sums[groups.of(journeys, journey, *row as usize)];
            sum.credit += share;
            sum.touches += 1;
            if sum.last_journey != index {
                sum.last_journey = index;
                sum.deals += 1;
            }
        }
    }
    let mut rows: Vec<Row> = sums
        .iter()
        .zip(groups.names)
        .filter(|(sum, _)| sum.touches > 0)
        .map(|(sum, (key, label))| Row {
            key,
            label,
            credit_minor: sum.credit,
            share: share_of(sum.credit, total_minor),
            touches: sum.touches,
            deals: sum.deals,
        })
        .collect();
    rows.sort_by(|a, b| {
        b.credit_minor.cmp(&a.credit_minor).then_with(|| (&a.key, &a.label).cmp(&(&b.key, &b.label)))
    });
    Attribution {
        model: model.name.clone(),
        by,
        goal: journeys.goal,
        currency: (journeys.goal != Goal::Lead).then_some(reporting),
        rows,
        unattributed_minor,
        unattributed_deals,
        unconverted: listed(unconverted),
        total_minor,
        deals,
    }
}

/// Money that no rate converts, by currency.
pub(crate) fn listed(unconverted: BTreeMap<Currency, (i64, u64)>) -> Vec<Unconverted> {
    let line = |(currency, (amount_minor, deals)): (Currency, _)| Unconverted {
        currency: currency.to_string(),
        amount_minor,
        deals,
    };
    unconverted.into_iter().map(line).collect()
}

/// A part of a whole, 0 of nothing.
pub fn share_of(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
