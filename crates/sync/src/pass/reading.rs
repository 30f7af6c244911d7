//! How one stream is read: part by part, span by span, page by page, beside others or alone.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tributary_source::{
    Cursor, Error, Finding, Mode, Next, NextStep, Part, Resume, Source, Span, Stream, Task,
};
use tributary_store::landing::Landed;

use super::{Halt, Pass, land};
use crate::report::{Event, StreamReport};

/// The span names that an interrupted pull is remembered by.
const SINCE: &str = "since";
const SWEEP: &str = "sweep";

/// The longest that a pass waits for a vendor's limit; what takes longer is left for the next run.
const PATIENCE: Duration = Duration::from_mins(15);
/// How often in a row one call is told to wait before the vendor is taken at its word.
const WAITS: usize = 20;
/// How long a request that is on its way may still take once somebody stops the pass.
const GRACE: Duration = Duration::from_secs(5);

/// A stream while it is read.
pub(super) struct Reading<'p, 'a> {
    pass: &'p Pass<'a>,
    source: &'p dyn Source,
    stream: &'static Stream,
    read: Read,
}

/// What came of a stream.
pub(super) struct Read {
    /// Its name.
    pub(super) stream: &'static str,
    /// By part, in the order they were pulled.
    pub(super) reports: Vec<StreamReport>,
    pub(super) findings: Vec<Finding>,
    /// What went wrong, in the order it did.
    pub(super) failures: Vec<Halt>,
    /// The parts that are not complete because the reading was ended.
    pub(super) left: Vec<String>,
}

impl<'p, 'a> Reading<'p, 'a> {
    pub(super) fn of(pass: &'p Pass<'a>, source: &'p dyn Source, stream: &'static Stream) -> Self {
        let read = Read {
            stream: stream.name,
            reports: Vec::new(),
            findings: Vec::new(),
            failures: Vec::new(),
            left: Vec::new(),
        };
        Self { pass, source, stream, read }
    }

    /// Reads all parts, one after the other. What ends the source ends its other streams after their pages in hand.
    pub(super) async fn read(mut self) -> Read {
        let mut left = vec![self.stream.name.to_owned()];
        if let Err(halt) = self.parts(&mut left).await {
            match halt {
                Halt::Stopped | Halt::Later => {
                    self.read.left = left;
                    self.pass.over.cancel();
                }
                failure => self.fail(failure),
            }
        }
        self.read
    }

    fn fail(&mut self, failure: Halt) {
        if failure.ends_the_source() {
            self.pass.over.cancel();
        }
        self.read.failures.push(failure);
    }

    async fn parts(&mut self, left: &mut Vec<String>) -> Result<(), Halt> {
        let (source, stream) = (self.source, self.stream);
        let parts = self.patiently(|| source.parts(stream)).await?;
        self.pass.keep_parts(stream, &parts).await?;
        for (place, part) in parts.iter().enumerate() {
            *left = parts[place..].iter().map(|part| name(stream, part)).collect();
            match self.part(part).await {
                Ok(()) => {}
                Err(halt @ (Halt::Stopped | Halt::Later)) => return Err(halt),
                Err(failure) => {
                    let skips = matches!(&failure, Halt::Source(error) if error.next == NextStep::SkipStream);
                    if skips || failure.ends_the_source() {
                        return Err(failure);
                    }
                    self.fail(failure);
                }
            }
        }
        Ok(())
    }

    /// Fails once the source's streams are to be read no further.
    fn goes_on(&self) -> Result<(), Halt> {
        match (self.pass.stop.is_cancelled(), self.pass.over.is_cancelled()) {
            (true, _) => Err(Halt::Stopped),
            (false, true) => Err(Halt::Later),
            (false, false) => Ok(()),
        }
    }

