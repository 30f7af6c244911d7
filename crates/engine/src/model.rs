//! How a journey's touches weigh. Every rule model is one struct, filled from TOML.
//!
//! The rule, from top to bottom:
//!
//! 1. Touches that a model excludes are out. If none is left, the journey is unattributed, unless the model says
//!    `if_all_excluded = "keep"`.
//! 2. An *anchor* gives its weight to one touch: `first` and `last` by position, a milestone to the last touch at
//!    or before it. A touch that holds several anchors takes all their weights.
//! 3. The weight of an anchor that no touch holds goes back in proportion to everything left (`missing =
//!    "pro_rata"`), to the rest (`missing = "rest"`), or to the touch of the next milestone that the deal reached
//!    (`missing = { next = [...] }`, all milestones in order).
//! 4. `rest` is spread evenly over the touches without an anchor. Without such touches it goes to the anchors in
//!    proportion; if nothing at all is left, every touch weighs the same.
//! 5. Multipliers, the source's own weights (`use_weight`) and decay are applied, and the whole is normalised.
//!
//! ```
//! use tributary_engine::model::{Model, Place};
//! // First touch, lead at the third of six touches, opportunity at the fifth.
//! let w = Model::builtin("w").unwrap();
//! let place = Place { touches: 6, anchors: &[("lead", 2), ("opportunity", 4)] };
//! let percent: Vec<f64> = w.weights_at(&place).iter().map(|w| (w * 1000.0).round() / 10.0).collect();
//! assert_eq!(percent, [30.0, 3.3, 30.0, 3.3, 30.0, 3.3]);
//! ```

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tributary_core::book::{Direction, Term};
use tributary_core::fact::FULL_WEIGHT;
use tributary_core::time::{DAY_MICROS, Time};

use crate::journey::{Journey, Journeys};

const BUILTIN: &str = include_str!("../models/builtin.toml");

/// A rule model as TOML says it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSpec {
    /// The idea in a sentence.
    pub idea: String,
    /// When it misleads.
    pub misleads: String,
    /// Weights of anchors: `first`, `last`, `lead`, `opportunity`, `closed`, or a configured milestone.
    pub weights: BTreeMap<String, f64>,
    /// The weight spread over all other touches.
    pub rest: f64,
    /// Where the weight of a milestone without a touch goes.
    pub missing: Missing,
    /// Days after which a touch weighs half, counted back from the journey's end.
    pub half_life_days: Option<f64>,
    /// Factors by dimension (`kind`, `team`, `role`, `direction`, `channel`) and value.
    pub multiply: BTreeMap<String, BTreeMap<String, f64>>,
    /// Values by dimension whose touches do not count.
    pub exclude: BTreeMap<String, Vec<String>>,
    /// What happens when every touch is excluded.
    pub if_all_excluded: IfAllExcluded,
    /// Days before the end from which touches count, within the policy's own look-back.
    pub lookback_days: Option<f64>,
    /// Whether the source's own weights count.
    pub use_weight: bool,
    /// Accepts weights that do not sum to 1 by scaling them.
    pub normalize: bool,
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
        "`{0}` is no dimension of a model (expected kind, team, role, direction, channel, campaign or source)"
    )]
    Dimension(String),
}

/// A rule model, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its name.
    pub name: String,
    spec: ModelSpec,
}

/// Dimensions that models may look at.
const DIMENSIONS: [&str; 7] = ["kind", "team", "role", "direction", "channel", "campaign", "source"];

/// A journey without a clock: how many touches, and which hold which milestone.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// How many touches.
    pub touches: usize,
    /// Milestones and the touch that holds each.
    pub anchors: &'a [(&'a str, usize)],
}

impl Model {
    /// Checks a model.
    pub fn new(name: &str, mut spec: ModelSpec) -> Result<Self, ModelError> {
        for (anchor, weight) in &spec.weights {
            if !weight.is_finite() || *weight < 0.0 {
                return Err(ModelError::Negative(anchor.clone()));
            }
        }
        if !spec.rest.is_finite() || spec.rest < 0.0 {
            return Err(ModelError::Negative("rest".to_owned()));
        }
        for dimension in spec.multiply.keys().chain(spec.exclude.keys()) {
            if !DIMENSIONS.contains(&dimension.as_str()) {
                return Err(ModelError::Dimension(dimension.clone()));
            }
        }
        for (value, factor) in spec.multiply.values().flatten() {
            if !factor.is_finite() || *factor < 0.0 {
                return Err(ModelError::Negative(value.clone()));
            }
        }
        for (field, days) in [("half_life_days", spec.half_life_days), ("lookback_days", spec.lookback_days)]
        {
            if days.is_some_and(|days| !days.is_finite() || days <= 0.0) {
                return Err(ModelError::NotPositive(field));
            }
        }
        let sum: f64 = spec.weights.values().sum::<f64>() + spec.rest;
        if sum <= 0.0 {
            return Err(ModelError::Empty);
        }
        if (sum - 1.0).abs() > 1e-9 {
            if !spec.normalize || !sum.is_finite() {
                return Err(ModelError::Sum { percent: format!("{}", (sum * 1e8).round() / 1e6) });
            }
            spec.weights.values_mut().for_each(|weight| *weight /= sum);
            spec.rest /= sum;
        }
        if let Missing::Next(order) = &spec.missing
            && let Some(stray) = weighed_milestones(&spec).find(|name| !order.iter().any(|it| it == name))
        {
            return Err(ModelError::Order(stray.to_owned()));
        }
        Ok(Self { name: name.to_owned(), spec })
    }

