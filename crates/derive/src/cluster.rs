//! Everything about one cluster of records, as a pure function of their facts.
//!
//! The steps read from top to bottom: who is one person, who is one company, who belongs where and when, what
//! the deals are, and which touches there were. Nothing depends on the order of the records.

mod accounts;
mod deals;
mod people;
mod touches;

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_core::fact::{Fact, NameOf};
use tributary_store::derived::{ClusterRows, Finding};
use tributary_store::facts::RecordFacts;

use crate::rules::Rules;
use crate::terms;

/// A readable name, and the team of a rep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The rep's team, if the source says.
    pub team: Option<String>,
}

/// Readable names by source, kind and id.
pub type Names = BTreeMap<(String, NameOf, String), Named>;

/// One fact and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) source: &'a str,
    pub(crate) record: &'a RecordFacts,
    pub(crate) fact: &'a Fact,
}

/// What the steps share.
pub(crate) struct Scene<'a> {
    pub(crate) said: Vec<Said<'a>>,
    pub(crate) names: &'a Names,
    pub(crate) rules: &'a Rules,
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Scene<'a> {
    /// The readable name behind an id of a source; the id itself where nothing names it.
    pub(crate) fn named(
        &self,
        source: &str,
        of: NameOf,
        id: Option<&'a String>,
    ) -> (Option<&'a str>, Option<&'a str>) {
        let Some(id) = id else { return (None, None) };
        match self.names.get(&(source.to_owned(), of, id.clone())) {
            Some(named) => (Some(named.name.as_str()), named.team.as_deref()),
            None => (Some(id.as_str()), None),
        }
    }
}

/// Computes a cluster.
pub fn resolve(records: &[RecordFacts], names: &Names, rules: &Rules) -> ClusterRows {
    let mut order: Vec<&RecordFacts> = records.iter().collect();
    order.sort_by(|a, b| {
        let key = |r: &RecordFacts| (Arc::clone(&r.source), r.stream.clone(), r.native_id.clone());
        key(a).cmp(&key(b))
    });
    let said = order
        .iter()
        .flat_map(|record| record.facts.iter().map(|fact| Said { source: &record.source, record, fact }))
        .collect();
    let mut scene = Scene { said, names, rules, findings: Vec::new() };
    let accounts = accounts::resolve(&mut scene);
    let mut people = people::resolve(&scene, &accounts);
    let deals = deals::resolve(&scene, &accounts, &mut people);
    let touches = touches::resolve(&scene, &accounts, &mut people);

    let mut rows = ClusterRows {
        cluster: records.iter().map(|record| record.record).min().unwrap_or_default(),
        records: records.iter().map(|record| record.record).collect(),
        accounts: accounts.rows,
        people: people.rows,
        identifiers: people.identifiers,
        deals,
        touches,
        findings: scene.findings,
        ..ClusterRows::default()
    };
    for record in records {
        let mut terms = terms::of_facts(&record.source, &record.facts, rules);
        rows.binding.append(&mut terms.binding);
        rows.naming.append(&mut terms.naming);
    }
    rows.records.sort_unstable();
    for list in [&mut rows.binding, &mut rows.naming] {
        list.sort_unstable();
        list.dedup();
    }
    rows.findings.sort();
    rows.findings.dedup();
    rows
}
