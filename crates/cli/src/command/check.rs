//! `tributary check`: proves each source without reading its data.

use std::sync::Arc;

use serde::Serialize;
use tributary_source::{Environment, Finding, NextStep};

use super::{Context, sync};
use crate::connectors;
use crate::failure::{Failure, Outcome};
use crate::show::{self, Answer, Cell, Table};

/// What was found.
#[derive(Serialize)]
struct Checked {
    sources: Vec<CheckedSource>,
}

#[derive(Serialize)]
struct CheckedSource {
    source: String,
    connector: &'static str,
    every_seconds: Option<u64>,
    ok: bool,
    error: Option<String>,
    findings: Vec<Finding>,
}

/// Connects to each source and asks it to prove itself.
pub(super) async fn run(context: &Context, ids: &[String]) -> Result<Outcome, Failure> {
    let environment = Environment::new(Arc::new(sync::now));
    let mut sources = Vec::new();
    for configured in context.sources(ids)? {
        let settings = configured.settings(&context.config)?;
        let connector = connectors::named(configured.connector);
        let source = connector.connect(&settings, &environment).map_err(|error| match error.next {
            NextStep::FixConfig => context.config.complaint(configured, &error.message).into(),
            _ => Failure::failed(format!("failed to connect source `{}`: {error}", configured.id)),
        })?;
        let result = source.check().await;
        sources.push(CheckedSource {
            source: configured.id.clone(),
            connector: configured.connector,
            every_seconds: configured.every_seconds,
            ok: result.is_ok(),
            error: result.as_ref().err().map(ToString::to_string),
            findings: result.unwrap_or_default(),
        });
    }
    let failed = sources.iter().any(|source| !source.ok);
    if sources.is_empty() {
        let whose = context.config.company.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        context.progress.say(&format!("the configuration{whose} is in order; it has no sources"));
    }
    show::print(&Checked { sources }, context.format)?;
    Ok(if failed { Outcome::SomeSourcesFailed } else { Outcome::Done })
}

impl Answer for Checked {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(["Source", "Connector", "Every", "State", "What to know"]);
        for source in &self.sources {
            let mut known = source.findings.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>();
            known.extend(source.error.clone());
            table.row(vec![
                Cell::Text(source.source.clone()),
                Cell::Text(source.connector.to_owned()),
                Cell::option(source.every_seconds.map(|seconds| format!("{} min", seconds.div_ceil(60)))),
                Cell::Text(if source.ok { "ok" } else { "failed" }.to_owned()),
                Cell::Text(known.join("; ")),
            ]);
        }
        if self.sources.is_empty() { Vec::new() } else { vec![table] }
    }
}
