//! Reads a folder as the daemon does: stream by stream, part by part, page by page.

use std::path::Path;
use std::sync::Arc;

use tributary_core::time::Zone;
use tributary_core::{Fact, Time};
use tributary_files::Files;
use tributary_source::{Connector, Environment, Error, Next, Record, Reject, Settings, Span, Task};

/// What a folder came to.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) records: Vec<Record>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) pages: usize,
}

pub(crate) fn settings(folder: &Path, values: serde_json::Value) -> Settings {
    let mut values = values;
    if values.get("paths").is_none() {
        values["paths"] = serde_json::json!(["."]);
    }
    Settings {
        source: "files".to_owned(),
        values,
        zone: Zone::parse("Europe/Berlin").unwrap(),
        folder: folder.to_owned(),
        ..Settings::default()
    }
}

pub(crate) fn try_read(folder: &Path, values: serde_json::Value) -> Result<Read, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let settings = settings(folder, values);
        let source = Files.connect(&settings, &Environment::new(Arc::new(|| Time(0))))?;
        let mut out = Read::default();
        for stream in Files.streams() {
            for part in source.parts(stream).await? {
                let mut resume = None;
                loop {
                    let task =
                        Task { stream: stream.name, part: part.clone(), span: Span::Since(None), resume };
                    let page = source.pull(&task).await?;
                    out.records.extend(page.records);
                    out.rejects.extend(page.rejects);
                    out.pages += 1;
                    match page.next {
                        Next::More(next) => resume = Some(next),
                        Next::Done(_) => break,
                    }
                }
            }
        }
        Ok(out)
    })
}

/// Writes files into a folder and reads them.
pub(crate) fn read(files: &[(&str, &[u8])], values: serde_json::Value) -> Read {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    try_read(folder.path(), values).unwrap()
}

/// The facts and the problems (`origin: field reason`) of some records.
pub(crate) fn normalize(records: &[Record], values: serde_json::Value) -> (Vec<Fact>, Vec<String>) {
    let settings = settings(Path::new("."), values);
    let (mut facts, mut problems) = (Vec::new(), Vec::new());
    for record in records {
        let said = Files.normalize(&settings, record);
        facts.extend(said.facts);
        let origin = record.origin.clone().unwrap_or_default();
        problems.extend(
            said.problems.iter().map(|problem| format!("{origin}: {} {}", problem.field, problem.reason)),
        );
    }
    (facts, problems)
}
