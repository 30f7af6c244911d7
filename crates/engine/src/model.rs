//! How a journey's touches weigh. Every rule model is one struct, filled from TOML; so are the vendors' documented
//! rules, each a preset that names the rule it reproduces.
//!
//! The rule, from top to bottom:
//!
//! 1. Touches that a model excludes are out. If none is left, the journey is unattributed, unless the model says
//!    `if_all_excluded = "keep"`.
//! 2. An *anchor* gives its weight to one touch: `first` and `last` by position, a milestone to the last touch at
//!    or before it. A touch that holds several anchors takes all their weights. `anchors` says otherwise: each of
//!    several entries, the lead's own touches, or touches of a kind, whatever the CRM says.
//! 3. The weight of an anchor that no touch holds goes back in proportion to everything left (`missing =
//!    "pro_rata"`), to the rest (`missing = "rest"`), or to the touch of the next milestone that the deal reached
//!    (`missing = { next = [...] }`, all milestones in order).
//! 4. `rest` is spread evenly over the touches without an anchor (or over their channels, or by points). Without such
//!    touches it goes to the anchors in proportion; if nothing at all is left, every touch weighs the same.
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

mod bound;
mod exp2;
mod spec;
mod spread;
mod words;

use std::collections::BTreeMap;
use std::fmt;

use tributary_core::money::MostlyEven;

use crate::credit::Groups;
use crate::journey::{Journeys, Whose};
pub use bound::Bound;
pub use spec::{
    Anchor, Decay, HeldBy, IfAllExcluded, Missing, ModelError, ModelSpec, Points, Take, Trait, Values,
};
use spread::{Anchored, FREE};
pub use words::Aspect;

const BUILTIN: &str = include_str!("../models/builtin.toml");
const PRESETS: &str = include_str!("../models/presets.toml");

/// The built-in models, in the order of the documentation.
const NAMES: [&str; 11] = [
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
];

/// The vendors' documented rules, in the order of the documentation.
const PRESET_NAMES: [&str; 16] = [
    "marketo_u",
    "marketo_w",
    "marketo_full_path",
    "hubspot_u",
    "hubspot_w",
    "hubspot_full_path",
    "dreamdata_u",
    "dreamdata_w",
    "hockeystack_position",
    "calibermind_w",
    "salesforce_even",
    "salesforce_u",
    "posthog_time_decay",
    "snowplow_position",
    "adobe_j",
    "adobe_inverse_j",
];

/// A rule model, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its name.
    pub name: String,
    spec: ModelSpec,
}

/// A journey without a clock: how many touches, and which hold which milestone.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// How many touches.
    pub touches: usize,
    /// Milestones and the touch that holds each.
    pub anchors: &'a [(&'a str, usize)],
}

/// What was found of a journey before, for all models.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    /// How many of its touches were at or before each milestone.
    pub(crate) until: Option<&'a [u32]>,
    /// How old its touches were at its end, in microseconds.
    pub(crate) ages: Option<&'a [f64]>,
    /// The groups of a dimension, and that of each of its touches.
    pub(crate) groups: Option<(&'a Groups<'a>, &'a [u32])>,
}

/// How a journey's touches weigh, without writing down what most of them have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    /// The places of the touches that count; all count if `None`.
    pub(crate) kept: Option<&'a [u32]>,
    /// What those that count weigh: together 1, or 0 each if nothing counts.
    pub(crate) weights: Weights<'a>,
}

/// Weights of touches.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weights<'a> {
    /// Most of them are the same.
    MostlyEven(MostlyEven<'a>),
    /// Each its own.
    Each {
        /// What they weigh beside each other.
        weights: &'a [f64],
        /// What each is multiplied with to be a part of 1.
        scale: f64,
    },
}

/// How a touch comes to hold an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Held<'a> {
    /// It holds the anchor itself.
    Itself,
    /// The anchor was skipped, and is taken as passed with this milestone.
    With(&'a str),
    /// The deal is open, and the touch is its most recent.
    Pending,
}

