//! The rows themselves, as `derive` makes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tributary_core::fact::{Direction, NameOf, Outcome, Silent};
use tributary_core::id::{AccountId, DealId, PersonId, TouchId};
use tributary_core::money::{Currency, Money};
use tributary_core::time::{Span, Time};

/// Everything about one cluster of records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterRows {
    /// The smallest record of the cluster.
    pub cluster: i64,
    /// Its records.
    pub records: Vec<i64>,
    /// Its binding terms.
    pub binding: Vec<i64>,
    /// The names it depends on.
    pub naming: Vec<i64>,
    /// Accounts, by id.
    pub accounts: Vec<Account>,
    /// People, by id.
    pub people: Vec<Person>,
    /// Identifiers of people, by kind and value.
    pub identifiers: Vec<Identifier>,
    /// Deals, by id.
    pub deals: Vec<Deal>,
    /// Touches, by time, source and id.
    pub touches: Vec<Touch>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// A company.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct Account {
    pub id: AccountId,
    pub key: String,
    pub name: Option<String>,
    pub domain: Option<String>,
    pub owner: Option<String>,
    pub attributes: BTreeMap<String, String>,
}

/// A human.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct Person {
    pub id: PersonId,
    pub key: String,
    pub account: Option<AccountId>,
    /// Where they belonged when the CRM first knew them: the account whose lead they are.
    pub lead_account: Option<AccountId>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub title: Option<String>,
    pub role: Option<String>,
    pub seniority: Option<String>,
    pub created_at: Option<Time>,
    pub is_internal: bool,
}

/// An identifier of a person, and the record that says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct Identifier {
    pub kind: String,
    pub value: String,
    pub person: PersonId,
    pub reason: String,
    pub record: i64,
}

/// A deal with its stages and committee.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct Deal {
    pub id: DealId,
    pub key: String,
    pub account: Option<AccountId>,
    pub name: Option<String>,
    pub amount: Option<Money>,
    pub created_at: Option<Time>,
    pub closed_at: Option<Time>,
    pub outcome: Outcome,
    pub stage: Option<String>,
    pub owner: Option<String>,
    pub pipeline: Option<String>,
    pub attributes: BTreeMap<String, String>,
    pub record: i64,
    pub stages: Vec<(String, Time)>,
    pub committee: Vec<Member>,
}

/// A person's part in a deal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct Member {
    pub person: PersonId,
    pub role: Option<String>,
    pub is_primary: bool,
}

/// A touch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct Touch {
    pub id: TouchId,
    pub at: Time,
    pub account: Option<AccountId>,
    pub person: Option<PersonId>,
    pub kind: String,
    pub direction: Direction,
    pub channel: Option<String>,
    pub channel_rule: String,
    pub campaign: Option<String>,
    pub content: Option<String>,
    pub team: String,
    pub actor: Option<String>,
    pub source: String,
    pub weight: u32,
    pub silent: Option<Silent>,
    pub cost: Option<Money>,
    /// The records that tell of it, the first in order of source, stream and id first.
    pub records: Vec<i64>,
}

/// What a person should know about the data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct Finding {
    pub code: String,
    pub message: String,
}

/// A readable name as a record says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct NameRow {
    pub record: i64,
    pub source: String,
    pub of: NameOf,
    pub id: String,
    pub name: String,
    pub team: Option<String>,
}

/// Advertising money as a record says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct SpendRow {
    pub record: i64,
    pub day: Span,
    pub channel: Option<String>,
    pub campaign: Option<String>,
    pub amount: Money,
}

/// What an ad platform claims, as a record says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct ClaimRow {
    pub record: i64,
    pub day: Span,
    pub channel: Option<String>,
    pub campaign: Option<String>,
    pub impressions: u64,
    pub clicks: u64,
    /// A plain decimal.
    pub conversions: String,
    pub value: Option<Money>,
}

/// An exchange rate as a record says it: one unit of `from` is `rate` units of `to` from `at` on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "columns, documented in the migration")]
pub struct RateRow {
    pub record: i64,
    pub at: Time,
    pub from: Currency,
    pub to: Currency,
    /// A plain decimal.
    pub rate: String,
}

/// Facts that belong to no cluster.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "what it holds is what the types say")]
pub struct Loose {
    pub names: Vec<NameRow>,
    pub spend: Vec<SpendRow>,
    pub claims: Vec<ClaimRow>,
    pub rates: Vec<RateRow>,
}
