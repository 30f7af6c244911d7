//! The loop: stream by stream, part by part, page by page.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tributary_core::Time;
use tributary_core::id::Hash;
use tributary_source::{
    Connector, Counted, Covers, Cursor, Environment, Error, Finding, Mode, Next, NextStep, Page, Part, Reach,
    Record, Resume, Settings, Shape, Source, Span, Stream, Task, TokenStore,
};
use tributary_store::landing::{
    self, Deletes, Incoming, Landed, Landing, RunOutcome, Said, SourceKey, State,
};
use tributary_store::{Store, StoreError};

use crate::report::{Event, Observer, Outcome, Report, SourceReport, StreamReport};

/// A source to pull.
#[derive(Clone)]
pub struct SourceRun {
    /// The source's stable id.
    pub id: String,
    /// Its connector.
    pub connector: Arc<dyn Connector>,
    /// Its settings.
    pub settings: Settings,
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
}

/// The span names that an interrupted pull is remembered by.
const SINCE: &str = "since";
const SWEEP: &str = "sweep";

/// The longest that a pass waits for a vendor's limit; what takes longer is left for the next run.
const PATIENCE: Duration = Duration::from_mins(15);
/// Records of a page whose shape is looked at.
const LOOKED_AT: usize = 10;
/// Records of one stream and run that may go to quarantine before it is given up …
const BAD_RECORDS: u64 = 100;
/// … unless they are fewer than one in so many.
const BAD_SHARE: u64 = 100;
/// How often in a row one call is told to wait before the vendor is taken at its word.
const WAITS: usize = 20;

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
    let passes = sources.iter().map(|source| async move {
        observer.event(&source.id, Event::Started);
        let report = Pass::run(store, source, options, observer, stop).await;
        observer.event(&source.id, Event::Ended);
        report
    });
    let sources = join_all(passes).await.into_iter().collect::<Result<_, _>>()?;
    Ok(Report { sources })
}

/// The pass of one source.
struct Pass<'a> {
    store: &'a Store,
    run: &'a SourceRun,
    options: &'a Options,
    observer: &'a dyn Observer,
    stop: &'a CancellationToken,
    key: SourceKey,
    states: BTreeMap<(String, String), State>,
    shapes: BTreeMap<&'static str, Shape>,
    report: SourceReport,
}

