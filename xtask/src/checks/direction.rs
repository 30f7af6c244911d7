//! Crates depend on each other in one direction only.
//!
//! The table is the picture in ARCHITECTURE.md. Only normal dependencies count: tests may use what they like.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::{Graph, Metadata};

/// Each crate and what it may use directly; what those may use, it may use too.
const MAY_USE: &[(&str, &[&str])] = &[
    ("tributary-core", &[]),
    ("tributary-engine", &["tributary-core"]),
    ("tributary-source", &["tributary-core"]),
    ("tributary-store", &["tributary-core"]),
    ("tributary-derive", &["tributary-store", "tributary-engine"]),
    ("tributary-answers", &["tributary-derive"]),
    ("tributary-sync", &["tributary-source", "tributary-derive"]),
    ("tributary-web", &["tributary-answers"]),
    ("tributary-sandbox", &["tributary-source"]),
    ("tributary", &["tributary-answers", "tributary-sync", "tributary-web", "tributary-sandbox", CONNECTORS]),
    ("tributary-stories", &["tributary", "tributary-tryton-server"]),
    ("tributary-tryton-server", &[]),
    ("xtask", &[]),
];

/// Stands for every crate under `connectors/`, which may use this and what it may use: the sandbox for its simulator.
const CONNECTORS: &str = "connectors";
const A_CONNECTOR_MAY_USE: &[&str] = &["tributary-source", "tributary-sandbox"];

/// Libraries that only these crates may name.
const RESERVED: &[(&str, &[&str])] = &[
    ("sqlx", &["tributary-store"]),
    ("reqwest", &["tributary-source"]),
    ("oauth2", &["tributary-source"]),
    ("governor", &["tributary-source"]),
    ("axum", &["tributary-web", "tributary-sandbox"]),
    ("clap", &["tributary", "xtask"]),
];

/// Crates whose whole tree knows no async runtime.
const WITHOUT_RUNTIME: &[&str] = &["tributary-core", "tributary-engine"];

/// Checks all three tables and reports every breach at once.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let graph = Graph::of(metadata);
    let members: BTreeMap<&str, &str> =
        metadata.workspace_members.iter().map(|id| (graph.name(id), id.as_str())).collect();
    let connectors: BTreeSet<&str> =
        members.iter().filter(|(_, id)| id.contains("/connectors/")).map(|(name, _)| *name).collect();
    let mut breaches = Vec::new();
    for (name, id) in &members {
        let Some(allowed) = allowed(name, &connectors) else {
            breaches.push(format!(
                "{name} is not in the table: say in xtask/src/checks/direction.rs what it may use"
            ));
            continue;
        };
        for dependency in graph.direct(id).iter().map(|id| graph.name(id)) {
            if members.contains_key(dependency) && !allowed.contains(dependency) {
                breaches.push(format!("{name} may not use {dependency}"));
            }
            if let Some((_, owners)) = RESERVED.iter().find(|(library, _)| *library == dependency)
                && !owners.contains(name)
            {
                breaches.push(format!("{name} may not use {dependency}: only {} may", owners.join(", ")));
            }
        }
        if WITHOUT_RUNTIME.contains(name)
            && let Some(way) = graph.way(id, "tokio")
        {
            breaches.push(format!("{name} may know no async runtime, but {}", way.join(" → ")));
        }
    }
    if !breaches.is_empty() {
        bail!("crates depend on each other the wrong way:\n  {}", breaches.join("\n  "));
    }
    eprintln!("{} crates", members.len());
    Ok(())
}

/// Everything a crate may use, or `None` for a crate that the table does not know.
fn allowed<'a>(name: &str, connectors: &BTreeSet<&'a str>) -> Option<BTreeSet<&'a str>> {
    let direct = |name: &str| {
        if connectors.contains(name) {
            return Some(A_CONNECTOR_MAY_USE);
        }
        MAY_USE.iter().find(|(known, _)| *known == name).map(|(_, uses)| *uses)
    };
    let mut all = BTreeSet::new();
    let mut open: Vec<&str> = direct(name)?.to_vec();
    while let Some(next) = open.pop() {
        if next == CONNECTORS {
            all.extend(connectors.iter().copied());
        } else if all.insert(next) {
            open.extend(direct(next).unwrap_or_default());
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, other: &str, expected: bool) {
        let connectors = BTreeSet::from(["tributary-files"]);
        let allowed = allowed(name, &connectors).unwrap();
        assert_eq!(allowed.contains(other), expected, "{name} → {other}");
    }

    #[test]
    fn what_a_used_crate_may_use_may_be_used() {
        check("tributary-answers", "tributary-core", true);
        check("tributary", "tributary-files", true);
        check("tributary", "tributary-store", true);
        check("tributary-files", "tributary-core", true);
    }

    #[test]
    fn nothing_flows_back() {
        check("tributary-core", "tributary-engine", false);
        check("tributary-engine", "tributary-store", false);
        check("tributary-files", "tributary-store", false);
        check("tributary-answers", "tributary-sync", false);
        check("tributary-sync", "tributary-files", false);
    }

    #[test]
    fn an_unknown_crate_must_be_entered_in_the_table() {
        assert_eq!(allowed("tributary-new", &BTreeSet::new()), None);
    }
}
