//! What cargo itself does not check, read from `cargo metadata`.

pub(crate) mod direction;
pub(crate) mod licences;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::shell;

/// The part of `cargo metadata` that the checks read.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    /// `None` is a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

/// Asks cargo, for this machine's platform only, so that nothing is downloaded for others.
pub(crate) fn metadata() -> Result<Metadata> {
    let version = shell::output(shell::cargo().arg("-vV"))?;
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).context("`cargo -vV` names no host")?;
    let text = shell::output(shell::cargo().args([
        "metadata",
        "--quiet",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        host,
    ]))
    .context("cannot read the dependencies (is Cargo.lock up to date?)")?;
    serde_json::from_str(&text).context("cannot read `cargo metadata`")
}

/// Who depends on whom, by name.
struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    edges: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    /// Normal dependencies only: what a test or a build script uses ships with nobody.
    fn of(metadata: &'a Metadata) -> Self {
        let names =
            metadata.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
        let edges = metadata
            .resolve
            .nodes
            .iter()
            .map(|node| {
                let normal = |edge: &&Edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none());
                (node.id.as_str(), node.deps.iter().filter(normal).map(|edge| edge.pkg.as_str()).collect())
            })
            .collect();
        Self { names, edges }
    }

    fn name(&self, id: &str) -> &'a str {
        self.names.get(id).copied().unwrap_or("?")
    }

    fn direct(&self, id: &str) -> &[&'a str] {
        self.edges.get(id).map_or(&[], Vec::as_slice)
    }

    /// The shortest way from one package to another by name, both included.
    fn way(&self, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
        let mut came_from = BTreeMap::from([(from, from)]);
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            if self.name(at) == to {
                let mut way = vec![self.name(at)];
                let mut here = at;
                while here != from {
                    here = came_from[here];
                    way.push(self.name(here));
                }
                way.reverse();
                return Some(way);
            }
            for next in self.direct(at) {
                if !came_from.contains_key(next) {
                    came_from.insert(next, at);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_holds_what_the_tables_say() {
        let metadata = metadata().unwrap();
        licences::check(&metadata).unwrap();
        direction::check(&metadata).unwrap();
    }
}
