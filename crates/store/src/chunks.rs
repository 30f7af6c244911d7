//! Chunks: the book of journeys, kept column by column and read by the columns that a question asks for.
//!
//! Not responsible for which accounts stand in which chunk: that is `derive`.

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tributary_core::book::{Assembly, Book, Chunk, ChunkError, Column, Columns, Keys};
use tributary_core::id::Hash;

use crate::db::{Tx, Value};
use crate::derived::Derivation;
use crate::{Store, StoreError};

/// Columns of a chunk have ids of their own, so many times the chunk's.
const COLUMNS: i64 = 64;

/// Chunks that are read and unpacked while an earlier one is still being laid after the others.
const AHEAD: usize = 4;

/// A chunk by where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRow {
    /// The chunk.
    pub id: i64,
    /// Its layer; what a later layer says of an account supersedes what an earlier one says.
    pub layer: i64,
    /// Accounts, and those of earlier layers that are no more.
    pub entries: u64,
}

impl Store {
    /// Some columns of every account's timeline and deals, in the order of their ids.
    pub async fn load_book(&self, columns: Columns) -> Result<Book, StoreError> {
        let mut tx = self.read().await?;
        let chunks = tx.chunks().await?;
        let mut keys = Vec::with_capacity(chunks.len());
        for chunk in &chunks {
            keys.push((chunk.layer, tx.chunk_keys(chunk.id).await?));
        }
        let mut assembly = Assembly::new(&keys, columns);
        drop(keys);
        let order = assembly.order().to_vec();
        // The next chunks are read and unpacked while this one is laid after the others.
        let (sender, mut receiver) = mpsc::channel::<(usize, JoinHandle<Result<Book, ChunkError>>)>(AHEAD);
        let runtime = Handle::current();
        let laying = spawn_blocking(move || {
            while let Some((index, unpacking)) = receiver.blocking_recv() {
                assembly.add(index, runtime.block_on(unpacking).map_err(damaged)?.map_err(damaged)?);
            }
            Ok(assembly.finish())
        });
        for index in order {
            let chunk = tx.chunk(chunks[index].id, columns).await?;
            let unpacking = spawn_blocking(move || chunk.read(columns));
            if sender.send((index, unpacking)).await.is_err() {
                break;
            }
        }
        drop(sender);
        laying.await.map_err(damaged)?
    }

    /// A hash of the whole book, whichever chunks hold it.
    pub(crate) async fn book_digest(&self) -> Result<Hash, StoreError> {
        let book = self.load_book(Columns::ALL).await?;
        let chunk = Chunk::write(&book, &[]).map_err(damaged)?;
        let columns: Vec<String> = chunk.0.values().map(|bytes| Hash::of_bytes(bytes).to_string()).collect();
        Ok(Hash::of("book", &columns.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}

impl Derivation {
    /// Every chunk, by layer and place.
    pub async fn chunks(&mut self) -> Result<Vec<ChunkRow>, StoreError> {
        self.tx.chunks().await
    }

    /// What names a chunk's entries.
    pub async fn chunk_keys(&mut self, id: i64) -> Result<Keys, StoreError> {
        self.tx.chunk_keys(id).await
    }

    /// The bytes of a chunk.
    pub async fn chunk(&mut self, id: i64) -> Result<Chunk, StoreError> {
        self.tx.chunk(id, Columns::ALL).await
    }

    /// Writes a chunk.
    pub async fn put_chunk(
        &mut self,
        layer: i64,
        place: i64,
        entries: u64,
        chunk: Chunk,
    ) -> Result<(), StoreError> {
        let id = self.tx.next_ids("chunk", 1).await?;
        let revision = self.next_revision().await?;
        let row = [id, layer, place, entries as i64, revision].map(Value::from).to_vec();
        self.tx.insert_rows("chunk", &["id", "layer", "place", "entries", "revision"], vec![row]).await?;
        let columns = chunk
            .0
            .into_iter()
            .map(|(column, body)| vec![Value::from(id * COLUMNS + column.number()), Value::from(body)]);
        self.tx.insert_rows("chunk_column", &["id", "body"], columns.collect()).await
    }

    /// Removes some chunks.
    pub async fn delete_chunks(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        let columns: Vec<i64> = ids.iter().flat_map(|id| column_ids(*id, Columns::ALL)).collect();
        self.tx.delete_in("chunk_column", "id", &columns).await?;
        self.tx.delete_in("chunk", "id", ids).await
    }
}

impl Tx {
    async fn chunks(&mut self) -> Result<Vec<ChunkRow>, StoreError> {
        let rows = self.fetch("select id, layer, entries from chunk order by layer, place", &[]).await?;
        rows.iter()
            .map(|row| Ok(ChunkRow { id: row.int(0)?, layer: row.int(1)?, entries: row.int(2)? as u64 }))
            .collect()
    }

    async fn chunk_keys(&mut self, id: i64) -> Result<Keys, StoreError> {
        let sql = "select body from chunk_column where id = $1";
        let rows = self.fetch(sql, &[Value::from(id * COLUMNS + Column::Accounts.number())]).await?;
        let bodies = rows.iter().map(|row| Ok((Column::Accounts, row.bytes(0)?)));
        Chunk(bodies.collect::<Result<_, StoreError>>()?).keys().map_err(damaged)
    }

    async fn chunk(&mut self, id: i64, columns: Columns) -> Result<Chunk, StoreError> {
        let ids: Vec<i64> = column_ids(id, columns).collect();
        let rows = self.fetch_in("select id, body from chunk_column where id", &ids).await?;
        let mut chunk = Chunk::default();
        for row in &rows {
            if let Some(column) = Column::of_number(row.int(0)? - id * COLUMNS) {
                chunk.0.insert(column, row.bytes(1)?);
            }
        }
        Ok(chunk)
    }
}

fn column_ids(chunk: i64, columns: Columns) -> impl Iterator<Item = i64> {
    columns.iter().map(move |column| chunk * COLUMNS + column.number())
}

fn damaged(error: impl std::error::Error) -> StoreError {
    StoreError::Damaged(error.to_string())
}
