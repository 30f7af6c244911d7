//! All facts of one file of each kind.

use serde_json::json;

use crate::reading::{normalize, read};

#[test]
fn every_kind_of_file_says_its_facts() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    assert_eq!(files.len(), 9);
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    let read = read(&files, json!({}));
    assert!(read.rejects.is_empty(), "{:?}", read.rejects);
    let (facts, problems) = normalize(&read.records, json!({}));
    assert!(problems.is_empty(), "{problems:?}");
    insta::assert_debug_snapshot!(facts);
}
