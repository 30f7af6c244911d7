//! A path file: CSV as spreadsheets write it, to paths.
//!
//! Not responsible for reading it from anywhere.

use super::{Path, Problem, Raw, read};

/// The columns, and whether a file must have them.
const COLUMNS: [(&str, bool); 4] =
    [("path", true), ("conversions", true), ("value", false), ("nulls", false)];

/// Why a file as a whole can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The first line is not text.
    #[error("failed to read the columns: {0}")]
    Header(String),
    /// The first line does not name a column that is needed.
    #[error("the file has no column `{0}`")]
    MissingColumn(&'static str),
}

/// Reads a file. What can't be used of it goes to `problems`.
pub fn parse(bytes: &[u8], problems: &mut Vec<Problem>) -> Result<Vec<Path>, FileError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let semicolon = first.contains(&b';') && !first.contains(&b',');
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(if semicolon { b';' } else { b',' })
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let headers = reader.headers().map_err(|error| FileError::Header(error.to_string()))?;
    let mut places = [None; COLUMNS.len()];
    for (place, (column, is_needed)) in places.iter_mut().zip(COLUMNS) {
        *place = headers.iter().position(|header| header.eq_ignore_ascii_case(column));
        if place.is_none() && is_needed {
            return Err(FileError::MissingColumn(column));
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
        out.extend(read(&Raw { line, path, conversions, value, nulls }, problems));
    }
    Ok(out)
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
        let error = parse(b"steps,conversions\n", &mut Vec::new()).unwrap_err();
        assert_eq!(error, FileError::MissingColumn("path"));
    }
}
