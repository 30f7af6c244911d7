//! `tributary.toml`: what the company is, where its data comes from, and how it counts.
//!
//! Every value is checked while the file is read, so that whatever goes wrong later is not the configuration's
//! fault. Mistakes are reported with line, column and caret. Not responsible for a connector's own settings:
//! those are passed on, and the connector's complaint is only shown where it belongs.

mod alerts;
pub(crate) mod diagnostic;
mod file;
pub(crate) mod schema;
mod source;
pub(crate) mod suggest;
mod timing;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;
use tributary_core::money::Currency;
use tributary_core::time::{Time, Zone};
use tributary_derive::rules::Rules;
use tributary_engine::Choice;
use tributary_engine::learn::Method;
use tributary_engine::model::{Model, ModelSpec};

use crate::alerts::Receiver;
use diagnostic::{Diagnostic, Text};
use file::File;
pub(crate) use file::Whose;
pub(crate) use source::SourceConfig;
pub(crate) use timing::{DaemonConfig, Metrics};

/// Anchors that every model may weigh.
const BUILT_IN_ANCHORS: [&str; 5] = ["first", "last", "lead", "opportunity", "closed"];

/// A configuration that makes sense.
#[derive(Debug)]
pub(crate) struct Config {
    /// The company's name, for headings.
    pub(crate) company: Option<String>,
    /// The zone in which a report's days begin and end.
    pub(crate) zone: Zone,
    /// The currency of reports.
    pub(crate) currency: Currency,
    /// Deals before this are in no report unless asked for.
    pub(crate) history_start: Option<Time>,
    /// Where the data is kept.
    pub(crate) store: String,
    /// The pipelines that count; all if empty.
    pub(crate) pipelines: BTreeSet<String>,
    /// The configuration's own models.
    pub(crate) models: Vec<Choice>,
    /// Further milestones, each with the stages that mean it.
    pub(crate) milestones: BTreeMap<String, BTreeSet<String>>,
    /// Under which rules facts become people, accounts, touches and deals.
    pub(crate) rules: Rules,
    /// Whose touches count for a deal.
    pub(crate) whose: Whose,
    /// How far back from its end a journey reaches; without limit if absent.
    pub(crate) lookback_days: Option<u32>,
    /// The sources, in the order of the file.
    pub(crate) sources: Vec<SourceConfig>,
    /// How the daemon works.
    pub(crate) daemon: DaemonConfig,
    /// Who is told what is wrong.
    pub(crate) alerts: Vec<Receiver>,
    /// The folder that relative paths start from.
    pub(crate) folder: PathBuf,
    text: Text,
}

