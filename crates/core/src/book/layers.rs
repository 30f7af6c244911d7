//! Which chunk holds the newest of each entry: chunks of a later layer supersede what earlier ones say.
//!
//! Most entries stay where they were settled; the few that changed since stand in small chunks of later layers, so
//! that a change costs about what changed. The order of a book is that of the entries' keys, and so it does not
//! depend on which chunk holds them. Not responsible for when layers are settled: that is `derive`.

use std::collections::BTreeMap;

use super::{Book, Columns, Translation};
use crate::id::Hash;

/// What names a chunk's entries, and which entries of earlier layers are no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The entries, in the order of the chunk's accounts.
    pub entries: Vec<Hash>,
    /// Entries of earlier layers that are no more.
    pub gone: Vec<Hash>,
}

/// Where an entry is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What names it.
    pub key: Hash,
    /// The chunk, by its place in the list.
    pub chunk: u32,
    /// The row of the chunk's accounts.
    pub row: u32,
}

/// What several chunks come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Where the newest of each entry is found, by key.
    pub entries: Vec<Place>,
    /// The keys of those that the newest word on is that they are no more, in order.
    pub gone: Vec<Hash>,
}

/// Finds the newest of each entry. Each chunk comes with the number of its layer; of equal ones the later wins.
pub fn merge(chunks: &[(i64, Keys)]) -> Merged {
    const GONE: u32 = u32::MAX;
    let mut order: Vec<u32> = (0..chunks.len() as u32).collect();
    order.sort_by_key(|chunk| chunks[*chunk as usize].0);
    let mut found: Vec<Place> = Vec::new();
    for chunk in order {
        let keys = &chunks[chunk as usize].1;
        let rows = keys.entries.iter().zip(0..).map(|(key, row)| Place { key: *key, chunk, row });
        let gone = keys.gone.iter().map(|key| Place { key: *key, chunk, row: GONE });
        found.extend(rows.chain(gone));
    }
    // Stable: of one key, what is said last stands last. What was settled is in order already.
    found.sort_by_key(|place| place.key);
    let mut merged = Merged::default();
    for same in found.chunk_by(|a, b| a.key == b.key) {
        match same.last() {
            Some(newest) if newest.row == GONE => merged.gone.push(newest.key),
            Some(newest) => merged.entries.push(*newest),
            None => {}
        }
    }
    merged
}

impl Merged {
    /// The entries as runs: as many as stand one after the other in one chunk.
    pub fn runs(entries: &[Place]) -> impl Iterator<Item = &[Place]> {
        entries.chunk_by(|a, b| a.chunk == b.chunk && a.row + 1 == b.row)
    }
}

/// Puts the newest of all chunks together into one book.
///
/// Chunks may be read in any order and by many threads; they are added in one order, which fixes the book.
#[derive(Debug)]
pub struct Assembly {
    book: Book,
    entries: Vec<Place>,
    /// How many entries are in the book.
    done: usize,
    /// The chunks in the order in which they are needed.
    order: Vec<usize>,
    /// Up to which entry each chunk is needed.
    until: Vec<usize>,
    open: BTreeMap<u32, (Book, Translation)>,
}

impl Assembly {
    /// Begins a book of some columns. Each chunk comes with the number of its layer.
    pub fn new(chunks: &[(i64, Keys)], columns: Columns) -> Self {
        let entries = merge(chunks).entries;
        let (mut order, mut until) = (Vec::new(), vec![0; chunks.len()]);
        for (index, place) in entries.iter().enumerate() {
            let until = &mut until[place.chunk as usize];
            if *until == 0 {
                order.push(place.chunk as usize);
            }
            *until = index + 1;
        }
        let book = Book::with_columns(columns);
        Self { book, entries, done: 0, order, until, open: BTreeMap::new() }
    }

    /// The chunks in the order in which they are to be added; one of which nothing stands is left out.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Adds the next chunk of the order, read with the columns of the book.
    pub fn add(&mut self, chunk: usize, from: Book) {
        if self.done == 0 {
            // Chunks are of about one size; a column that grows is copied again and again.
            self.book.touches.reserve(from.touches.len() * self.order.len(), self.book.columns);
        }
        let translation = Translation::of(&from.terms);
        self.open.insert(chunk as u32, (from, translation));
        while let Some(run) = Merged::runs(&self.entries[self.done..]).next() {
            let (chunk, first) = (run[0].chunk, run[0].row as usize);
            let Some((from, translation)) = self.open.get_mut(&chunk) else { break };
            self.book.take(from, first..first + run.len(), translation);
            self.done += run.len();
            if self.until[chunk as usize] <= self.done {
                self.open.remove(&chunk);
            }
        }
    }

    /// The book, once all chunks of the order are added.
    pub fn finish(self) -> Book {
        debug_assert_eq!(self.done, self.entries.len(), "a chunk is missing");
        self.book
    }
}
