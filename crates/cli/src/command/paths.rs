//! `tributary paths`: aggregated paths from a file, without a store.

use std::io::Read;
use std::path::Path;

use serde::Serialize;
use tributary_engine::Choice;
use tributary_engine::paths::{self, Credited, Problem, Raw};

use crate::arguments::Format;
use crate::failure::{Failure, Outcome};
use crate::show::{self, Answer, Cell, OneOrMore, Table, wrapped};

/// Problems that are told one by one; the rest are counted.
const TOLD: usize = 20;

/// The columns, and whether a file must have them.
const COLUMNS: [(&str, bool); 4] =
    [("path", true), ("conversions", true), ("value", false), ("nulls", false)];

/// Credit of each step under one model.
#[derive(Serialize)]
struct OneModel {
    model: String,
    #[serde(flatten)]
    credited: Credited,
    /// What a reader must know of a model that learned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
}

/// Reads the file, credits it under each model, and tells what could not be used.
pub(super) fn run(file: &Path, models: &[Choice], format: Format) -> Result<Outcome, Failure> {
    let text = read(file)?;
    let mut problems = Vec::new();
    let paths = parse(&text, &mut problems)?;
    for problem in problems.iter().take(TOLD) {
        eprintln!("{}:{}: {}", file.display(), problem.line, problem.reason);
    }
    if problems.len() > TOLD {
        eprintln!("{}: {} more problems", file.display(), problems.len() - TOLD);
    }
    if paths.is_empty() {
        return Err(Failure::failed(format!("{}: no row can be used", file.display())));
    }
    let credited = models
        .iter()
        .map(|model| {
            let name = model.name().to_owned();
            let (credited, remarks) = match model {
                Choice::Rule(rule) => {
                    let credited = paths::attribute(&paths, rule);
                    (credited.map_err(|error| Failure::usage(error.to_string()))?, Vec::new())
                }
                Choice::Learned { method, .. } => {
                    let fail = |error| Failure::usage(format!("model {name}: {error}"));
                    paths::learn(&paths, method).map_err(fail)?
                }
            };
            Ok(OneModel { model: name, credited, remarks })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    show::print(&OneOrMore(credited), format)?;
    Ok(Outcome::Done)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::failed(format!("failed to read {}: {error}", file.display())))?;
    Ok(bytes)
}

fn parse(bytes: &[u8], problems: &mut Vec<Problem>) -> Result<Vec<paths::Path>, Failure> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let semicolon = first.contains(&b';') && !first.contains(&b',');
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(if semicolon { b';' } else { b',' })
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let headers =
        reader.headers().map_err(|error| Failure::failed(format!("failed to read the columns: {error}")))?;
    let mut places = [None; COLUMNS.len()];
    for (place, (column, is_needed)) in places.iter_mut().zip(COLUMNS) {
        *place = headers.iter().position(|header| header.eq_ignore_ascii_case(column));
        if place.is_none() && is_needed {
            return Err(Failure::failed(format!("the file has no column `{column}`"))
                .hint("expected the columns path, conversions, value and nulls"));
        }
    }
    let mut out = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                problems
                    .push(Problem { line, reason: "the row is not UTF-8 text: it is left out".to_owned() });
                continue;
            }
        };
        let [path, conversions, value, nulls] =
            places.map(|place| place.and_then(|place| record.get(place)).unwrap_or_default());
        let line = record.position().map_or(0, csv::Position::line);
        out.extend(paths::read(&Raw { line, path, conversions, value, nulls }, problems));
    }
    Ok(out)
}

impl Answer for OneModel {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(["Model", "Key", "Conversions", "Value", "Share"]);
        let mut row = |key: Cell, conversions: f64, value: f64, share: Option<f64>| {
            let share = share.map_or(Cell::Nothing, Cell::Share);
            let model = Cell::Text(self.model.clone());
            table.row(vec![model, key, Cell::Real(conversions), Cell::Real(value), share]);
        };
        let Credited { rows, unattributed_conversions, unattributed_value } = &self.credited;
        for credit in rows {
            row(Cell::Text(credit.key.clone()), credit.conversions, credit.value, Some(credit.share));
        }
        if *unattributed_conversions > 0.0 {
            row(Cell::Text("unattributed".to_owned()), *unattributed_conversions, *unattributed_value, None);
        }
        for remark in &self.remarks {
            table.note(wrapped(remark, ""));
        }
        vec![table]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spreadsheets_write_is_read_too() {
        let mut problems = Vec::new();
        let paths = parse("\u{feff}Path;Conversions\r\na > b;2\r\n".as_bytes(), &mut problems).unwrap();
        assert_eq!((paths.len(), paths[0].conversions, problems.len()), (1, 2.0, 0));
    }

    #[test]
    fn a_row_that_cannot_be_used_is_told_with_its_line() {
        let mut problems = Vec::new();
        let paths = parse(b"path,conversions\na,1\n,1\na,many\n\xff,1\na > b,3\n", &mut problems).unwrap();
        assert_eq!(paths.len(), 2);
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [3, 4, 5]);
    }

    #[test]
    fn a_file_without_its_columns_is_refused() {
        let error = parse(b"steps,conversions\n", &mut Vec::new()).unwrap_err().to_string();
        assert!(error.starts_with("the file has no column `path`"), "{error}");
    }
}
