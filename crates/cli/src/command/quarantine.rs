//! `tributary quarantine`: what could not be understood, why, as it came; and another try.

use std::sync::Arc;

use serde::Serialize;
use tributary_answers::AnswerError;
use tributary_core::Time;
use tributary_store::Store;
use tributary_sync::{Options, Outcome as Ended};

use super::{Context, sync};
use crate::arguments::Quarantine;
use crate::failure::{Failure, Outcome};
use crate::show::{self, Answer, Cell, Table};

/// Entries that are listed.
const LISTED: i64 = 1_000;

#[derive(Serialize)]
struct Listed {
    entries: Vec<Entry>,
    /// How many there are in all.
    count: u64,
}

#[derive(Serialize)]
struct Entry {
    source: String,
    stream: String,
    /// The record's id, else where it was read.
    place: String,
    field: String,
    reason: String,
    first_seen: String,
    /// As it came, where that was asked for.
    raw: Option<String>,
}

/// Lists what is in quarantine, after another try if that was asked for.
pub(super) async fn run(context: &Context, asked: &Quarantine) -> Result<Outcome, Failure> {
    let ids: Vec<String> = asked.source.iter().cloned().collect();
    let store = sync::open(context).await?;
    if asked.retry {
        retry(context, &store, &ids).await?;
    }
    let (quarantined, count) =
        store.quarantined_of(asked.source.as_deref(), LISTED).await.map_err(AnswerError::from)?;
    let mut entries = Vec::new();
    for it in quarantined {
        let raw = if asked.raw {
            let body = store.quarantined_body(it.id).await.map_err(AnswerError::from)?;
            body.map(|body| String::from_utf8_lossy(&body).into_owned())
        } else {
            None
        };
        entries.push(Entry {
            place: it.native_id.or(it.origin).unwrap_or_default(),
            source: it.source,
            stream: it.stream,
            field: it.field,
            reason: it.reason,
            first_seen: Time::to_string(&it.first_seen),
            raw,
        });
    }
    store.close().await;
    show::print(&Listed { entries, count }, context.format)?;
    Ok(Outcome::Done)
}

/// Reads what landed anew, with the connectors and settings of now.
async fn retry(context: &Context, store: &Store, ids: &[String]) -> Result<(), Failure> {
    let lease = context.config.daemon.lease;
    let options = Options { lease, ..Options::new(Arc::new(sync::now)) };
    for run in sync::runs(context, ids)? {
        let of = |store: &Store| {
            let (store, id) = (store.clone(), run.id.clone());
            async move { store.quarantined_of(Some(&id), 0).await.map_err(AnswerError::from) }
        };
        let (_, before) = of(store).await?;
        if before == 0 {
            continue;
        }
        let report = tributary_sync::renormalize(store, &run, &options).await.map_err(AnswerError::from)?;
        if let Ended::Busy { by } = &report.outcome {
            let message = format!("failed to read {} anew: {by} is syncing it", run.id);
            return Err(Failure::failed(message).hint("try again when it is done"));
        }
        let (_, after) = of(store).await?;
        context.progress.say(&format!("{}: {before} in quarantine before, {after} now", run.id));
    }
    sync::derive(context, store).await?;
    Ok(())
}

impl Answer for Listed {
    fn tables(&self) -> Vec<Table> {
        let raw = self.entries.iter().any(|entry| entry.raw.is_some());
        let head = ["Source", "Stream", "Place", "Field", "Reason", "First seen"];
        let mut table = Table::new(head.into_iter().chain(raw.then_some("As it came")));
        for entry in &self.entries {
            let mut row = vec![
                Cell::Text(entry.source.clone()),
                Cell::Text(entry.stream.clone()),
                Cell::Text(entry.place.clone()),
                Cell::Text(entry.field.clone()),
                Cell::Text(entry.reason.clone()),
                Cell::Text(entry.first_seen.clone()),
            ];
            if raw {
                row.push(Cell::option(entry.raw.clone()));
            }
            table.row(row);
        }
        vec![table]
    }
}
