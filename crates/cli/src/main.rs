//! The `tributary` command.

mod config;
mod connectors;

fn main() {}
