//! Who is one company: merges that the CRM reports, then one domain across sources.

use std::collections::{BTreeMap, BTreeSet};

use tributary_core::fact::{self, Entity, Fact, NameOf};
use tributary_core::id::{AccountId, Hash};
use tributary_store::derived::{Account, Finding};

use super::Scene;
use crate::identity::Union;
use crate::terms;

/// The companies of a cluster.
pub(crate) struct Accounts {
    pub(crate) rows: Vec<Account>,
    ids: BTreeMap<Hash, AccountId>,
    by_domain: BTreeMap<String, AccountId>,
}

impl Accounts {
    /// The account behind a source's id, merges followed; `None` where no record describes it.
    pub(crate) fn find(&self, source: &str, id: &str) -> Option<AccountId> {
        self.ids.get(&terms::account(source, id)).copied()
    }

    /// The one account that has this company domain.
    pub(crate) fn by_domain(&self, domain: &str) -> Option<AccountId> {
        self.by_domain.get(domain).copied()
    }
}

pub(crate) fn resolve(scene: &mut Scene<'_>) -> Accounts {
    let mut union = Union::default();
    let mut described: BTreeMap<Hash, Vec<(&str, &fact::Account)>> = BTreeMap::new();
    let mut losers = BTreeSet::new();
    for said in &scene.said {
        match said.fact {
            Fact::Account(account) => {
                let hash = terms::account(said.source, &account.id);
                union.add(hash);
                described.entry(hash).or_default().push((said.source, account));
            }
            Fact::Merge(merge) if merge.entity == Entity::Account => {
                let loser = terms::account(said.source, &merge.loser);
                losers.insert(loser);
                union.unite(loser, terms::account(said.source, &merge.winner));
            }
            _ => {}
        }
    }
    unite_by_domain(scene, &mut union, &described);

    let mut members: BTreeMap<Hash, Vec<(bool, &str, &fact::Account)>> = BTreeMap::new();
    for (hash, records) in &described {
        let root = union.find(*hash);
        let merged_away = losers.contains(hash);
        members
            .entry(root)
            .or_default()
            .extend(records.iter().map(|(source, it)| (merged_away, *source, *it)));
    }
    let mut rows = Vec::new();
    let mut domains: BTreeMap<String, BTreeSet<AccountId>> = BTreeMap::new();
    for (root, mut records) in members {
        // The surviving record speaks first; the others fill what it leaves open.
        records.sort_by(|a, b| (a.0, a.1, &a.2.id).cmp(&(b.0, b.1, &b.2.id)));
        let (_, source, first) = records[0];
        let mut row = Account {
            id: AccountId(root),
            key: first.id.clone(),
            name: None,
            domain: None,
            owner: scene.named(source, NameOf::Rep, first.owner.as_ref()).0.map(str::to_owned),
            attributes: BTreeMap::new(),
        };
        for (_, source, record) in &records {
            row.name = row.name.or_else(|| record.name.clone());
            let domain = record.domain.as_deref().and_then(|text| terms::company_domain(text, scene.rules));
            if let Some(domain) = &domain {
                domains.entry(domain.clone()).or_default().insert(row.id);
            }
            row.domain = row.domain.or(domain);
            row.owner = row
                .owner
                .or_else(|| scene.named(source, NameOf::Rep, record.owner.as_ref()).0.map(str::to_owned));
            for (name, value) in &record.attributes {
                row.attributes.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        rows.push(row);
    }
    let known: BTreeSet<Hash> = rows.iter().map(|row| row.id.0).collect();
    let ids = union.into_roots().into_iter().filter(|(_, root)| known.contains(root));
    let ids = ids.map(|(hash, root)| (hash, AccountId(root))).collect();
    let by_domain = domains
        .into_iter()
        .filter_map(|(domain, ids)| if ids.len() == 1 { ids.first().map(|id| (domain, *id)) } else { None })
        .collect();
    Accounts { rows, ids, by_domain }
}

/// Unites accounts of different sources by company domain, never two of one source: that is a finding.
fn unite_by_domain(
    scene: &mut Scene<'_>,
    union: &mut Union,
    described: &BTreeMap<Hash, Vec<(&str, &fact::Account)>>,
) {
    let mut by_domain: BTreeMap<String, BTreeMap<&str, BTreeMap<Hash, &str>>> = BTreeMap::new();
    for (hash, records) in described {
        for (source, account) in records {
            if let Some(domain) =
                account.domain.as_deref().and_then(|text| terms::company_domain(text, scene.rules))
            {
                by_domain
                    .entry(domain)
                    .or_default()
                    .entry(source)
                    .or_default()
                    .insert(union.find(*hash), &account.id);
            }
        }
    }
    for (domain, sources) in by_domain {
        let mut single = Vec::new();
        for (source, components) in sources {
            match components.first_key_value() {
                Some((only, _)) if components.len() == 1 => single.push(*only),
                _ => {
                    let ids: Vec<&str> = components.values().copied().collect();
                    scene.findings.push(Finding {
                        code: "one-domain-two-accounts".to_owned(),
                        message: format!(
                            "accounts {} of source `{source}` share the domain {domain}: touches known by domain alone belong to none of them; merge them in the source or name the account on the touch",
                            ids.join(", ")
                        ),
                    });
                }
            }
        }
        single.windows(2).for_each(|pair| union.unite(pair[0], pair[1]));
    }
}
