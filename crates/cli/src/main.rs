//! The `tributary` command: reads the command line, configuration and environment, and shows answers.
//!
//! Everything it knows it gets from the other crates; what is decided here is only how to ask and how to show.

mod alerts;
mod arguments;
mod command;
mod config;
mod connectors;
mod failure;
mod key;
mod period;
mod show;
mod simulators;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command, Log};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr(&arguments.command);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: failed to start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(command::run(arguments)) {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

/// `TRIBUTARY_LOG=debug` shows what happens inside. Without it only warnings are shown, and what the daemon does.
fn log_to_stderr(command: &Command) {
    let (level, log) = match command {
        Command::Serve { log } => ("info", *log),
        _ => ("warn", Log::Text),
    };
    let filter = EnvFilter::try_from_env("TRIBUTARY_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let written =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match log {
        Log::Text => written.with_ansi(std::io::stderr().is_terminal()).init(),
        Log::Json => written.json().flatten_event(true).init(),
    }
}
