//! A rule model as TOML says it, and what is wrong with one that can't be used.
//!
//! Not responsible for what the rules do to a journey.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::journey::Whose;

/// Touches by dimension and value, such as `kind = ["form", "event"]`. An empty text is a touch without the
/// dimension.
pub type Values = BTreeMap<String, Vec<String>>;

/// A rule model as TOML says it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSpec {
    /// The idea in a sentence.
    pub idea: String,
    /// When it misleads.
    pub misleads: String,
    /// The documented rule that it reproduces, in words.
    pub rule: String,
    /// The documentation that says so.
    pub documented_in: String,
    /// Weights of anchors: `first`, `last`, `lead`, `opportunity`, `closed`, a configured milestone, or an anchor of the
    /// model's own.
    #[schemars(transform = not_negative)]
    pub weights: BTreeMap<String, f64>,
    /// How anchors find their touches, where it is not the usual way.
    pub anchors: BTreeMap<String, Anchor>,
    /// The weight spread over all other touches.
    #[schemars(transform = not_negative)]
    pub rest: f64,
    /// Dimensions over whose distinct values the rest is spread evenly, then over each one's touches: `["channel"]`
    /// gives every channel of a journey the same. Default: every touch the same.
    pub rest_per: Vec<String>,
    /// Points of touches, the first that fit; the rest is spread in proportion. Default: every touch the same.
    pub points: Vec<Points>,
    /// Touches that take no part in the rest: they count only where they hold an anchor.
    pub only_as_anchor: Values,
    /// Where the weight of a milestone without a touch goes.
    pub missing: Missing,
    /// Whether the most recent touch of an open deal holds `closed` until it closes.
    pub pending: bool,
    /// Whose touches count, within the policy's own.
    pub whose: Whose,
    /// Days after which a touch weighs half, counted back from the journey's end.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub half_life_days: Option<f64>,
    /// The half-life as a part of the look-back instead, such as 0.25.
    pub half_life_of_lookback: Option<f64>,
    /// How a touch's weight falls with its age.
    pub decay: Decay,
    /// Factors by dimension (`kind`, `team`, `role`, `direction`, `channel`) and value.
    #[schemars(transform = not_negative)]
    pub multiply: BTreeMap<String, BTreeMap<String, f64>>,
    /// Values by dimension whose touches do not count.
    pub exclude: Values,
    /// The same after a milestone: `opportunity = { kind = ["visit"] }`.
    pub exclude_after: BTreeMap<String, Values>,
    /// What happens when every touch is excluded.
    pub if_all_excluded: IfAllExcluded,
    /// Days before the end from which touches count, within the policy's own look-back.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub lookback_days: Option<f64>,
    /// Whether the source's own weights count.
    pub use_weight: bool,
    /// Accepts weights that do not sum to 1 by scaling them.
    pub normalize: bool,
}

/// Tells the schema of a number, or of a table of numbers, that none is below 0.
fn not_negative(schema: &mut schemars::Schema) {
    if schema.get("type").is_some_and(|it| it == "number") {
        schema.insert("minimum".to_owned(), 0.into());
    }
    if let Some(Ok(values)) = schema.get_mut("additionalProperties").map(<&mut schemars::Schema>::try_from) {
        not_negative(values);
    }
}

/// How an anchor finds the touches that hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Anchor {
    /// Which counts of several: a stage that was entered again, several people's leads, several touches. Default: the
    /// first of leads and touches, the last of a stage.
    pub take: Option<Take>,
    /// What makes a touch hold it.
    pub held_by: HeldBy,
    /// Only these touches may hold it.
    pub among: Values,
}

/// Which counts of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// The first.
    First,
    /// The last.
    Last,
    /// Each, the same part of the weight.
    Each,
}

/// What makes a touch hold an anchor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// It is the last at or before the milestone, whoever was touched.
    #[default]
    Account,
    /// It is the last at or before the `lead`, of the person who became it.
    Person,
    /// It is one of `among`, whatever the CRM says.
    Touch,
}

/// What a touch that fits is worth beside others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Points {
    /// 0 or more.
    pub points: f64,
    /// What must all hold; any touch fits if empty.
    pub when: Vec<Trait>,
}

