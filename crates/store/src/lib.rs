#![doc = include_str!("../README.md")]

mod db;
pub mod derived;
mod error;
pub mod facts;
pub mod landing;
pub mod reports;

pub use error::StoreError;

use db::{Database, Tx};

/// The schema of this program, step by step.
const MIGRATIONS: &[&str] =
    &[include_str!("../migrations/0001_landing.sql"), include_str!("../migrations/0002_derived.sql")];

/// A store on SQLite or Postgres. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens `sqlite:PATH`, a bare path, or `postgres://…`, and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self { database: Database::connect(url).await? };
        store.migrate().await?;
        Ok(store)
    }

    /// Waits for what is open and closes the connections.
    pub async fn close(self) {
        self.database.close().await;
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let known = MIGRATIONS.len() as i64;
        let mut tx = self.database.begin().await?;
        if let Database::Postgres(_) = self.database {
            // Two processes may open a new store at once; the lock ends with the transaction.
            tx.execute("select pg_advisory_xact_lock(7421)", &[]).await?;
        }
        tx.execute("create table if not exists schema_version (version bigint not null)", &[]).await?;
        let found = match tx.fetch("select version from schema_version", &[]).await?.first() {
            Some(row) => row.int(0)?,
            None => {
                tx.execute("insert into schema_version (version) values (0)", &[]).await?;
                0
            }
        };
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        for script in &MIGRATIONS[found as usize..] {
            tx.script(script).await?;
        }
        if found < known {
            tx.execute("update schema_version set version = $1", &[known.into()]).await?;
        }
        tx.commit().await
    }

    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        self.database.begin().await
    }

    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        self.database.read().await
    }
}
