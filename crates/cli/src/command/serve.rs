//! `tributary serve`: the daemon, which pulls every source when it is due.

mod door;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tributary_answers::AnswerError;
use tributary_derive::update::{DeriveError, Summary};
use tributary_source::{Environment, Meter};
use tributary_store::Store;
use tributary_store::work::Planned;
use tributary_sync::{
    Event, Observer, Options, Outcome as Ended, Plan, ServeError, SourceReport, SourceRun, Watcher,
};
use tributary_web::Pulse;

use super::{Context, config_path, status, sync};
use crate::alerts::{self, Receiver};
use crate::arguments::Global;
use crate::config::SourceConfig;
use crate::connectors;
use crate::failure::{Failure, Outcome};

/// How often the configuration is looked at, and what others ask of the daemon.
const LOOK: Duration = Duration::from_secs(2);

/// Serves until it is told to end.
pub(super) async fn run(global: &Global) -> Result<Outcome, Failure> {
    let context = Context::load(global)?;
    end_on_sigterm(&context.cancel)?;
    let store = sync::open(&context).await?;
    let plan = plan_of(&context, &store, None)?;
    if plan.sources.iter().all(|source| source.schedule.is_none() && source.streams.is_empty()) {
        tracing::warn!("no source has a schedule: write every = \"15m\" into a [[source]]");
    }
    let sources = plan.sources.len();
    let (sender, plan) = watch::channel(Arc::new(plan));
    let (tellers, receivers) = watch::channel(context.config.alerts.clone());
    tokio::spawn(reload(
        global.clone(),
        context.store.clone(),
        store.clone(),
        sender,
        tellers,
        context.cancel.clone(),
    ));
    let news = Arc::new(Notify::new());
    let telling =
        tokio::spawn(tell(store.clone(), plan.clone(), receivers, Arc::clone(&news), context.cancel.clone()));
    let pulse = Arc::new(Pulse::default());
    let door = door::open(&context, &store, plan.clone(), Arc::clone(&pulse)).await?;
    tracing::info!(sources, process = std::process::id(), "serving");
    let served = tributary_sync::serve(&store, plan, Arc::new(Log { pulse, news }), &context.cancel).await;
    context.cancel.cancel();
    telling.abort();
    door::shut(door).await;
    store.close().await;
    match served {
        Ok(()) => {
            tracing::info!("ended in good order");
            Ok(Outcome::Done)
        }
        Err(ServeError::Served { by }) => {
            let message = format!("{by} already serves this store: a SQLite file has one daemon");
            Err(Failure::failed(message).hint("end it, or move to Postgres, which takes any number"))
        }
        Err(ServeError::Store(error)) => Err(AnswerError::from(error).into()),
    }
}

/// SIGTERM asks for an orderly end, as Ctrl-C does.
fn end_on_sigterm(cancel: &CancellationToken) -> Result<(), Failure> {
    let mut terminated = signal(SignalKind::terminate())
        .map_err(|error| Failure::failed(format!("failed to listen for SIGTERM: {error}")))?;
    let cancel = cancel.clone();
    tokio::spawn(async move {
        if terminated.recv().await.is_some() {
            tracing::info!("ending after the pages in hand");
            cancel.cancel();
        }
    });
    Ok(())
}

/// What the configuration asks for. Sources that are as they were `before` keep their connections and counts.
fn plan_of(context: &Context, store: &Store, before: Option<&Plan>) -> Result<Plan, Failure> {
    let daemon = &context.config.daemon;
    let source = |configured: &SourceConfig| {
        let settings = configured.settings(&context.config)?;
        let timing = &configured.timing;
        let known = before.and_then(|plan| plan.sources.iter().find(|known| known.run.id == configured.id));
        let same = known.filter(|known| {
            known.run.connector.name() == configured.connector && known.run.settings.is_same_as(&settings)
        });
        let run = match same {
            Some(known) => known.run.clone(),
            None => SourceRun::new(configured.id.clone(), connectors::named(configured.connector), settings)
                .metered(Meter::new(timing.quota_share, timing.requests_per_day)),
        };
        Ok(status::scheduled(configured, run))
    };
    Ok(Plan {
        sources: context.config.sources.iter().map(source).collect::<Result<_, Failure>>()?,
        rules: context.config.rules.clone(),
        at_once: daemon.at_once,
        look_every: LOOK,
        options: Options {
            tokens: Arc::new(context.tokens(store)),
            lease: daemon.lease,
            backfill: Some(daemon.backfill),
            ..Options::new(Arc::new(sync::now))
        },
    })
}

