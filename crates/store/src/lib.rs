#![doc = include_str!("../README.md")]

pub mod alerts;
pub mod chunks;
pub mod credentials;
mod db;
pub mod derived;
mod error;
pub mod facts;
pub mod landing;
pub mod reports;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod work;

pub use error::StoreError;

use db::{Database, Tx};
use work::Fence;

/// The schema of this program, step by step.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_landing.sql"),
    include_str!("../migrations/0002_derived.sql"),
    include_str!("../migrations/0003_claims.sql"),
    include_str!("../migrations/0004_coverage.sql"),
    include_str!("../migrations/0005_columns.sql"),
    include_str!("../migrations/0006_credentials.sql"),
    include_str!("../migrations/0007_work.sql"),
    include_str!("../migrations/0008_history.sql"),
    include_str!("../migrations/0009_alerts.sql"),
];

/// A store on SQLite or Postgres. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    /// Of the lease that each transaction which writes must still hold.
    fence: Option<Fence>,
}

impl Store {
    /// Opens `sqlite:PATH`, a bare path, or `postgres://…`, and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self { database: Database::connect(url).await?, fence: None };
        store.migrate().await?;
        Ok(store)
    }

    /// Waits for what is open and closes the connections.
    pub async fn close(self) {
        self.database.close().await;
    }

    /// Writes nothing, and waits for nobody, if the schema is up to date.
    async fn migrate(&self) -> Result<(), StoreError> {
        let known = MIGRATIONS.len() as i64;
        if version(&mut self.read().await?, known).await? == Some(known) {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let found = version(&mut tx, known).await?;
        if found.is_none() {
            if tx.table_count().await? > 0 {
                return Err(StoreError::Foreign);
            }
            tx.script("create table schema_version (version bigint not null)").await?;
            tx.execute("insert into schema_version (version) values (0)", &[]).await?;
        }
        for script in MIGRATIONS.iter().skip(found.unwrap_or(0) as usize) {
            tx.script(script).await?;
        }
        tx.execute("update schema_version set version = $1", &[known.into()]).await?;
        tx.commit().await
    }

    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        self.database.begin(self.fence).await
    }

    /// Begins a transaction that is on the disk once it is committed.
    pub(crate) async fn begin_durable(&self) -> Result<Tx, StoreError> {
        self.database.begin_durable().await
    }

    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        self.database.read().await
    }
}

/// The schema's version; `None` in a database without one.
async fn version(tx: &mut Tx, known: i64) -> Result<Option<i64>, StoreError> {
    if !tx.has_table("schema_version").await? {
        return Ok(None);
    }
    let rows = tx.fetch("select version from schema_version", &[]).await?;
    let found = rows.first().map(|row| row.int(0)).transpose()?;
    match found {
        Some(found) if found > known => Err(StoreError::Newer { found, known }),
        found => Ok(found),
    }
}