impl Config {
    /// Reads a file.
    pub(crate) fn load(path: &Path, connectors: &[&'static str]) -> Result<Self, Diagnostic> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Text::whole(path, "no such configuration file")
                .hint("write one with `tributary init`, or name another with --config FILE"),
            _ => Text::whole(path, format!("cannot read it: {error}")),
        })?;
        Self::parse(Text { path: path.to_owned(), text }, connectors)
    }

    /// What holds without a file.
    pub(crate) fn absent(path: &Path, connectors: &[&'static str]) -> Result<Self, Diagnostic> {
        Self::parse(Text { path: path.to_owned(), text: String::new() }, connectors)
    }

    /// Reads a file's text.
    fn parse(text: Text, connectors: &[&'static str]) -> Result<Self, Diagnostic> {
        let mut table = DeTable::parse(&text.text).map_err(|error| text.toml(&error))?;
        let sources = table.get_mut().remove("source");
        let file = read_file(table, &text)?;

        let zone = zone(&text, file.company.time_zone.as_ref())?.unwrap_or_default();
        let folder = text.path.parent().map(Path::to_owned).unwrap_or_default();
        let currency = match &file.company.currency {
            Some(code) => {
                Currency::parse(code.get_ref()).map_err(|error| text.at(code.span(), error.to_string()))?
            }
            None => Currency::USD,
        };
        let history_start = match &file.company.history_start {
            Some(day) => Some(
                Time::parse(day.get_ref(), &zone).map_err(|error| text.at(day.span(), error.to_string()))?,
            ),
            None => None,
        };
        let sources = match sources {
            Some(tables) => source::read(&text, tables, &zone, connectors)?,
            None => Vec::new(),
        };
        Ok(Self {
            store: store_url(&text, file.store.url.as_ref(), &folder)?,
            company: file.company.name,
            currency,
            history_start,
            pipelines: file.deals.pipelines.into_iter().collect(),
            models: models(&text, file.models, file.learned, file.deals.milestones.values())?,
            milestones: by_milestone(file.deals.milestones),
            rules: Rules {
                own_domains: file.company.domains,
                amount_field: file.deals.amount_field,
                channels: file.channels,
                teams: file.teams,
                reps: file.reps,
            },
            whose: file.journey.whose,
            lookback_days: file.journey.lookback_days,
            daemon: file.daemon.read(&text)?,
            alerts: alerts::read(&text, file.alerts)?,
            sources,
            zone,
            folder,
            text,
        })
    }

    /// Shows a connector's complaint about its settings at the place it speaks of.
    pub(crate) fn complaint(&self, source: &SourceConfig, message: &str) -> Diagnostic {
        source.complaint(&self.text, message)
    }
}

fn read_file(table: Spanned<DeTable<'_>>, text: &Text) -> Result<File, Diagnostic> {
    serde::Deserialize::deserialize(toml::Deserializer::from(table)).map_err(|error| text.toml(&error))
}

/// Each milestone with the stages that mean it.
fn by_milestone(stages: BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let mut milestones: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (stage, milestone) in stages {
        milestones.entry(milestone).or_default().insert(stage);
    }
    milestones
}

/// Checks the configuration's own models: their names, their weights, the milestones they speak of.
fn models<'a>(
    text: &Text,
    specs: BTreeMap<String, Spanned<ModelSpec>>,
    learned: BTreeMap<String, Spanned<Method>>,
    milestones: impl Iterator<Item = &'a String>,
) -> Result<Vec<Choice>, Diagnostic> {
    let known: Vec<&str> = BUILT_IN_ANCHORS.iter().copied().chain(milestones.map(String::as_str)).collect();
    let mut models: Vec<Choice> = Vec::new();
    let taken = [
        (Model::names(), "built-in model"),
        (Model::presets(), "preset"),
        (Method::names().iter().map(|name| (*name).to_owned()).collect(), "built-in model that learns"),
        (
            learned.keys().filter(|name| specs.contains_key(*name)).cloned().collect(),
            "model of yours already",
        ),
    ];
    let free = |name: &String, span: Range<usize>| match taken.iter().find(|(names, _)| names.contains(name))
    {
        None => Ok(()),
        Some((_, what)) => Err(text
            .at(span, format!("`{name}` is a {what}"))
            .hint("give yours another name: reports of one name must mean one thing")),
    };
    for (name, method) in learned {
        free(&name, method.span())?;
        models.push(Choice::Learned { name, method: method.into_inner() });
    }
    for (name, spec) in specs {
        let span = spec.span();
        free(&name, span.clone())?;
        let model = Model::new(&name, spec.into_inner())
            .map_err(|error| text.at(span.clone(), format!("model `{name}`: {error}")))?;
        if let Some(unknown) = model.milestones().find(|milestone| !known.contains(milestone)) {
            return Err(text
                .at(span, format!("model `{name}`: no stage means the milestone `{unknown}`"))
                .hint(suggest::hint(unknown, &known)));
        }
        models.push(Choice::Rule(Box::new(model)));
    }
    Ok(models)
}

fn zone(text: &Text, name: Option<&Spanned<String>>) -> Result<Option<Zone>, Diagnostic> {
    let Some(name) = name else { return Ok(None) };
    match Zone::parse(name.get_ref()) {
        Some(zone) => Ok(Some(zone)),
        None => Err(text
            .at(name.span(), format!("unknown time zone `{}`", name.get_ref()))
            .hint("expected an IANA name such as Europe/Berlin")),
    }
}

/// The store's address; a SQLite file's path starts from the configuration's folder.
fn store_url(text: &Text, url: Option<&Spanned<file::Value>>, folder: &Path) -> Result<String, Diagnostic> {
    let Some(url) = url else { return Ok(sqlite_in(folder, "tributary.db")) };
    let value = match url.get_ref() {
        file::Value::Text(value) => value.clone(),
        file::Value::Env { env } => std::env::var(env)
            .map_err(|_| text.at(url.span(), format!("the environment variable `{env}` is not set")))?,
    };
    if let Some(path) = value.strip_prefix("sqlite:") {
        return Ok(sqlite_in(folder, path.strip_prefix("//").unwrap_or(path)));
    }
    if value.starts_with("postgres://") || value.starts_with("postgresql://") {
        return Ok(value);
    }
    Err(text
        .at(url.span(), "unknown kind of store")
        .hint("expected sqlite:FILE, such as sqlite:tributary.db, or postgres://USER@HOST/DATABASE"))
}

fn sqlite_in(folder: &Path, path: &str) -> String {
    format!("sqlite:{}", folder.join(path).display())
}

#[cfg(test)]
mod tests;
