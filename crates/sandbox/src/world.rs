//! The make-believe company as plain data: one struct a canonical file, one field a column.

use serde::Serialize;

use crate::truth::Truth;

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident { $($field:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        #[expect(missing_docs, reason = "the columns of a canonical file")]
        pub struct $name { $(pub $field: String,)* }
    )*};
}

rows! {
    /// A row of `accounts.csv`.
    Account { id, name, domain, industry, employees, region, segment, owner }
    /// A row of `people.csv`.
    Person { id, account, email, name, title, role, seniority, created_at }
    /// A row of `deals.csv`.
    Deal { id, account, name, amount, currency, created_at, closed_at, outcome, stage, owner, pipeline }
    /// A row of `stages.csv`.
    Stage { deal, stage, entered_at }
    /// A row of `committee.csv`.
    Committee { deal, person, role, is_primary }
    /// A row of `touches.csv`.
    Touch {
        id, occurred_at, account, person, email, anonymous_id, kind, direction, channel, campaign, content, team, actor,
        weight, cost, currency, utm_source, utm_medium, utm_campaign, referrer, gclid, url, machine,
    }
    /// A row of `spend.csv`.
    Spend { date, channel, campaign, amount, currency }
    /// A row of `aliases.csv`.
    Alias { kind_a, id_a, kind_b, id_b }
    /// A row of `rates.csv`.
    Rate { date, from, to, rate }
}

/// The whole company.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Buying companies.
    pub accounts: Vec<Account>,
    /// Their people.
    pub people: Vec<Person>,
    /// Deals.
    pub deals: Vec<Deal>,
    /// Stage history.
    pub stages: Vec<Stage>,
    /// Who takes part in which deal.
    pub committee: Vec<Committee>,
    /// Touches, by account and time.
    pub touches: Vec<Touch>,
    /// Advertising money.
    pub spend: Vec<Spend>,
    /// Identifiers that belong together.
    pub aliases: Vec<Alias>,
    /// Exchange rates.
    pub rates: Vec<Rate>,
    /// Ids of the accounts that went cold and were revived by a retargeting ad.
    pub revived: Vec<String>,
    /// What each channel really brought.
    pub truth: Truth,
}
