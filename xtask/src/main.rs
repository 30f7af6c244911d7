//! Developer commands: `cargo xtask demo`, `sim`, `test`, `ci`, `soak` and `bench`.
//!
//! What continuous integration runs and what a developer runs by hand is the same code, here. Not responsible
//! for anything a user of Tributary needs: that is the `tributary` binary.

mod bench;
mod checks;
mod ci;
mod demo;
mod new_connector;
mod shell;
mod soak;
mod test;
mod tools;

use std::fs;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

/// Developer commands of Tributary.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build Tributary and let it make a company up, import it and report on it.
    Demo {
        /// `--tryton` syncs a real Tryton CRM instead; all else is passed on to `tributary demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Start a simulated vendor on loopback, such as hubspot, to try its connector on by hand.
    Sim {
        /// Passed on to `tributary simulate`, such as `hubspot --port 9001`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Install what the tests need and the machine lacks, then run every test.
    Test {
        /// Passed on to the test runner, such as a part of a test's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Write docs/tributary.schema.json anew, from the configuration's own types.
    Schema,
    /// Write the crate of a new connector: it compiles and passes.
    NewConnector {
        /// Its name: lower-case words joined by `-`.
        name: String,
    },
    /// Measure how fast Tributary is: one JSON line a figure.
    Bench(bench::Options),
    /// Run the daemon under faults and kills for long.
    Soak(soak::Options),
    /// Everything that continuous integration runs: format, lints, docs, licences, dependency direction, tests.
    Ci,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo { rest } => demo::run(&rest),
        Command::Sim { rest } => demo::simulate(&rest),
        Command::Test { rest } => test::run(&rest),
        Command::Schema => schema(),
        Command::NewConnector { name } => new_connector::run(&name),
        Command::Bench(options) => bench::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Ci => ci::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn schema() -> anyhow::Result<()> {
    let path = shell::root().join("docs/tributary.schema.json");
    let text = shell::output(shell::cargo().args(["run", "--package", "tributary", "--", "schema"]))?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
