//! The real binary: exit codes, what goes to stdout and what to stderr, help, and mistakes in configurations.

#[path = "all/authoring.rs"]
mod authoring;
#[path = "all/command_line.rs"]
mod command_line;
#[path = "all/configuration.rs"]
mod configuration;
#[path = "all/connect.rs"]
mod connect;
#[path = "all/daemon.rs"]
mod daemon;
#[path = "all/flow.rs"]
mod flow;
#[path = "all/killed.rs"]
mod killed;
#[path = "all/paths.rs"]
mod paths;
#[path = "all/readme.rs"]
mod readme;
#[path = "all/seen.rs"]
mod seen;
#[path = "all/sources.rs"]
mod sources;

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a run of the binary came to.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs `tributary` in a folder, as a program that nobody looks at.
fn tributary(folder: &Path, arguments: &[&str]) -> Ran {
    ran(Command::new(env!("CARGO_BIN_EXE_tributary"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("TRIBUTARY_LOG")
        .env("COLUMNS", "100")
        .stdin(Stdio::null()))
}

/// Runs a command to its end.
fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("the binary is built before its tests run");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// An empty folder.
fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// Compares, leaving out the line break that a raw string begins with.
#[track_caller]
fn expect(found: &str, expected: &str) {
    assert_eq!(found, expected.strip_prefix('\n').unwrap_or(expected), "found:\n{found}");
}

impl Ran {
    /// Exit code, stdout and stderr, as one text to compare with.
    fn all(&self) -> String {
        format!("exit code {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}
