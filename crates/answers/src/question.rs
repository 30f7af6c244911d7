//! What all reports ask alike, and the stamp that says how an answer came about.

use serde::Serialize;
use tributary_core::id::Hash;
use tributary_core::{Currency, Time};
use tributary_engine::journey::Journeys;
use tributary_engine::{By, Choice, Policy, Splitter, ready};

use crate::{AnswerError, Data};

use crate::Coverage;

/// Which deals, whose touches, and in which currency.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which journeys to look at.
    pub policy: Policy,
    /// The reporting currency.
    pub currency: Currency,
    /// The dimension that models learn by.
    pub fit_on: By,
    /// The fingerprint of the rules that the data was derived with.
    pub rules: String,
}

/// How an answer came about; the same stamp and data give the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// A hash of all configuration that shaped the answer.
    pub config_hash: String,
    /// The program's version.
    pub engine_version: String,
    /// What was known then.
    #[serde(serialize_with = "crate::text::time")]
    pub as_of: Time,
    /// Whether everything was read that may tell of the deals it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

impl Stamp {
    /// The stamp of an answer about deals that are covered so.
    pub fn over(self, coverage: Coverage) -> Self {
        Self { coverage: Some(coverage), ..self }
    }
}

impl Question {
    /// Makes models ready for the journeys of this question: those that learn do it now.
    pub fn ready(
        &self,
        data: &Data,
        journeys: &Journeys<'_>,
        models: &[Choice],
    ) -> Result<Vec<Splitter>, AnswerError> {
        Ok(ready(models, journeys, self.fit_on, &data.rates, self.currency)?)
    }

    /// The stamp of an answer under some models.
    pub fn stamp(&self, models: &[Choice]) -> Stamp {
        let policy = &self.policy;
        let mut parts = vec![self.rules.clone(), self.currency.to_string()];
        parts.push(format!("{:?} {:?} {:?}", policy.goal, policy.whose, policy.lookback_days));
        parts.push(format!("{:?} {:?}", policy.pipelines, policy.milestones));
        parts.extend(models.iter().map(|model| match model {
            Choice::Rule(model) => format!("{} {:?}", model.name, model.spec()),
            Choice::Learned { name, method } => format!("{name} {method:?} {:?}", self.fit_on),
        }));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Stamp {
            config_hash: Hash::of("configuration", &parts).to_string(),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            as_of: policy.as_of,
            coverage: None,
        }
    }
}
