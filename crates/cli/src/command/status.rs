//! `tributary status` and `tributary runs`: how every source stands, and what past syncs came to.

mod watch;

use std::sync::Arc;

use serde::Serialize;
use tributary_answers::contents::{Contents, contents};
use tributary_answers::status::{Configured, Status, status};
use tributary_sync::{ScheduledSource, SourceRun};

use super::{Context, sync};
use crate::config::SourceConfig;
use crate::connectors;
use crate::failure::{Failure, Outcome};
use crate::show;

pub(super) use watch::watch;

/// Everything that `tributary status` says.
#[derive(Serialize)]
pub(crate) struct Everything {
    #[serde(flatten)]
    pub(crate) status: Status,
    #[serde(flatten)]
    pub(crate) contents: Contents,
}

/// `status`.
pub(super) async fn once(context: &Context) -> Result<Outcome, Failure> {
    let store = sync::open(context).await?;
    let status = status(&store, &all(context), sync::now()).await?;
    let contents = contents(&store).await?;
    store.close().await;
    show::print(&Everything { status, contents }, context.format)?;
    Ok(Outcome::Done)
}

/// `runs`.
pub(super) async fn runs(context: &Context, source: Option<&str>, last: u32) -> Result<Outcome, Failure> {
    let store = sync::open(context).await?;
    let runs = tributary_answers::runs::runs(&store, source, last).await?;
    store.close().await;
    if runs.runs.is_empty()
        && let Some(source) = source
    {
        // An id that was mistyped, most likely; one without runs otherwise.
        context.sources(&[source.to_owned()])?;
    }
    show::print(&runs, context.format)?;
    Ok(Outcome::Done)
}

/// The configured sources, as their state depends on them. No secret is read.
fn all(context: &Context) -> Vec<Configured> {
    let source = |source: &SourceConfig| {
        let settings = source.settings_without_secrets(&context.config);
        let run = SourceRun::new(source.id.clone(), connectors::named(source.connector), settings);
        configured(&scheduled(source, run))
    };
    context.config.sources.iter().map(source).collect()
}

/// A source, and when the configuration wants it pulled.
pub(super) fn scheduled(source: &SourceConfig, run: SourceRun) -> ScheduledSource {
    let timing = &source.timing;
    ScheduledSource {
        run,
        schedule: timing.schedule.clone(),
        streams: timing.streams.clone(),
        sweep_every: timing.sweep_every,
    }
}

/// A source, as its state depends on it.
pub(super) fn configured(source: &ScheduledSource) -> Configured {
    let whole = source.schedule.iter().map(ToString::to_string);
    let streams = source.streams.iter().map(|(stream, schedule)| format!("{stream} {schedule}"));
    let words: Vec<String> = whole.chain(streams).collect();
    let due = source.clone();
    Configured {
        id: source.run.id.clone(),
        connector: source.run.connector.name(),
        schedule: (!words.is_empty()).then(|| words.join("; ")),
        streams: source.run.connector.streams().iter().map(|stream| stream.name).collect(),
        next_due: Arc::new(move |standing, planned, now| due.next_due(standing, planned, now)),
    }
}
