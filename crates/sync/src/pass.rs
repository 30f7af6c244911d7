//! The loop: stream by stream, part by part, page by page.

mod land;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{FutureExt as _, join_all};
use futures::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tributary_core::Time;
use tributary_core::id::Hash;
use tributary_core::time::{DAY_MICROS, Zone};
use tributary_source::{
    Connector, Environment, Error, Finding, MemoryTokens, Meter, NextStep, Part, Settings, Shape, Source,
    Stream, TokenStore,
};
use tributary_store::landing::{RunEnd, SourceKey, State};
use tributary_store::work::{Lease, Taken};
use tributary_store::{Store, StoreError};

use self::reading::{Read, Reading};
use crate::report::{Event, Observer, Outcome, Report, Silent, SourceReport};

/// A source to pull. Clones share one live connection, with its limits and tokens.
#[derive(Clone)]
pub struct SourceRun {
    /// The source's stable id.
    pub id: String,
    /// Its connector.
    pub connector: Arc<dyn Connector>,
    /// Its settings.
    pub settings: Settings,
    /// Counts its requests, and keeps it to its share of the vendor's day.
    pub meter: Arc<Meter>,
    /// The streams to pull; all without.
    streams: Option<BTreeSet<&'static str>>,
    live: Arc<Mutex<Option<Arc<dyn Source>>>>,
}

impl SourceRun {
    /// All streams of a source, which has the vendor's day for itself.
    pub fn new(id: String, connector: Arc<dyn Connector>, settings: Settings) -> Self {
        let meter = Arc::new(Meter::new(1.0, None));
        Self { id, connector, settings, meter, streams: None, live: Arc::default() }
    }

    /// The same source, with another meter.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        Self { meter: Arc::new(meter), ..self }
    }

    /// The same source, of which only some streams are pulled.
    pub(crate) fn only(&self, streams: BTreeSet<&'static str>) -> Self {
        Self { streams: Some(streams), ..self.clone() }
    }

    /// The live connection, made at its first use.
    fn source(&self, options: &Options) -> Result<Arc<dyn Source>, Error> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = &*live {
            return Ok(Arc::clone(source));
        }
        let environment = Environment {
            meter: Arc::clone(&self.meter),
            tokens: Arc::clone(&options.tokens),
            ..Environment::new(Arc::clone(&options.now))
        };
        let source: Arc<dyn Source> = self.connector.connect(&self.settings, &environment)?.into();
        *live = Some(Arc::clone(&source));
        Ok(source)
    }

    /// Drops the live connection: the next use signs in anew.
    fn disconnect(&self) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The name of the lease that a process holds while it pulls this source.
    pub(crate) fn lease_name(id: &str) -> String {
        format!("source {id}")
    }
}

/// How to run a pass.
#[derive(Clone)]
pub struct Options {
    /// Deletes what a completed walk did not see, however much.
    pub allow_mass_delete: bool,
    /// Tells the time at which pages are observed: landing is left of the pure line.
    pub now: Arc<dyn Fn() -> Time + Send + Sync>,
    /// Where sign-ins are kept from one pass to the next.
    pub tokens: Arc<dyn TokenStore>,
    /// How long a source stays in the hand of a process that does not answer, on Postgres.
    pub lease: Duration,
    /// How much time goes by between two walks over all ids; none without.
    pub sweep_every: Duration,
    /// How long first reads may go on, after what changed was pulled; to their end without.
    pub backfill: Option<Duration>,
}

impl Options {
    /// One pass by hand: everything to its end, whatever the time, and sign-ins in memory.
    pub fn new(now: Arc<dyn Fn() -> Time + Send + Sync>) -> Self {
        Self {
            allow_mass_delete: false,
            now,
            tokens: Arc::new(MemoryTokens::default()),
            lease: Duration::from_secs(30),
            sweep_every: Duration::ZERO,
            backfill: None,
        }
    }
}

/// How long before the end of an API's version it is told.
const VERSION_ENDS_IN: i64 = 60 * DAY_MICROS;

/// Which normaliser made the facts: the connector's version and everything in the settings that it may read.
pub fn normalizer_key(connector: &dyn Connector, settings: &Settings) -> String {
    let version = connector.normalizer_version().to_string();
    Hash::of("normalizer", &[connector.name(), &version, &settings.values.to_string(), settings.zone.name()])
        .to_string()
}

/// Pulls every source once, all at the same time.
pub async fn run(
    store: &Store,
    sources: &[SourceRun],
    options: &Options,
    observer: &dyn Observer,
    stop: &CancellationToken,
) -> Result<Report, StoreError> {
    let passes = sources.iter().map(|source| run_one(store, source, options, observer, stop));
    let sources = join_all(passes).await.into_iter().collect::<Result<_, _>>()?;
    Ok(Report { sources })
}

