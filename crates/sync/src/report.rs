//! What a pass tells while it runs, and what it came to.

use tributary_core::Time;
use tributary_source::{Finding, NextStep};
use tributary_store::landing::{Extent, Landed, RunOutcome};

/// Something that happened to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It begins.
    Started,
    /// A page landed.
    Page {
        /// The stream.
        stream: &'static str,
        /// Its part; empty for the only one.
        part: String,
        /// What became of the page.
        landed: Landed,
        /// Records done and records in all, where the vendor says.
        progress: Option<(u64, u64)>,
    },
    /// It came to its end: complete, failed or interrupted.
    Ended,
}

/// Hears of every event as it happens, for progress bars. Must not block.
pub trait Observer: Send + Sync {
    /// Hears of one.
    fn event(&self, source: &str, event: Event);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &str, _: Event) {}
}

/// What a pass came to, by source in the order they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One a source.
    pub sources: Vec<SourceReport>,
}

/// How a source ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was pulled.
    Ok,
    /// Something failed; the first failure.
    Failed {
        /// What to do.
        next: NextStep,
        /// A lower-case fragment that fits after "failed to sync SOURCE: ".
        message: String,
    },
    /// The vendor allows nothing more before an instant; what came is kept, and the next run goes on.
    Paused {
        /// The instant.
        until: Time,
        /// Why: a lower-case fragment.
        message: String,
    },
    /// What changed was pulled, and first reads had their time; the next run goes on with them.
    Partly {
        /// Streams (and parts, after a slash) that are not complete.
        left: Vec<String>,
    },
    /// Another process is pulling it.
    Busy {
        /// Which, in words.
        by: String,
    },
    /// Another process has taken it over, since this one did not answer: what came since is not kept.
    Lost {
        /// A lower-case fragment.
        message: String,
    },
    /// Somebody stopped it; the next run goes on where it was.
    Interrupted {
        /// Streams (and parts, after a slash) that are not complete.
        left: Vec<String>,
    },
}

/// What one source came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// The source's id.
    pub source: String,
    /// How it ended.
    pub outcome: Outcome,
    /// By stream and part, in the order they were pulled.
    pub streams: Vec<StreamReport>,
    /// Records whose facts changed because the connector or its settings did.
    pub renormalized: u64,
    /// What a person should know, such as a stream that can't be read.
    pub findings: Vec<Finding>,
}

/// What one part of a stream came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamReport {
    /// The stream.
    pub stream: &'static str,
    /// Its part; empty for the only one.
    pub part: String,
    /// What landed.
    pub landed: Landed,
    /// What the vendor counts of what it gave, where it counts.
    pub counted: Option<u64>,
    /// Whether all of it was pulled.
    pub complete: bool,
}

impl Outcome {
    /// How it is noted in the store, and why.
    pub(crate) fn noted(&self) -> (RunOutcome, Option<&str>) {
        match self {
            Self::Ok => (RunOutcome::Ok, None),
            Self::Partly { .. } => (RunOutcome::Partly, None),
            Self::Failed { message, .. } | Self::Lost { message } => (RunOutcome::Failed, Some(message)),
            Self::Busy { by } => (RunOutcome::Failed, Some(by)),
            Self::Paused { message, .. } => (RunOutcome::Paused, Some(message)),
            Self::Interrupted { .. } => (RunOutcome::Interrupted, None),
        }
    }

    /// What a person can do about a failure, in a word that is kept with the run.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        let Self::Failed { next, .. } = self else { return None };
        Some(match next {
            NextStep::FixConfig => "fix_config",
            NextStep::Reauthorize => "reauthorize",
            NextStep::Bug => "report",
            NextStep::Wait(_) => "wait",
            _ => "retry",
        })
    }
}

impl SourceReport {
    /// A source that ended so, before any stream.
    pub(crate) fn ended(source: &str, outcome: Outcome) -> Self {
        let (streams, findings) = (Vec::new(), Vec::new());
        Self { source: source.to_owned(), outcome, streams, renormalized: 0, findings }
    }

    /// New and changed records of each stream, parts taken together.
    pub(crate) fn rows(&self) -> Vec<(&'static str, u64, Extent)> {
        let mut rows: Vec<(&'static str, u64, Extent)> = Vec::new();
        for part in &self.streams {
            let extent = if part.complete { Extent::Whole } else { Extent::Part };
            match rows.iter_mut().find(|(stream, ..)| *stream == part.stream) {
                Some((_, added, whole)) => {
                    *added += part.landed.added;
                    *whole = if *whole == Extent::Whole { extent } else { Extent::Part };
                }
                None => rows.push((part.stream, part.landed.added, extent)),
            }
        }
        rows
    }

    /// What each stream came to, parts taken together, as it is kept with the run.
    pub(crate) fn streams_as_json(&self) -> String {
        let mut sums: Vec<(&'static str, Landed)> = Vec::new();
        for part in &self.streams {
            match sums.iter_mut().find(|(stream, _)| *stream == part.stream) {
                Some((_, sum)) => *sum += part.landed,
                None => sums.push((part.stream, part.landed)),
            }
        }
        let row = |(stream, landed): (&'static str, Landed)| {
            let Landed { fetched, added, unchanged, superseded, rejected, problems, deleted } = landed;
            serde_json::json!({
                "stream": stream, "fetched": fetched, "added": added, "unchanged": unchanged,
                "superseded": superseded, "rejected": rejected, "problems": problems, "deleted": deleted,
            })
        };
        serde_json::Value::Array(sums.into_iter().map(row).collect()).to_string()
    }

    /// What landed in all.
    pub fn landed(&self) -> Landed {
        let mut sum = Landed::default();
        for stream in &self.streams {
            sum += stream.landed;
        }
        sum
    }
}

impl Report {
    /// Whether any source failed.
    pub fn has_failures(&self) -> bool {
        let failed = |source: &SourceReport| {
            matches!(source.outcome, Outcome::Failed { .. } | Outcome::Busy { .. } | Outcome::Lost { .. })
        };
        self.sources.iter().any(failed)
    }

    /// Whether somebody stopped any source.
    pub fn was_interrupted(&self) -> bool {
        self.sources.iter().any(|source| matches!(source.outcome, Outcome::Interrupted { .. }))
    }

    /// What landed in all.
    pub fn landed(&self) -> Landed {
        let mut sum = Landed::default();
        for source in &self.sources {
            sum += source.landed();
        }
        sum
    }
}
