//! The data-driven models by name, each with its options.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::markov::Markov;
use super::{LearnError, Learned, hazard, logistic, shao_li, shapley, shapley_rate};
use crate::paths::Paths;

/// A data-driven model that is not fitted yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// The Markov removal effect.
    Markov(Markov),
    /// Shapley values of the sum game, in closed form.
    Shapley {},
    /// Shapley values of the rate game.
    ShapleyRate(shapley_rate::Options),
    /// The second-order probabilistic model of Shao and Li.
    ShaoLi {},
    /// Removal from a logistic regression on won and lost deals.
    Logistic(logistic::Options),
    /// Additive hazard, by EM.
    Hazard(hazard::Options),
}

impl Method {
    /// A built-in method by name.
    pub fn builtin(name: &str) -> Option<Self> {
        Some(match name {
            "markov" => Self::Markov(Markov::default()),
            "markov_2" => Self::Markov(Markov::of_order(2)),
            "markov_3" => Self::Markov(Markov::of_order(3)),
            "markov_4" => Self::Markov(Markov::of_order(4)),
            "shapley" => Self::Shapley {},
            "shapley_rate" => Self::ShapleyRate(shapley_rate::Options::default()),
            "shao_li" => Self::ShaoLi {},
            "logistic" => Self::Logistic(logistic::Options::default()),
            "hazard" => Self::Hazard(hazard::Options::default()),
            _ => return None,
        })
    }

    /// The names of the built-in methods, in the order of the documentation.
    pub fn names() -> &'static [&'static str] {
        &[
            "markov",
            "markov_2",
            "markov_3",
            "markov_4",
            "shapley",
            "shapley_rate",
            "shao_li",
            "logistic",
            "hazard",
        ]
    }

    /// Learns from paths.
    pub fn fit(&self, paths: &Paths) -> Result<Box<dyn Learned>, LearnError> {
        Ok(match self {
            Self::Markov(markov) => Box::new(markov.fit(paths)?),
            Self::Shapley {} => Box::new(shapley::Shapley::fit(paths)?),
            Self::ShapleyRate(options) => Box::new(shapley_rate::ShapleyRate::fit(options, paths)?),
            Self::ShaoLi {} => Box::new(shao_li::ShaoLi::fit(paths)?),
            Self::Logistic(options) => Box::new(logistic::Logistic::fit(options, paths)?),
            Self::Hazard(options) => Box::new(hazard::Hazard::fit(options, paths)?),
        })
    }
}
