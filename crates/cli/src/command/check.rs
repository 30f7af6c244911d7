//! `tributary check`: proves each source without reading its data.

use std::sync::Arc;

use serde::Serialize;
use tributary_answers::AnswerError;
use tributary_core::Time;
use tributary_core::time::DAY_MICROS;
use tributary_source::{Connector, Environment, Finding, NextStep, Settings};
use tributary_store::credentials::Credential;

use super::{Context, sync};
use crate::connectors;
use crate::failure::{Failure, Outcome};
use crate::show::{self, Answer, Cell, Table};

/// How many days before its end a sign-in is told of.
const SOON_DAYS: i64 = 14;

/// What was found.
#[derive(Serialize)]
struct Checked {
    sources: Vec<CheckedSource>,
}

#[derive(Serialize)]
struct CheckedSource {
    source: String,
    connector: &'static str,
    schedule: Option<String>,
    ok: bool,
    error: Option<String>,
    findings: Vec<Finding>,
}

/// Connects to each source and asks it to prove itself.
pub(super) async fn run(context: &Context, ids: &[String]) -> Result<Outcome, Failure> {
    let mut asked = Vec::new();
    for configured in context.sources(ids)? {
        asked.push((
            configured,
            connectors::named(configured.connector),
            configured.settings(&context.config)?,
        ));
    }
    // Only those who sign in have anything in the store.
    let signs_in = |(_, connector, settings): &(_, Arc<dyn Connector>, Settings)| {
        connector.oauth(settings).is_ok_and(|oauth| oauth.is_some())
    };
    let (store, environment) = if asked.iter().any(signs_in) {
        let store = sync::open(context).await?;
        let environment = context.environment(&store);
        (Some(store), environment)
    } else {
        (None, Environment::new(Arc::new(sync::now)))
    };
    let mut sources = Vec::new();
    for (configured, connector, settings) in asked {
        let source = connector.connect(&settings, &environment).map_err(|error| match error.next {
            NextStep::FixConfig => context.config.complaint(configured, &error.message).into(),
            _ => Failure::failed(format!("failed to connect source `{}`: {error}", configured.id)),
        })?;
        let mut result = source.check().await;
        if let (Some(store), Ok(findings)) = (&store, &mut result) {
            let kept = store.credential(&configured.id).await.map_err(AnswerError::from)?;
            findings.extend(kept.and_then(|kept| ending(&configured.id, &kept, sync::now())));
        }
        sources.push(CheckedSource {
            source: configured.id.clone(),
            connector: configured.connector,
            schedule: configured.timing.schedule.as_ref().map(ToString::to_string),
            ok: result.is_ok(),
            error: result.as_ref().err().map(ToString::to_string),
            findings: result.unwrap_or_default(),
        });
    }
    if let Some(store) = store {
        store.close().await;
    }
    let failed = sources.iter().any(|source| !source.ok);
    if sources.is_empty() {
        let whose = context.config.company.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        context.progress.say(&format!("the configuration{whose} is in order; it has no sources"));
    }
    show::print(&Checked { sources }, context.format)?;
    Ok(if failed { Outcome::SomeSourcesFailed } else { Outcome::Done })
}

/// Tells of a sign-in that will soon have to be made again.
fn ending(source: &str, kept: &Credential, now: Time) -> Option<Finding> {
    let until = kept.until.filter(|until| until.0 - now.0 < SOON_DAYS * DAY_MICROS)?;
    let message = format!("the sign-in ends at {until}: run `tributary connect {source}` before");
    Some(Finding { code: "sign-in-ends".to_owned(), message })
}

impl Answer for Checked {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(["Source", "Connector", "Schedule", "State", "What to know"]);
        for source in &self.sources {
            let mut known = source.findings.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>();
            known.extend(source.error.clone());
            table.row(vec![
                Cell::Text(source.source.clone()),
                Cell::Text(source.connector.to_owned()),
                Cell::option(source.schedule.clone()),
                Cell::Text(if source.ok { "ok" } else { "failed" }.to_owned()),
                Cell::Text(known.join("; ")),
            ]);
        }
        if self.sources.is_empty() { Vec::new() } else { vec![table] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_that_ends_soon_is_told_of() {
        let check = |days: Option<i64>, expected: bool| {
            let until = days.map(|days| Time(days * DAY_MICROS));
            let kept = Credential { until, ..Credential::default() };
            assert_eq!(ending("crm", &kept, Time(0)).is_some(), expected, "{days:?}");
        };
        check(None, false);
        check(Some(20), false);
        check(Some(13), true);
        check(Some(-1), true);
    }
}
