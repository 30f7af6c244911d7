//! Work: who has what in hand, and what is planned of each source.
//!
//! A *lease* lets one process at a time pull a source. It carries a fence, a number that grows with each taking: a
//! store [under a lease](Store::under) writes nothing once somebody else has taken it, however long its process was
//! asleep. Leases end by the database's clock, never by that of a process.

mod agenda;
mod owner;
mod standing;

use std::sync::Arc;
use std::time::Duration;

pub use agenda::Planned;
pub use owner::Owner;
pub use standing::{Reading, Standing, StreamStanding};

use crate::db::{Database, Link, Tx};
use crate::{Store, StoreError};
use owner::Alive;

/// What one process at a time may do, by its number and fence; the store gives it back when it is dropped only if
/// [`release`](Store::release) was called, but knows that its owner is gone.
#[derive(Debug)]
pub struct Lease {
    id: i64,
    fence: i64,
    ttl: Duration,
    _alive: Alive,
}

/// What came of trying to take a lease.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(Arc<Lease>),
    /// Somebody has it: who, in words.
    By(String),
}

/// The fence of a lease, which every transaction of a store under it checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) id: i64,
    pub(crate) fence: i64,
}

impl Lease {
    pub(crate) fn fence(&self) -> Fence {
        Fence { id: self.id, fence: self.fence }
    }

    /// How often it should be renewed.
    pub fn renew_every(&self) -> Duration {
        self.ttl / 3
    }
}

impl Store {
    /// Takes a lease, for `ttl` unless it is renewed, where nobody has it, or who had it is known to be dead, or let
    /// it run out.
    pub async fn take(&self, name: &str, ttl: Duration) -> Result<Taken, StoreError> {
        let (owner, alive) = Owner::new();
        let mut tx = self.begin().await?;
        // A fence that a server forgot as it died would be given twice.
        tx.outlive_server().await?;
        let sql = "select id, owner, fence, held_until from lease where name = $1";
        let rows = tx.fetch(sql, &[name.into()]).await?;
        let now = tx.now().await?;
        let until = now + ttl.as_micros() as i64;
        let (id, fence) = match rows.first() {
            None => {
                let id = tx.next_ids("lease", 1).await?;
                let sql = "insert into lease (id, name, owner, fence, held_until) values ($1, $2, $3, 1, $4)";
                tx.execute(sql, &[id.into(), name.into(), owner.to_string().into(), until.into()]).await?;
                (id, 1)
            }
            Some(row) => {
                let (id, fence) = (row.int(0)?, row.int(2)? + 1);
                if let Some(who) = self.holding(&row.text(1)?, row.int(3)?, now) {
                    return Ok(Taken::By(who));
                }
                let sql = "update lease set owner = $1, fence = $2, held_until = $3 where id = $4";
                tx.execute(sql, &[owner.to_string().into(), fence.into(), until.into(), id.into()]).await?;
                (id, fence)
            }
        };
        tx.commit().await?;
        Ok(Taken::Ours(Arc::new(Lease { id, fence, ttl, _alive: alive })))
    }

    /// Holds a lease for another while. Fails with [`StoreError::LeaseLost`] if somebody has taken it.
    pub async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        // Beside other writers, which may take longer than the lease has left.
        let mut tx = self.database.begin_beside().await?;
        let until = tx.now().await? + lease.ttl.as_micros() as i64;
        let sql = "update lease set held_until = $1 where id = $2 and fence = $3";
        if tx.execute(sql, &[until.into(), lease.id.into(), lease.fence.into()]).await? == 0 {
            return Err(StoreError::LeaseLost);
        }
        tx.commit().await
    }

    /// Gives a lease back. Fails with [`StoreError::LeaseLost`] if somebody has taken it.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut tx = self.database.begin_beside().await?;
        let sql = "update lease set owner = '', held_until = 0 where id = $1 and fence = $2";
        if tx.execute(sql, &[lease.id.into(), lease.fence.into()]).await? == 0 {
            return Err(StoreError::LeaseLost);
        }
        tx.commit().await
    }

    /// Who holds a lease now, in words.
    pub async fn holder(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx.fetch("select owner, held_until from lease where name = $1", &[name.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(self.holding(&row.text(0)?, row.int(1)?, tx.now().await?))
    }

    /// Who still holds what stands under this owner, in words: nobody if that one is dead, or let it run out. A SQLite
    /// file has processes of one machine alone, whose death shows; who sleeps keeps it.
    fn holding(&self, owner: &str, held_until: i64, now: i64) -> Option<String> {
        let has_run_out = held_until <= now && !self.is_one_file();
        let owner = Owner::parse(owner).filter(|owner| !owner.is_dead() && !has_run_out)?;
        Some(owner.words())
    }

    /// Whether the store is one file, which has one daemon.
    pub fn is_one_file(&self) -> bool {
        matches!(self.database, Database::Sqlite { .. })
    }

    /// The same store, which writes only as long as the lease is held: each transaction begins by looking.
    pub fn under(&self, lease: &Lease) -> Self {
        Self { database: self.database.clone(), fence: Some(lease.fence()) }
    }
}

impl Tx {
    /// The database's own time, µs UTC.
    pub(crate) async fn now(&mut self) -> Result<i64, StoreError> {
        let sql = match &self.link {
            Link::Sqlite(_) => "select cast(unixepoch('subsec') * 1000000 as integer)",
            Link::Postgres(_) => "select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)",
        };
        self.fetch(sql, &[]).await?.first().map_or(Ok(0), |row| row.int(0))
    }
}
