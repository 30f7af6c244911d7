//! Errors in a configuration file: where, the line itself, a caret under the place, and a hint.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One thing that is wrong with a configuration file.
#[derive(Debug)]
pub(crate) struct Diagnostic {
    path: PathBuf,
    message: String,
    marks: Vec<Mark>,
    hint: Option<String>,
}

/// A place in the file.
#[derive(Debug)]
struct Mark {
    line: usize,
    column: usize,
    text: String,
    width: usize,
    note: Option<String>,
}

/// The text of a configuration file and its name, for making diagnostics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    /// Where it was read from, as the user named it.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

impl Text {
    /// Something is wrong at one place, in bytes.
    pub(crate) fn at(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            path: self.path.clone(),
            message: message.into(),
            marks: vec![self.mark(span, None)],
            hint: None,
        }
    }

    /// Something is wrong with the file as a whole.
    pub(crate) fn whole(path: &Path, message: impl Into<String>) -> Diagnostic {
        Diagnostic { path: path.to_owned(), message: message.into(), marks: Vec::new(), hint: None }
    }

    /// What the TOML reader says, with a suggestion where it names an unknown key or value.
    pub(crate) fn toml(&self, error: &toml::de::Error) -> Diagnostic {
        let mut diagnostic = self.at(error.span().unwrap_or(0..0), readable(error.message()));
        diagnostic.hint = suggestion(error.message());
        diagnostic
    }

    fn mark(&self, span: Range<usize>, note: Option<String>) -> Mark {
        let start = floor(&self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let end = floor(&self.text, span.end).clamp(start, line_end);
        Mark {
            line: self.text[..start].matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            text: self.text[line_start..line_end].trim_end_matches('\r').to_owned(),
            width: self.text[start..end].chars().count().max(1),
            note,
        }
    }
}

/// The nearest character boundary at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// serde says `field` and `variant`; the people who write the file say key and value.
fn readable(message: &str) -> String {
    let message = message.split(", expected").next().unwrap_or(message);
    message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("duplicate field", "duplicate key")
        .replace("unknown variant", "unknown value")
        .trim_end()
        .replace('\n', "; ")
}

/// The known word nearest to the unknown one, else all known words.
fn suggestion(message: &str) -> Option<String> {
    let (unknown, expected) = message.split_once(", expected ")?;
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let unknown = quoted(unknown).into_iter().next();
    let known = quoted(expected);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    match unknown {
        Some(unknown) if !known.is_empty() => Some(super::suggest::hint(&unknown, &known)),
        _ => Some(format!("expected {}", expected.replace("u32", "a whole number"))),
    }
}

impl Diagnostic {
    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a second place with a note beside its caret.
    pub(crate) fn and(mut self, text: &Text, span: Range<usize>, note: &str) -> Self {
        self.marks.push(text.mark(span, Some(note.to_owned())));
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(mark) = self.marks.first() {
            write!(f, ":{}:{}", mark.line, mark.column)?;
        }
        write!(f, ": {}", self.message)?;
        let gutter = self.marks.iter().map(|mark| mark.line.to_string().len()).max().unwrap_or(0);
        for mark in &self.marks {
            // Tabs stay tabs, so that the caret stands under its word whatever their width.
            let indent: String =
                mark.text.chars().take(mark.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            write!(f, "\n{:gutter$} |", "")?;
            write!(f, "\n{:gutter$} | {}", mark.line, mark.text)?;
            write!(f, "\n{:gutter$} | {indent}{}", "", "^".repeat(mark.width))?;
            if let Some(note) = &mark.note {
                write!(f, " {note}")?;
            }
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}
