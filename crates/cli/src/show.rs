//! How answers look: as tables for people, JSON for programs, CSV for spreadsheets.
//!
//! An answer is plain data from `answers`; the modules below lay each out as tables. JSON is the answer itself.

pub(crate) mod cell;
pub(crate) mod evidence;
mod influence;
mod order;
pub(crate) mod progress;
mod report;
pub(crate) mod status;
pub(crate) mod table;
mod timeline;
mod what_if;
mod why;

use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::arguments::Format;
use crate::failure::Failure;
pub(crate) use cell::Cell;
pub(crate) use table::Table;

/// An answer that can be laid out as tables.
pub(crate) trait Answer: Serialize {
    /// Lays it out for people.
    fn tables(&self) -> Vec<Table>;

    /// The rows that CSV holds: the first table, unless an answer says otherwise.
    fn data(&self) -> Option<Table> {
        self.tables().into_iter().next()
    }
}

/// Answers to one question under several models: JSON is the answer itself if there is one, else an array.
pub(crate) struct OneOrMore<T>(pub(crate) Vec<T>);

impl<T: Serialize> Serialize for OneOrMore<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            more => more.serialize(serializer),
        }
    }
}

impl<T: Answer> Answer for OneOrMore<T> {
    fn tables(&self) -> Vec<Table> {
        self.0.iter().flat_map(Answer::tables).collect()
    }

    fn data(&self) -> Option<Table> {
        let mut all = self.0.iter().filter_map(Answer::data);
        let mut first = all.next()?;
        all.for_each(|next| first.append(next));
        Some(first)
    }
}

/// A text in lines of a page's width, each after an indent.
pub(crate) fn wrapped(text: &str, indent: &str) -> String {
    const WIDTH: usize = 100;
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let is_full =
            lines.last().is_some_and(|line| line.chars().count() + 1 + word.chars().count() > WIDTH);
        if is_full {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if line.len() > indent.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// Prints an answer to stdout.
pub(crate) fn print(answer: &impl Answer, format: Format) -> Result<(), Failure> {
    print_text(&render(answer, format)?)
}

/// Prints text to stdout. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("failed to write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

fn render(answer: &impl Answer, format: Format) -> Result<String, Failure> {
    match format {
        Format::Json => serde_json::to_string(answer)
            .map(|text| text + "\n")
            .map_err(|error| Failure::failed(format!("failed to write JSON: {error}"))),
        Format::Csv => answer.data().as_ref().map_or_else(|| Ok(String::new()), Table::to_csv),
        Format::Table => Ok(answer.tables().iter().map(Table::to_text).collect::<Vec<_>>().join("\n")),
    }
}
