//! Reading landing back: bodies as they were sent, and a hash of everything.

use tributary_core::Time;
use tributary_core::id::Hash;

use super::unpack;
use crate::db::Tx;
use crate::{Store, StoreError};

/// One version of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The vendor's stamp.
    pub stamp: Option<Time>,
    /// When it was observed.
    pub observed_at: Time,
    /// Its content hash.
    pub hash: Hash,
    /// The body as sent; `None` is a deletion.
    pub body: Option<Vec<u8>>,
    /// Whether it is the current one.
    pub is_current: bool,
}

impl Store {
    /// Every version of a record, in the order in which they landed.
    pub async fn versions(&self, record: i64) -> Result<Vec<Version>, StoreError> {
        let mut tx = self.read().await?;
        let sql = "select v.stamp, v.observed_at, v.hash, v.frame, v.start, v.length, \
            case when r.head = v.id then 1 else 0 end from version v join record r on r.id = v.record \
            where v.record = $1 order by v.id";
        let mut out = Vec::new();
        for row in tx.fetch(sql, &[record.into()]).await? {
            let body = match row.opt_int(3)? {
                Some(frame) => Some(slice(&tx.frame(frame).await?, row.int(4)?, row.int(5)?)?.to_vec()),
                None => None,
            };
            out.push(Version {
                stamp: row.opt_int(0)?.map(Time),
                observed_at: Time(row.int(1)?),
                hash: row.hash(2)?,
                body,
                is_current: row.int(6)? == 1,
            });
        }
        Ok(out)
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
    /// An unpacked page.
    pub(crate) async fn frame(&mut self, frame: i64) -> Result<Vec<u8>, StoreError> {
        let rows = self.fetch("select body from frame where id = $1", &[frame.into()]).await?;
        let row = rows.first().ok_or_else(|| StoreError::Damaged(format!("frame {frame} is gone")))?;
        unpack(&row.bytes(0)?)
    }
}

pub(super) fn slice(frame: &[u8], start: i64, length: i64) -> Result<&[u8], StoreError> {
    frame
        .get(start as usize..(start + length) as usize)
        .ok_or_else(|| StoreError::Damaged("a record lies outside its page".to_owned()))
}
