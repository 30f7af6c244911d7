//! `tributary sync`: one pass over the sources, then what the new records mean.

use std::collections::BTreeMap;
use std::env::VarError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use indicatif::ProgressBar;
use serde::Serialize;
use tributary_answers::AnswerError;
use tributary_core::Time;
use tributary_derive::update;
use tributary_source::NextStep;
use tributary_store::Store;
use tributary_store::landing::Landed;
use tributary_sync::{DAEMON, Event, Observer, Options, Outcome as Ended, Report, SourceReport, SourceRun};

use super::Context;
use crate::config::SourceConfig;
use crate::connectors;
use crate::failure::{Failure, Outcome};
use crate::show::progress::{Progress, advance};
use crate::show::{self, Answer, Cell, Table};

/// Syncs the configured sources of these ids; all of them without ids.
pub(super) async fn run(
    context: &Context,
    ids: &[String],
    rebuild: bool,
    allow_mass_delete: bool,
) -> Result<Outcome, Failure> {
    let runs = runs(context, ids)?;
    if runs.is_empty() && !rebuild {
        return Err(Failure::usage("the configuration has no [[source]]")
            .hint("add one, or import files with `tributary import FOLDER`"));
    }
    let store = open(context).await?;
    // What the daemon would not do, the command does itself: a source is in one hand at a time all the same.
    if !rebuild
        && !allow_mass_delete
        && store.is_one_file()
        && let Some(daemon) = store.holder(DAEMON).await.map_err(AnswerError::from)?
    {
        ask(context, &store, &runs, &daemon).await?;
        store.close().await;
        return Ok(Outcome::Done);
    }
    let report = pull(context, &store, &runs, allow_mass_delete).await?;
    if !report.was_interrupted() {
        if rebuild {
            rebuild_all(context, &store).await?;
        } else {
            derive(context, &store).await?;
        }
    }
    store.close().await;
    finish(context, &report)
}

/// Asks the daemon of this store for a sync, instead of doing its work beside it.
async fn ask(context: &Context, store: &Store, runs: &[SourceRun], daemon: &str) -> Result<(), Failure> {
    for run in runs {
        store.ask(&run.id, now()).await.map_err(AnswerError::from)?;
        let message = format!("{}: {daemon} serves this store, and was asked to sync it now", run.id);
        context.progress.say(&message);
    }
    context.progress.say("hint: `tributary status` shows how it goes");
    Ok(())
}

/// The configured sources of these ids, all of them without ids, with their secrets.
pub(crate) fn runs(context: &Context, ids: &[String]) -> Result<Vec<SourceRun>, Failure> {
    runs_with(context, ids, |variable| std::env::var(variable))
}

/// The same, with secrets looked up by the names of their variables.
pub(crate) fn runs_with(
    context: &Context,
    ids: &[String],
    look_up: impl Fn(&str) -> Result<String, VarError>,
) -> Result<Vec<SourceRun>, Failure> {
    let run = |source: &SourceConfig| {
        let settings = source.settings_with(&context.config, &look_up)?;
        Ok(SourceRun::new(source.id.clone(), connectors::named(source.connector), settings))
    };
    context.sources(ids)?.into_iter().map(run).collect()
}

/// Opens the store that flags or configuration name.
pub(crate) async fn open(context: &Context) -> Result<Store, Failure> {
    Store::open(&context.store).await.map_err(|error| AnswerError::from(error).into())
}

/// Pulls every source once, with a bar for each.
pub(crate) async fn pull(
    context: &Context,
    store: &Store,
    runs: &[SourceRun],
    allow_mass_delete: bool,
) -> Result<Report, Failure> {
    let lease = context.config.daemon.lease;
    let tokens = Arc::new(context.tokens(store));
    let options = Options { allow_mass_delete, lease, tokens, ..Options::new(Arc::new(now)) };
    let bars = Bars::new(&context.progress);
    let report = tributary_sync::run(store, runs, &options, &bars, &context.cancel).await;
    report.map_err(|error| AnswerError::from(error).into())
}

/// Works out what changed since the last time: new records, or other rules.
pub(crate) async fn derive(context: &Context, store: &Store) -> Result<update::Summary, Failure> {
    let bar = context.progress.bar("working out");
    let mut progress = |done, total| advance(&bar, done, Some(total));
    let summary = update::update(store, &context.config.rules, &mut progress).await;
    bar.finish_and_clear();
    summary.map_err(|error| AnswerError::from(error).into())
}

/// Works everything out anew.
async fn rebuild_all(context: &Context, store: &Store) -> Result<update::Summary, Failure> {
    let bar = context.progress.bar("working out anew");
    let mut progress = |done, total| advance(&bar, done, Some(total));
    let summary = update::rebuild(store, &context.config.rules, &mut progress).await;
    bar.finish_and_clear();
    summary.map_err(|error| AnswerError::from(error).into())
}