/// A rule of a model that a touch met.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Rule<'a> {
    /// It holds an anchor.
    Anchor {
        /// Which.
        name: &'a str,
        /// In what way.
        held: Held<'a>,
    },
    /// It has a part of the rest.
    Rest,
    /// It has a part of the rest by its points.
    Points(f64),
    /// It has the same as all others, since nothing else was left of the model.
    Even,
    /// It counts only where it holds an anchor, and holds none.
    OnlyAsAnchor,
    /// It is before the model's look-back.
    TooOld,
    /// Its person is not one of those who count.
    Outsider(Whose),
    /// The model excludes it.
    Excluded {
        /// By this dimension.
        dimension: &'a str,
        /// With this value.
        value: &'a str,
        /// Only after this milestone, if so.
        after: Option<&'a str>,
    },
}

impl Rule<'_> {
    /// Whether the touch counts for nothing by it.
    pub fn leaves_out(&self) -> bool {
        matches!(self, Self::OnlyAsAnchor | Self::TooOld | Self::Outsider(_) | Self::Excluded { .. })
    }
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Anchor { name, held: Held::Itself } => f.write_str(name),
            Self::Anchor { name, held: Held::With(other) } => {
                write!(f, "{name} (skipped, passed with {other})")
            }
            Self::Anchor { name, held: Held::Pending } => write!(f, "{name} (pending)"),
            Self::Rest => f.write_str("rest"),
            Self::Points(points) => write!(f, "{points} points"),
            Self::Even => f.write_str("nothing else left"),
            Self::OnlyAsAnchor => f.write_str("counts only as a milestone"),
            Self::TooOld => f.write_str("before the model's look-back"),
            Self::Outsider(Whose::All) => f.write_str("by somebody else"),
            Self::Outsider(Whose::Committee) => f.write_str("by nobody of the committee"),
            Self::Outsider(Whose::Primary) => f.write_str("not by the primary contact"),
            Self::Excluded { dimension, value, after } => {
                let value = if value.is_empty() { "none" } else { value };
                write!(f, "left out: {dimension} {value}")?;
                after.map_or(Ok(()), |milestone| write!(f, " after {milestone}"))
            }
        }
    }
}

impl Model {
    /// Checks a model.
    pub fn new(name: &str, spec: ModelSpec) -> Result<Self, ModelError> {
        Ok(Self { name: name.to_owned(), spec: spec.checked()? })
    }

    /// Reads one model in TOML.
    pub fn parse(name: &str, toml: &str) -> Result<Self, ModelError> {
        let spec = toml::from_str(toml).map_err(|error| ModelError::Toml(error.message().to_owned()))?;
        Self::new(name, spec)
    }

    /// A built-in model or a preset by name.
    pub fn builtin(name: &str) -> Result<Self, ModelError> {
        if let Some(spec) = specs(BUILTIN).remove(name).or_else(|| specs(PRESETS).remove(name)) {
            return Self::new(name, spec);
        }
        let known = [Self::names(), Self::presets()].concat().join(", ");
        Err(ModelError::Unknown { name: name.to_owned(), known })
    }

    /// The names of the built-in models.
    pub fn names() -> Vec<String> {
        NAMES.map(str::to_owned).to_vec()
    }

    /// The names of the presets: vendors' documented rules.
    pub fn presets() -> Vec<String> {
        PRESET_NAMES.map(str::to_owned).to_vec()
    }