/// The pass of one source.
struct Pass<'a> {
    /// Under the source's lease.
    store: &'a Store,
    run: &'a SourceRun,
    options: &'a Options,
    observer: &'a dyn Observer,
    stop: &'a CancellationToken,
    key: SourceKey,
    states: BTreeMap<(String, String), State>,
    shapes: Mutex<BTreeMap<&'static str, Shape>>,
    report: SourceReport,
    /// When first reads end for this time.
    backfill_until: Option<Instant>,
    /// Ends streams that are read side by side once one of them ends the source, and when somebody stops the pass.
    over: CancellationToken,
}

/// Why a part's pull ended early.
enum Halt {
    Stopped,
    /// A first read has had its time, or another stream ends the source.
    Later,
    Source(Error),
    Store(StoreError),
}

impl Halt {
    /// The one decision on errors: whether the source's other streams do not go on.
    fn ends_the_source(&self) -> bool {
        match self {
            Self::Stopped | Self::Later | Self::Store(StoreError::MassDelete { .. }) => false,
            Self::Store(_) => true,
            Self::Source(error) => matches!(
                error.next,
                NextStep::FixConfig | NextStep::Reauthorize | NextStep::Wait(_) | NextStep::Bug
            ),
        }
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads everything that landed of a source anew, without a request, as if its connector had changed: what could not be
/// understood leaves quarantine if it can now.
pub async fn renormalize(
    store: &Store,
    run: &SourceRun,
    options: &Options,
) -> Result<SourceReport, StoreError> {
    let lease = match store.take(&SourceRun::lease_name(&run.id), options.lease).await? {
        Taken::Ours(lease) => lease,
        Taken::By(who) => return Ok(SourceReport::ended(&run.id, Outcome::Busy { by: who })),
    };
    let (held, stop) = (store.under(&lease), CancellationToken::new());
    let work = async {
        let (mut pass, normalizer, _) = Pass::new(&held, run, options, &Silent, &stop).await?;
        pass.renormalize(&normalizer).await?;
        Ok::<_, StoreError>(pass.report)
    };
    let report = tokio::select! {
        report = work => report?,
        lost = keep(store, &lease, run, options) => return Err(lost),
    };
    store.release(&lease).await?;
    Ok(report)
}

/// Takes one source in hand, pulls it once, and lets it go.
pub(crate) async fn run_one(
    store: &Store,
    run: &SourceRun,
    options: &Options,
    observer: &dyn Observer,
    stop: &CancellationToken,
) -> Result<SourceReport, StoreError> {
    let lease = match store.take(&SourceRun::lease_name(&run.id), options.lease).await? {
        Taken::Ours(lease) => lease,
        Taken::By(who) => return Ok(SourceReport::ended(&run.id, Outcome::Busy { by: who })),
    };
    observer.event(&run.id, Event::Started);
    let report = Pass::run(store, &lease, run, options, observer, stop).await;
    observer.event(&run.id, Event::Ended);
    report
}

impl<'a> Pass<'a> {
    /// Pulls a source that was just taken in hand, and lets it go.
    async fn run(
        store: &Store,
        lease: &Lease,
        run: &SourceRun,
        options: &Options,
        observer: &dyn Observer,
        stop: &CancellationToken,
    ) -> Result<SourceReport, StoreError> {
        let held = store.under(lease);
        count(store, run, options).await?;
        let report = tokio::select! {
            report = Pass::pull(&held, run, options, observer, stop) => report,
            lost = keep(store, lease, run, options) => Err(lost),
        };
        if let Ok(SourceReport {
            outcome: Outcome::Failed { next: NextStep::Reauthorize | NextStep::FixConfig, .. },
            ..
        }) = report
        {
            run.disconnect();
        }
        // Whatever went wrong: if it is ours no more, what becomes of it is the other's to tell.
        match store.release(lease).await {
            Err(error @ StoreError::LeaseLost) => {
                Ok(SourceReport::ended(&run.id, Outcome::Lost { message: error.to_string() }))
            }
            Err(error) => report.and(Err(error)),
            Ok(()) => {
                count(store, run, options).await?;
                report
            }
        }
    }

    /// Makes a source known. Gives the pass, its normaliser's key, and whether another one made the facts.
    async fn new(
        store: &'a Store,
        run: &'a SourceRun,
        options: &'a Options,
        observer: &'a dyn Observer,
        stop: &'a CancellationToken,
    ) -> Result<(Self, String, bool), StoreError> {
        let normalizer = normalizer_key(run.connector.as_ref(), &run.settings);
        let settings = run.settings.values.to_string();
        let (key, stale) =
            store.register_source(&run.id, run.connector.name(), &settings, &normalizer).await?;
        let pass = Self {
            store,
            run,
            options,
            observer,
            stop,
            key,
            states: store.states(key).await?,
            shapes: Mutex::default(),
            report: SourceReport::ended(&run.id, Outcome::Ok),
            backfill_until: options.backfill.map(|time| Instant::now() + time),
            over: stop.child_token(),
        };
        Ok((pass, normalizer, stale))
    }

    /// Pulls a source that is in hand.
    async fn pull(
        store: &'a Store,
        run: &'a SourceRun,
        options: &'a Options,
        observer: &'a dyn Observer,
        stop: &'a CancellationToken,
    ) -> Result<SourceReport, StoreError> {
        let sent_before = run.meter.sent();
        let (mut pass, normalizer, stale) = Self::new(store, run, options, observer, stop).await?;
        let key = pass.key;
        pass.expect().await?;
        pass.tell_version_end();
        let tried: Vec<&str> = pass.order().iter().map(|stream| stream.name).collect();
        let id = store.begin_run(key, &tried, (options.now)()).await?;
        if stale {
            pass.renormalize(&normalizer).await?;
        }
        let store_failed = match pass.streams().await {
            Ok(()) => pass.learn().await,
            failed => failed,
        };
        if let Err(StoreError::LeaseLost) = store_failed {
            return Err(StoreError::LeaseLost);
        }
        if let Err(error) = &store_failed {
            pass.fail(NextStep::Retry, error.to_string());
        }
        let (outcome, message) = pass.report.outcome.noted();
        let end = RunEnd {
            at: (options.now)(),
            outcome,
            message,
            landed: pass.report.landed(),
            requests: run.meter.sent() - sent_before,
            advice: pass.report.outcome.advice(),
            rows: &pass.report.rows(),
            streams: &pass.report.streams_as_json(),
            findings: &serde_json::to_string(&pass.report.findings).unwrap_or_default(),
        };
        let ended = store.end_run(id, &end).await;
        // A store that failed already can't be expected to note that it did.
        if store_failed.is_ok() {
            ended?;
        }
        Ok(pass.report)
    }

    /// The first failure is how the source ended; further ones are findings.
    fn fail(&mut self, next: NextStep, message: String) {
        if self.report.outcome == Outcome::Ok {
            self.report.outcome = Outcome::Failed { next, message };
        } else {
            self.report.findings.push(Finding { code: "also-failed".to_owned(), message });
        }
    }

    fn interrupt(&mut self, left: Vec<String>) {
        let before = std::mem::replace(&mut self.report.outcome, Outcome::Interrupted { left });
        if let Outcome::Failed { message, .. } = before {
            self.report.findings.push(Finding { code: "also-failed".to_owned(), message });
        }
    }

    /// Notes what is left of first reads that have had their time, unless something failed.
    fn leave(&mut self, left: Vec<String>) {
        if self.report.outcome == Outcome::Ok {
            self.report.outcome = Outcome::Partly { left };
        }
    }

    /// The streams to pull: first those of which only changes are left, then those that were never read to their end,
    /// the ones of which nothing was read before the ones in hand.
    fn order(&self) -> Vec<&'static Stream> {
        let asked =
            |stream: &&Stream| self.run.streams.as_ref().is_none_or(|asked| asked.contains(stream.name));
        let mut streams: Vec<_> = self.run.connector.streams().iter().filter(asked).collect();
        streams.sort_by_key(|stream| self.turn(stream));
        streams
    }

    /// 0 if only changes are left of a stream, 1 if some of it was never read, 2 if its first read is in hand.
    fn turn(&self, stream: &Stream) -> u8 {
        let states = self.states.iter().filter(|((name, _), _)| name == stream.name);
        let new = states.map(|(_, state)| state).filter(|state| state.complete_at.is_none());
        new.map(|state| if state.open.is_none() { 1 } else { 2 }).max().unwrap_or(0)
    }

    /// Says that the vendor ends the version of its API in use, before it does.
    fn tell_version_end(&mut self) {
        let Some(end) = self.run.connector.version_end(&self.run.settings) else { return };
        if end.at.0.saturating_sub((self.options.now)().0) > VERSION_ENDS_IN {
            return;
        }
        let day = end.at.date_in(&Zone::default());
        let message = format!(
            "the vendor ends version {} of its API about {day}: set a later `version`, and try it with `tributary check`",
            end.version
        );
        self.report.findings.push(Finding { code: "version-ends".to_owned(), message });
    }

    /// Notes the streams that there are, so that one which is never reached is known to be missing.
    async fn expect(&mut self) -> Result<(), StoreError> {
        let streams = self.run.connector.streams();
        let is_known = |stream: &&Stream| self.states.keys().any(|(known, _)| known == stream.name);
        let new: Vec<&str> = streams.iter().filter(|it| !is_known(it)).map(|it| it.name).collect();
        self.store.expect_streams(self.key, &new, (self.options.now)()).await?;
        self.states.extend(new.iter().map(|new| (((*new).to_owned(), String::new()), State::default())));
        Ok(())
    }

    async fn streams(&mut self) -> Result<(), StoreError> {
        let source = match self.run.source(self.options) {
            Ok(source) => source,
            Err(error) => {
                self.fail(error.next, described(&error));
                return Ok(());
            }
        };
        let streams = self.order();
        let (changes, first_reads) = streams.split_at(streams.partition_point(|it| self.turn(it) == 0));
        let mut ended = Vec::new();
        for (streams, at_once) in [(changes, 1), (first_reads, source.at_once().max(1))] {
            let mut readings = Vec::new();
            for stream in streams {
                let (place, reading) =
                    (ended.len() + readings.len(), Reading::of(self, source.as_ref(), stream));
                readings.push(async move { (place, reading.read().await) }.boxed());
            }
            ended.extend(stream::iter(readings).buffer_unordered(at_once).collect::<Vec<_>>().await);
        }
        ended.sort_by_key(|(place, _)| *place);
        self.note(ended.into_iter().map(|(_, read)| read).collect())
    }

    /// Takes what came of streams into the report, in their order, however they were read.
    fn note(&mut self, streams: Vec<Read>) -> Result<(), StoreError> {
        let mut left = Vec::new();
        let mut store_failed = Ok(());
        let is_ended = streams.iter().flat_map(|read| &read.failures).any(Halt::ends_the_source);
        for Read { stream, reports, findings, failures, left: more } in streams {
            self.report.streams.extend(reports);
            self.report.findings.extend(findings);
            left.extend(more);
            for failure in failures {
                match failure {
                    Halt::Source(error) => self.note_error(stream, &error),
                    Halt::Store(error @ StoreError::MassDelete { .. }) => {
                        self.fail(NextStep::FixConfig, error.to_string());
                    }
                    Halt::Store(error) => store_failed = store_failed.and(Err(error)),
                    Halt::Stopped | Halt::Later => {}
                }
            }
        }
        if !is_ended && !left.is_empty() {
            if self.stop.is_cancelled() { self.interrupt(left) } else { self.leave(left) }
        }
        store_failed
    }

    /// Forgets that a stream without parts of its own was expected, and expects nothing more of parts that are gone.
    async fn keep_parts(&self, stream: &Stream, parts: &[Part]) -> Result<(), StoreError> {
        let known = self
            .states
            .keys()
            .filter(|(known, part)| known == stream.name && !parts.iter().any(|it| it.0 == *part));
        for (_, part) in known {
            if part.is_empty() {
                self.store.forget_state(self.key, stream.name, part).await?;
            } else {
                self.store.retire_part(self.key, stream.name, part).await?;
            }
        }
        Ok(())
    }

    /// What an error of a stream means for how its source ended.
    fn note_error(&mut self, stream: &str, error: &Error) {
        match error.next {
            NextStep::SkipStream | NextStep::SkipPart => {
                let message = format!("{stream}: {}", described(error));
                self.report.findings.push(Finding { code: "stream-skipped".to_owned(), message });
            }
            NextStep::Retry | NextStep::SplitWindow | NextStep::SkipRecord | NextStep::Restart => {
                self.fail(error.next, format!("{stream}: {}", described(error)));
            }
            // A used-up day is the vendor's custom and nobody's failure.
            NextStep::Wait(until) if self.report.outcome == Outcome::Ok => {
                self.report.outcome = Outcome::Paused { until, message: described(error) };
            }
            NextStep::FixConfig | NextStep::Reauthorize | NextStep::Wait(_) | NextStep::Bug => {
                self.fail(error.next, described(error));
            }
        }
    }
}

/// Keeps a source in hand until somebody else has it, and notes what requests were sent meanwhile.
async fn keep(store: &Store, lease: &Lease, run: &SourceRun, options: &Options) -> StoreError {
    loop {
        sleep(lease.renew_every()).await;
        // A store that can't be reached stops the pass itself; until then the lease may well be ours.
        for kept in [store.renew(lease).await, count(store, run, options).await] {
            match kept {
                Err(error @ StoreError::LeaseLost) => return error,
                Err(error) => tracing::warn!(source = run.id, %error, "failed to renew the lease"),
                Ok(()) => {}
            }
        }
    }
}

/// Notes what requests were sent, and hears what other processes sent the same day.
async fn count(store: &Store, run: &SourceRun, options: &Options) -> Result<(), StoreError> {
    let (day, requests) = run.meter.take((options.now)());
    let (_, allowed) = run.meter.today();
    let in_all = store.count_requests(&run.id, day, requests, allowed).await?;
    run.meter.hear(day, in_all);
    Ok(())
}

/// An error and what lies beneath, in one line.
fn described(error: &Error) -> String {
    let mut out = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        out.push_str(": ");
        out.push_str(&error.to_string());
        cause = error.source();
    }
    out
}
