//! `cargo xtask demo`: builds the binary and lets it make a company up.

use std::process::Command;

use anyhow::Result;

use crate::shell;

/// Passes everything on to `tributary demo`.
pub(crate) fn run(rest: &[String]) -> Result<()> {
    let binary = build()?;
    let mut command = Command::new(binary);
    shell::run(command.current_dir(shell::root()).arg("demo").args(rest))
}

/// Builds the binary as developers do: dependencies are optimised there, and that is what the demo spends its time in.
pub(crate) fn build() -> Result<std::path::PathBuf> {
    shell::run(shell::cargo().args(["build", "--package", "tributary"]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), Into::into);
    Ok(target.join("debug/tributary"))
}
