//! How much of what was won each key took part in: the whole amount of every deal that it touched.
//!
//! This is participation, not credit. A deal counts in full for every key that touched it, so the amounts add up to
//! more than there is; hence types and columns of its own, which cannot be mistaken for an attribution's.

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_core::Currency;

use crate::credit::{By, Grouped, Unconverted, Worth, listed, share_of, worth};
use crate::journey::{Goal, Journeys};
use crate::money::Rates;

/// What one key took part in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Participation {
    /// The key; `None` for touches without the dimension.
    pub key: Option<String>,
    /// A readable name, for accounts, people and deals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Deals (leads) with such a touch.
    pub deals: u64,
    /// Of all deals.
    pub of_deals: f64,
    /// Their whole amount, in minor units of the reporting currency; millionths of a lead for the goal `lead`.
    pub influenced_minor: i64,
    /// Of the total.
    pub of_total: f64,
    /// Touches with this key, once for each journey.
    pub touches: u64,
}

/// Participation by one dimension.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Influence {
    /// The dimension.
    pub by: By,
    /// What the deals came to.
    pub goal: Goal,
    /// The reporting currency; `None` for the goal `lead`.
    pub currency: Option<Currency>,
    /// By amount, largest first, then by key.
    pub rows: Vec<Participation>,
    /// All rows' amounts, of the total: above 1 where deals have touches of several keys.
    pub adds_up_to: f64,
    /// The amount of deals that nothing touched.
    pub untouched_minor: i64,
    /// Deals that nothing touched.
    pub untouched_deals: u64,
    /// Money that no rate converts: outside the total.
    pub unconverted: Vec<Unconverted>,
    /// The amount of all deals, each once.
    pub total_minor: i64,
    /// Deals (leads) counted.
    pub deals: u64,
}

/// Adds up the deals that each key touched.
pub fn influence(journeys: &Journeys<'_>, by: By, rates: &Rates, reporting: Currency) -> Influence {
    #[derive(Clone, Copy, Default)]
    struct Sum {
        deals: u64,
        minor: i64,
        touches: u64,
    }
    let grouped = Grouped::new(journeys, by);
    let mut sums = vec![Sum::default(); grouped.len()];
    let mut unconverted: BTreeMap<Currency, (i64, u64)> = BTreeMap::new();
    let (mut untouched_minor, mut untouched_deals, mut total_minor, mut deals) = (0, 0, 0, 0);
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
        let (_, runs) = grouped.of(index);
        if runs.is_empty() {
            untouched_minor += minor;
            untouched_deals += 1;
        }
        for run in runs {
            let sum = &mut sums[run.group as usize];
            sum.touches += u64::from(run.touches);
            sum.deals += 1;
            sum.minor += minor;
        }
    }
    let together: i128 = sums.iter().map(|sum| i128::from(sum.minor)).sum();
    let mut rows: Vec<Participation> = sums
        .iter()
        .enumerate()
        .filter(|(_, sum)| sum.touches > 0)
        .map(|(group, sum)| (sum, grouped.name(group)))
        .map(|(sum, (key, label))| Participation {
            key,
            label,
            deals: sum.deals,
            of_deals: share_of(sum.deals as i64, deals as i64),
            influenced_minor: sum.minor,
            of_total: share_of(sum.minor, total_minor),
            touches: sum.touches,
        })
        .collect();
    rows.sort_by(|a, b| {
        b.influenced_minor.cmp(&a.influenced_minor).then_with(|| (&a.key, &a.label).cmp(&(&b.key, &b.label)))
    });
    Influence {
        by,
        goal: journeys.goal,
        currency: (journeys.goal != Goal::Lead).then_some(reporting),
        rows,
        adds_up_to: if total_minor == 0 { 0.0 } else { together as f64 / total_minor as f64 },
        untouched_minor,
        untouched_deals,
        unconverted: listed(unconverted),
        total_minor,
        deals,
    }
}
