//! What would be if a model or the policy were another: the whole book again, and the difference.
//!
//! Pure: data, a question, models and changes in, both numbers out. A change is a name and a value as text, as a
//! person writes them: `w.first` and `0.4`, `lookback_days` and `180`.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};
use tributary_core::Currency;
use tributary_engine::model::ModelSpec;
use tributary_engine::{By, Choice, Goal, Model, Whose, attribute, compare, journeys};

use crate::question::Stamp;
use crate::{AnswerError, Coverage, Data, Question};

/// A setting and what it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `lookback_days`, `whose`, or `MODEL.FIELD`, where a field that is a milestone means its weight and that of a
    /// model that learns is one of its method's options.
    pub name: String,
    /// As in the configuration, without quotes; `none` for nothing.
    pub value: String,
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The setting.
    pub name: String,
    /// What it is in the saved configuration.
    pub from: String,
    /// What it was taken to be here.
    pub to: String,
}

/// Credit as it is and as it would be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIf {
    /// The model.
    pub model: String,
    /// The dimension.
    pub by: By,
    /// What is being credited.
    pub goal: Goal,
    /// The reporting currency; `None` for the goal `lead`.
    pub currency: Option<Currency>,
    /// What is changed.
    pub changes: Vec<Changed>,
    /// What was done to make sense of the changes.
    pub notes: Vec<String>,
    /// By saved credit, largest first, then by key.
    pub rows: Vec<Row>,
    /// Unattributed money as it is.
    pub saved_unattributed_minor: i64,
    /// Unattributed money as it would be.
    pub unattributed_minor: i64,
    /// The total, the same in both.
    pub total_minor: i64,
    /// Deals counted.
    pub deals: u64,
    /// The hash of the saved configuration.
    pub saved_config_hash: String,
    /// How the answer came about, the changes included.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// One key as it is and as it would be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The key; `None` for touches without the dimension.
    pub key: Option<String>,
    /// A readable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Credit under the saved configuration, in minor units.
    pub saved_minor: i64,
    /// Credit with the changes.
    pub credit_minor: i64,
    /// What the changes add.
    pub difference_minor: i64,
    /// Of the total, under the saved configuration.
    pub saved_share: f64,
    /// Of the total, with the changes.
    pub share: f64,
}

/// Credits the whole book twice, as it is and with the changes; an answer a model.
pub fn what_if(
    data: &Data,
    question: &Question,
    models: &[Choice],
    changes: &[Change],
    by: By,
) -> Result<Vec<WhatIf>, AnswerError> {
    let other = Changing::new(question, models).apply(changes)?;
    let saved = journeys(&data.book, &question.policy);
    let changed = journeys(&data.book, &other.question.policy);
    let coverage = Coverage::of_both(data, &saved, &changed);
    let ready = question.ready(data, &saved, models)?;
    let other_ready = other.question.ready(data, &changed, &other.models)?;
    let both = (0..models.len()).map(|index| {
        let (model, other_model) = (&models[index], &other.models[index]);
        let pair = [
            attribute(&saved, &ready[index], by, &data.rates, question.currency),
            attribute(&changed, &other_ready[index], by, &data.rates, question.currency),
        ];
        let stamp = other.question.stamp(std::slice::from_ref(other_model)).over(coverage.clone());
        let mine = |name: &str| name.split_once('.').is_none_or(|(named, _)| named == model.name());
        let laid_out = compare::compare(&pair)?;
        Some(WhatIf {
            model: model.name().to_owned(),
            by,
            goal: laid_out.goal,
            currency: laid_out.currency,
            changes: other.changed.iter().filter(|it| mine(&it.name)).cloned().collect(),
            notes: other
                .notes
                .iter()
                .filter(|(name, _)| name == model.name())
                .map(|it| it.1.clone())
                .collect(),
            rows: laid_out.lines.into_iter().map(row).collect(),
            saved_unattributed_minor: laid_out.unattributed_minor[0],
            unattributed_minor: laid_out.unattributed_minor[1],
            total_minor: laid_out.total_minor,
            deals: laid_out.deals,
            saved_config_hash: question.stamp(std::slice::from_ref(model)).config_hash,
            stamp,
        })
    });
    Ok(both.flatten().collect())
}

