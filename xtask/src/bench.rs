//! `cargo xtask bench`: the figures of `docs/performance.md`.

use anyhow::Result;

use crate::{shell, tools};

/// Builds optimised and measures.
pub(crate) fn run(touches: u64) -> Result<()> {
    tools::install_missing()?;
    let touches = touches.to_string();
    shell::run(shell::cargo().args([
        "bench",
        "--quiet",
        "--package",
        "tributary",
        "--bench",
        "figures",
        "--",
        &touches,
    ]))
}
