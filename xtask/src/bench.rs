//! `cargo xtask bench`: the figures of `docs/performance.md`.

use anyhow::Result;

use crate::{shell, tools};

/// Builds optimised and measures.
pub(crate) fn run(touches: u64) -> Result<()> {
    tools::install_missing()?;
    let touches = touches.to_string();
    for bench in ["figures", "vendor"] {
        let arguments = ["bench", "--quiet", "--package", "tributary", "--bench", bench, "--", &touches];
        shell::run(shell::cargo().args(arguments))?;
    }
    Ok(())
}
