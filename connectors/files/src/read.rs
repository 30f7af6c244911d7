//! Files to records: bytes to rows, rows to canonical JSON.
//!
//! Rows are found line by line, so that memory is bounded, a row can be resumed at, and an unclosed quote costs one
//! line and not the rest of the file. Says nothing about what a row means: that is `normalize`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde::{Deserialize, Serialize};
use tributary_core::id::Hash;
use tributary_source::{Error, NextStep, Problem, Record, Reject, Resume};

use crate::config::{Config, Decimal};

/// Rows in a page.
const PAGE_ROWS: usize = 2_000;
/// Bytes of a row.
const ROW_BYTES: usize = 1 << 20;
/// Lines of a row with quoted line ends.
const ROW_LINES: usize = 1_000;

/// Rows of a page.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) records: Vec<Record>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) resume: Option<Resume>,
    /// Bytes done and in all.
    pub(crate) progress: Option<(u64, u64)>,
}

/// Where reading goes on, in which version of the file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Position {
    offset: u64,
    line: u64,
    /// A hash of the file and of the settings that it is read with.
    pub(crate) file: String,
    /// The file's length and when it was last written to, in nanoseconds.
    written: (u64, u64),
}

/// A file that can't be read.
pub(crate) fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::new(NextStep::FixConfig, format!("cannot read `{}`", path.display())).because(error)
}

/// Where to begin or to go on, and in which version of the file.
///
/// A file that changed meanwhile is read from its beginning: what is known adds nothing. The whole file is hashed
/// once, and for later pages only if it was written to since.
pub(crate) fn begin(
    path: &Path,
    stream: &str,
    config: &Config,
    resume: Option<&Resume>,
) -> Result<Position, Error> {
    let written = written(path).map_err(|error| failed(path, error))?;
    let reading = reading(stream, config);
    let resumed = resume.and_then(|resume| serde_json::from_str::<Position>(&resume.0).ok());
    let resumed = resumed.filter(|position| position.file.ends_with(&reading));
    if let Some(position) = resumed.as_ref().filter(|position| position.written == written) {
        return Ok(Position { file: position.file.clone(), ..*position });
    }
    let file = format!("{}:{reading}", fingerprint(path).map_err(|error| failed(path, error))?);
    let same = resumed.filter(|position| position.file == file);
    let (offset, line) = same.map_or((0, 1), |position| (position.offset, position.line));
    Ok(Position { offset, line, file, written })
}

fn written(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok((metadata.len(), u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)))
}