/// Why a part's pull ended early.
enum Halt {
    Stopped,
    Source(Error),
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<'a> Pass<'a> {
    async fn run(
        store: &'a Store,
        run: &'a SourceRun,
        options: &'a Options,
        observer: &'a dyn Observer,
        stop: &'a CancellationToken,
    ) -> Result<SourceReport, StoreError> {
        let normalizer = normalizer_key(run.connector.as_ref(), &run.settings);
        let settings = run.settings.values.to_string();
        let (key, stale) =
            store.register_source(&run.id, run.connector.name(), &settings, &normalizer).await?;
        let states = store.states(key).await?;
        let report = SourceReport {
            source: run.id.clone(),
            outcome: Outcome::Ok,
            streams: Vec::new(),
            renormalized: 0,
            findings: Vec::new(),
        };
        let shapes = BTreeMap::new();
        let mut pass = Self { store, run, options, observer, stop, key, states, shapes, report };
        let id = store.begin_run(key, (options.now)()).await?;
        if stale {
            pass.renormalize(&normalizer).await?;
        }
        let store_failed = match pass.streams().await {
            Ok(()) => pass.learn().await,
            failed => failed,
        };
        if let Err(error) = &store_failed {
            pass.fail(NextStep::Retry, error.to_string());
        }
        let (outcome, message) = match &pass.report.outcome {
            Outcome::Ok => (RunOutcome::Ok, None),
            Outcome::Failed { message, .. } => (RunOutcome::Failed, Some(message.clone())),
            Outcome::Paused { message, .. } => (RunOutcome::Interrupted, Some(message.clone())),
            Outcome::Interrupted { .. } => (RunOutcome::Interrupted, None),
        };
        let landed = pass.report.landed();
        let ended = store.end_run(id, (options.now)(), outcome, message.as_deref(), landed).await;
        // A store that failed already can't be expected to note that it did.
        if store_failed.is_ok() {
            ended?;
        }
        Ok(pass.report)
    }

    async fn renormalize(&mut self, normalizer: &str) -> Result<(), StoreError> {
        let streams = self.run.connector.streams();
        let normalize = |stream: &str, id: &str, stamp: Option<Time>, body: &[u8]| {
            let Some(stream) = streams.iter().find(|known| known.name == stream) else {
                return Said::default();
            };
            let body = Some(body.to_vec().into_boxed_slice());
            self.said(&Record { stream: stream.name, id: id.to_owned(), stamp, body, origin: None })
        };
        let changed = self.store.renormalize(self.key, normalizer, &normalize).await?;
        self.report.renormalized = changed;
        Ok(())
    }

    /// Looks at some records of a page that brought something new.
    fn look(&mut self, page: &Page) {
        for record in page.records.iter().take(LOOKED_AT) {
            if let Some(body) = &record.body {
                self.shapes.entry(record.stream).or_default().observe(body);
            }
        }
    }

    /// Says which fields of records are new, or hold what they never held.
    async fn learn(&mut self) -> Result<(), StoreError> {
        for (stream, later) in std::mem::take(&mut self.shapes) {
            let kept = self.store.shape(self.key, stream).await?;
            let mut shape: Shape =
                kept.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            for news in shape.learn(&later) {
                let message = format!("{stream}: {news}");
                self.report.findings.push(Finding { code: "shape-changed".to_owned(), message });
            }
            let text = serde_json::to_string(&shape).map_err(|error| {
                StoreError::Damaged(format!("cannot write the shape of {stream}: {error}"))
            })?;
            self.store.keep_shape(self.key, stream, &text).await?;
        }
        Ok(())
    }

    /// What a record says. One that breaks the connector goes to quarantine like any other bad record.
    fn said(&self, record: &Record) -> Said {
        let normalize = || self.run.connector.normalize(&self.run.settings, record);
        let Ok(normalized) = catch_unwind(AssertUnwindSafe(normalize)) else {
            let reason = "the connector broke on this record: this is our own mistake, please report it";
            return Said { facts: Vec::new(), problems: vec![(String::new(), reason.to_owned())] };
        };
        let problems = normalized.problems.into_iter();
        Said {
            facts: normalized.facts,
            problems: problems.map(|problem| (problem.field, problem.reason)).collect(),
        }
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

    async fn streams(&mut self) -> Result<(), StoreError> {
        let streams = self.run.connector.streams();
        let is_known = |stream: &Stream| self.states.keys().any(|(known, _)| known == stream.name);
        let new: Vec<&str> = streams.iter().filter(|it| !is_known(it)).map(|it| it.name).collect();
        self.store.expect_streams(self.key, &new, (self.options.now)()).await?;
        self.states.extend(new.iter().map(|new| (((*new).to_owned(), String::new()), State::default())));
        let tokens = Arc::clone(&self.options.tokens);
        let environment = Environment { tokens, ..Environment::new(Arc::clone(&self.options.now)) };
        let source = match self.run.connector.connect(&self.run.settings, &environment) {
            Ok(source) => source,
            Err(error) => {
                self.fail(error.next, described(&error));
                return Ok(());
            }
        };
        for (index, stream) in streams.iter().enumerate() {
            let later = || streams[index + 1..].iter().map(|stream| stream.name.to_owned());
            let parts = match self.patiently(|| source.parts(stream)).await {
                Ok(parts) => parts,
                Err(Halt::Stopped) => {
                    self.interrupt(std::iter::once(stream.name.to_owned()).chain(later()).collect());
                    return Ok(());
                }
                Err(Halt::Store(error)) => return Err(error),
                Err(Halt::Source(error)) if self.goes_on(stream, &error) => continue,
                Err(Halt::Source(_)) => return Ok(()),
            };
            self.keep_parts(stream, &parts).await?;
            for (place, part) in parts.iter().enumerate() {
                match self.part(source.as_ref(), stream, part).await {
                    Ok(()) => {}
                    Err(Halt::Store(error @ StoreError::MassDelete { .. })) => {
                        self.fail(NextStep::FixConfig, error.to_string());
                    }
                    Err(Halt::Store(error)) => return Err(error),
                    Err(Halt::Source(error)) => {
                        if !self.goes_on(stream, &error) {
                            return Ok(());
                        }
                        if error.next == NextStep::SkipStream {
                            break;
                        }
                    }
                    Err(Halt::Stopped) => {
                        let rest = parts[place..].iter().map(|part| name(stream, part));
                        self.interrupt(rest.chain(later()).collect());
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Forgets that a stream without parts of its own was expected, and expects nothing more of parts that are gone.
    async fn keep_parts(&mut self, stream: &Stream, parts: &[Part]) -> Result<(), StoreError> {
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

    /// Calls the vendor, and again after any wait it asks for, as long as that is bearable.
    async fn patiently<T, F>(&self, call: impl Fn() -> F) -> Result<T, Halt>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for _ in 0..WAITS {
            if self.stop.is_cancelled() {
                return Err(Halt::Stopped);
            }
            let error = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let NextStep::Wait(until) = error.next else { return Err(Halt::Source(error)) };
            let wait = Duration::from_micros(until.0.saturating_sub((self.options.now)().0).max(0) as u64);
            if wait > PATIENCE {
                return Err(Halt::Source(error));
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.stop.cancelled() => return Err(Halt::Stopped),
            }
        }
        let message = "the vendor asked to wait again and again; what came so far is kept";
        Err(Halt::Source(Error::new(NextStep::Retry, message)))
    }

    /// The one decision on errors: whether the source's other streams go on.
    fn goes_on(&mut self, stream: &Stream, error: &Error) -> bool {
        match error.next {
            NextStep::SkipStream | NextStep::SkipPart => {
                let message = format!("{}: {}", stream.name, described(error));
                self.report.findings.push(Finding { code: "stream-skipped".to_owned(), message });
                true
            }
            NextStep::Retry | NextStep::SplitWindow | NextStep::SkipRecord | NextStep::Restart => {
                self.fail(error.next, format!("{}: {}", stream.name, described(error)));
                true
            }
            // A used-up day is the vendor's custom and nobody's failure.
            NextStep::Wait(until) if self.report.outcome == Outcome::Ok => {
                self.report.outcome = Outcome::Paused { until, message: described(error) };
                false
            }
            NextStep::FixConfig | NextStep::Reauthorize | NextStep::Wait(_) | NextStep::Bug => {
                self.fail(error.next, described(error));
                false
            }
        }
    }

    /// Pulls one part: what changed since the cursor, then, where deletes are found that way, all ids.
    async fn part(&mut self, source: &dyn Source, stream: &'static Stream, part: &Part) -> Result<(), Halt> {
        let state = self.states.remove(&(stream.name.to_owned(), part.0.clone())).unwrap_or_default();
        let cursor = state.cursor.clone().filter(|_| stream.mode != Mode::Snapshot).map(Cursor);
        let is_first = state.cursor.is_none();
        let (sweep_resume, since_resume) = match state.open {
            Some((span, resume)) if span == SWEEP => (Some(Resume(resume)), None),
            Some((_, resume)) => (None, Some(Resume(resume))),
            None => (None, None),
        };
        self.report.streams.push(StreamReport {
            stream: stream.name,
            part: part.0.clone(),
            landed: Landed::default(),
            counted: None,
            complete: false,
        });
        let sweep = |resume| Task { stream: stream.name, part: part.clone(), span: Span::Sweep, resume };
        let was_sweeping = sweep_resume.is_some();
        if was_sweeping {
            // What lands while a walk is interrupted is younger than the walk, and safe from it.
            self.span(source, &sweep(sweep_resume), SWEEP).await?;
        }
        let since =
            Task { stream: stream.name, part: part.clone(), span: Span::Since(cursor), resume: since_resume };
        match self.span(source, &since, SINCE).await {
            Err(Halt::Source(error)) if error.next == NextStep::Restart => {
                // The cursor is lost: everything again, which adds nothing that is known.
                self.store.forget_state(self.key, stream.name, &part.0).await?;
                let anew = Task { span: Span::Since(None), resume: None, ..since };
                self.span(source, &anew, SINCE).await?;
            }
            other => other?,
        }
        // A first read saw every id there is.
        if stream.sweeps && !is_first && !was_sweeping {
            self.span(source, &sweep(None), SWEEP).await?;
        }
        if let Some(report) = self.report.streams.last_mut() {
            report.complete = true;
        }
        Ok(())
    }

    /// Pulls one span to its end, each page once the one before it has landed: a pass that dies has asked for one
    /// page in vain, not two. Where asking costs nothing, the next page is read meanwhile.
    async fn span(&mut self, source: &dyn Source, task: &Task, span: &'static str) -> Result<(), Halt> {
        let mut page = self.patiently(|| source.pull(task)).await?;
        let mut met: BTreeSet<String> = task.resume.iter().map(|resume| resume.0.clone()).collect();
        loop {
            let more = match &page.next {
                Next::More(resume) => {
                    if !met.insert(resume.0.clone()) {
                        let message = "the vendor's pages lead back to one that was read before; nothing is lost, \
                            please report this";
                        return Err(Halt::Source(Error::new(NextStep::Retry, message)));
                    }
                    Some(Task { resume: Some(resume.clone()), ..task.clone() })
                }
                Next::Done(_) => None,
            };
            let ahead = async {
                match &more {
                    Some(task) if source.reads_ahead() => Some(self.patiently(|| source.pull(task)).await),
                    _ => None,
                }
            };
            let (landed, ahead) = futures::join!(self.land(task, span, &page), ahead);
            let (landed, asks) = landed?;
            let mut so_far = landed;
            if let Some(report) = self.report.streams.last_mut() {
                report.landed += landed;
                let counted = page.counted.map(|counted| counted.at_last);
                report.counted =
                    [report.counted, counted].into_iter().flatten().reduce(|sum, more| sum + more);
                so_far = report.landed;
            }
            if landed.added > 0 {
                self.look(&page);
            }
            breaker(&page, task.stream, so_far)?;
            let progress = page.progress;
            let event = Event::Page { stream: task.stream, part: task.part.0.clone(), landed, progress };
            self.observer.event(&self.run.id, event);
            if let Some(error) = asks {
                return Err(Halt::Store(error));
            }
            self.count(task, page.counted)?;
            page = match (ahead, &more) {
                (Some(page), _) => page?,
                (None, Some(task)) => self.patiently(|| source.pull(task)).await?,
                (None, None) => return Ok(()),
            };
        }
    }

    /// Compares what came with what the vendor counts, where it does. A count that stood still and is another one is
    /// a failure; one that moved meanwhile is told, and the next run brings what is new.
    fn count(&mut self, task: &Task, counted: Option<Counted>) -> Result<(), Halt> {
        let Some(counted) = counted.filter(|counted| !counted.balances()) else { return Ok(()) };
        let Counted { came, at_first, at_last } = counted;
        if counted.is_short() {
            let message = format!(
                "the accounts do not balance: the vendor counts {at_last} records, before and after, and {came} came; \
                 they are kept, and the next run reads all of them again (if it ends like this too, please report it)"
            );
            return Err(Halt::Source(Error::new(NextStep::Retry, message)));
        }
        let message = format!(
            "{}: {came} records came while the vendor's count went from {at_first} to {at_last}: it is being changed, \
             and the next run reads what is new",
            task.stream
        );
        self.report.findings.push(Finding { code: "count-moved".to_owned(), message });
        Ok(())
    }

    /// Lands a page. Where its deletions must be asked about first, lands the rest, keeps the cursor, and says so:
    /// the next run walks again. So it does where the vendor counts other than came.
    async fn land(
        &self,
        task: &Task,
        span: &'static str,
        page: &Page,
    ) -> Result<(Landed, Option<StoreError>), StoreError> {
        let records: Vec<Incoming<'_>> = page
            .records
            .iter()
            .map(|record| Incoming {
                stream: record.stream,
                id: &record.id,
                stamp: record.stamp,
                body: record.body.as_deref(),
                origin: record.origin.as_deref(),
            })
            .collect();
        let rejects: Vec<landing::Reject<'_>> = page
            .rejects
            .iter()
            .map(|reject| landing::Reject {
                stream: reject.stream,
                origin: &reject.origin,
                field: &reject.problem.field,
                reason: &reject.problem.reason,
                body: &reject.body,
            })
            .collect();
        let deletes = match (page.covers, &task.span) {
            (Covers::Upsert, Span::Since(_) | Span::Window(_)) => Deletes::Nothing,
            _ if self.options.allow_mass_delete => Deletes::UnseenHoweverMany,
            _ => Deletes::Unseen,
        };
        let is_short = page.counted.is_some_and(Counted::is_short);
        let deletes = if is_short { Deletes::Nothing } else { deletes };
        let next = match (&page.next, &task.span) {
            _ if is_short => landing::Next::Done { cursor: None },
            (Next::More(resume), _) => landing::Next::More { span, resume: &resume.0 },
            (Next::Done(_), Span::Sweep) => landing::Next::Done { cursor: None },
            (Next::Done(cursor), _) => landing::Next::Done { cursor: Some(&cursor.0) },
        };
        let page_in = Landing {
            source: self.key,
            stream: task.stream,
            part: &task.part.0,
            observed_at: (self.options.now)(),
            records: &records,
            rejects: &rejects,
            seen: &page.seen,
            next,
            deletes,
            reach: match page.reach {
                Reach::Everything => landing::Reach::Everything,
                Reach::Since(at) => landing::Reach::Since(at),
                Reach::Labels(at) => landing::Reach::Labels(at),
                Reach::Itself => landing::Reach::Itself,
            },
        };
        let said = |index: usize| self.said(&page.records[index]);
        let (landed, asks) = match self.store.land(&page_in, &said).await {
            Err(error @ StoreError::MassDelete { .. }) => {
                let next = landing::Next::Done { cursor: None };
                let kept = Landing { deletes: Deletes::Nothing, next, ..page_in };
                (self.store.land(&kept, &said).await?, Some(error))
            }
            landed => (landed?, None),
        };
        // What comes in must come out: a difference is a mistake of ours that must not pass unseen.
        let accounted = landed.added + landed.unchanged + landed.superseded + landed.rejected;
        debug_assert_eq!(landed.fetched, accounted);
        if landed.fetched != accounted {
            return Err(StoreError::Damaged(format!("{} came, {accounted} landed", landed.fetched)));
        }
        Ok((landed, asks))
    }
}

/// Ends the stream where so much of it can't be understood that reading on is pointless: the vendor, or the connector,
/// has changed. What came stays in landing and in quarantine.
fn breaker(page: &Page, stream: &str, landed: Landed) -> Result<(), Halt> {
    let bad = landed.rejected + landed.problems;
    // Who wrote a file wants to know of every bad line in it.
    let is_file = page.records.first().is_none_or(|record| record.origin.is_some());
    if is_file || bad <= BAD_RECORDS || bad * BAD_SHARE <= landed.fetched {
        return Ok(());
    }
    let message = format!(
        "{bad} of {} records can't be understood, so {stream} is not read on; what came is kept in quarantine until \
         its reasons are mended",
        landed.fetched
    );
    Err(Halt::Source(Error::new(NextStep::SkipRecord, message)))
}

fn name(stream: &Stream, part: &Part) -> String {
    if part.0.is_empty() { stream.name.to_owned() } else { format!("{}/{}", stream.name, part.0) }
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
