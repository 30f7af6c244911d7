//! The configuration file's own shape, field by field, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use tributary_derive::rules::{ChannelRule, TeamRule};
use tributary_engine::learn::Method;
use tributary_engine::model::ModelSpec;

use super::alerts::Alerts;
use super::timing::Daemon;

/// The whole file, but for `[[source]]`, whose tables belong to the connectors.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    /// The company itself.
    pub(super) company: Company,
    /// Where the data is kept.
    pub(super) store: Store,
    /// How the daemon works.
    pub(super) daemon: Daemon,
    /// Who is told what is wrong, and how.
    pub(super) alerts: Vec<Alerts>,
    /// Which deals count, and what their stages mean.
    pub(super) deals: Deals,
    /// What belongs to a journey.
    pub(super) journey: Journey,
    /// Channel rules: the first that fits wins.
    pub(super) channels: Vec<ChannelRule>,
    /// Team rules: the first that fits wins.
    pub(super) teams: Vec<TeamRule>,
    /// Reps by team.
    pub(super) reps: BTreeMap<String, Vec<String>>,
    /// Models of your own, by name.
    #[schemars(with = "BTreeMap<String, ModelSpec>")]
    pub(super) models: BTreeMap<String, Spanned<ModelSpec>>,
    /// Data-driven models of your own, by name: a method and its options.
    #[schemars(with = "BTreeMap<String, Method>")]
    pub(super) learned: BTreeMap<String, Spanned<Method>>,
}

/// `[company]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Company {
    /// For headings.
    pub(super) name: Option<String>,
    /// The company's own domains: people with such an address are internal, and their touches count for nothing.
    pub(super) domains: Vec<String>,
    /// The zone in which a report's days begin and end, such as `Europe/Berlin`. Default: UTC.
    #[schemars(with = "Option<String>")]
    pub(super) time_zone: Option<Spanned<String>>,
    /// The currency of reports. Default: USD.
    #[schemars(with = "Option<String>")]
    pub(super) currency: Option<Spanned<String>>,
    /// Deals before this day are in no report unless --from asks for them.
    #[schemars(with = "Option<String>")]
    pub(super) history_start: Option<Spanned<String>>,
}

/// `[store]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Store {
    /// One SQLite file, or Postgres: `postgres://USER@HOST/DATABASE`. Default: `sqlite:tributary.db`.
    #[schemars(with = "Option<Value>")]
    pub(super) url: Option<Spanned<Value>>,
}

/// A text, or the name of the environment variable that holds it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text or { env = \"NAME\" }")]
pub(super) enum Value {
    /// The text itself.
    Text(String),
    /// The environment variable that holds it.
    Env {
        /// Its name.
        env: String,
    },
}

/// `[deals]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deals {
    /// The attribute that holds a deal's amount, if it is not the amount field itself.
    pub(super) amount_field: Option<String>,
    /// The pipelines that count. Default: all.
    pub(super) pipelines: Vec<String>,
    /// Stages that are milestones, which models may weigh by name.
    pub(super) milestones: BTreeMap<String, String>,
}

/// `[journey]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Journey {
    /// Whose touches count for a deal.
    pub(super) whose: Whose,
    /// How many days before its end a journey may begin. Default: no limit.
    pub(super) lookback_days: Option<u32>,
}

impl From<Whose> for tributary_engine::Whose {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::All => Self::All,
            Whose::Committee => Self::Committee,
            Whose::Primary => Self::Primary,
        }
    }
}

/// Whose touches count for a deal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Whose {
    /// All people of the account, and touches of nobody known.
    #[default]
    All,
    /// The deal's committee.
    Committee,
    /// The deal's primary contact.
    Primary,
}