/// A hash of the whole file.
fn fingerprint(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// A hash of the settings that rows of a stream are read with.
fn reading(stream: &str, config: &Config) -> String {
    let columns = config.columns.get(stream).into_iter().flatten();
    let mut parts = vec![if config.decimal == Decimal::Comma { "comma" } else { "auto" }];
    parts.extend(columns.flat_map(|(theirs, ours)| [theirs.as_str(), ours.as_str()]));
    Hash::of("reading", &parts).to_string()
}

/// How a file's rows are to be read.
pub(crate) enum Header {
    /// One JSON object a line; what its names are called here, and how its texts write numbers.
    Json(BTreeMap<String, String>, Decimal),
    /// Columns in order, `None` for one without a name, split at a byte.
    Csv(Vec<Option<String>>, u8),
}

/// Reads a file's header, refusing what is not what its name says.
pub(crate) fn header(path: &Path, stream: &str, config: &Config) -> Result<Header, Error> {
    Lines::open(path)?.header(path, stream, config)
}

/// Reads one page of rows.
pub(crate) fn page(
    path: &Path,
    stream: &'static str,
    config: &Config,
    position: Position,
) -> Result<Rows, Error> {
    let mut lines = Lines::open(path)?;
    let header = lines.header(path, stream, config)?;
    if position.offset > 0 {
        lines.seek(position.offset, position.line).map_err(|error| failed(path, error))?;
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut rows = Rows::default();
    while rows.records.len() + rows.rejects.len() < PAGE_ROWS {
        let (start, first_line) = (lines.offset, lines.line);
        let mut raw = Vec::new();
        let found = lines.row(&header, &mut raw).map_err(|error| failed(path, error))?;
        let Some(found) = found else {
            rows.progress = Some((lines.length, lines.length));
            return Ok(rows);
        };
        let origin = format!("{name}:{first_line}");
        let parsed = match found {
            Found::Row => parse(&header, &raw),
            Found::TooLong => Err(problem("", "the row is longer than 1 MiB: shorten it or split the file")),
            Found::OpenQuote => Err(problem("", "a quote is never closed: close it or double it")),
            Found::LooseQuote => {
                Err(problem("", "text follows a closing quote: double the quotes inside a cell, or close it"))
            }
        };
        match parsed {
            Ok(cells) if cells.is_empty() => {}
            Ok(cells) => rows.records.push(record(stream, cells, origin)),
            Err(problem) => {
                if raw.iter().filter(|byte| **byte == b'\n').count() > 1 {
                    // A wrong quote may have swallowed good lines: give up the first line only.
                    lines.seek(start, first_line).map_err(|error| failed(path, error))?;
                    raw.clear();
                    lines.line(&mut raw).map_err(|error| failed(path, error))?;
                }
                raw.truncate(64 << 10);
                rows.rejects.push(Reject { stream, origin, problem, body: raw });
            }
        }
    }
    let position = Position { offset: lines.offset, line: lines.line, ..position };
    rows.progress = Some((lines.offset, lines.length));
    rows.resume = serde_json::to_string(&position).ok().map(Resume);
    Ok(rows)
}

fn problem(field: &str, reason: &str) -> Problem {
    Problem { field: field.to_owned(), reason: reason.to_owned() }
}

/// A record of canonical cells: its body is sorted JSON, so that equal rows are equal however they were written.
fn record(stream: &'static str, cells: BTreeMap<String, String>, origin: String) -> Record {
    let own = cells.get("id").filter(|_| matches!(stream, "accounts" | "people" | "deals" | "touches"));
    let id = own.cloned().unwrap_or_else(|| {
        let key: BTreeMap<&String, &String> = cells.iter().filter(|(name, _)| is_key(stream, name)).collect();
        Hash::of("row", &[stream, &serde_json::to_string(&key).unwrap_or_default()]).to_string()
    });
    let body = serde_json::to_vec(&cells).unwrap_or_default().into_boxed_slice();
    Record { stream, id, stamp: None, body: Some(body), origin: Some(origin) }
}

/// Whether a column is part of what makes a row without id the same row.
fn is_key(stream: &str, column: &str) -> bool {
    match stream {
        "committee" => matches!(column, "deal" | "person"),
        "rates" => matches!(column, "date" | "from" | "to"),
        "spend" => column != "amount",
        _ => true,
    }
}

enum Found {
    Row,
    TooLong,
    OpenQuote,
    LooseQuote,
}

/// Where in a row's cells the bytes so far end. Quotes count at the beginning of a cell alone: `5" pipe` is a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Begin,
    Plain,
    Quoted,
    /// After a quote in a quoted cell: its end, or half of a doubled one.
    Closing,
    /// After text that follows a closing quote.
    Loose,
}

impl Quoting {
    fn after(self, bytes: &[u8], delimiter: u8) -> Self {
        bytes.iter().fold(self, |state, byte| match (state, *byte) {
            (Self::Loose, _) => Self::Loose,
            (Self::Quoted, b'"') => Self::Closing,
            (Self::Begin | Self::Closing, b'"') | (Self::Quoted, _) => Self::Quoted,
            (_, byte) if byte == delimiter => Self::Begin,
            (Self::Closing, b'\r' | b'\n') => Self::Closing,
            (Self::Closing, _) => Self::Loose,
            _ => Self::Plain,
        })
    }
}

/// A file, line by line, with its place.
struct Lines {
    input: BufReader<File>,
    offset: u64,
    line: u64,
    length: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| failed(path, error))?;
        let length = file.metadata().map_err(|error| failed(path, error))?.len();
        Ok(Self { input: BufReader::with_capacity(1 << 16, file), offset: 0, line: 1, length })
    }

    fn seek(&mut self, offset: u64, line: u64) -> std::io::Result<()> {
        self.input.seek(SeekFrom::Start(offset))?;
        (self.offset, self.line) = (offset, line);
        Ok(())
    }

    /// Appends one physical line; `false` at the end. A line beyond the bound is cut.
    fn line(&mut self, out: &mut Vec<u8>) -> std::io::Result<bool> {
        let mut any = false;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let used = end.unwrap_or(buffer.len());
            if out.len() <= ROW_BYTES {
                out.extend_from_slice(&buffer[..used]);
            }
            self.input.consume(used);
            self.offset += used as u64;
            if end.is_some() {
                self.line += 1;
                return Ok(true);
            }
        }
    }

    /// Appends one row: a line, and further ones while a quote is open.
    fn row(&mut self, header: &Header, out: &mut Vec<u8>) -> std::io::Result<Option<Found>> {
        if !self.line(out)? {
            return Ok(None);
        }
        if let Header::Csv(_, delimiter) = header {
            match self.close(*delimiter, out)? {
                Quoting::Quoted => return Ok(Some(Found::OpenQuote)),
                Quoting::Loose => return Ok(Some(Found::LooseQuote)),
                _ => {}
            }
        }
        Ok(Some(if out.len() > ROW_BYTES { Found::TooLong } else { Found::Row }))
    }

    /// Appends lines for as long as a quote is open, within bounds.
    fn close(&mut self, delimiter: u8, out: &mut Vec<u8>) -> std::io::Result<Quoting> {
        let mut state = Quoting::Begin.after(out, delimiter);
        for _ in 1..ROW_LINES {
            let known = out.len();
            if state != Quoting::Quoted || known > ROW_BYTES || !self.line(out)? {
                break;
            }
            state = state.after(&out[known..], delimiter);
        }
        Ok(state)
    }

    fn header(&mut self, path: &Path, stream: &str, config: &Config) -> Result<Header, Error> {
        let fault = |reason: String| Error::new(NextStep::SkipPart, format!("`{}` {reason}", path.display()));
        let mapping: BTreeMap<String, String> = config
            .columns
            .get(stream)
            .into_iter()
            .flatten()
            .map(|(theirs, ours)| (canonical(theirs), canonical(ours)))
            .collect();
        let mut head = [0; 3];
        let count = self.input.read(&mut head).map_err(|error| failed(path, error))?;
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(fault("is UTF-16: save it as UTF-8".to_owned()));
        }
        let start = if head[..count] == [0xef, 0xbb, 0xbf] { 3 } else { 0 };
        self.seek(start, 1).map_err(|error| failed(path, error))?;
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl")) {
            return Ok(Header::Json(mapping, config.decimal));
        }
        let mut raw = Vec::new();
        let _ = self.line(&mut raw).map_err(|error| failed(path, error))?;
        let text = std::str::from_utf8(&raw)
            .map_err(|_| fault("has a header that is not UTF-8: save it as UTF-8".to_owned()))?;
        if text.trim().is_empty() {
            return Err(fault("has no header: its first line must name the columns".to_owned()));
        }
        let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(|mark| {
            // Of equal counts the comma wins: max_by_key keeps the last.
            (raw.iter().filter(|byte| *byte == mark).count(), *mark == b',')
        });
        let delimiter = delimiter.unwrap_or(b',');
        let _ = self.close(delimiter, &mut raw).map_err(|error| failed(path, error))?;
        let names = split(&raw, delimiter);
        let columns: Vec<Option<String>> = names
            .iter()
            .map(|name| {
                let name = canonical(&String::from_utf8_lossy(name));
                Some(mapping.get(&name).cloned().unwrap_or(name)).filter(|name| !name.is_empty())
            })
            .collect();
        let known = needed(stream);
        if !known.iter().any(|name| columns.iter().flatten().any(|column| column == name)) {
            let message = format!(
                "is no {stream} file: its header has none of {}; rename the columns or map them under [source.columns.{stream}]",
                known.join(", ")
            );
            return Err(fault(message));
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = columns.iter().flatten().find(|name| !seen.insert((*name).clone())) {
            return Err(fault(format!("has the column `{twice}` twice: rename one")));
        }
        Ok(Header::Csv(columns, delimiter))
    }
}

