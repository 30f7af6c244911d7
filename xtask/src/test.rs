//! `cargo xtask test`: every test, on whatever machine this is.

use anyhow::Result;

use crate::{shell, tools};

/// Doctests first, so that the runner's own summary of all other tests closes the output.
pub(crate) fn run(rest: &[String]) -> Result<()> {
    tools::install_missing()?;
    if rest.is_empty() {
        shell::run(shell::cargo().args(["test", "--quiet", "--workspace", "--doc"]))?;
    }
    if shell::succeeds(shell::cargo().args(["nextest", "--version"])) {
        shell::run(shell::cargo().args(["nextest", "run", "--workspace"]).args(rest))
    } else {
        shell::run(shell::cargo().args(["test", "--workspace", "--lib", "--bins", "--tests"]).args(rest))
    }
}
