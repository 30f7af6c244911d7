//! `tributary import`: canonical files, without naming them in the configuration.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tributary_answers::AnswerError;
use tributary_source::NextStep;
use tributary_store::Store;
use tributary_sync::{Outcome as Ended, Report, SourceRun};

use super::{Context, sync};
use crate::arguments::Import;
use crate::config::SourceConfig;
use crate::connectors;
use crate::failure::{Failure, Outcome};

/// The connector that reads canonical files.
const FILES: &str = "files";

/// Problems that are told one by one.
const TOLD: i64 = 20;

/// Imports files or folders, and works out what they mean.
pub(super) async fn run(context: &Context, import: &Import) -> Result<Outcome, Failure> {
    let run = source_run(context, &import.paths, &import.source)?;
    let store = sync::open(context).await?;
    let report = sync::pull(context, &store, &[run], false).await?;
    fail_with_its_reason(&report)?;
    if !report.was_interrupted() {
        sync::derive(context, &store).await?;
    }
    tell_problems(context, &store, &import.source).await?;
    store.close().await;
    sync::finish(context, &report)
}

/// A file that cannot be had is the command's failure, not one of several sources'.
fn fail_with_its_reason(report: &Report) -> Result<(), Failure> {
    for source in &report.sources {
        if let Ended::Failed { next, message } = &source.outcome {
            return Err(match next {
                NextStep::FixConfig => Failure::usage(message),
                _ => Failure::failed(format!("failed to import: {message}")),
            });
        }
    }
    Ok(())
}

/// The source that the files belong to: one of the configuration with these paths instead of its own, or a new one.
fn source_run(context: &Context, paths: &[PathBuf], id: &str) -> Result<SourceRun, Failure> {
    let unnamed;
    let source = match context.config.sources.iter().find(|source| source.id == id) {
        Some(source) if source.connector != FILES => {
            return Err(Failure::usage(format!(
                "source `{id}` reads no files: its connector is {}",
                source.connector
            )));
        }
        Some(source) => source,
        None => {
            unnamed = SourceConfig::unnamed(id, FILES, &context.config.zone);
            &unnamed
        }
    };
    let mut settings = source.settings(&context.config)?;
    let (folder, paths) = located(paths)?;
    settings.folder = folder;
    if let Value::Object(values) = &mut settings.values {
        values.insert("paths".to_owned(), Value::from(paths));
    }
    Ok(SourceRun::new(id.to_owned(), connectors::named(FILES), settings))
}

/// Where the paths start from, and the paths from there. One folder is always `.` of itself, so that importing
/// another one is no change of settings.
fn located(paths: &[PathBuf]) -> Result<(PathBuf, Vec<String>), Failure> {
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|error| Failure::usage(format!("`{}` is no path: {error}", path.display())))
    };
    if let [folder] = paths
        && folder.is_dir()
    {
        return Ok((absolute(folder)?, vec![".".to_owned()]));
    }
    let found = paths.iter().map(|path| Ok(absolute(path)?.to_string_lossy().into_owned()));
    Ok((PathBuf::from("/"), found.collect::<Result<_, Failure>>()?))
}

/// Says what could not be understood, where, and why.
async fn tell_problems(context: &Context, store: &Store, source: &str) -> Result<(), Failure> {
    let (problems, _) = store.quarantined(i64::MAX).await.map_err(AnswerError::from)?;
    let mut told = 0;
    for problem in problems.iter().filter(|problem| problem.source == source) {
        told += 1;
        if told > TOLD {
            continue;
        }
        let place = problem.origin.as_deref().or(problem.native_id.as_deref()).unwrap_or(&problem.stream);
        context.progress.say(&format!("{place}: {}: {}", problem.field, problem.reason));
    }
    if told > 0 {
        let are = if told == 1 { "1 problem is".to_owned() } else { format!("{told} problems are") };
        let line = format!("{are} kept in quarantine, the rest went in; `tributary status` lists them");
        context.progress.say(&line);
    }
    Ok(())
}
