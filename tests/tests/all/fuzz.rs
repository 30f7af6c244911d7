//! What the fuzz targets call, over the seeds that fuzzing begins with and what little changes make of them.

use std::path::Path;

use tributary_core::dice::Dice;

#[path = "../../../fuzz/entries.rs"]
mod entries;

/// Changed copies of each seed.
const CHANGED: usize = 50;

fn check(target: &str, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut seeds: Vec<_> = std::fs::read_dir(folder).unwrap().map(|seed| seed.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds for {target}");
    for seed in seeds {
        let bytes = std::fs::read(&seed).unwrap();
        entry(&bytes);
        for number in 0..CHANGED {
            let mut dice = Dice::new(1, "fuzz", number);
            let mut changed = bytes.clone();
            let place = dice.below(changed.len());
            match dice.below(4) {
                0 => changed.truncate(place),
                1 => drop(changed.remove(place)),
                2 => changed.insert(place, b" \"',;{}[]0-\xff"[dice.below(12)]),
                _ => changed[place] = dice.below(256) as u8,
            }
            entry(&changed);
        }
    }
}

#[test]
fn path_files_of_any_bytes_are_read() {
    check("path_file", entries::path_file);
}

#[test]
fn files_of_any_bytes_are_imported() {
    check("csv_import", entries::csv_import);
}

#[test]
fn records_of_any_bytes_are_normalized() {
    check("normalize", entries::normalize);
}

#[test]
fn chunks_of_any_columns_are_read() {
    check("chunk", entries::chunk);
}
