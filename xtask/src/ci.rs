//! `cargo xtask ci`: what must hold before a change lands, cheapest first.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::checks::{direction, licences};
use crate::{checks, shell, test};

/// Runs every check and then every test; stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    step("format", || shell::run(shell::cargo().args(["fmt", "--all", "--check"])))?;
    let metadata = checks::metadata()?;
    step("licences", || licences::check(&metadata))?;
    step("dependency direction", || direction::check(&metadata))?;
    step("lints", || {
        let command = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
        shell::run(shell::cargo().args(command))
    })?;
    step("documentation", || {
        let command = ["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"];
        shell::run(shell::cargo().args(command).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("tests", || test::run(&[]))
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("\n== {name}");
    let start = Instant::now();
    work().with_context(|| format!("{name} failed"))?;
    eprintln!("== {name}: ok after {} s", start.elapsed().as_secs());
    Ok(())
}