fn row(line: compare::Line) -> Row {
    let (saved, changed) = (line.cells[0], line.cells[1]);
    Row {
        key: line.key,
        label: line.label,
        saved_minor: saved.credit_minor,
        credit_minor: changed.credit_minor,
        difference_minor: changed.difference_minor,
        saved_share: saved.share,
        share: changed.share,
    }
}

/// The settings of the policy that may change; all others choose deals, and so change what is compared.
const POLICY: [&str; 2] = ["lookback_days", "whose"];

/// Fields of a model that are words about it, and the one that makes it another.
const FIXED: [&str; 5] = ["idea", "misleads", "rule", "documented_in", "method"];

/// A question and models on their way to be others.
struct Changing {
    question: Question,
    models: Vec<Choice>,
    changed: Vec<Changed>,
    /// By model.
    notes: Vec<(String, String)>,
}

impl Changing {
    fn new(question: &Question, models: &[Choice]) -> Self {
        Self { question: question.clone(), models: models.to_vec(), changed: Vec::new(), notes: Vec::new() }
    }

    fn apply(mut self, changes: &[Change]) -> Result<Self, AnswerError> {
        let mut specs: Vec<Value> = self.models.iter().map(spec).collect();
        for change in changes {
            let from = match change.name.split_once('.') {
                None => self.change_policy(change)?,
                Some((model, field)) => {
                    let index = self.models.iter().position(|it| it.name() == model);
                    let index = index.ok_or_else(|| self.unknown(&change.name))?;
                    self.change_model(index, &mut specs[index], field, change)?
                }
            };
            let to = change.value.trim().to_owned();
            self.changed.push(Changed { name: change.name.clone(), from, to });
        }
        for (index, spec) in specs.into_iter().enumerate() {
            let name = self.models[index].name().to_owned();
            let mine: Vec<&Changed> =
                self.changed.iter().filter(|it| it.name.split('.').next() == Some(&name)).collect();
            let Some(last) = mine.last() else { continue };
            let wrong = |reason: String| AnswerError::Setting { name: last.name.clone(), reason };
            if let Choice::Learned { method, .. } = &mut self.models[index] {
                *method = serde_json::from_value(spec).map_err(|error| wrong(readable(&error)))?;
                continue;
            }
            let mut changed: ModelSpec =
                serde_json::from_value(spec).map_err(|error| wrong(readable(&error)))?;
            let sum: f64 = changed.weights.values().sum::<f64>() + changed.rest;
            let is_scaled = sum > 0.0 && sum.is_finite() && (sum - 1.0).abs() > 1e-9;
            changed.normalize |= is_scaled;
            let model = Model::new(&name, changed).map_err(|error| wrong(error.to_string()))?;
            if is_scaled {
                self.notes.push((name, scaled(sum, model.spec())));
            }
            self.models[index] = Choice::Rule(Box::new(model));
        }
        Ok(self)
    }

    fn change_policy(&mut self, change: &Change) -> Result<String, AnswerError> {
        let policy = &mut self.question.policy;
        let wrong =
            |reason: &str| AnswerError::Setting { name: change.name.clone(), reason: reason.to_owned() };
        let value = change.value.trim();
        match change.name.as_str() {
            "lookback_days" => {
                let from = policy.lookback_days.map_or("none".to_owned(), |days| days.to_string());
                policy.lookback_days = match value {
                    "none" => None,
                    text => {
                        let days = text.parse().ok().filter(|days: &f64| days.is_finite() && *days > 0.0);
                        Some(days.ok_or_else(|| wrong("expected a number of days above 0, or none"))?)
                    }
                };
                Ok(from)
            }
            "whose" => {
                let from = word(&policy.whose);
                policy.whose = serde_json::from_value::<Whose>(Value::from(value))
                    .map_err(|_| wrong("expected all, committee or primary"))?;
                Ok(from)
            }
            _ => Err(self.unknown(&change.name)),
        }
    }