/// Columns of which a file must have at least one.
fn needed(stream: &str) -> &'static [&'static str] {
    match stream {
        "accounts" | "people" => &["id", "name", "domain", "email"],
        "deals" => &["id", "account", "amount", "outcome"],
        "stages" => &["deal", "stage"],
        "committee" => &["deal", "person"],
        "touches" => &["id", "occurred_at", "kind"],
        "spend" => &["date", "amount"],
        "aliases" => &["kind_a", "id_a"],
        _ => &["date", "rate"],
    }
}

/// A column's name as we write it: `Occurred At` is `occurred_at`.
fn canonical(name: &str) -> String {
    name.trim().trim_matches('"').to_lowercase().replace([' ', '-'], "_")
}

/// Splits one CSV row.
fn split(raw: &[u8], delimiter: u8) -> Vec<Vec<u8>> {
    let mut reader: Reader = ReaderBuilder::new().delimiter(delimiter).build();
    let (mut out, mut ends) = (vec![0; raw.len() + 1], vec![0; raw.len() + 2]);
    let (mut nin, mut nout, mut nend) = (0, 0, 0);
    loop {
        let (result, i, o, e) = reader.read_record(&raw[nin..], &mut out[nout..], &mut ends[nend..]);
        (nin, nout, nend) = (nin + i, nout + o, nend + e);
        match result {
            // Told that no more input comes, the reader ends the row.
            ReadRecordResult::InputEmpty if i == 0 => break,
            ReadRecordResult::InputEmpty => {}
            _ => break,
        }
    }
    let starts = std::iter::once(0).chain(ends[..nend].iter().copied());
    starts.zip(&ends[..nend]).map(|(start, end)| out[start..*end].to_vec()).collect()
}

