//! How a command ends: exit codes, and errors with a hint.

use std::fmt;
use std::process::ExitCode;

use tributary_answers::AnswerError;

use crate::config::diagnostic::Diagnostic;
use crate::config::suggest;

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it.
    Done,
    /// Some sources failed; the others are done.
    SomeSourcesFailed,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::SomeSourcesFailed => Self::from(3),
        }
    }
}

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// The command line or the configuration is wrong: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into(), hint: None }
    }

    /// Something else went wrong: exit code 1.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::usage(diagnostic.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}

impl From<AnswerError> for Failure {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Unknown { .. }
            | AnswerError::Ambiguous { .. }
            | AnswerError::Outside(_)
            | AnswerError::NoOutcome
            | AnswerError::NotLearned(_)
            | AnswerError::Setting { .. } => Self::usage(error.to_string()),
            AnswerError::UnknownSetting { ref name, ref known } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                Self::usage(error.to_string()).hint(suggest::hint(name, &known))
            }
            _ => Self::failed(error.to_string()),
        }
    }
}
