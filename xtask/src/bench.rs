//! `cargo xtask bench`: the figures of `docs/performance.md`.

mod peers;

use anyhow::Result;

use crate::{shell, tools};

/// What is measured, and on how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// About how many touches the measured company has, from files to journeys.
    #[arg(long, default_value_t = 200_000)]
    touches: u64,
    /// About how many touches the book has on which models are measured.
    #[arg(long, default_value_t = 10_000_000)]
    book: u64,
    /// Only measure models, and other programs on the same book; writes the comparison into docs/performance.md.
    #[arg(long)]
    peers: bool,
}

/// Builds optimised and measures.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.peers {
        return peers::run(options.book);
    }
    tools::install_missing()?;
    for (bench, touches) in
        [("models", options.book), ("figures", options.touches), ("vendor", options.touches), ("daemon", 0)]
    {
        let arguments = ["bench", "--quiet", "--package", "tributary", "--bench", bench, "--"];
        shell::run(shell::cargo().args(arguments).arg(touches.to_string()))?;
    }
    Ok(())
}
