//! The `tributary` command.

mod arguments;
mod config;
mod connectors;
mod failure;
mod period;
mod show;

fn main() {}