/// What may hold of a touch in a deal's journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trait {
    /// The deal's primary contact was touched.
    PrimaryContact,
    /// The touch's campaign is the deal's attribute `primary_campaign`.
    PrimaryCampaign,
    /// It was not after the deal was created.
    BeforeOpportunity,
}

/// How a touch's weight falls with its age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// 2^(−age/half-life), fractions of days included; not at all without a half-life.
    #[default]
    Continuous,
    /// Half for each whole half-life before the journey's end.
    Step,
    /// By place, whatever the time: the second touch weighs twice the first, the third three times.
    Rank,
}

/// Where the weight of a milestone without a touch goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Back to anchors and rest, in proportion.
    #[default]
    ProRata,
    /// To the rest.
    Rest,
    /// A milestone that was skipped is taken as passed together with the next of these that was reached, whose touch
    /// gets the weight. If none was, in proportion; so too the weight of one that was reached before any touch.
    Next(Vec<String>),
}

/// What happens when every touch is excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfAllExcluded {
    /// The journey is unattributed.
    #[default]
    Unattributed,
    /// Nothing is excluded.
    Keep,
}

/// Why a model can't be used. A fragment that fits after "model NAME: ".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// No model has this name.
    #[error("no model is called `{name}`; there are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// Not a model in TOML.
    #[error("{0}")]
    Toml(String),
    /// The weights do not sum to 1.
    #[error("the weights sum to {percent} %, not 100 %; mend them, or write normalize = true to scale them")]
    Sum {
        /// The sum in percent.
        percent: String,
    },
    /// A weight or factor that makes no sense.
    #[error("`{0}` must be a number of 0 or more")]
    Negative(String),
    /// A half-life or look-back that makes no sense.
    #[error("`{0}` must be above 0")]
    NotPositive(&'static str),
    /// A milestone without a place in the order of milestones.
    #[error(
        "`{0}` is not in `missing.next`, which names every milestone in the order in which deals pass them"
    )]
    Order(String),
    /// Nothing weighs anything.
    #[error("no weight is above 0: give `weights` or `rest`")]
    Empty,
    /// A dimension that models do not know.
    #[error(
        "`{0}` is no dimension of a model (expected kind, team, role, direction, channel, campaign, content, source or person)"
    )]
    Dimension(String),
    /// A direction that touches do not have.
    #[error("`{0}` is no direction (expected inbound or outbound)")]
    Direction(String),
    /// Something that holds of positions only.
    #[error(
        "`anchors.{0}`: first and last are positions and always hold; name an anchor of your own instead"
    )]
    Position(String),
    /// An anchor that is described and not used.
    #[error("`anchors.{0}` has no weight: give it one in `weights`, or leave it out")]
    Unweighed(String),
    /// An anchor that any touch would hold.
    #[error("`anchors.{0}` is held by touches: say which in `among`")]
    Among(String),
    /// Only a lead is a person.
    #[error("`anchors.{0}` can't be held by a person: only `lead` is one")]
    Person(String),
    /// A decay that can't be computed.
    #[error("{0}")]
    Decay(&'static str),
}

impl ModelSpec {
    /// Scales weights to 1 where that is asked for, and refuses what makes no sense.
    pub(super) fn checked(mut self) -> Result<Self, ModelError> {
        let numbers = self.weights.iter().map(|(name, weight)| (name.as_str(), *weight));
        let points = self.points.iter().map(|it| ("points", it.points));
        let factors = self.multiply.values().flatten().map(|(value, factor)| (value.as_str(), *factor));
        for (name, number) in numbers.chain([("rest", self.rest)]).chain(points).chain(factors) {
            if !number.is_finite() || number < 0.0 {
                return Err(ModelError::Negative(name.to_owned()));
            }
        }
        self.check_dimensions()?;
        self.check_anchors()?;
        self.check_decay()?;
        let sum: f64 = self.weights.values().sum::<f64>() + self.rest;
        if sum <= 0.0 {
            return Err(ModelError::Empty);
        }
        if (sum - 1.0).abs() > 1e-9 {
            if !self.normalize || !sum.is_finite() {
                return Err(ModelError::Sum { percent: format!("{}", (sum * 1e8).round() / 1e6) });
            }
            self.weights.values_mut().for_each(|weight| *weight /= sum);
            self.rest /= sum;
        }
        if let Missing::Next(order) = &self.missing
            && let Some(stray) = self.weighed().find(|name| !order.iter().any(|it| it == name))
        {
            return Err(ModelError::Order(stray.to_owned()));
        }
        Ok(self)
    }