/// Follows the configuration file: one that makes sense takes the place of the one before, one that does not is
/// complained about and left alone.
async fn reload(
    global: Global,
    address: String,
    store: Store,
    plan: watch::Sender<Arc<Plan>>,
    receivers: watch::Sender<Vec<Receiver>>,
    stop: CancellationToken,
) {
    let path: PathBuf = config_path(&global).to_owned();
    // Not what it says: reading it again and again costs a daemon of many sources more than all else it does when idle.
    let stamp = || {
        let found = std::fs::metadata(&path).ok()?;
        Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
    };
    let mut seen = stamp();
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return,
            _ = hangup.recv() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        let found = stamp();
        if !asked && found == seen {
            continue;
        }
        seen = found;
        let loaded = Context::load(&global).and_then(|context| {
            if context.store != address {
                return Err(Failure::usage("another store takes a new start of the daemon"));
            }
            let before = Arc::clone(&plan.borrow());
            Ok((plan_of(&context, &store, Some(&before))?, context.config.alerts))
        });
        match loaded {
            Ok((next, alerts)) => {
                receivers.send_replace(alerts);
                tracing::info!(sources = next.sources.len(), "the configuration was read anew");
                plan.send_replace(Arc::new(next));
            }
            Err(failure) => {
                tracing::error!(
                    "the changed configuration is wrong, the one before stays in force: {failure}"
                );
            }
        }
    }
}

/// Tells people what is wrong.
async fn tell(
    store: Store,
    plan: watch::Receiver<Arc<Plan>>,
    receivers: watch::Receiver<Vec<Receiver>>,
    news: Arc<Notify>,
    stop: CancellationToken,
) {
    let environment = Environment::new(Arc::new(sync::now));
    let look = || async {
        let sources: Vec<_> = plan.borrow().sources.iter().map(status::configured).collect();
        let found = tributary_answers::status::status(&store, &sources, sync::now()).await;
        found.inspect_err(|error| tracing::warn!(%error, "failed to look for what is wrong")).ok()
    };
    alerts::watch(&store, &news, || receivers.borrow().clone(), look, &environment, &stop).await;
}

/// Tells what the daemon does, in its log and to those who ask whether it lives.
struct Log {
    pulse: Arc<Pulse>,
    /// Hears when a pass ended.
    news: Arc<Notify>,
}

impl Observer for Log {
    fn event(&self, source: &str, event: Event) {
        match event {
            Event::Started => tracing::info!(source, "sync begins"),
            Event::Page { stream, landed, .. } => {
                tracing::debug!(source, stream, fetched = landed.fetched, "a page landed");
            }
            Event::Ended => {}
        }
    }
}

impl Watcher for Log {
    fn ended(&self, report: &SourceReport, planned: &Planned) {
        self.news.notify_one();
        let source = report.source.as_str();
        let landed = report.landed();
        let (fetched, added, failures) = (landed.fetched, landed.added, planned.failures);
        for finding in &report.findings {
            tracing::warn!(source, code = finding.code, "{}", finding.message);
        }
        match &report.outcome {
            Ended::Ok => tracing::info!(source, fetched, added, "sync ended"),
            Ended::Partly { left } => {
                tracing::info!(source, fetched, added, left = left.join(", "), "first reads go on later");
            }
            Ended::Failed { next, message } => {
                let hint = sync::hint(*next);
                tracing::error!(source, failures, fetched, added, hint, "sync failed: {message}");
            }
            Ended::Paused { until, message } => {
                tracing::info!(source, %until, fetched, added, "sync rests: {message}");
            }
            Ended::Busy { by } => tracing::debug!(source, by, "another process syncs it"),
            Ended::Lost { message } => tracing::warn!(source, "sync broke off: {message}"),
            Ended::Interrupted { left } => {
                tracing::info!(
                    source,
                    fetched,
                    added,
                    left = left.join(", "),
                    "sync stopped after the page in hand"
                );
            }
        }
    }

    fn looked(&self) {
        self.pulse.beat();
    }

    fn deriving(&self) {
        self.pulse.deriving();
    }

    fn derived(&self, outcome: &Result<Summary, DeriveError>) {
        match outcome {
            Ok(_) => self.pulse.derived(),
            Err(_) => self.pulse.failed_to_derive(),
        }
        match outcome {
            Ok(summary) if *summary == Summary::default() => {}
            Ok(summary) => tracing::info!(records = summary.records, touches = summary.touches, "worked out"),
            Err(error) => tracing::error!(%error, "failed to work out what came"),
        }
    }
}
