//! `cargo xtask soak`: the daemon under every fault, for longer than continuous integration has time for.

use anyhow::Result;

use crate::{shell, tools};

/// How long, and which chance.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Chooses what goes wrong, and when.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated weeks, in this process.
    #[arg(long, default_value_t = 4)]
    weeks: u32,
    /// Real processes that are killed at random moments, half of them on each database.
    #[arg(long, default_value_t = 200)]
    kills: u32,
}

/// Runs both, optimised; the seed of a failure is printed.
pub(crate) fn run(options: &Options) -> Result<()> {
    tools::install_missing()?;
    let tests = "test(a_week_of_every_fault) + test(processes_killed_at_any_moment)";
    let packages = ["--package", "tributary", "--package", "tributary-stories"];
    let test = ["nextest", "run", "--release", "--no-capture"];
    shell::run(
        shell::cargo()
            .args(test)
            .args(packages)
            .args(["-E", tests])
            .env("SOAK_SEED", options.seed.to_string())
            .env("SOAK_WEEKS", options.weeks.to_string())
            .env("SOAK_KILLS", options.kills.to_string()),
    )
}
