//! The configuration file's own shape, field by field, as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use tributary_derive::rules::{ChannelRule, TeamRule};
use tributary_engine::model::ModelSpec;

/// The whole file, but for `[[source]]`, whose tables belong to the connectors.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) company: Company,
    pub(super) store: Store,
    pub(super) deals: Deals,
    pub(super) journey: Journey,
    /// `[[channels]]`, the first that fits wins.
    pub(super) channels: Vec<ChannelRule>,
    /// `[[teams]]`, the first that fits wins.
    pub(super) teams: Vec<TeamRule>,
    /// Reps by team.
    pub(super) reps: BTreeMap<String, Vec<String>>,
    /// `[models.NAME]`
    pub(super) models: BTreeMap<String, Spanned<ModelSpec>>,
}

/// `[company]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Company {
    pub(super) name: Option<String>,
    pub(super) domains: Vec<String>,
    pub(super) time_zone: Option<Spanned<String>>,
    pub(super) currency: Option<Spanned<String>>,
    pub(super) history_start: Option<Spanned<String>>,
}

/// `[store]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Store {
    pub(super) url: Option<Spanned<Value>>,
}

/// A text, or the name of the environment variable that holds it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text or { env = \"NAME\" }")]
pub(super) enum Value {
    Text(String),
    Env { env: String },
}

/// `[deals]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deals {
    pub(super) amount_field: Option<String>,
    pub(super) pipelines: Vec<String>,
    /// Milestone by stage.
    pub(super) milestones: BTreeMap<String, String>,
}

/// `[journey]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Journey {
    pub(super) whose: Whose,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
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
