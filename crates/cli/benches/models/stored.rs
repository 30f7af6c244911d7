//! A crowd in a store of its own, in the chunks that deriving would write.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;
use tributary_core::Book;
use tributary_core::book::Chunk;
use tributary_sandbox::Crowd;
use tributary_store::Store;

use crate::process::{self, Whole};
use crate::{Cost, Failed};

/// Accounts of a chunk, and the layer of chunks that nothing supersedes: as deriving writes them.
const ENTRIES: usize = 2048;
const SETTLED: i64 = 0;

/// The whole process is measured so often.
const RUNS: usize = 3;

/// A book in a store.
pub(crate) struct Stored {
    folder: TempDir,
    pub(crate) url: String,
    pub(crate) touches: usize,
    pub(crate) accounts: usize,
    /// Of all chunks.
    pub(crate) bytes: usize,
    /// Of compressing the chunks.
    pub(crate) cost: Cost,
}

/// Writes a book of about so many touches.
///
/// The store gets one record by `tributary import`, so that it knows its rules and its time; then the crowd takes the
/// place of what was derived from it.
pub(crate) async fn write(touches: u64) -> Result<Stored, Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("accounts.csv");
    std::fs::write(&file, "id,name\na,A\n")?;
    std::fs::write(folder.path().join("tributary.toml"), "[store]\nurl = \"sqlite:tributary.db\"\n")?;
    let status = Command::new(tributary())
        .arg("import")
        .arg(&file)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("`tributary import` failed ({status})").into());
    }
    let url = format!("sqlite:{}", folder.path().join("tributary.db").display());
    let store = Store::open(&url).await?;
    let fingerprint = store.derived_with().await?.ok_or("nothing was derived")?;
    let crowd = Crowd::for_touches(touches);
    let mut accounts: Vec<_> = (0..crowd.accounts).map(|number| (crowd.account(number), number)).collect();
    accounts.sort_unstable();
    let mut out =
        Stored { folder, url, touches: 0, accounts: crowd.accounts, bytes: 0, cost: Cost::default() };
    let mut derivation = store.begin_derivation().await?;
    let imported: Vec<i64> = derivation.chunks().await?.iter().map(|chunk| chunk.id).collect();
    derivation.delete_chunks(&imported).await?;
    for (place, accounts) in accounts.chunks(ENTRIES).enumerate() {
        let mut book = Book::default();
        for (_, number) in accounts {
            crowd.append(*number, &mut book);
        }
        out.touches += book.touches.len();
        let (wall, cpu) = (Instant::now(), process::cpu());
        let chunk = Chunk::write(&book, &[])?;
        let cost = Cost::since(wall, cpu);
        out.cost = Cost { cpu: out.cost.cpu + cost.cpu, wall: out.cost.wall + cost.wall };
        out.bytes += chunk.0.values().map(Vec::len).sum::<usize>();
        derivation.put_chunk(SETTLED, place as i64, accounts.len() as u64, chunk).await?;
    }
    derivation.finish(&fingerprint).await?;
    store.close().await;
    Ok(out)
}

impl Stored {
    /// Runs `tributary attribute` on the store.
    pub(crate) fn attribute(&self) -> Result<Whole, Failed> {
        let config = self.folder.path().join("tributary.toml").display().to_string();
        let store = format!("--store={}", self.url);
        let arguments = [
            "--config",
            &config,
            &store,
            "attribute",
            "--model",
            "linear",
            "--by",
            "channel",
            "--format",
            "json",
        ];
        process::measure(&tributary().display().to_string(), &arguments, RUNS)
    }
}

/// The program itself, built as this bench is.
fn tributary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_tributary"))
}