/// A row's cells by canonical column, blank ones left out; none for a blank row.
fn parse(header: &Header, raw: &[u8]) -> Result<BTreeMap<String, String>, Problem> {
    match header {
        Header::Json(mapping, decimal) => parse_json(raw, mapping, *decimal),
        Header::Csv(columns, delimiter) => {
            if raw.trim_ascii().is_empty() {
                return Ok(BTreeMap::new());
            }
            let fields = split(raw, *delimiter);
            // Spreadsheets end rows with empty cells.
            let filled =
                fields.iter().rposition(|field| !field.trim_ascii().is_empty()).map_or(0, |at| at + 1);
            if filled > columns.len() {
                let reason = format!(
                    "{} fields where the header has {}: quote fields that contain the separator",
                    filled,
                    columns.len()
                );
                return Err(problem("", &reason));
            }
            if fields.len() < columns.len() && fields.len() == 1 && columns.len() > 1 && filled > 0 {
                let reason = format!(
                    "1 field where the header has {}: is the separator the same in every line?",
                    columns.len()
                );
                return Err(problem("", &reason));
            }
            if fields.len() < columns.len() {
                let reason = format!(
                    "{} fields where the header has {}: a cell is missing",
                    fields.len(),
                    columns.len()
                );
                return Err(problem("", &reason));
            }
            let mut cells = BTreeMap::new();
            for (column, field) in columns.iter().zip(fields) {
                let Some(column) = column else { continue };
                let Ok(text) = String::from_utf8(field) else {
                    return Err(problem(column, "not UTF-8: save the file as UTF-8"));
                };
                if !text.trim().is_empty() {
                    cells.insert(column.clone(), text.trim().to_owned());
                }
            }
            Ok(cells)
        }
    }
}

fn parse_json(
    raw: &[u8],
    mapping: &BTreeMap<String, String>,
    decimal: Decimal,
) -> Result<BTreeMap<String, String>, Problem> {
    if raw.trim_ascii().is_empty() {
        return Ok(BTreeMap::new());
    }
    let object: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(raw).map_err(|error| problem("", &format!("not a JSON object: {error}")))?;
    let mut cells = BTreeMap::new();
    for (name, value) in object {
        let name = canonical(&name);
        let text = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text.trim().to_owned(),
            // A number has a point whatever texts have: written as they are, so that it is read as they are.
            serde_json::Value::Number(number) if decimal == Decimal::Comma => {
                number.to_string().replace('.', ",")
            }
            other => other.to_string(),
        };
        if !text.is_empty() {
            cells.insert(mapping.get(&name).cloned().unwrap_or(name), text);
        }
    }
    Ok(cells)
}