    /// Calls the vendor, and again after any wait it asks for, as long as that is bearable.
    async fn patiently<T, F>(&self, call: impl Fn() -> F) -> Result<T, Halt>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for _ in 0..WAITS {
            self.goes_on()?;
            let stopped = async {
                self.pass.stop.cancelled().await;
                sleep(GRACE).await;
            };
            let error = tokio::select! {
                biased;
                answer = call() => match answer {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                },
                () = stopped => return Err(Halt::Stopped),
            };
            let NextStep::Wait(until) = error.next else { return Err(Halt::Source(error)) };
            let wait =
                Duration::from_micros(until.0.saturating_sub((self.pass.options.now)().0).max(0) as u64);
            if wait > PATIENCE {
                return Err(Halt::Source(error));
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = self.pass.over.cancelled() => {}
            }
        }
        let message = "the vendor asked to wait again and again; what came so far is kept";
        Err(Halt::Source(Error::new(NextStep::Retry, message)))
    }

    /// Pulls one part: what changed since the cursor, then, where deletes are found that way, all ids.
    async fn part(&mut self, part: &Part) -> Result<(), Halt> {
        let (pass, stream) = (self.pass, self.stream);
        let state = pass.states.get(&(stream.name.to_owned(), part.0.clone())).cloned().unwrap_or_default();
        let cursor = state.cursor.clone().filter(|_| stream.mode != Mode::Snapshot).map(Cursor);
        let is_first = state.cursor.is_none();
        let (sweep_resume, since_resume) = match state.open {
            Some((span, resume)) if span == SWEEP => (Some(Resume(resume)), None),
            Some((_, resume)) => (None, Some(Resume(resume))),
            None => (None, None),
        };
        self.read.reports.push(StreamReport {
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
            self.span(&sweep(sweep_resume), SWEEP).await?;
        }
        let since =
            Task { stream: stream.name, part: part.clone(), span: Span::Since(cursor), resume: since_resume };
        match self.span(&since, SINCE).await {
            Err(Halt::Source(error)) if error.next == NextStep::Restart => {
                // The cursor is lost: everything again, which adds nothing that is known.
                pass.store.forget_state(pass.key, stream.name, &part.0).await?;
                let anew = Task { span: Span::Since(None), resume: None, ..since };
                self.span(&anew, SINCE).await?;
            }
            other => other?,
        }
        // A first read saw every id there is. A sweep that is to come was one before the clock was set back.
        let rested = state.swept_at.map_or(u64::MAX, |at| (pass.options.now)().0.abs_diff(at.0));
        let is_time = rested >= pass.options.sweep_every.as_micros() as u64;
        if stream.sweeps && !is_first && !was_sweeping && is_time {
            self.span(&sweep(None), SWEEP).await?;
        }
        if let Some(report) = self.read.reports.last_mut() {
            report.complete = true;
        }
        Ok(())
    }

    /// Pulls one span to its end, each page once the one before it has landed: a pass that dies has asked for one
    /// page in vain, not two. Where asking costs nothing, the next page is read meanwhile.
    async fn span(&mut self, task: &Task, span: &'static str) -> Result<(), Halt> {
        let (pass, source) = (self.pass, self.source);
        let mut task = task.clone();
        let mut page = self.patiently(|| source.pull(&task)).await?;
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
            let (landed, ahead) = futures::join!(pass.land(&task, span, &page), ahead);
            let (landed, asks) = landed?;
            let mut so_far = landed;
            if let Some(report) = self.read.reports.last_mut() {
                report.landed += landed;
                let counted = page.counted.map(|counted| counted.at_last);
                report.counted =
                    [report.counted, counted].into_iter().flatten().reduce(|sum, more| sum + more);
                so_far = report.landed;
            }
            if landed.added > 0 {
                pass.look(&page);
            }
            land::breaker(&page, task.stream, so_far)?;
            let progress = page.progress;
            let event = Event::Page { stream: task.stream, part: task.part.0.clone(), landed, progress };
            pass.observer.event(&pass.run.id, event);
            if let Some(error) = asks {
                return Err(Halt::Store(error));
            }
            self.read.findings.extend(land::balance(&task, page.counted)?);
            let is_first_read = matches!(task.span, Span::Since(None));
            if more.is_some()
                && is_first_read
                && pass.backfill_until.is_some_and(|until| until <= Instant::now())
            {
                return Err(Halt::Later);
            }
            let Some(next) = more else { return Ok(()) };
            task = next;
            page = match ahead {
                Some(page) => page?,
                None => self.patiently(|| source.pull(&task)).await?,
            };
        }
    }
}

fn name(stream: &Stream, part: &Part) -> String {
    if part.0.is_empty() { stream.name.to_owned() } else { format!("{}/{}", stream.name, part.0) }
}
