//! Landing: every version of every vendor record as sent, and the point where the next pull begins.
//!
//! A page, its facts, its quarantine and its state go in together or not at all: there is no other commit point.

mod coverage;
mod history;
mod page;
mod quarantine;
mod read;
mod runs;
mod shape;
mod source;
mod state;

use tributary_core::{Fact, Time};

use crate::StoreError;
use crate::db::{Insert, Tx};

pub use coverage::StreamCoverage;
pub use history::{Requests, RunTotal, StreamDay, StreamDays};
pub use page::Landed;
pub(crate) use page::Rank;
pub use quarantine::Quarantined;
pub use read::Version;
pub use runs::{Extent, Run, RunEnd, RunOutcome};
pub use source::Normalize;

/// A registered source, inside this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(pub(crate) i64);

/// A page on its way into the store.
#[derive(Clone, Debug)]
pub struct Landing<'a> {
    /// The source.
    pub source: SourceKey,
    /// The stream that was pulled.
    pub stream: &'a str,
    /// Its part; empty for the only one.
    pub part: &'a str,
    /// The resume point that it was pulled from; nothing for the first page of a span. Where the stream stands elsewhere,
    /// the page is refused: what was between would be missing.
    pub after: Option<&'a str>,
    /// When the page was pulled.
    pub observed_at: Time,
    /// What came, in order; of any stream.
    pub records: &'a [Incoming<'a>],
    /// What could not be read as a record.
    pub rejects: &'a [Reject<'a>],
    /// Ids that exist at the vendor, beside those in `records`.
    pub seen: &'a [String],
    /// What comes next.
    pub next: Next<'a>,
    /// Whether the completed span deletes what it has not seen.
    pub deletes: Deletes,
    /// How far back the part is complete once the span is.
    pub reach: Reach,
    /// Records done and records in all of the span, where the vendor says.
    pub progress: Option<(u64, u64)>,
}

/// How far back a stream's part is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// As far as its first complete read: to the beginning.
    #[default]
    Everything,
    /// To this instant, or further where earlier reads reached further without a gap.
    Since(Time),
    /// The same, of a stream that only labels what others tell of.
    Labels(Time),
    /// As far as it says itself, for ever.
    Itself,
}

/// Whether a completed span deletes what it has not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deletes {
    /// It does not.
    #[default]
    Nothing,
    /// It does, unless that would be more than 5 % of the stream and at least 50.
    Unseen,
    /// It does, however many.
    UnseenHoweverMany,
}

/// One record version.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Its stream.
    pub stream: &'a str,
    /// The vendor's id.
    pub id: &'a str,
    /// The vendor's stamp.
    pub stamp: Option<Time>,
    /// The body as sent; `None` is a deletion.
    pub body: Option<&'a [u8]>,
    /// Where it was read, for people.
    pub origin: Option<&'a str>,
}

/// Bytes that could not be read as a record.
#[derive(Clone, Copy, Debug)]
pub struct Reject<'a> {
    /// The stream it was meant for.
    pub stream: &'a str,
    /// Where.
    pub origin: &'a str,
    /// The column or path.
    pub field: &'a str,
    /// Why.
    pub reason: &'a str,
    /// The bytes as read.
    pub body: &'a [u8],
}

/// What a record version says, and what in it could not be understood: (field, reason).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// What it says.
    pub facts: Vec<Fact>,
    /// What it failed to say.
    pub problems: Vec<(String, String)>,
}

/// After a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// The span goes on.
    More {
        /// Which span, in the caller's words.
        span: &'a str,
        /// Where.
        resume: &'a str,
    },
    /// The span is complete.
    Done {
        /// Where the next begins; `None` keeps the cursor as it is.
        cursor: Option<&'a str>,
    },
}

/// Where a stream's part stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Where the next pull begins.
    pub cursor: Option<String>,
    /// The span in hand, if a pull was interrupted, and where it goes on.
    pub open: Option<(String, String)>,
    /// When the last pull began that came to its end; [`Time::MAX`] for what is complete in itself.
    pub complete_at: Option<Time>,
    /// When the last walk over all ids began that came to its end.
    pub swept_at: Option<Time>,
}

impl Tx {
    pub(crate) async fn mark_dirty(&mut self, records: &[i64]) -> Result<(), StoreError> {
        self.insert(vec![dirty(records.iter().copied())]).await
    }
}

/// Marks records whose head changed.
fn dirty(records: impl Iterator<Item = i64>) -> Insert<'static> {
    let rows = records.map(|record| vec![record.into()]).collect();
    Insert { table: "dirty", columns: &["record"], rows, conflict: "on conflict do nothing" }
}

fn encode(facts: &[Fact]) -> Result<Option<Vec<u8>>, StoreError> {
    if facts.is_empty() {
        return Ok(None);
    }
    postcard::to_stdvec(facts)
        .map(Some)
        .map_err(|error| StoreError::Damaged(format!("facts can't be written: {error}")))
}

/// A frame begins with its unpacked length, so that unpacking is bounded.
fn pack(bodies: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut out = (bodies.len() as u64).to_le_bytes().to_vec();
    let packed = zstd::bulk::compress(bodies, 1);
    out.extend(packed.map_err(|error| StoreError::Damaged(format!("a page can't be packed: {error}")))?);
    Ok(out)
}

fn unpack(frame: &[u8]) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::Damaged("a page can't be unpacked".to_owned());
    let (length, packed) = frame.split_first_chunk::<8>().ok_or_else(damaged)?;
    zstd::bulk::decompress(packed, u64::from_le_bytes(*length) as usize).map_err(|_| damaged())
}