    /// The checked specification.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The milestones that it asks of the CRM, beside first and last.
    pub fn milestones(&self) -> impl Iterator<Item = &str> {
        let ordered = self.order().iter().map(String::as_str);
        let unweighed = ordered.filter(|name| !self.spec.weights.contains_key(*name));
        let asks =
            |name: &&str| self.spec.anchors.get(*name).is_none_or(|anchor| anchor.held_by != HeldBy::Touch);
        let after = self.spec.exclude_after.keys().map(String::as_str);
        self.spec.weighed().chain(unweighed).filter(asks).chain(after)
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

    /// Whether weights fall with age.
    pub(crate) fn decays(&self) -> bool {
        self.spec.half_life_days.is_some() || self.spec.half_life_of_lookback.is_some()
    }

    /// Whether it needs times: decay or look-back.
    pub fn needs_times(&self) -> bool {
        self.spec.half_life_days.is_some() || self.spec.lookback_days.is_some()
    }

    /// What it asks of a touch or a deal beyond channels, milestones, times and weights, if anything.
    pub fn needs_more(&self) -> Option<&str> {
        let spec = &self.spec;
        let values = [&spec.exclude, &spec.only_as_anchor].into_iter().flat_map(BTreeMap::keys);
        let mut dimensions = values.chain(spec.multiply.keys()).chain(&spec.rest_per).map(String::as_str);
        let other = dimensions.find(|dimension| *dimension != "channel");
        let rules = [
            (!spec.points.is_empty(), "points"),
            (!spec.anchors.is_empty(), "anchors"),
            (spec.whose != Whose::All, "whose"),
        ];
        other.or_else(|| rules.into_iter().find_map(|(is_there, name)| is_there.then_some(name)))
    }

    /// The weights of a journey that has only positions and milestones. They sum to 1.
    pub fn weights_at(&self, place: &Place<'_>) -> Vec<f64> {
        self.weights_over(place, &vec![(); place.touches])
    }

    /// As [`weights_at`](Self::weights_at), of touches through these channels.
    pub fn weights_over<C: Ord>(&self, place: &Place<'_>, channels: &[C]) -> Vec<f64> {
        let mut weights = Vec::new();
        let touch = |name: &str| match name {
            "first" => Some(0),
            "last" => Some(place.touches - 1),
            name => place.anchors.iter().find(|(anchor, _)| *anchor == name).map(|(_, touch)| *touch),
        };
        let find = |name, out: &mut Vec<usize>| {
            let held = self.candidates(name).find_map(|it| Some((it, touch(it)?)));
            out.extend(held.map(|(_, touch)| touch));
            held.filter(|(it, _)| *it != name).map_or(Held::Itself, |(it, _)| Held::With(it))
        };
        let mut anchored = Anchored::default();
        let anchors = self.spec.weights.iter().map(|(name, weight)| (name.as_str(), name.as_str(), *weight));
        anchored.find(anchors, place.touches, find, &mut |_, _| {});
        if place.touches == 0 {
            return weights;
        }
        if self.spec.rest_per.is_empty() {
            let (each, _) = anchored.settle(&self.spec, place.touches);
            anchored.write(place.touches, each, &mut weights);
        } else {
            let mut parts = Vec::new();
            anchored.write(place.touches, FREE, &mut weights);
            spread::parts_per_key(&weights, channels, &mut parts);
            anchored.share_out(&self.spec, &mut weights, &parts, &mut |_, _| {});
        }
        weights
    }

    /// Prepares the model for a set of journeys: names become numbers.
    pub fn bind<'m>(&'m self, journeys: &Journeys<'_>) -> Bound<'m> {
        Bound::new(self, journeys)
    }
}

fn specs(toml: &str) -> BTreeMap<String, ModelSpec> {
    toml::from_str(toml).expect("the built-in models and presets are read by a test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_model_can_be_read() {
        assert_eq!(specs(BUILTIN).len(), Model::names().len());
        for name in Model::names() {
            let model = Model::builtin(&name).unwrap();
            assert!(!model.spec().idea.is_empty() && !model.spec().misleads.is_empty());
        }
        assert!(matches!(Model::builtin("nope"), Err(ModelError::Unknown { .. })));
    }

    #[test]
    fn every_preset_names_the_rule_it_reproduces() {
        assert_eq!(specs(PRESETS).len(), Model::presets().len());
        for name in Model::presets() {
            let model = Model::builtin(&name).unwrap();
            let spec = model.spec();
            for text in [&spec.idea, &spec.misleads, &spec.rule, &spec.documented_in] {
                assert!(!text.is_empty(), "{name}");
            }
        }
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
