//! A deal's money over its touches, to the cent, by any dimension.
//!
//! Each deal is converted and rounded first, then split over its touches by largest remainder, then summed by key;
//! so every dimension gives the same total.

mod groups;
mod sums;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use tributary_core::Currency;

use crate::journey::{Goal, Journey, Journeys, ONE_LEAD, Value};
use crate::model::{Known, Model};
use crate::money::Rates;
use crate::parallel::in_parallel;
use crate::splitter::{Lesson, Splits};
pub use groups::Grouped;
pub(crate) use groups::{Groups, NOT_REACHED, Name};
use sums::{Cents, Sums, Unrounded};

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

    /// Its name in flags and answers.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
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
    /// What it says of all journeys together, if it learned from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned: Option<Lesson>,
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

/// Credits every journey under one model.
pub fn attribute<'m>(
    journeys: &Journeys<'_>,
    model: impl Into<Splits<'m>>,
    by: By,
    rates: &Rates,
    reporting: Currency,
) -> Attribution {
    let mut all = Grouped::new(journeys, by).attribute(&[model.into()], rates, reporting);
    all.pop().expect("there is one attribution a model")
}

/// Credits every journey under each of some models, in one pass over the touches.
pub fn attribute_all<'m, M>(
    journeys: &Journeys<'_>,
    models: &'m [M],
    by: By,
    rates: &Rates,
    reporting: Currency,
) -> Vec<Attribution>
where
    &'m M: Into<Splits<'m>>,
{
    let models: Vec<Splits<'_>> = models.iter().map(Into::into).collect();
    Grouped::new(journeys, by).attribute(&models, rates, reporting)
}

/// Fewer journeys are credited by one thread: another would take longer to begin.
const FEWEST_JOURNEYS: usize = 1024;

/// The most parts that journeys are divided into.
const MOST_PARTS: usize = 16;

/// What journeys are worth together, whatever the model.
struct Totals {
    /// Minor units by journey; `None` where no rate converts it.
    minor: Vec<Option<i64>>,
    unconverted: BTreeMap<Currency, (i64, u64)>,
    total_minor: i64,
    deals: u64,
}

impl Totals {
    fn of(journeys: &Journeys<'_>, rates: &Rates, reporting: Currency) -> Self {
        let minor = Vec::with_capacity(journeys.list.len());
        let mut out = Self { minor, unconverted: BTreeMap::new(), total_minor: 0, deals: 0 };
        for journey in &journeys.list {
            out.minor.push(match worth(journey, rates, reporting) {
                Worth::Minor(minor) => {
                    out.deals += 1;
                    out.total_minor += minor;
                    Some(minor)
                }
                Worth::Unconverted(money) => {
                    let slot = out.unconverted.entry(money.currency).or_default();
                    *slot = (slot.0 + money.minor, slot.1 + 1);
                    None
                }
            });
        }
        out
    }
}

impl Grouped<'_> {
    /// Credits every journey under each of some models, to the cent.
    pub fn attribute(&self, models: &[Splits<'_>], rates: &Rates, reporting: Currency) -> Vec<Attribution> {
        let totals = Totals::of(self.journeys, rates, reporting);
        let mut counts = vec![(0, 0); self.len()];
        for (journey, _) in totals.minor.iter().enumerate().filter(|(_, minor)| minor.is_some()) {
            for run in self.of(journey).1 {
                let (touches, deals) = &mut counts[run.group as usize];
                *touches += u64::from(run.touches);
                *deals += 1;
            }
        }
        let cents = self.credit(models, &totals, || Cents::new(self.len()));
        let laid_out = models.iter().zip(cents).map(|(model, cents)| {
            let credited = cents.sums.iter().zip(&counts).enumerate();
            let mut rows: Vec<Row> = credited
                .filter(|(_, (_, (touches, _)))| *touches > 0)
                .map(|(group, (credit, (touches, deals)))| {
                    let (key, label) = self.name(group);
                    let share = share_of(*credit, totals.total_minor);
                    Row { key, label, credit_minor: *credit, share, touches: *touches, deals: *deals }
                })
                .collect();
            rows.sort_by(|a, b| {
                b.credit_minor.cmp(&a.credit_minor).then_with(|| (&a.key, &a.label).cmp(&(&b.key, &b.label)))
            });
            Attribution {
                model: model.name().to_owned(),
                learned: if let Splits::Learned(fitted) = model { Some(fitted.lesson()) } else { None },
                by: self.by,
                goal: self.journeys.goal,
                currency: (self.journeys.goal != Goal::Lead).then_some(reporting),
                rows,
                unattributed_minor: cents.unattributed_minor,
                unattributed_deals: cents.unattributed_deals,
                unconverted: listed(totals.unconverted.clone()),
                total_minor: totals.total_minor,
                deals: totals.deals,
            }
        });
        laid_out.collect()
    }

    /// Credits every journey under each of some models without rounding: minor units by group, in the order of
    /// [`name`](Self::name).
    ///
    /// For what is done over and over, such as resampling; a report gives exact cents.
    pub fn unrounded(&self, models: &[Splits<'_>], rates: &Rates, reporting: Currency) -> Vec<Vec<f64>> {
        let totals = Totals::of(self.journeys, rates, reporting);
        let sums = self.credit(models, &totals, || Unrounded::new(self.len()));
        sums.into_iter().map(|unrounded| unrounded.sums).collect()
    }

    /// Adds every journey's credit up, once for each model.
    fn credit<S: Sums + Send>(
        &self,
        models: &[Splits<'_>],
        totals: &Totals,
        new: impl Fn() -> S + Sync,
    ) -> Vec<S> {
        let journeys = self.journeys;
        let mut rules = models.iter().filter_map(|model| model.rule());
        let asks_milestones = rules.clone().any(|model| model.milestones().next().is_some());
        let asks_ages = rules.any(Model::decays);
        let parts = in_parallel(self.threads, &self.parts(), |part| {
            let mut all: Vec<_> = models.iter().map(|model| (model.bind(journeys), new())).collect();
            for index in part.clone() {
                let Some(minor) = totals.minor[index] else { continue };
                let (codes, runs) = self.of(index);
                let known = Known {
                    until: asks_milestones.then(|| self.until(index)),
                    ages: asks_ages.then(|| self.ages(index)),
                    groups: Some((&self.groups, codes)),
                };
                for (bound, sums) in &mut all {
                    sums.add(minor, codes, runs, bound.shape(journeys, &journeys.list[index], known));
                }
            }
            all.into_iter().map(|(_, sums)| sums).collect::<Vec<_>>()
        });
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or_default();
        for part in parts {
            all.iter_mut().zip(part).for_each(|(sums, part)| sums.add_all(part));
        }
        all
    }

    /// The journeys in parts that may be credited at the same time. They depend on nothing but the journeys, since
    /// sums without rounding depend on them.
    ///
    /// More parts would be no quicker: each has sums of its own, which take room and are added up at last.
    fn parts(&self) -> Vec<Range<usize>> {
        let journeys = self.journeys.list.len();
        let parts = (journeys / (FEWEST_JOURNEYS + 4 * self.len())).clamp(1, MOST_PARTS);
        (0..parts).map(|part| part * journeys / parts..(part + 1) * journeys / parts).collect()
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
