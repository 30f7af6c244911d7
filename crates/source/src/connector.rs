//! The traits that every connector fills, and the words between it and the daemon.

use std::fmt::Display;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tributary_core::{Fact, Time};

use crate::environment::Environment;
use crate::error::{Error, NextStep};
use crate::http::OAuth;
use crate::json::{Borrowed, canonical};
use crate::settings::{Settings, Spec};

/// The code for one vendor. Needs no credentials, so that landed records can be replayed for ever.
pub trait Connector: Send + Sync {
    /// The name in `connector = "…"`, such as `tryton`.
    fn name(&self) -> &'static str;

    /// What it brings, how to set it up and what it does not cover: its README.
    fn about(&self) -> &'static str;

    /// What its settings and secrets are; [`connect`](Self::connect) sees no other keys.
    fn spec(&self) -> Spec;

    /// Grows whenever [`normalize`](Self::normalize) would say something else of the same record; landed records
    /// are then normalised anew.
    fn normalizer_version(&self) -> u32;

    /// What can be pulled, in the order to pull it.
    fn streams(&self) -> &'static [Stream];

    /// Reads the settings, refusing what is unknown, and prepares a live connection without using it.
    fn connect(&self, settings: &Settings, environment: &Environment) -> Result<Box<dyn Source>, Error>;

    /// How a source with these settings signs in by OAuth; `None` where it does otherwise.
    fn oauth(&self, settings: &Settings) -> Result<Option<OAuth>, Error> {
        let _ = settings;
        Ok(None)
    }

    /// When the vendor ends the version of its API that the settings name, where that is known.
    fn version_end(&self, settings: &Settings) -> Option<VersionEnd> {
        let _ = settings;
        None
    }

    /// Says in our words what one record version means. Pure: no IO, no clock, no other record.
    fn normalize(&self, settings: &Settings, record: &Record) -> Normalized;
}

/// The end of a version of a vendor's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionEnd {
    /// The version, as the settings name it.
    pub version: String,
    /// The first instant at which it may be gone.
    pub at: Time,
}

/// A live connection to one account at a vendor.
#[async_trait]
pub trait Source: Send + Sync {
    /// Proves credentials, permissions and API version, without reading data.
    async fn check(&self) -> Result<Vec<Finding>, Error>;

    /// Parts with cursors of their own: mailboxes, ad accounts, files. One by default.
    async fn parts(&self, stream: &Stream) -> Result<Vec<Part>, Error> {
        let _ = stream;
        Ok(vec![Part::default()])
    }

    /// Whether a page may be pulled before the one that leads to it has landed. Not from a vendor: a pass that dies
    /// would have asked for two pages in vain.
    fn reads_ahead(&self) -> bool {
        false
    }

    /// How many streams may be read side by side for the first time, within the vendor's limits: worth it where a
    /// page takes longer than its share of the limit.
    fn at_once(&self) -> usize {
        1
    }

    /// Pulls one page.
    async fn pull(&self, task: &Task) -> Result<Page, Error>;
}

/// One kind of record a source offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name, in the vendor's words where they are readable: `parties`, `contacts`.
    pub name: &'static str,
    /// How it is read.
    pub mode: Mode,
    /// Whether deletes are found by walking all ids now and then ([`Span::Sweep`]).
    pub sweeps: bool,
}

/// How a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// From a cursor on, with look-back, upserting.
    Keyset,
    /// Everything, every time; what is absent afterwards is deleted.
    Snapshot,
    /// An opaque token; its loss leads to a bounded resync.
    Token,
    /// Windows of days that replace what they covered.
    Windows,
}

/// A part of a stream with a cursor of its own; the empty name is the only part.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Part(pub String);

/// Where a stream's next pull begins: versioned text, opaque to all but its connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(pub String);

/// Where the pull of one span goes on after a page: text, opaque to all but its connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume(pub String);

/// One unit of pulling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The stream's name.
    pub stream: &'static str,
    /// The part.
    pub part: Part,
    /// What to cover.
    pub span: Span,
    /// Where an interrupted pull of the same span goes on.
    pub resume: Option<Resume>,
}

/// What a task covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// From a cursor on; from the beginning without one.
    Since(Option<Cursor>),
    /// Days.
    Window(tributary_core::time::Span),
    /// All ids, to find what was deleted.
    Sweep,
}

impl Cursor {
    /// A place in its first version's form; [`read`](Self::read) gives it back.
    pub fn of(place: impl Display) -> Self {
        Self(format!("v1 {place}"))
    }

    /// Reads what [`of`](Self::of) wrote; what another version wrote starts the stream anew.
    pub fn read<T: FromStr>(&self) -> Result<T, Error> {
        let place = self.0.strip_prefix("v1 ").and_then(|text| text.parse().ok());
        place.ok_or_else(|| Error::new(NextStep::Restart, "the cursor was written by another version"))
    }
}

impl Task {
    /// The cursor, where a stream has neither sweeps nor windows of days.
    pub fn since(&self) -> Result<Option<&Cursor>, Error> {
        match &self.span {
            Span::Since(cursor) => Ok(cursor.as_ref()),
            Span::Sweep | Span::Window(_) => {
                Err(Error::new(NextStep::Bug, format!("{} is only read from a cursor on", self.stream)))
            }
        }
    }
}