    /// The anchors that have a weight, but for positions.
    pub(super) fn weighed(&self) -> impl Iterator<Item = &str> {
        self.weights.keys().map(String::as_str).filter(|name| !is_position(name))
    }

    /// Everything that speaks of touches by dimension and value.
    fn values(&self) -> impl Iterator<Item = &Values> {
        let anchors = self.anchors.values().map(|anchor| &anchor.among);
        [&self.exclude, &self.only_as_anchor].into_iter().chain(self.exclude_after.values()).chain(anchors)
    }

    fn check_dimensions(&self) -> Result<(), ModelError> {
        let named = self.values().flatten().map(|(dimension, values)| (dimension, values.iter().collect()));
        let factors =
            self.multiply.iter().map(|(dimension, values)| (dimension, values.keys().collect::<Vec<_>>()));
        let per = self.rest_per.iter().map(|dimension| (dimension, Vec::new()));
        for (name, values) in named.chain(factors).chain(per) {
            let dimension = Dimension::parse(name).ok_or_else(|| ModelError::Dimension(name.clone()))?;
            let stray = |value: &&&String| !matches!(value.as_str(), "inbound" | "outbound");
            if dimension == Dimension::Direction
                && let Some(stray) = values.iter().find(stray)
            {
                return Err(ModelError::Direction((*stray).clone()));
            }
        }
        Ok(())
    }

    fn check_anchors(&self) -> Result<(), ModelError> {
        for (name, anchor) in &self.anchors {
            let is_ordered = matches!(&self.missing, Missing::Next(order) if order.contains(name));
            if is_position(name) {
                return Err(ModelError::Position(name.clone()));
            }
            if !self.weights.contains_key(name) && !is_ordered {
                return Err(ModelError::Unweighed(name.clone()));
            }
            if anchor.held_by == HeldBy::Touch && anchor.among.is_empty() {
                return Err(ModelError::Among(name.clone()));
            }
            if anchor.held_by == HeldBy::Person && name != "lead" {
                return Err(ModelError::Person(name.clone()));
            }
        }
        Ok(())
    }

    fn check_decay(&self) -> Result<(), ModelError> {
        for (field, number) in [
            ("half_life_days", self.half_life_days),
            ("half_life_of_lookback", self.half_life_of_lookback),
            ("lookback_days", self.lookback_days),
        ] {
            if number.is_some_and(|number| !number.is_finite() || number <= 0.0) {
                return Err(ModelError::NotPositive(field));
            }
        }
        let has_half_life = self.half_life_days.is_some() || self.half_life_of_lookback.is_some();
        if self.half_life_days.is_some() && self.half_life_of_lookback.is_some() {
            return Err(ModelError::Decay("`half_life_days` and `half_life_of_lookback` exclude each other"));
        }
        if self.half_life_of_lookback.is_some() && self.lookback_days.is_none() {
            return Err(ModelError::Decay("`half_life_of_lookback` needs `lookback_days`"));
        }
        match self.decay {
            Decay::Step if !has_half_life => {
                Err(ModelError::Decay("decay = \"step\" needs `half_life_days`"))
            }
            Decay::Rank if has_half_life => {
                Err(ModelError::Decay("decay = \"rank\" goes by place and has no half-life"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether an anchor is a place in the journey, rather than something that happened.
pub(super) fn is_position(name: &str) -> bool {
    matches!(name, "first" | "last")
}

/// Dimensions that models may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    Kind,
    Team,
    Role,
    Direction,
    Channel,
    Campaign,
    Content,
    Source,
    Person,
}

impl Dimension {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "kind" => Self::Kind,
            "team" => Self::Team,
            "role" => Self::Role,
            "direction" => Self::Direction,
            "channel" => Self::Channel,
            "campaign" => Self::Campaign,
            "content" => Self::Content,
            "source" => Self::Source,
            "person" => Self::Person,
            _ => return None,
        })
    }
}