    /// Reads one model in TOML.
    pub fn parse(name: &str, toml: &str) -> Result<Self, ModelError> {
        let spec = toml::from_str(toml).map_err(|error| ModelError::Toml(error.message().to_owned()))?;
        Self::new(name, spec)
    }

    /// A built-in model by name.
    pub fn builtin(name: &str) -> Result<Self, ModelError> {
        let mut all = builtin_specs();
        match all.remove(name) {
            Some(spec) => Self::new(name, spec),
            None => Err(ModelError::Unknown { name: name.to_owned(), known: Self::names().join(", ") }),
        }
    }

    /// The names of the built-in models.
    pub fn names() -> Vec<String> {
        [
            "first",
            "last",
            "last_non_direct",
            "linear",
            "position",
            "j",
            "inverse_j",
            "u",
            "w",
            "full_path",
            "time_decay",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// The checked specification.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The milestones it looks at, beside first and last.
    pub fn milestones(&self) -> impl Iterator<Item = &str> {
        let ordered = self.order().iter().map(String::as_str);
        weighed_milestones(&self.spec).chain(ordered.filter(|name| !self.spec.weights.contains_key(*name)))
    }

    /// The milestones in order, if the model takes skipped ones as passed.
    fn order(&self) -> &[String] {
        if let Missing::Next(order) = &self.spec.missing { order } else { &[] }
    }

    /// A milestone, then those that stand for it if it was skipped.
    fn candidates<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m str> {
        let later = self.order().iter().map(String::as_str).skip_while(move |it| *it != name).skip(1);
        std::iter::once(name).chain(later)
    }

    /// Whether it needs times: decay or look-back.
    pub fn needs_times(&self) -> bool {
        self.spec.half_life_days.is_some() || self.spec.lookback_days.is_some()
    }

    /// The weights of a journey that has only positions and milestones. They sum to 1.
    pub fn weights_at(&self, place: &Place<'_>) -> Vec<f64> {
        let mut weights = vec![0.0; place.touches];
        let held =
            |name: &str| place.anchors.iter().find(|(anchor, _)| *anchor == name).map(|(_, touch)| *touch);
        let anchor = |name: &str| self.candidates(name).find_map(held);
        self.spread(&mut weights, anchor, &mut |_, _| {});
        weights
    }

    /// Prepares the model for a set of journeys: names become numbers.
    pub fn bind<'m>(&'m self, journeys: &Journeys<'_>) -> Bound<'m> {
        let terms = &journeys.book.terms;
        let spec = &self.spec;
        let lookup = |value: &String| terms.find(value);
        let anchors = spec
            .weights
            .keys()
            .map(|name| {
                let number = |name: &str| journeys.milestones.iter().position(|known| known == name);
                (name.as_str(), self.candidates(name).filter_map(number).collect())
            })
            .collect();
        let factors = spec
            .multiply
            .iter()
            .flat_map(|(dimension, values)| {
                values.iter().map(move |(value, factor)| (dimension, value, *factor))
            })
            .map(|(dimension, value, factor)| (dimension.as_str(), value.as_str(), lookup(value), factor))
            .collect();
        let excluded = spec
            .exclude
            .iter()
            .flat_map(|(dimension, values)| {
                values.iter().map(move |value| (dimension.as_str(), value.as_str(), lookup(value)))
            })
            .collect();
        Bound { model: self, anchors, factors, excluded, kept: Vec::new(), inner: Vec::new() }
    }

    /// Steps 2 to 4: anchors, what is missing, the rest. `told` hears which touch got what from whom.
    fn spread(
        &self,
        weights: &mut [f64],
        anchor: impl Fn(&str) -> Option<usize>,
        told: &mut dyn FnMut(usize, &str),
    ) {
        let count = weights.len();
        let Some(last) = count.checked_sub(1) else { return };
        let (mut held, mut missing) = (0.0, 0.0);
        weights.fill(FREE);
        for (name, weight) in &self.spec.weights {
            let touch = match name.as_str() {
                "first" => Some(0),
                "last" => Some(last),
                name => anchor(name),
            };
            match touch {
                Some(touch) => {
                    weights[touch] = weights[touch].max(0.0) + weight;
                    held += weight;
                    told(touch, name);
                }
                None => missing += weight,
            }
        }
        let free = weights.iter().filter(|weight| **weight == FREE).count();
        let mut rest = self.spec.rest;
        if self.spec.missing == Missing::Rest {
            rest += missing;
        }
        if free == 0 || rest == 0.0 {
            rest = 0.0;
        }
        let whole = held + rest;
        if whole <= 0.0 {
            weights.fill(1.0 / count as f64);
            (0..count).for_each(|touch| told(touch, "nothing else left"));
            return;
        }
        let share = if free > 0 { rest / free as f64 } else { 0.0 };
        for (touch, weight) in weights.iter_mut().enumerate() {
            if *weight == FREE {
                *weight = share;
                if share > 0.0 {
                    told(touch, "rest");
                }
            }
            *weight /= whole;
        }
    }
}

/// Marks a touch without an anchor; one that holds an anchor of no weight has none of the rest either.
const FREE: f64 = -1.0;

/// The milestones that have a weight.
fn weighed_milestones(spec: &ModelSpec) -> impl Iterator<Item = &str> {
    spec.weights.keys().map(String::as_str).filter(|name| !matches!(*name, "first" | "last"))
}

fn builtin_specs() -> BTreeMap<String, ModelSpec> {
    toml::from_str(BUILTIN).expect("the built-in models are read by a test")
}

/// A model whose names are numbers of one book. Keeps its buffers between journeys.
#[derive(Clone, Debug)]
pub struct Bound<'m> {
    /// The model.
    pub model: &'m Model,
    /// Each anchor's milestones: its own, then those that stand for it.
    anchors: Vec<(&'m str, Vec<usize>)>,
    factors: Vec<(&'m str, &'m str, Option<Term>, f64)>,
    excluded: Vec<(&'m str, &'m str, Option<Term>)>,
    kept: Vec<usize>,
    inner: Vec<f64>,
}

impl Bound<'_> {
    /// The weights of a journey's touches: they sum to 1, or all are 0 when nothing counts.
    pub fn weights(&mut self, journeys: &Journeys<'_>, journey: &Journey, out: &mut Vec<f64>) {
        self.weigh(journeys, journey, out, &mut |_, _| {});
    }

    /// As [`weights`](Self::weights), telling which rule gave each touch its weight.
    pub fn weigh(
        &mut self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        out: &mut Vec<f64>,
        told: &mut dyn FnMut(usize, &str),
    ) {
        let rows = journeys.touches(journey);
        out.clear();
        out.resize(rows.len(), 0.0);
        self.keep(journeys, journey, rows);
        if self.kept.is_empty() {
            return;
        }
        let touches = &journeys.book.touches;
        let kept = std::mem::take(&mut self.kept);
        let mut inner = std::mem::take(&mut self.inner);
        inner.clear();
        inner.resize(kept.len(), 0.0);
        let anchors = &self.anchors;
        let anchor = |name: &str| {
            let (_, milestones) = anchors.iter().find(|(anchor, _)| *anchor == name)?;
            let time = milestones.iter().find_map(|milestone| journey.times[*milestone])?;
            // The last touch at or before the milestone.
            kept.partition_point(|place| touches.at[rows[*place] as usize] <= time).checked_sub(1)
        };
        self.model.spread(&mut inner, anchor, &mut |place, rule| told(kept[place], rule));
        self.modify(journeys, journey, rows, &kept, &mut inner);
        let total: f64 = inner.iter().sum();
        if total > 0.0 && total.is_finite() {
            for (place, weight) in kept.iter().zip(&inner) {
                out[*place] = weight / total;
            }
        }
        self.kept = kept;
        self.inner = inner;
    }

    /// Step 1: the places of the touches that are not excluded.
    fn keep(&mut self, journeys: &Journeys<'_>, journey: &Journey, rows: &[u32]) {
        self.kept.clear();
        let spec = &self.model.spec;
        let since = spec
            .lookback_days
            .map(|days| Time(journey.end.0.saturating_sub((days * DAY_MICROS as f64) as i64)));
        for (place, row) in rows.iter().enumerate() {
            let row = *row as usize;
            let out = self
                .excluded
                .iter()
                .any(|(dimension, value, term)| has(journeys, journey, row, dimension, value, *term));
            if !out && since.is_none_or(|since| journeys.book.touches.at[row] >= since) {
                self.kept.push(place);
            }
        }
        if self.kept.is_empty() && spec.if_all_excluded == IfAllExcluded::Keep {
            self.kept.extend(0..rows.len());
        }
    }

    /// Step 5: factors, own weights, decay.
    fn modify(
        &self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        rows: &[u32],
        kept: &[usize],
        inner: &mut [f64],
    ) {
        let spec = &self.model.spec;
        let touches = &journeys.book.touches;
        for (place, weight) in kept.iter().zip(inner.iter_mut()) {
            let row = rows[*place] as usize;
            for (dimension, value, term, factor) in &self.factors {
                if has(journeys, journey, row, dimension, value, *term) {
                    *weight *= factor;
                }
            }
            if spec.use_weight {
                *weight *= f64::from(touches.weight[row]) / f64::from(FULL_WEIGHT);
            }
        }
        if let Some(half_life) = spec.half_life_days {
            // Ages count from the latest touch that weighs anything: the end cancels out of a continuous decay, and the
            // youngest touch then weighs 1, however old the journey.
            let newest = kept.iter().zip(inner.iter()).filter(|(_, weight)| **weight > 0.0);
            let Some(newest) = newest.map(|(place, _)| touches.at[rows[*place] as usize]).max() else {
                return;
            };
            for (place, weight) in kept.iter().zip(inner.iter_mut()) {
                let age_days = newest.days_since(touches.at[rows[*place] as usize]);
                *weight *= (-age_days.max(0.0) / half_life).exp2();
            }
        }
    }
}

fn has(
    journeys: &Journeys<'_>,
    journey: &Journey,
    row: usize,
    dimension: &str,
    value: &str,
    term: Option<Term>,
) -> bool {
    let touches = &journeys.book.touches;
    let own = match dimension {
        "kind" => touches.kind[row],
        "team" => touches.team[row],
        "channel" => touches.channel[row],
        "campaign" => touches.campaign[row],
        "source" => touches.source[row],
        "role" => journeys.role(journey, touches.person[row]),
        "direction" => {
            let inbound = touches.direction[row] == Direction::Inbound;
            return value == if inbound { "inbound" } else { "outbound" };
        }
        _ => return false,
    };
    term.is_some_and(|term| term == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_model_can_be_read() {
        assert_eq!(builtin_specs().len(), Model::names().len());
        for name in Model::names() {
            let model = Model::builtin(&name).unwrap();
            assert!(!model.spec().idea.is_empty() && !model.spec().misleads.is_empty());
        }
        assert!(matches!(Model::builtin("nope"), Err(ModelError::Unknown { .. })));
    }

    #[test]
    fn tables_that_do_not_reach_100_percent_are_refused_unless_told_to_scale() {
        // Two vendors' published tables.
        let view_through =
            "weights = { first = 0.1, lead = 0.266, opportunity = 0.266, closed = 0.266 }\nrest = 0.1";
        let error = Model::parse("w_vta", view_through).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the weights sum to 99.8 %, not 100 %; mend them, or write normalize = true to scale them"
        );
        let six = "weights = { last = 0.5, a = 0.25, b = 0.125, c = 0.0625, d = 0.03125, e = 0.01563 }";
        assert_eq!(
            Model::parse("decay6", six).unwrap_err(),
            ModelError::Sum { percent: "98.438".to_owned() }
        );
        assert!(Model::parse("w_vta", &format!("{view_through}\nnormalize = true")).is_ok());
        assert!(matches!(Model::parse("x", "rest = -1.0"), Err(ModelError::Negative(_))));
        assert!(matches!(Model::parse("x", "rets = 1.0"), Err(ModelError::Toml(_))));
        assert!(matches!(Model::parse("x", ""), Err(ModelError::Empty)));
        let endless = "weights = { first = 1e308, last = 1e308 }\nnormalize = true";
        assert!(matches!(Model::parse("x", endless), Err(ModelError::Sum { .. })));
    }

    #[test]
    fn an_order_of_milestones_names_all_that_are_weighed() {
        let parse = |next: &str| {
            Model::parse(
                "x",
                &format!("weights = {{ first = 0.5, sql = 0.5 }}\nmissing = {{ next = {next} }}"),
            )
        };
        assert_eq!(parse("[\"lead\"]").unwrap_err(), ModelError::Order("sql".to_owned()));
        let model = parse("[\"lead\", \"sql\", \"closed\"]").unwrap();
        assert_eq!(model.milestones().collect::<Vec<_>>(), ["sql", "lead", "closed"]);
    }
}
