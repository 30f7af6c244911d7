//! The data-driven models by name, each with its options.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LearnError, Learned, shao_li, shapley};
use crate::paths::Paths;

/// A data-driven model that is not fitted yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// Shapley values of the sum game, in closed form.
    Shapley {},
    /// The second-order probabilistic model of Shao and Li.
    ShaoLi {},
}

impl Method {
    /// A built-in method by name.
    pub fn builtin(name: &str) -> Option<Self> {
        Some(match name {
            "shapley" => Self::Shapley {},
            "shao_li" => Self::ShaoLi {},
            _ => return None,
        })
    }

    /// The names of the built-in methods, in the order of the documentation.
    pub fn names() -> &'static [&'static str] {
        &["shapley", "shao_li"]
    }

    /// Learns from paths.
    pub fn fit(&self, paths: &Paths) -> Result<Box<dyn Learned>, LearnError> {
        Ok(match self {
            Self::Shapley {} => Box::new(shapley::Shapley::fit(paths)?),
            Self::ShaoLi {} => Box::new(shao_li::ShaoLi::fit(paths)?),
        })
    }
}
