//! Landing: every version of every vendor record as sent, and the point where the next pull begins.
//!
//! A page, its facts, its quarantine and its state go in together or not at all: there is no other commit point.

mod page;
mod quarantine;
mod runs;
mod sealed;
mod state;

use std::collections::BTreeMap;

use tributary_core::id::Hash;
use tributary_core::{Fact, Time};

use crate::db::Tx;
use crate::{Store, StoreError};

pub use page::Landed;
pub(crate) use page::Rank;
pub use quarantine::Quarantined;
pub use runs::{Run, RunOutcome};
pub use sealed::SealKey;

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
}

impl Store {
    /// Makes a source known; its settings outlive the configuration, so that landed records can be read for ever.
    ///
    /// Returns whether its records were normalised by another version or other settings, and must be anew.
    pub async fn register_source(
        &self,
        name: &str,
        connector: &str,
        settings: &str,
        normalizer: &str,
    ) -> Result<(SourceKey, bool), StoreError> {
        let mut tx = self.begin().await?;
        let known = tx.fetch("select id, normalizer from source where name = $1", &[name.into()]).await?;
        let key = match known.first() {
            Some(row) => {
                let (id, old) = (row.int(0)?, row.text(1)?);
                tx.execute(
                    "update source set connector = $1, settings = $2 where id = $3",
                    &[connector.into(), settings.into(), id.into()],
                )
                .await?;
                (SourceKey(id), old != normalizer)
            }
            None => {
                let id = tx.next_ids("source", 1).await?;
                let values = [id.into(), name.into(), connector.into(), settings.into(), normalizer.into()];
                let sql = "insert into source (id, name, connector, settings, normalizer) values ($1, $2, $3, $4, $5)";
                tx.execute(sql, &values).await?;
                (SourceKey(id), false)
            }
        };
        tx.commit().await?;
        Ok(key)
    }

    /// Normalises the landed heads of a source anew, and marks what now says something else.
    ///
    /// `normalize` gets stream, id, stamp and body. Returns how many records say something else.
    pub async fn renormalize(
        &self,
        source: SourceKey,
        normalizer: &str,
        normalize: &(dyn Fn(&str, &str, Option<Time>, &[u8]) -> Said + Sync),
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut changed = 0;
        let mut after = 0;
        loop {
            let sql = "select v.id, r.id, r.stream, r.native_id, v.stamp, v.frame, v.start, v.length, v.facts, \
                case when r.head = v.id then 1 else 0 end \
                from version v join record r on r.id = v.record \
                where r.source = $1 and v.id > $2 and v.frame is not null order by v.id limit 2000";
            let rows = tx.fetch(sql, &[source.0.into(), after.into()]).await?;
            let Some(last) = rows.last() else { break };
            after = last.int(0)?;
            let mut frames: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
            let mut dirty = Vec::new();
            let mut writes = Vec::new();
            for row in &rows {
                let frame = row.int(5)?;
                if let std::collections::btree_map::Entry::Vacant(slot) = frames.entry(frame) {
                    slot.insert(tx.frame(frame).await?);
                }
                let body = slice(&frames[&frame], row.int(6)?, row.int(7)?)?;
                let said = normalize(&row.text(2)?, &row.text(3)?, row.opt_int(4)?.map(Time), body);
                let facts = encode(&said.facts)?;
                if facts != row.opt_bytes(8)? {
                    writes.push((row.int(0)?, facts));
                    if row.int(9)? == 1 {
                        dirty.push(row.int(1)?);
                    }
                }
            }
            for (version, facts) in writes {
                tx.execute("update version set facts = $1 where id = $2", &[facts.into(), version.into()])
                    .await?;
            }
            changed += dirty.len() as u64;
            tx.mark_dirty(&dirty).await?;
        }
        tx.execute("update source set normalizer = $1 where id = $2", &[normalizer.into(), source.0.into()])
            .await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// The body of a record's current version as the vendor sent it; `None` if it was deleted.
    pub async fn body(&self, record: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut tx = self.read().await?;
        let sql =
            "select v.frame, v.start, v.length from record r join version v on v.id = r.head where r.id = $1";
        let rows = tx.fetch(sql, &[record.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Some(frame) = row.opt_int(0)? else { return Ok(None) };
        let unpacked = tx.frame(frame).await?;
        Ok(Some(slice(&unpacked, row.int(1)?, row.int(2)?)?.to_vec()))
    }

    /// A hash of everything that landed, which does not depend on how often, when or in what order it came.
    pub async fn landing_digest(&self) -> Result<Hash, StoreError> {
        let sql = "select s.name, r.stream, r.native_id, v.stamp, v.hash, v.facts, \
            case when r.head = v.id then 1 else 0 end from version v join record r on r.id = v.record \
            join source s on s.id = r.source where v.id > $1 and v.id <= $2";
        let mut tx = self.read().await?;
        let mut lines = Vec::new();
        let top = tx.next_ids("version", 1).await?;
        let mut after = 0;
        while after < top {
            for row in tx.fetch(sql, &[after.into(), (after + 10_000).into()]).await? {
                let facts = row.opt_bytes(5)?.map(|bytes| Hash::of_bytes(&bytes));
                let line = (
                    row.text(0)?,
                    row.text(1)?,
                    row.text(2)?,
                    row.opt_int(3)?,
                    row.hash(4)?,
                    facts,
                    row.int(6)?,
                );
                lines.push(Hash::of("version", &[&format!("{line:?}")]));
            }
            after += 10_000;
        }
        lines.sort_unstable();
        Ok(Hash::of_bytes(&lines.iter().flat_map(|line| line.0).collect::<Vec<u8>>()))
    }
}

impl Tx {
    pub(crate) async fn frame(&mut self, frame: i64) -> Result<Vec<u8>, StoreError> {
        let rows = self.fetch("select body from frame where id = $1", &[frame.into()]).await?;
        let row = rows.first().ok_or_else(|| StoreError::Damaged(format!("frame {frame} is gone")))?;
        unpack(&row.bytes(0)?)
    }

    pub(crate) async fn mark_dirty(&mut self, records: &[i64]) -> Result<(), StoreError> {
        let rows = records.iter().map(|record| vec![(*record).into()]).collect();
        self.insert_rows_or("dirty", &["record"], rows, "on conflict do nothing").await
    }
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

fn slice(frame: &[u8], start: i64, length: i64) -> Result<&[u8], StoreError> {
    frame
        .get(start as usize..(start + length) as usize)
        .ok_or_else(|| StoreError::Damaged("a record lies outside its page".to_owned()))
}
