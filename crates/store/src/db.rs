//! One SQL text on SQLite and Postgres: connections, transactions, values and rows.
//!
//! The only place that knows there are two databases. Statements use `$1` placeholders and types that both have;
//! what differs (lists of keys, many rows a statement) is written twice here and nowhere else.

mod still;
mod write;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, Postgres, Row as _, Sqlite, SqlitePool,
    Transaction,
};
use std::borrow::Cow;
use std::str::FromStr;
use std::time::{Duration, Instant};
use tributary_core::id::Hash;

use crate::error::{StoreError, is_busy};
use crate::work::Fence;
pub(crate) use still::Still;
pub(crate) use write::Insert;

/// Prepared statements kept: a few shapes of each insert.
const STATEMENTS: usize = 400;
/// Rows of an answer that SQLite's thread may be ahead of whoever reads them: waking it for a few costs more than they do.
const ROWS: usize = 1_000;
/// How long a writer waits for the others of this process.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long a SQLite connection waits for those of other processes.
const BUSY: Duration = Duration::from_secs(30);

/// The database behind a store.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// One file: one writer, many readers.
    Sqlite { writer: SqlitePool, reader: SqlitePool },
    /// A server.
    Postgres(PgPool),
}

/// A value of one of the three types that both databases have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(storable(text).into_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(owned(text)))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(owned))
    }
}

/// Text without NUL, which Postgres can't hold; the same on both databases.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn owned(text: String) -> String {
    if text.contains('\0') { storable(&text).into_owned() } else { text }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Hash> for Value {
    fn from(hash: Hash) -> Self {
        Self::Bytes(Some(hash.0.to_vec()))
    }
}

/// A row of either database.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! get {
    ($self:ident, $index:ident) => {
        match $self {
            Row::Sqlite(row) => row.try_get_unchecked($index).map_err(StoreError::from),
            Row::Postgres(row) => row.try_get_unchecked($index).map_err(StoreError::from),
        }
    };
}

impl Row {
    pub(crate) fn int(&self, index: usize) -> Result<i64, StoreError> {
        get!(self, index)
    }

    pub(crate) fn opt_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        get!(self, index)
    }

    pub(crate) fn text(&self, index: usize) -> Result<String, StoreError> {
        get!(self, index)
    }

    pub(crate) fn opt_text(&self, index: usize) -> Result<Option<String>, StoreError> {
        get!(self, index)
    }

    pub(crate) fn bytes(&self, index: usize) -> Result<Vec<u8>, StoreError> {
        get!(self, index)
    }

    pub(crate) fn opt_bytes(&self, index: usize) -> Result<Option<Vec<u8>>, StoreError> {
        get!(self, index)
    }

    pub(crate) fn hash(&self, index: usize) -> Result<Hash, StoreError> {
        Hash::from_slice(&self.bytes(index)?)
            .ok_or_else(|| StoreError::Damaged("a hash of another length".to_owned()))
    }
}

type SqliteQuery<'q> = Query<'q, Sqlite, SqliteArguments>;
type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

fn sqlite_query(sql: &str, values: &[Value]) -> SqliteQuery<'static> {
    values.iter().fold(sqlx::query(AssertSqlSafe(sql.to_owned())), |query, value| match value {
        Value::Int(number) => query.bind(*number),
        Value::Text(text) => query.bind(text.clone()),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    })
}

fn pg_query(sql: &str, values: &[Value]) -> PgQuery<'static> {
    values.iter().fold(sqlx::query(AssertSqlSafe(sql.to_owned())), |query, value| match value {
        Value::Int(number) => query.bind(*number),
        Value::Text(text) => query.bind(text.clone()),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    })
}

/// Connects to a file. Who makes a new one keeps others from it, and SQLite refuses these without having waited.
async fn sqlite_pool(options: &SqliteConnectOptions, most: u32) -> Result<SqlitePool, sqlx::Error> {
    let start = Instant::now();
    loop {
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(PATIENCE)
            .acquire_slow_threshold(PATIENCE)
            .max_connections(most)
            // SQLite rolls back by itself when the disk is full, and sqlx still believes in a transaction.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }));
        match pool.connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && start.elapsed() < BUSY => {
                let waited = tokio::task::spawn_blocking(|| std::thread::sleep(BUSY / 1_000)).await;
                waited.map_err(|_| error)?;
            }
            done => return done,
        }
    }
}