    /// Changes a field of a model's JSON, and tells what it was.
    fn change_model(
        &self,
        index: usize,
        spec: &mut Value,
        field: &str,
        change: &Change,
    ) -> Result<String, AnswerError> {
        let fields = fields(spec);
        let mut path: Vec<&str> = field.split('.').collect();
        if !fields.iter().any(|known| known == path[0]) {
            path.insert(0, "weights");
        }
        if let ["weights", anchor @ ..] = path.as_slice()
            && !matches!(anchor, [name] if self.anchors(index).iter().any(|known| known == name))
        {
            return Err(self.unknown(&change.name));
        }
        let place = at(spec, &path);
        let from = place.clone();
        *place = value(change.value.trim(), is_list(&path));
        let is_new = path[0] == "weights" && from.is_null();
        Ok(if is_new { "0".to_owned() } else { told(&from) })
    }

    /// What a rule may give a weight.
    fn anchors(&self, index: usize) -> Vec<String> {
        let Choice::Rule(model) = &self.models[index] else { return Vec::new() };
        let spec = model.spec();
        let own =
            spec.weights.keys().chain(spec.anchors.keys()).chain(self.question.policy.milestones.keys());
        let built_in = ["first", "last", "lead", "opportunity", "closed"].map(str::to_owned);
        own.cloned().chain(built_in).collect()
    }

    fn unknown(&self, name: &str) -> AnswerError {
        let mut known: Vec<String> = POLICY.map(str::to_owned).to_vec();
        for (index, model) in self.models.iter().enumerate() {
            let all = self.anchors(index).into_iter().chain(fields(&spec(model)));
            known.extend(all.map(|field| format!("{}.{field}", model.name())));
        }
        known.sort();
        known.dedup();
        AnswerError::UnknownSetting { name: name.to_owned(), known }
    }
}

/// A model's settings as JSON.
fn spec(model: &Choice) -> Value {
    let spec = match model {
        Choice::Rule(model) => serde_json::to_value(model.spec()),
        Choice::Learned { method, .. } => serde_json::to_value(method),
    };
    spec.unwrap_or_default()
}

/// A place in a model's JSON, made if it is not there.
fn at<'v>(spec: &'v mut Value, path: &[&str]) -> &'v mut Value {
    let Some((first, rest)) = path.split_first() else { return spec };
    if !spec.is_object() {
        *spec = Value::Object(Map::new());
    }
    at(&mut spec[*first], rest)
}

/// The names of a model's fields.
fn fields(spec: &Value) -> Vec<String> {
    let all = spec.as_object().into_iter().flat_map(Map::keys);
    all.filter(|name| !FIXED.contains(&name.as_str())).cloned().collect()
}

/// Whether a field holds several values, written with commas between.
fn is_list(path: &[&str]) -> bool {
    matches!(
        path,
        ["rest_per" | "controls"]
            | ["exclude" | "only_as_anchor", _]
            | ["exclude_after", _, _]
            | ["anchors", _, "among", _]
    )
}

/// A value as a person writes it: a number, true, false, none, a list, or a word.
fn value(text: &str, is_list: bool) -> Value {
    if is_list && !text.starts_with('[') {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "none");
        return words.map(Value::from).collect();
    }
    if text == "none" {
        return Value::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(told).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).map(|value| told(&value)).unwrap_or_default()
}

/// What serde says, for people.
fn readable(error: &serde_json::Error) -> String {
    error.to_string().replace("unknown field", "unknown key").replace("unknown variant", "unknown value")
}

/// `the weights sum to 110 %: scaled to first 36.36 %, …`
fn scaled(sum: f64, spec: &ModelSpec) -> String {
    let percent = |weight: f64| format!("{} %", (weight * 1e4).round() / 1e2);
    let mut out = format!("the weights sum to {}: scaled to 100 %, so", percent(sum));
    let rest = (spec.rest > 0.0).then_some(("rest", spec.rest));
    let all = spec.weights.iter().map(|(name, weight)| (name.as_str(), *weight)).chain(rest);
    for (index, (name, weight)) in all.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(out, "{comma} {name} {}", percent(weight)).unwrap_or_default();
    }
    out
}
