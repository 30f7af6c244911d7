//! The world as canonical files.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::world::World;

/// Why the world could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder or a file can't be made.
    #[error("cannot write `{0}`")]
    Io(PathBuf, #[source] std::io::Error),
    /// A row can't be written.
    #[error("cannot write a row of `{0}`")]
    Csv(PathBuf, #[source] csv::Error),
}

/// Writes the files into a folder, which is made if it is missing. `progress` hears file, rows done, rows in all.
pub fn write_csv(
    world: &World,
    folder: &Path,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<(), WriteError> {
    std::fs::create_dir_all(folder).map_err(|error| WriteError::Io(folder.to_owned(), error))?;
    write(folder, "accounts.csv", &world.accounts, progress)?;
    write(folder, "people.csv", &world.people, progress)?;
    write(folder, "deals.csv", &world.deals, progress)?;
    write(folder, "stages.csv", &world.stages, progress)?;
    write(folder, "committee.csv", &world.committee, progress)?;
    write(folder, "touches.csv", &world.touches, progress)?;
    write(folder, "spend.csv", &world.spend, progress)?;
    write(folder, "aliases.csv", &world.aliases, progress)?;
    write(folder, "rates.csv", &world.rates, progress)
}

fn write<T: Serialize>(
    folder: &Path,
    name: &str,
    rows: &[T],
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<(), WriteError> {
    let path = folder.join(name);
    let fault = |error| WriteError::Csv(path.clone(), error);
    let mut writer = csv::Writer::from_path(&path).map_err(fault)?;
    for (index, row) in rows.iter().enumerate() {
        writer.serialize(row).map_err(fault)?;
        if index % 10_000 == 0 {
            progress(name, index as u64, rows.len() as u64);
        }
    }
    writer.flush().map_err(|error| WriteError::Io(path.clone(), error))?;
    progress(name, rows.len() as u64, rows.len() as u64);
    Ok(())
}