impl Page {
    /// Records and what comes next; adds and changes only, and says nothing else.
    pub fn new(records: Vec<Record>, next: Next) -> Self {
        Self {
            records,
            rejects: Vec::new(),
            seen: Vec::new(),
            next,
            covers: Covers::Upsert,
            server_time: None,
            progress: None,
            counted: None,
            reach: Reach::Everything,
        }
    }
}

impl Record {
    /// An object as the vendor sent it.
    pub fn of(stream: &'static str, id: String, stamp: Option<Time>, body: &serde_json::Value) -> Self {
        Self { stream, id, stamp, body: Some(body.to_string().into_bytes().into_boxed_slice()), origin: None }
    }

    /// An object that still lies in the reply it came in, without those of its fields that say nothing: the same
    /// record as [`of`](Self::of), without copying texts on the way.
    pub fn of_borrowed(
        stream: &'static str,
        id: String,
        stamp: Option<Time>,
        body: &Borrowed<'_>,
        volatile: &[&str],
    ) -> Self {
        Self { stream, id, stamp, body: Some(canonical(body, volatile)), origin: None }
    }

    /// What is gone since a time.
    pub fn deletion(stream: &'static str, id: String, stamp: Option<Time>) -> Self {
        Self { stream, id, stamp, body: None, origin: None }
    }
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Records of any stream: side records ride along.
    pub records: Vec<Record>,
    /// What could not even be read as a record: kept in quarantine.
    pub rejects: Vec<Reject>,
    /// Ids that exist at the vendor, for [`Span::Sweep`] and [`Covers::Replace`], beside those in `records`.
    pub seen: Vec<String>,
    /// What comes next.
    pub next: Next,
    /// Whether what a completed span did not see is deleted.
    pub covers: Covers,
    /// The server's own time when it answered, where it says.
    pub server_time: Option<Time>,
    /// How far along the span is, if the vendor says: records done and records in all.
    pub progress: Option<(u64, u64)>,
    /// What the vendor counts, on the last page of what it counts.
    pub counted: Option<Counted>,
    /// How far back the stream's part is complete once the span is.
    pub reach: Reach,
}

/// How far back what a stream's part tells of is complete, once a span of it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// To the beginning; after a first read, as far back as that one.
    #[default]
    Everything,
    /// To this instant: the vendor tells of nothing earlier, or the settings ask for nothing earlier.
    Since(Time),
    /// To this instant, of a stream that only labels what others tell of, such as a click's campaign: deals are
    /// covered without it.
    Labels(Time),
    /// As far as it says itself, and no later read is expected: a file.
    Itself,
}

/// What a vendor counts of a span, beside what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Records that came.
    pub came: u64,
    /// Records that the vendor counted when the span began …
    pub at_first: u64,
    /// … and when it ended.
    pub at_last: u64,
}

impl Counted {
    /// Of a count that was asked for once.
    pub fn once(came: u64, counted: u64) -> Self {
        Self { came, at_first: counted, at_last: counted }
    }

    /// Whether what came is what was counted, or lies between two counts because records came and went meanwhile.
    pub fn balances(self) -> bool {
        let (least, most) = (self.at_first.min(self.at_last), self.at_first.max(self.at_last));
        (least..=most).contains(&self.came)
    }

    /// Whether the vendor counted the same before and after, and something else came.
    pub fn is_short(self) -> bool {
        self.at_first == self.at_last && self.came != self.at_last
    }
}

/// After a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// More pages: go on here.
    More(Resume),
    /// The span is complete: the next one begins here.
    Done(Cursor),
}

/// Whether what a completed span did not see is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Covers {
    /// No: rows are added and changed only.
    #[default]
    Upsert,
    /// Yes: after the last page, unseen records of the stream's part get deletions.
    Replace,
}

/// One vendor object as sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The stream it belongs to.
    pub stream: &'static str,
    /// The vendor's id, always as text.
    pub id: String,
    /// The vendor's own version stamp, where there is one.
    pub stamp: Option<Time>,
    /// The JSON as the vendor sent it; `None` is a deletion.
    pub body: Option<Box<[u8]>>,
    /// Where it was read, for people: `people.csv:17`. Not part of the record.
    pub origin: Option<String>,
}

/// Bytes that could not be read as a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The stream it was meant for.
    pub stream: &'static str,
    /// Where: `people.csv:17`.
    pub origin: String,
    /// Why, and what would mend it.
    pub problem: Problem,
    /// The bytes as read.
    pub body: Vec<u8>,
}

/// What one record version means, and what in it could not be understood.
///
/// A record with problems goes to quarantine with its reasons; its facts, if any, count all the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normalized {
    /// What it says.
    pub facts: Vec<Fact>,
    /// What it failed to say.
    pub problems: Vec<Problem>,
}

/// Something in a record that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The column or JSON path.
    pub field: String,
    /// Why, and what would mend it. A lower-case fragment without personal data beyond the offending value.
    pub reason: String,
}

/// Something a person should know about a source, which is not an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A stable name, such as `token-expires`.
    pub code: String,
    /// What and what to do.
    pub message: String,
}