impl Database {
    /// Connects; a SQLite file is made if it is missing.
    pub(crate) async fn connect(url: &str) -> Result<Self, StoreError> {
        let _still = Still::now();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url)
                .map_err(|error| StoreError::open(url, error))?
                .disable_statement_logging()
                .statement_cache_capacity(STATEMENTS)
                // Tables grow from nothing in one run: a plan made while they were small reads all of them later.
                .options([
                    ("plan_cache_mode", "force_custom_plan"),
                    // What is asked is by key, and the indexes of what is asked often are in memory.
                    ("random_page_cost", "1.1"),
                    // A page and the point where the next pull begins commit together: a power cut that takes the
                    // last of them takes both, and they are pulled again.
                    ("synchronous_commit", "off"),
                    // A process that falls asleep while it writes must not keep all others waiting.
                    ("idle_in_transaction_session_timeout", "5s"),
                ]);
            // A pool would go on trying; a first connection says at once what is wrong.
            let first =
                PgConnection::connect_with(&options).await.map_err(|error| StoreError::open(url, error))?;
            first.close().await?;
            let pool = PgPoolOptions::new()
                .max_connections(12)
                .acquire_timeout(PATIENCE)
                .acquire_slow_threshold(PATIENCE)
                .connect_lazy_with(options);
            return Ok(Self::Postgres(pool));
        }
        let path = url.strip_prefix("sqlite:").map_or(url, |rest| rest.strip_prefix("//").unwrap_or(rest));
        if path.contains("://") {
            return Err(StoreError::Url(url.split("://").next().unwrap_or_default().to_owned()));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY)
            .disable_statement_logging()
            .statement_cache_capacity(STATEMENTS)
            .row_buffer_size(ROWS)
            .pragma("cache_size", "-32768")
            .pragma("temp_store", "memory");
        let open = |error| StoreError::open(path, error);
        let writer = sqlite_pool(&options, 1).await.map_err(open)?;
        let reader = sqlite_pool(&options, 4).await.map_err(open)?;
        Ok(Self::Sqlite { writer, reader })
    }

    /// Begins a transaction that writes. There is one at a time, on either database: what one reads to decide
    /// what it writes, no other changes meanwhile, and unused ids are simply the next ones.
    ///
    /// Fails with [`StoreError::LeaseLost`] if the lease of `fence` has been taken by somebody else; until the
    /// transaction ends it can't be.
    pub(crate) async fn begin(&self, fence: Option<Fence>) -> Result<Tx, StoreError> {
        let still = Still::now();
        let held =
            |fence: Fence| format!("select 1 from lease where id = {} and fence = {}", fence.id, fence.fence);
        match self {
            Self::Sqlite { writer, .. } => {
                let link = Link::Sqlite(writer.begin_with("begin immediate").await?);
                let mut tx = Tx { link, _still: still };
                if let Some(fence) = fence
                    && tx.fetch(&held(fence), &[]).await?.is_empty()
                {
                    return Err(StoreError::LeaseLost);
                }
                Ok(tx)
            }
            Self::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                // Not in one statement with `begin`: who is dropped while it waits would keep the lock for ever.
                let lock = "select pg_advisory_xact_lock(7421, hashtext(current_schema()))";
                let Some(fence) = fence else {
                    sqlx::query(lock).execute(&mut *tx).await?;
                    return Ok(Tx { link: Link::Postgres(tx), _still: still });
                };
                // Sent together, run one after the other: the second sees what was there when the lock was had.
                let both = AssertSqlSafe(format!("{lock}; {}", held(fence)));
                if sqlx::raw_sql(both).fetch_all(&mut *tx).await?.len() < 2 {
                    return Err(StoreError::LeaseLost);
                }
                Ok(Tx { link: Link::Postgres(tx), _still: still })
            }
        }
    }

    /// Begins a transaction that writes rows which nobody else does: on Postgres beside the others.
    pub(crate) async fn begin_beside(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite { .. } => self.begin(None).await,
            Self::Postgres(pool) => {
                let still = Still::now();
                Ok(Tx { link: Link::Postgres(pool.begin().await?), _still: still })
            }
        }
    }

    /// As [`begin`](Self::begin), and what is committed survives a power cut: for what no vendor gives twice.
    pub(crate) async fn begin_durable(&self) -> Result<Tx, StoreError> {
        let still = Still::now();
        match self {
            Self::Sqlite { writer, .. } => {
                // Set for a connection, not for a transaction: so one of its own.
                let options = writer.connect_options().as_ref().clone().synchronous(SqliteSynchronous::Full);
                let own = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
                let link = Link::Sqlite(own.begin_with("begin immediate").await?);
                Ok(Tx { link, _still: still })
            }
            Self::Postgres(_) => {
                let mut tx = self.begin(None).await?;
                tx.outlive_server().await?;
                Ok(tx)
            }
        }
    }

    /// Begins a transaction that only reads, and sees the store as it is at its first query.
    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        let still = Still::now();
        let link = match self {
            Self::Sqlite { reader, .. } => Link::Sqlite(reader.begin().await?),
            Self::Postgres(pool) => {
                Link::Postgres(pool.begin_with("begin isolation level repeatable read read only").await?)
            }
        };
        Ok(Tx { link, _still: still })
    }

    /// Waits for what is open and closes.
    pub(crate) async fn close(&self) {
        let _still = Still::now();
        match self {
            Self::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction; dropped without [`commit`](Self::commit) it leaves nothing.
pub(crate) struct Tx {
    pub(crate) link: Link,
    _still: Still,
}

/// A transaction of one of the two databases.
pub(crate) enum Link {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Has what is committed survive the server's death. A file has no server.
    pub(crate) async fn outlive_server(&mut self) -> Result<(), StoreError> {
        if let Link::Postgres(_) = self.link {
            self.execute("set local synchronous_commit = on", &[]).await?;
        }
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.link {
            Link::Sqlite(tx) => tx.commit().await?,
            Link::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Lets this transaction compute for a while between two statements.
    pub(crate) async fn think_long(&mut self) -> Result<(), StoreError> {
        if let Link::Postgres(_) = &self.link {
            self.execute("set local idle_in_transaction_session_timeout = '20s'", &[]).await?;
        }
        Ok(())
    }

    /// Runs several statements without values: a migration. `{key}` and `{bytes}` stand for types.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite(tx) => {
                let sql = sql.replace("{key}", "integer primary key").replace("{bytes}", "blob");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **tx).await?;
            }
            Link::Postgres(tx) => {
                let sql = sql.replace("{key}", "bigint primary key").replace("{bytes}", "bytea");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// Whether a table is there.
    pub(crate) async fn has_table(&mut self, name: &str) -> Result<bool, StoreError> {
        let sql = match &mut self.link {
            Link::Sqlite(_) => "select count(*) from sqlite_master where type = 'table' and name = $1",
            Link::Postgres(_) => {
                "select count(*) from pg_tables where schemaname = current_schema() and tablename = $1"
            }
        };
        Ok(self.fetch(sql, &[name.into()]).await?.first().map_or(Ok(0), |row| row.int(0))? > 0)
    }

    /// How many tables there are.
    pub(crate) async fn table_count(&mut self) -> Result<i64, StoreError> {
        let sql = match &mut self.link {
            Link::Sqlite(_) => "select count(*) from sqlite_master where type = 'table'",
            Link::Postgres(_) => "select count(*) from pg_tables where schemaname = current_schema()",
        };
        self.fetch(sql, &[]).await?.first().map_or(Ok(0), |row| row.int(0))
    }

    /// Runs one statement and says how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        Ok(match &mut self.link {
            Link::Sqlite(tx) => sqlite_query(sql, values).execute(&mut **tx).await?.rows_affected(),
            Link::Postgres(tx) => pg_query(sql, values).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Runs one query.
    pub(crate) async fn fetch(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        Ok(match &mut self.link {
            Link::Sqlite(tx) => {
                sqlite_query(sql, values).fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect()
            }
            Link::Postgres(tx) => {
                pg_query(sql, values).fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs a query whose text ends in a column, for rows where that column is one of `keys`.
    pub(crate) async fn fetch_in(&mut self, sql: &str, keys: &[i64]) -> Result<Vec<Row>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match &mut self.link {
            Link::Sqlite(tx) => {
                let sql = format!("{sql} in (select value from json_each($1))");
                let list = serde_json::to_string(keys).unwrap_or_default();
                let query = sqlx::query(AssertSqlSafe(sql)).bind(list);
                query.fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect()
            }
            Link::Postgres(tx) => {
                let query = sqlx::query(AssertSqlSafe(format!("{sql} = any($1)"))).bind(keys.to_vec());
                query.fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs a query in which `{keys}` stands for a table `k` of some texts in its column `value`: the last value after
    /// others. Joined to, each text is looked up in an index; as a list, Postgres may read all rows to compare them.
    pub(crate) async fn fetch_in_text(
        &mut self,
        sql: &str,
        values: &[Value],
        keys: &[&str],
    ) -> Result<Vec<Row>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Cow<'_, str>> = keys.iter().map(|key| storable(key)).collect();
        let place = values.len() + 1;
        Ok(match &mut self.link {
            Link::Sqlite(tx) => {
                let sql = sql.replace("{keys}", &format!("json_each(${place}) as k"));
                let list = serde_json::to_string(&keys).unwrap_or_default();
                let query = sqlite_query(&sql, values).bind(list);
                query.fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect()
            }
            Link::Postgres(tx) => {
                let keys: Vec<String> = keys.into_iter().map(Cow::into_owned).collect();
                let sql = sql.replace("{keys}", &format!("unnest(${place}::text[]) as k (value)"));
                let query = pg_query(&sql, values).bind(keys);
                query.fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first of `count` unused ids of a table.
    pub(crate) async fn next_ids(&mut self, table: &str, count: usize) -> Result<i64, StoreError> {
        if count == 0 {
            return Ok(0);
        }
        let rows = self.fetch(&format!("select coalesce(max(id), 0) + 1 from {table}"), &[]).await?;
        rows.first().map_or(Ok(1), |row| row.int(0))
    }

    /// A value of the `meta` table.
    pub(crate) async fn meta(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.fetch("select value from meta where name = $1", &[name.into()]).await?;
        rows.first().map(|row| row.text(0)).transpose()
    }

    /// Sets a value of the `meta` table.
    pub(crate) async fn set_meta(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        let sql = "insert into meta (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
        self.execute(sql, &[name.into(), value.into()]).await.map(|_| ())
    }
}
