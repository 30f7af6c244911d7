//! Many rows a statement, and on Postgres many tables: each way to a server and back costs as much as the work.

use sqlx::{AssertSqlSafe, Postgres, Sqlite, Transaction};

use super::{Link, PgQuery, Tx, Value};
use crate::error::StoreError;

/// Values in one SQLite statement: beyond this a longer statement gains nothing.
const SQLITE_VALUES: usize = 2_000;
/// Rows of one table in one Postgres statement.
const POSTGRES_ROWS: usize = 5_000;

/// Rows on their way into a table.
pub(crate) struct Insert<'a> {
    pub(crate) table: &'a str,
    pub(crate) columns: &'a [&'a str],
    /// All rows have the columns' types.
    pub(crate) rows: Vec<Vec<Value>>,
    /// An `on conflict` clause, or nothing.
    pub(crate) conflict: &'a str,
}

impl Tx {
    /// Deletes the rows whose `column` is one of `keys`.
    pub(crate) async fn delete_in(
        &mut self,
        table: &str,
        column: &str,
        keys: &[i64],
    ) -> Result<(), StoreError> {
        self.fetch_in(&format!("delete from {table} where {column}"), keys).await.map(|_| ())
    }

    /// Inserts many rows.
    pub(crate) async fn insert_rows(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        self.insert(vec![Insert { table, columns, rows, conflict: "" }]).await
    }

    /// Inserts rows into different tables, none of which reads what another writes.
    pub(crate) async fn insert(&mut self, inserts: Vec<Insert<'_>>) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite(tx) => {
                for insert in inserts {
                    insert_values(tx, insert).await?;
                }
            }
            Link::Postgres(tx) => insert_arrays(tx, inserts).await?,
        }
        Ok(())
    }

    /// Sets one column of many rows, by id.
    pub(crate) async fn update_bytes(
        &mut self,
        table: &str,
        column: &str,
        rows: Vec<(i64, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite(tx) => {
                let mut rows = rows.into_iter();
                while rows.len() > 0 {
                    let batch = 256.min(1 << rows.len().ilog2());
                    let places = vec!["(?,?)"; batch].join(",");
                    let sql = format!(
                        "with x as (values {places}) update {table} set {column} = x.column2 from x \
                         where {table}.id = x.column1"
                    );
                    let mut query = sqlx::query(AssertSqlSafe(sql));
                    for (id, bytes) in rows.by_ref().take(batch) {
                        query = query.bind(id).bind(bytes);
                    }
                    query.execute(&mut **tx).await?;
                }
            }
            Link::Postgres(tx) => {
                let sql = format!(
                    "update {table} set {column} = x.value from unnest($1::bigint[], $2::bytea[]) as x (id, value) \
                     where {table}.id = x.id"
                );
                let (ids, values): (Vec<i64>, Vec<Option<Vec<u8>>>) = rows.into_iter().unzip();
                if !ids.is_empty() {
                    sqlx::query(AssertSqlSafe(sql)).bind(ids).bind(values).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }
}

/// Statements of 1, 2, 4, … rows, so that a few prepared ones serve every number.
async fn insert_values(tx: &mut Transaction<'static, Sqlite>, insert: Insert<'_>) -> Result<(), StoreError> {
    let most = 1 << (SQLITE_VALUES / insert.columns.len()).max(1).ilog2();
    let mut rows = insert.rows.into_iter();
    while rows.len() > 0 {
        let batch = most.min(1 << rows.len().ilog2());
        let places = format!("({})", vec!["?"; insert.columns.len()].join(","));
        let places = vec![places; batch].join(",");
        let (table, names, conflict) = (insert.table, insert.columns.join(", "), insert.conflict);
        let sql = format!("insert into {table} ({names}) values {places} {conflict}");
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in rows.by_ref().take(batch).flatten() {
            query = match value {
                Value::Int(number) => query.bind(number),
                Value::Text(text) => query.bind(text),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

/// One array a column, and one statement for all tables, whatever the number of rows.
async fn insert_arrays(
    tx: &mut Transaction<'static, Postgres>,
    inserts: Vec<Insert<'_>>,
) -> Result<(), StoreError> {
    let mut parts: Vec<String> = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    for insert in inserts {
        let mut rows = insert.rows.into_iter();
        while rows.len() > 0 {
            let batch = rows.by_ref().take(POSTGRES_ROWS);
            let first = columns.len();
            columns.extend(Column::all(insert.table, batch)?);
            let kinds = columns[first..].iter().enumerate();
            let casts: Vec<String> =
                kinds.map(|(index, column)| format!("${}::{}[]", first + index + 1, column.kind())).collect();
            let (table, names, conflict) = (insert.table, insert.columns.join(", "), insert.conflict);
            let arrays = casts.join(", ");
            parts.push(format!("insert into {table} ({names}) select * from unnest({arrays}) {conflict}"));
            // Statements stay bounded.
            if rows.len() > 0 {
                send(tx, std::mem::take(&mut parts), std::mem::take(&mut columns)).await?;
            }
        }
    }
    send(tx, parts, columns).await
}

async fn send(
    tx: &mut Transaction<'static, Postgres>,
    mut parts: Vec<String>,
    columns: Vec<Column>,
) -> Result<(), StoreError> {
    let Some(last) = parts.pop() else { return Ok(()) };
    let first = parts.iter().enumerate().map(|(index, part)| format!("w{index} as ({part})"));
    let first = first.collect::<Vec<_>>().join(", ");
    let sql = if first.is_empty() { last } else { format!("with {first} {last}") };
    let query = columns.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, column| column.bind(query));
    query.execute(&mut **tx).await?;
    Ok(())
}

/// The values of a column.
enum Column {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Column {
    /// Turns rows into columns.
    fn all(table: &str, rows: impl Iterator<Item = Vec<Value>>) -> Result<Vec<Self>, StoreError> {
        let mut columns: Vec<Self> = Vec::new();
        for row in rows {
            for (index, value) in row.into_iter().enumerate() {
                if columns.len() == index {
                    columns.push(match value {
                        Value::Int(_) => Self::Int(Vec::new()),
                        Value::Text(_) => Self::Text(Vec::new()),
                        Value::Bytes(_) => Self::Bytes(Vec::new()),
                    });
                }
                match (&mut columns[index], value) {
                    (Self::Int(list), Value::Int(value)) => list.push(value),
                    (Self::Text(list), Value::Text(value)) => list.push(value),
                    (Self::Bytes(list), Value::Bytes(value)) => list.push(value),
                    _ => {
                        return Err(StoreError::Damaged(format!("column {index} of {table} has two types")));
                    }
                }
            }
        }
        Ok(columns)
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "bigint",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytea",
        }
    }

    fn bind(self, query: PgQuery<'_>) -> PgQuery<'_> {
        match self {
            Self::Int(list) => query.bind(list),
            Self::Text(list) => query.bind(list),
            Self::Bytes(list) => query.bind(list),
        }
    }
}
