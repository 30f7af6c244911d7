#![doc = include_str!("../README.md")]

mod config;
mod normalize;
mod read;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tributary_source::{
    Connector, Cursor, Environment, Error, Finding, Mode, Next, NextStep, Normalized, Page, Part, Reach,
    Record, Settings, Source, Span, Spec, Stream, Task,
};

use config::Config;

/// The connector for canonical files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

const fn stream(name: &'static str) -> Stream {
    Stream { name, mode: Mode::Keyset, sweeps: false }
}

/// A stream for each canonical file, what others refer to first.
static STREAMS: [Stream; 9] = [
    stream("accounts"),
    stream("people"),
    stream("deals"),
    stream("stages"),
    stream("committee"),
    stream("touches"),
    stream("spend"),
    stream("aliases"),
    stream("rates"),
];

impl Connector for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn about(&self) -> &'static str {
        include_str!("../README.md")
    }

    fn spec(&self) -> Spec {
        Spec::of::<Config>(&[])
    }

    fn normalizer_version(&self) -> u32 {
        1
    }

    fn streams(&self) -> &'static [Stream] {
        &STREAMS
    }

    fn connect(&self, settings: &Settings, _: &Environment) -> Result<Box<dyn Source>, Error> {
        let config: Config = settings.parse()?;
        if config.paths.is_empty() {
            let message = format!("source `{}` names no files: write paths = [\"folder\"]", settings.source);
            return Err(Error::new(NextStep::FixConfig, message));
        }
        Ok(Box::new(Folder { config, root: settings.folder.clone() }))
    }

    fn normalize(&self, settings: &Settings, record: &Record) -> Normalized {
        normalize::normalize(settings, record)
    }
}

/// Some files and folders.
struct Folder {
    config: Config,
    root: PathBuf,
}

#[async_trait]
impl Source for Folder {
    async fn check(&self) -> Result<Vec<Finding>, Error> {
        let files = self.files()?;
        if files.is_empty() {
            let message =
                "no canonical file found: expected accounts.csv, people.csv, deals.csv, touches.csv, …";
            return Err(Error::new(NextStep::FixConfig, message));
        }
        for (stream, path) in &files {
            read::header(path, stream, &self.config)?;
        }
        Ok(Vec::new())
    }

    async fn parts(&self, stream: &Stream) -> Result<Vec<Part>, Error> {
        let files = self.files()?;
        if files.is_empty() {
            let message =
                "no canonical file found: expected accounts.csv, people.csv, deals.csv, touches.csv, …";
            return Err(Error::new(NextStep::FixConfig, message));
        }
        let ours = files.into_iter().filter(|(name, _)| *name == stream.name);
        Ok(ours.map(|(_, path)| Part(self.shown(&path))).collect())
    }

    fn reads_ahead(&self) -> bool {
        true
    }

    async fn pull(&self, task: &Task) -> Result<Page, Error> {
        let path = self.root.join(&task.part.0);
        let known = match &task.span {
            Span::Since(Some(cursor)) => Some(cursor.0.as_str()),
            _ => None,
        };
        let position = read::begin(&path, task.stream, &self.config, task.resume.as_ref())?;
        let file = position.file.clone();
        if task.resume.is_none() && known == Some(file.as_str()) {
            // The file is what it was: nothing can be new.
            return Ok(page(read::Rows::default(), Next::Done(Cursor(file))));
        }
        let rows = read::page(&path, task.stream, &self.config, position)?;
        let next = match &rows.resume {
            Some(resume) => Next::More(resume.clone()),
            None => Next::Done(Cursor(file)),
        };
        Ok(page(rows, next))
    }
}

fn page(rows: read::Rows, next: Next) -> Page {
    Page {
        rejects: rows.rejects,
        progress: rows.progress,
        reach: Reach::Itself,
        ..Page::new(rows.records, next)
    }
}

impl Folder {
    /// Every canonical file, by path.
    fn files(&self) -> Result<Vec<(&'static str, PathBuf)>, Error> {
        let mut out = Vec::new();
        for path in &self.config.paths {
            let path = self.root.join(path);
            if path.is_dir() {
                let entries = std::fs::read_dir(&path).map_err(|error| read::failed(&path, error))?;
                for entry in entries {
                    let entry = entry.map_err(|error| read::failed(&path, error))?.path();
                    out.extend(stream_of(&entry).map(|stream| (stream, entry)));
                }
            } else if path.is_file() {
                let stream = stream_of(&path).ok_or_else(|| {
                    let names: Vec<&str> = STREAMS.iter().map(|stream| stream.name).collect();
                    let message = format!(
                        "`{}` is not named like a canonical file (expected {}, each .csv or .jsonl)",
                        path.display(),
                        names.join(", ")
                    );
                    Error::new(NextStep::FixConfig, message)
                })?;
                out.push((stream, path));
            } else {
                let message = format!("`{}` does not exist: check `paths`", path.display());
                return Err(Error::new(NextStep::FixConfig, message));
            }
        }
        out.sort_by(|a, b| a.1.cmp(&b.1));
        out.dedup();
        Ok(out)
    }

    /// The path as the part's name: below the root where it can be.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// The stream that a file's name says: `touches.csv`, `touches-2026.jsonl`, `Touches_1.CSV`.
fn stream_of(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    if !matches!(ending.as_str(), "csv" | "jsonl") {
        return None;
    }
    let stem = path.file_stem()?.to_str()?.to_ascii_lowercase();
    STREAMS.iter().map(|stream| stream.name).find(|name| {
        stem.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_', '.']))
    })
}
