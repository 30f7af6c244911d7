//! What is fuzzed: each function takes any bytes, and panics if something does not hold that should hold of all.
//!
//! The fuzz targets call them with what they make up, and an ordinary test with the seeds. Not responsible for either.

#![allow(dead_code, reason = "each target is about one of them")]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::json;
use tributary_core::Time;
use tributary_core::book::{Book, Chunk, Column, Columns, Translation};
use tributary_engine::learn::Method;
use tributary_engine::{Model, paths};
use tributary_files::Files;
use tributary_source::{Connector, Environment, Next, Record, Settings, Span, Task};

/// An aggregated path file, as `tributary paths` reads it: credit adds up to what there is.
pub(crate) fn path_file(bytes: &[u8]) {
    let mut problems = Vec::new();
    let Ok(paths) = paths::parse(bytes, &mut problems) else { return };
    // Models are quick on few paths, and sums of numbers as large as there are mean nothing.
    let is_sane = |path: &paths::Path| {
        path.steps.len() < 100
            && [path.conversions, path.value, path.nulls].iter().all(|number| number.abs() < 1e9)
    };
    if paths.len() > 100 || !paths.iter().all(is_sane) {
        return;
    }
    let conversions: f64 = paths.iter().map(|path| path.conversions).sum();
    for name in ["linear", "position"] {
        let model = Model::builtin(name).expect("a built-in model");
        let credited = paths::attribute(&paths, &model).expect("it needs no more than paths have");
        let sum: f64 = credited.rows.iter().map(|row| row.conversions).sum();
        assert!((sum + credited.unattributed_conversions - conversions).abs() <= 1e-6 * conversions.max(1.0));
    }
    for name in ["markov", "markov_2", "shapley", "shao_li"] {
        let method = Method::builtin(name).expect("a built-in method");
        if let Ok((credited, _)) = paths::learn(&paths, &method) {
            let parts = credited.rows.iter().map(|row| row.conversions);
            assert!(parts.clone().all(f64::is_finite), "{name}");
            let sum = parts.sum::<f64>() + credited.unattributed_conversions;
            assert!(
                (sum - conversions).abs() <= 1e-6 * conversions.max(1.0),
                "{name}: {sum} of {conversions}"
            );
        }
    }
}

/// A file to import: its name, a line's end, and what is in it. Every row is a record or a reject, and reading it again
/// says the same.
pub(crate) fn csv_import(bytes: &[u8]) {
    let Some((name, content)) = head(bytes) else { return };
    let is_name =
        |text: &str| text.len() < 40 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.');
    if !is_name(name) || name.starts_with('.') {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(name), content).expect("a file");
    let settings = Settings {
        source: "files".to_owned(),
        values: json!({ "paths": ["."] }),
        folder: folder.path().to_owned(),
        ..Settings::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let read = || runtime.block_on(pull(&settings));
    let records = read();
    for record in &records {
        assert!(
            serde_json::from_slice::<BTreeMap<String, String>>(record.body.as_ref().expect("a body")).is_ok()
        );
        let _ = Files.normalize(&settings, record);
    }
    assert_eq!(records, read());
}

async fn pull(settings: &Settings) -> Vec<Record> {
    let environment = Environment::new(Arc::new(|| Time(0)));
    let source = Files.connect(settings, &environment).expect("the settings are right");
    let mut records = Vec::new();
    for stream in Files.streams() {
        for part in source.parts(stream).await.unwrap_or_default() {
            let mut resume = None;
            loop {
                let task = Task { stream: stream.name, part: part.clone(), span: Span::Since(None), resume };
                let Ok(page) = source.pull(&task).await else { break };
                records.extend(page.records);
                match page.next {
                    Next::More(next) => resume = Some(next),
                    Next::Done(_) => break,
                }
            }
        }
    }
    records
}

/// A record of a vendor: `CONNECTOR STREAM`, a line's end, and the body. What it means is the same every time.
pub(crate) fn normalize(bytes: &[u8]) {
    static CONNECTORS: LazyLock<Vec<Box<dyn Connector>>> = LazyLock::new(|| {
        vec![
            Box::new(Files),
            Box::new(tributary_google_ads::GoogleAds),
            Box::new(tributary_hubspot::HubSpot),
            Box::new(tributary_matomo::Matomo),
            Box::new(tributary_tryton::Tryton),
        ]
    });
    let Some((head, body)) = head(bytes) else { return };
    let Some((name, stream)) = head.split_once(' ') else { return };
    let Some(connector) = CONNECTORS.iter().find(|connector| connector.name() == name) else { return };
    let Some(stream) = connector.streams().iter().find(|known| known.name == stream) else { return };
    let settings = Settings { source: "a".to_owned(), values: json!({}), ..Settings::default() };
    let record = Record {
        stream: stream.name,
        id: "1".to_owned(),
        stamp: None,
        body: Some(body.to_vec().into_boxed_slice()),
        origin: None,
    };
    assert_eq!(connector.normalize(&settings, &record), connector.normalize(&settings, &record));
}

/// Columns of a chunk: the number, two bytes of length, and what is in it, one after the other; those of the seed where
/// it says nothing of one. It is refused, or a book that is the same when it is written and read again.
pub(crate) fn chunk(bytes: &[u8]) {
    static WHOLE: LazyLock<BTreeMap<Column, Vec<u8>>> =
        LazyLock::new(|| columns(include_bytes!("seeds/chunk/whole")));
    let mut raw = WHOLE.clone();
    raw.extend(columns(bytes));
    let chunk = Chunk(raw.into_iter().map(|(column, raw)| (column, packed(&raw))).collect());
    let _ = chunk.keys();
    let Ok(book) = chunk.read(Columns::ALL) else { return };
    let again = Chunk::write(&book, &[]).and_then(|chunk| chunk.read(Columns::ALL));
    assert_same(&again.expect("what was read can be written"), &book);
}

fn columns(bytes: &[u8]) -> BTreeMap<Column, Vec<u8>> {
    let mut out = BTreeMap::new();
    let mut rest = bytes;
    while let Some(([number, low, high], after)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (raw, after) = after.split_at(length);
        rest = after;
        if let Some(column) = Column::of_number(i64::from(*number)) {
            out.insert(column, raw.to_vec());
        }
    }
    out
}

/// A column as it is kept: the format, the length, and the bytes compressed.
fn packed(raw: &[u8]) -> Vec<u8> {
    let mut out = vec![2];
    out.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    out.extend(zstd::bulk::compress(raw, 1).expect("a small column"));
    out
}

fn assert_same(found: &Book, expected: &Book) {
    // Numbers of texts differ; laid behind the same texts, they do not.
    let alike = |book: &Book| {
        let mut out = Book { terms: expected.terms.clone(), ..Book::default() };
        out.append(book, 0..book.accounts.len(), &mut Translation::of(&book.terms));
        out
    };
    let (found, expected) = (alike(found), alike(expected));
    assert_eq!(found.accounts, expected.accounts);
    assert_eq!(found.people, expected.people);
    assert_eq!(found.deals, expected.deals);
    assert_eq!(found.touches, expected.touches);
}

/// The first line and what comes after it.
fn head(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}
