//! A sync loop in memory, as plain as can be: what the real one promises, without a database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tributary_core::Time;

use super::wire::Wire;
use super::{Clock, Subject};
use crate::connector::{Covers, Cursor, Mode, Next, Page, Part, Record, Resume, Source, Span, Stream, Task};
use crate::environment::Environment;
use crate::error::{Error, NextStep};

/// More pages than any simulated vendor has.
const ENDLESS: usize = 5_000;

/// The current version of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) part: Part,
    stamp: Option<Time>,
    pub(super) body: Option<Box<[u8]>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    cursor: Option<Cursor>,
    open: Option<(bool, Resume)>,
    seen: BTreeSet<String>,
}

/// Where all streams stand.
#[derive(Clone)]
pub(super) struct Places(BTreeMap<(&'static str, Part), State>);

/// A store, a clock and a wire to the vendor.
pub(super) struct Daemon<'a> {
    subject: &'a Subject,
    pub(super) wire: Arc<Wire>,
    clock: Clock,
    states: BTreeMap<(&'static str, Part), State>,
    /// Records that came, by stream.
    pub(super) came: BTreeMap<&'static str, usize>,
    /// Records of the largest page, by stream.
    pub(super) largest: BTreeMap<&'static str, usize>,
    /// Records that two parts of a stream claim.
    pub(super) shared: Vec<String>,
    pub(super) held: BTreeMap<(&'static str, String), Held>,
    /// Everything that the connector handed over or said, for those who look for secrets in it.
    pub(super) said: Vec<String>,
    /// Pages since the beginning.
    pub(super) pages: usize,
    /// Versions that changed something.
    pub(super) changes: usize,
    /// Spans whose last page said that there should be more, or less.
    pub(super) miscounted: Vec<String>,
}

/// Why a pass ended before its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// It was killed, as it had to be.
    Killed,
    /// By errors that were not passed over.
    Failed(Vec<Error>),
}

impl<'a> Daemon<'a> {
    pub(super) fn new(subject: &'a Subject, wire: Arc<Wire>, clock: Clock) -> Self {
        Self {
            subject,
            wire,
            clock,
            states: BTreeMap::new(),
            came: BTreeMap::new(),
            largest: BTreeMap::new(),
            shared: Vec::new(),
            held: BTreeMap::new(),
            said: Vec::new(),
            pages: 0,
            changes: 0,
            miscounted: Vec::new(),
        }
    }

    /// Another daemon at the same vendor that knows nothing.
    pub(super) fn fresh(&self) -> Self {
        Self::new(self.subject, Arc::clone(&self.wire), Arc::clone(&self.clock))
    }

    pub(super) fn connect(&self) -> Result<Box<dyn Source>, Error> {
        let vendor: Arc<Wire> = Arc::clone(&self.wire);
        let environment = Environment { vendor: Some(vendor), ..Environment::new(Arc::clone(&self.clock)) };
        self.subject.connector.connect(&self.wire.vendor.settings(), &environment)
    }

    /// Where all streams stand.
    pub(super) fn places(&self) -> Places {
        Places(self.states.clone())
    }

    /// Puts all streams back to where they stood.
    pub(super) fn rewind(&mut self, places: Places) {
        self.states = places.0;
    }

    /// What exists, by stream and id.
    pub(super) fn living(&self) -> BTreeMap<(&'static str, &str), &[u8]> {
        self.held
            .iter()
            .filter_map(|((stream, id), held)| Some(((*stream, id.as_str()), held.body.as_deref()?)))
            .collect()
    }

    /// How many records of a stream exist.
    pub(super) fn living_of(&self, stream: &str) -> usize {
        self.held.iter().filter(|((of, _), held)| *of == stream && held.body.is_some()).count()
    }

    /// One pass over all streams; killed after so many pages, if it gets so far.
    pub(super) async fn pass(&mut self, pages: Option<usize>) -> Result<(), Halt> {
        let mut left = pages.unwrap_or(ENDLESS);
        let mut errors = Vec::new();
        let source = self.connect().map_err(|error| Halt::Failed(vec![error]))?;
        for stream in self.subject.connector.streams() {
            let parts = match patiently(&self.clock, || source.parts(stream)).await {
                Ok(parts) => parts,
                Err(error) => {
                    self.told(&error);
                    errors.push(error);
                    continue;
                }
            };
            for part in parts {
                match self.part(source.as_ref(), stream, &part, &mut left).await {
                    Ok(true) => {}
                    Ok(false) if pages.is_none() => {
                        let message = format!("{} has no end", stream.name);
                        return Err(Halt::Failed(vec![Error::new(NextStep::Bug, message)]));
                    }
                    Ok(false) => return Err(Halt::Killed),
                    Err(error) => {
                        self.told(&error);
                        if !matches!(error.next, NextStep::SkipPart | NextStep::SkipStream) {
                            errors.push(error);
                        }
                    }
                }
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(Halt::Failed(errors)) }
    }

    fn told(&mut self, error: &Error) {
        self.said.push(format!("{error} {error:?}"));
    }

    /// `false` when it was killed.
    async fn part(
        &mut self,
        source: &dyn Source,
        stream: &'static Stream,
        part: &Part,
        left: &mut usize,
    ) -> Result<bool, Error> {
        let state = self.states.entry((stream.name, part.clone())).or_default().clone();
        let is_first = state.cursor.is_none();
        let cursor = state.cursor.filter(|_| stream.mode != Mode::Snapshot);
        let task = |span, resume| Task { stream: stream.name, part: part.clone(), span, resume };
        let was_sweeping = matches!(state.open, Some((true, _)));
        let resume = state.open.map(|(_, resume)| resume);
        if was_sweeping && !self.span(source, task(Span::Sweep, resume.clone()), left).await? {
            return Ok(false);
        }
        let resume = resume.filter(|_| !was_sweeping);
        let done = match self.span(source, task(Span::Since(cursor), resume), left).await {
            Err(error) if error.next == NextStep::Restart => {
                self.states.remove(&(stream.name, part.clone()));
                self.span(source, task(Span::Since(None), None), left).await
            }
            other => other,
        };
        if !done? {
            return Ok(false);
        }
        if stream.sweeps && !is_first && !was_sweeping {
            return self.span(source, task(Span::Sweep, None), left).await;
        }
        Ok(true)
    }

    async fn span(&mut self, source: &dyn Source, mut task: Task, left: &mut usize) -> Result<bool, Error> {
        loop {
            if *left == 0 {
                return Ok(false);
            }
            *left -= 1;
            let page = patiently(&self.clock, || source.pull(&task)).await?;
            self.pages += 1;
            self.said.push(format!("{:?}", page.next));
            let next = page.next.clone();
            self.land(&task, page);
            match next {
                Next::Done(_) => return Ok(true),
                Next::More(resume) => task.resume = Some(resume),
            }
        }
    }

    /// A page and its state, at once.
    fn land(&mut self, task: &Task, page: Page) {
        let is_sweep = task.span == Span::Sweep;
        let state = self.states.entry((task.stream, task.part.clone())).or_default();
        state.seen.extend(page.seen);
        let own = page.records.iter().filter(|record| record.stream == task.stream && record.body.is_some());
        state.seen.extend(own.map(|record| record.id.clone()));
        *self.came.entry(task.stream).or_default() += page.records.len();
        let largest = self.largest.entry(task.stream).or_default();
        *largest = (*largest).max(page.records.len());
        for record in page.records {
            let Record { stream, id, stamp, body, .. } = record;
            let held = Held { part: task.part.clone(), stamp, body };
            let known = self.held.get(&(stream, id.clone()));
            if stream == task.stream && known.is_some_and(|it| it.body.is_some() && it.part != task.part) {
                self.shared.push(format!("{stream} {id}"));
            }
            // The later stamp is current; of two alike the one that came last.
            if known.is_none_or(|known| known.stamp <= held.stamp) {
                self.changes += usize::from(known.is_none_or(|known| known.body != held.body));
                self.held.insert((stream, id), held);
            }
        }
        match page.next {
            Next::More(resume) => state.open = Some((is_sweep, resume)),
            Next::Done(cursor) => {
                if let Some(counted) = page.counted.filter(|counted| !counted.balances()) {
                    self.miscounted.push(format!("{}: {counted:?}", task.stream));
                }
                let seen = std::mem::take(&mut state.seen);
                state.open = None;
                if !is_sweep {
                    state.cursor = Some(cursor);
                }
                if is_sweep || page.covers == Covers::Replace {
                    for ((stream, id), held) in &mut self.held {
                        if *stream == task.stream && held.part == task.part && !seen.contains(id) {
                            self.changes += usize::from(held.body.is_some());
                            held.body = None;
                        }
                    }
                }
            }
        }
    }
}

/// Calls, and again after any wait that is asked for within a day.
async fn patiently<T, F>(clock: &Clock, call: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for _ in 0..20 {
        match call().await {
            Err(Error { next: NextStep::Wait(until), .. }) => {
                let wait = until.0.saturating_sub(clock().0).clamp(0, tributary_core::time::DAY_MICROS);
                tokio::time::sleep(Duration::from_micros(wait as u64)).await;
            }
            other => return other,
        }
    }
    Err(Error::new(NextStep::Retry, "told to wait again and again"))
}