/// The clock on the wall: landing is the one place that asks for it.
pub(super) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Shows what came, says what failed and what is left.
pub(super) fn finish(context: &Context, report: &Report) -> Result<Outcome, Failure> {
    show::print(&Synced::of(report), context.format)?;
    let mut left_over = Vec::new();
    for source in &report.sources {
        for finding in &source.findings {
            context.progress.say(&format!("{}: {}", source.source, finding.message));
        }
        match &source.outcome {
            Ended::Ok => {}
            Ended::Failed { message, next } => {
                context.progress.say(&format!("failed to sync {}: {message}", source.source));
                if let Some(hint) = hint(*next) {
                    context.progress.say(&format!("hint: {hint}"));
                }
            }
            Ended::Paused { message, .. } => {
                context.progress.say(&format!("{}: paused: {message}", source.source));
            }
            Ended::Partly { left } => {
                context.progress.say(&format!("{}: not complete yet: {}", source.source, left.join(", ")));
            }
            Ended::Busy { by } => {
                context.progress.say(&format!("failed to sync {}: {by} is syncing it", source.source));
                context.progress.say("hint: wait until it is done; if it is dead, its hold ends by itself");
            }
            Ended::Lost { message } => {
                context.progress.say(&format!("failed to sync {}: {message}", source.source));
            }
            Ended::Interrupted { left } => {
                left_over.extend(left.iter().map(|left| format!("{}/{left}", source.source)));
            }
        }
    }
    if report.was_interrupted() {
        return Err(Failure::failed(format!("stopped; left to do: {}", left_over.join(", ")))
            .hint("run the same command again: it goes on where it stopped"));
    }
    Ok(if report.has_failures() { Outcome::SomeSourcesFailed } else { Outcome::Done })
}

/// What a person can do about a failure.
pub(super) fn hint(next: NextStep) -> Option<String> {
    match next {
        NextStep::FixConfig => {
            Some("mend the configuration, then prove it with `tributary check`".to_owned())
        }
        NextStep::Reauthorize => Some(
            "sign in again, or renew the configured token, then prove it with `tributary check`".to_owned(),
        ),
        NextStep::Wait(until) => Some(format!("the vendor allows nothing more until {until}")),
        NextStep::Retry => Some("run the command again: it goes on where it stopped".to_owned()),
        NextStep::Bug => Some("this is our own mistake: please report it".to_owned()),
        _ => None,
    }
}

/// A bar for each source.
struct Bars<'a> {
    progress: &'a Progress,
    bars: Mutex<BTreeMap<String, (ProgressBar, u64)>>,
}

impl<'a> Bars<'a> {
    fn new(progress: &'a Progress) -> Self {
        Self { progress, bars: Mutex::default() }
    }
}

impl Observer for Bars<'_> {
    fn event(&self, source: &str, event: Event) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started => {
                bars.insert(source.to_owned(), (self.progress.bar(source), 0));
            }
            Event::Page { stream, landed, progress, .. } => {
                if let Some((bar, fetched)) = bars.get_mut(source) {
                    *fetched += landed.fetched;
                    bar.set_message(format!("{stream}, {fetched} records in all"));
                    match progress {
                        Some((done, total)) => advance(bar, done, Some(total)),
                        None => bar.set_position(*fetched),
                    }
                }
            }
            Event::Ended => {
                if let Some((bar, _)) = bars.remove(source) {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

/// What a pass brought, as an answer.
#[derive(Serialize)]
pub(super) struct Synced {
    sources: Vec<SyncedSource>,
}

#[derive(Serialize)]
struct SyncedSource {
    source: String,
    outcome: &'static str,
    message: Option<String>,
    streams: Vec<SyncedStream>,
}

#[derive(Serialize)]
struct SyncedStream {
    stream: String,
    fetched: u64,
    added: u64,
    unchanged: u64,
    superseded: u64,
    rejected: u64,
    problems: u64,
    deleted: u64,
    /// What the vendor counts of what it gave, where it counts.
    counted: Option<u64>,
}

impl Synced {
    pub(super) fn of(report: &Report) -> Self {
        Self { sources: report.sources.iter().map(SyncedSource::of).collect() }
    }
}

impl SyncedSource {
    fn of(report: &SourceReport) -> Self {
        let (outcome, message) = match &report.outcome {
            Ended::Ok => ("ok", None),
            Ended::Failed { message, .. } | Ended::Lost { message } => ("failed", Some(message.clone())),
            Ended::Paused { message, .. } => ("paused", Some(message.clone())),
            Ended::Partly { .. } => ("partly", None),
            Ended::Busy { by } => ("busy", Some(by.clone())),
            Ended::Interrupted { .. } => ("interrupted", None),
        };
        // The parts of a stream together, in the order they were pulled.
        let mut streams: Vec<(&str, Landed, Option<u64>)> = Vec::new();
        for part in &report.streams {
            match streams.iter_mut().find(|(stream, ..)| *stream == part.stream) {
                Some((_, sum, counted)) => {
                    *sum += part.landed;
                    *counted = [*counted, part.counted].into_iter().flatten().reduce(|sum, more| sum + more);
                }
                None => streams.push((part.stream, part.landed, part.counted)),
            }
        }
        let stream = |(stream, landed, counted): (&str, Landed, Option<u64>)| SyncedStream {
            stream: stream.to_owned(),
            fetched: landed.fetched,
            added: landed.added,
            unchanged: landed.unchanged,
            superseded: landed.superseded,
            rejected: landed.rejected,
            problems: landed.problems,
            deleted: landed.deleted,
            counted,
        };
        Self {
            source: report.source.clone(),
            outcome,
            message,
            streams: streams.into_iter().map(stream).collect(),
        }
    }
}

impl Answer for Synced {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new([
            "Source",
            "Stream",
            "Read",
            "New",
            "Unchanged",
            "Older",
            "Problems",
            "Unreadable",
            "Deleted",
            "Counted",
        ]);
        for source in &self.sources {
            for stream in &source.streams {
                table.row(vec![
                    Cell::Text(source.source.clone()),
                    Cell::Text(stream.stream.clone()),
                    Cell::Count(stream.fetched),
                    Cell::Count(stream.added),
                    Cell::Count(stream.unchanged),
                    Cell::Count(stream.superseded),
                    Cell::Count(stream.problems),
                    Cell::Count(stream.rejected),
                    Cell::Count(stream.deleted),
                    stream.counted.map_or(Cell::Nothing, Cell::Count),
                ]);
            }
        }
        vec![table]
    }
}
