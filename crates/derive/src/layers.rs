//! Which chunk each entry of the book is kept in, so that a change rewrites about what changed.
//!
//! Settled entries are in layer 0, in chunks chosen by the first bits of their keys. What changed since is in
//! chunks of later layers, which supersede: a run writes one small layer of its own. Layers of like size are merged,
//! so that there are few, and once they hold a good part of the book, all is settled anew. A book reads the same
//! whichever way it is laid.

use std::collections::{BTreeMap, BTreeSet};

use tributary_core::book::{Book, Chunk, Columns, Keys, Merged, Place, Translation, merge};
use tributary_core::id::Hash;
use tributary_store::derived::Derivation;

use crate::update::DeriveError;

/// A chunk holds at most about twice as many entries.
const ENTRIES: usize = 2048;

/// The layer of what is settled.
const SETTLED: i64 = 0;

/// An earlier layer that is not this many times as large as what supersedes it is merged with it.
const GROWTH: u64 = 2;

/// All is settled anew once what is not settled is more than one in so many.
const UNSETTLED: u64 = 5;

/// Lays fresh entries over the others, and takes away those that are gone. Returns how many chunks were written.
pub(crate) async fn lay(
    run: &mut Derivation,
    gone: &BTreeSet<Hash>,
    fresh: &Book,
) -> Result<u64, DeriveError> {
    let entries: Vec<Hash> = fresh.accounts.iter().map(|account| fresh.entry(account)).collect();
    let known: BTreeSet<&Hash> = entries.iter().collect();
    let gone: Vec<Hash> = gone.iter().filter(|key| !known.contains(key)).copied().collect();
    let size = (entries.len() + gone.len()) as u64;
    if size == 0 {
        return Ok(0);
    }
    let mut sizes: BTreeMap<i64, u64> = BTreeMap::new();
    let mut sources = run.chunks().await?;
    for chunk in &sources {
        *sizes.entry(chunk.layer).or_default() += chunk.entries;
    }
    let layer = layer_for(&sizes, size);
    sources.retain(|chunk| chunk.layer >= layer);
    let mut keys = Vec::with_capacity(sources.len() + 1);
    for chunk in &sources {
        keys.push((chunk.layer, run.chunk_keys(chunk.id).await?));
    }
    keys.push((i64::MAX, Keys { entries, gone }));
    let merged = merge(&keys);
    let ids: Vec<i64> = sources.iter().map(|chunk| chunk.id).collect();
    let written = write(run, layer, &merged, &ids, fresh).await?;
    run.delete_chunks(&ids).await?;
    Ok(written)
}

/// The layer that so many new entries go to, together with all that is in it and after it.
fn layer_for(sizes: &BTreeMap<i64, u64>, mut new: u64) -> i64 {
    let settled = sizes.get(&SETTLED).copied().unwrap_or(0);
    let recent = sizes.iter().filter(|(layer, _)| **layer > SETTLED);
    let unsettled: u64 = new + recent.clone().map(|(_, size)| size).sum::<u64>();
    if unsettled * UNSETTLED > settled {
        return SETTLED;
    }
    let mut layer = sizes.keys().next_back().copied().unwrap_or(SETTLED) + 1;
    for (earlier, size) in recent.rev() {
        if *size > new * GROWTH {
            break;
        }
        new += size;
        layer = *earlier;
    }
    layer
}

/// Writes a layer's entries, and what is gone from earlier ones. The last place stands for the fresh book.
async fn write(
    run: &mut Derivation,
    layer: i64,
    merged: &Merged,
    sources: &[i64],
    fresh: &Book,
) -> Result<u64, DeriveError> {
    let groups: Vec<&[Place]> = if layer == SETTLED {
        let bits = place_bits(merged.entries.len());
        merged.entries.chunk_by(|a, b| place(a.key, bits) == place(b.key, bits)).collect()
    } else if merged.entries.is_empty() {
        vec![&[]]
    } else {
        merged.entries.chunks(ENTRIES).collect()
    };
    // What is gone is told by the first chunk of a layer; there is nothing under the settled one.
    let mut gone = if layer == SETTLED { &[][..] } else { &merged.gone[..] };
    let mut open: BTreeMap<u32, Book> = BTreeMap::new();
    let mut uses = vec![0_usize; sources.len() + 1];
    merged.entries.iter().for_each(|place| uses[place.chunk as usize] += 1);
    for (number, group) in groups.iter().enumerate() {
        let mut book = Book::default();
        let mut translations: BTreeMap<u32, Translation> = BTreeMap::new();
        for entries in Merged::runs(group) {
            let (chunk, first) = (entries[0].chunk, entries[0].row as usize);
            if let Some(id) = sources.get(chunk as usize)
                && !open.contains_key(&chunk)
            {
                open.insert(chunk, run.chunk(*id).await?.read(Columns::ALL)?);
            }
            let from = open.get(&chunk).unwrap_or(fresh);
            let translation = translations.entry(chunk).or_insert_with(|| Translation::of(&from.terms));
            book.append(from, first..first + entries.len(), translation);
            uses[chunk as usize] -= entries.len();
            if uses[chunk as usize] == 0 {
                open.remove(&chunk);
            }
        }
        let told = std::mem::take(&mut gone);
        let entries = (group.len() + told.len()) as u64;
        run.put_chunk(layer, number as i64, entries, Chunk::write(&book, told)?).await?;
    }
    Ok(groups.len() as u64)
}

/// How many leading bits of an entry's key choose its chunk in the settled layer, for so many entries in all.
pub fn place_bits(entries: usize) -> u32 {
    entries.div_ceil(ENTRIES).next_power_of_two().trailing_zeros()
}

/// The chunk of an entry in the settled layer.
pub fn place(key: Hash, bits: u32) -> i64 {
    (key.short() as u64).checked_shr(64 - bits).unwrap_or(0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_goes_to_a_layer_of_its_own_until_layers_are_alike_or_many() {
        let sizes = |sizes: &[u64]| -> BTreeMap<i64, u64> { (0..).zip(sizes.iter().copied()).collect() };
        // Nothing yet, or little: all is settled.
        assert_eq!(layer_for(&sizes(&[]), 1), 0);
        assert_eq!(layer_for(&sizes(&[100]), 30), 0);
        // A small change stands alone, over layers that are much larger.
        assert_eq!(layer_for(&sizes(&[100_000]), 1000), 1);
        assert_eq!(layer_for(&sizes(&[100_000, 3000]), 1000), 2);
        // Layers of like size become one, and so may the next.
        assert_eq!(layer_for(&sizes(&[100_000, 1500]), 1000), 1);
        assert_eq!(layer_for(&sizes(&[100_000, 3000, 1500]), 1000), 1);
        assert_eq!(layer_for(&sizes(&[100_000, 9000, 1500]), 1000), 2);
        // A good part of the book has changed.
        assert_eq!(layer_for(&sizes(&[100_000, 20_000, 5000]), 1000), 0);
    }

    #[test]
    fn chunks_are_chosen_by_the_first_bits() {
        let key = Hash([0b1010_0000; 16]);
        assert_eq!([0, 1, 3].map(|bits| place(key, bits)), [0, 1, 0b101]);
    }
}
