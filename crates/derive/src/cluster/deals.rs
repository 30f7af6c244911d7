//! The deals: their account, amount, stages and committee.

use std::collections::{BTreeMap, BTreeSet};

use tributary_core::fact::{self, Entity, Fact, NameOf};
use tributary_core::id::{DealId, Hash};
use tributary_core::{Money, Time};
use tributary_store::derived::{Deal, Member};

use super::Scene;
use super::accounts::Accounts;
use super::people::People;
use crate::identity::Union;
use crate::terms;

pub(crate) fn resolve(scene: &Scene<'_>, accounts: &Accounts, people: &mut People) -> Vec<Deal> {
    let mut union = Union::default();
    let mut losers = BTreeSet::new();
    for said in &scene.said {
        match said.fact {
            Fact::Deal(deal) => {
                union.add(terms::deal(said.source, &deal.id));
            }
            Fact::Merge(merge) if merge.entity == Entity::Deal => {
                let loser = terms::deal(said.source, &merge.loser);
                losers.insert(loser);
                union.unite(loser, terms::deal(said.source, &merge.winner));
            }
            _ => {}
        }
    }
    let roots = union.into_roots();

    let mut described: BTreeMap<Hash, Vec<(bool, &str, &fact::Deal, i64)>> = BTreeMap::new();
    let mut stages: BTreeMap<Hash, BTreeSet<(Time, String)>> = BTreeMap::new();
    let mut committees: BTreeMap<Hash, BTreeSet<Member>> = BTreeMap::new();
    for said in &scene.said {
        let root = |id: &str| roots.get(&terms::deal(said.source, id)).copied();
        match said.fact {
            Fact::Deal(deal) => {
                if let Some(root) = root(&deal.id) {
                    let merged_away = losers.contains(&terms::deal(said.source, &deal.id));
                    described.entry(root).or_default().push((
                        merged_away,
                        said.source,
                        deal,
                        said.record.record,
                    ));
                }
            }
            Fact::Stage(stage) => {
                if let Some(root) = root(&stage.deal) {
                    let name =
                        scene.named(said.source, NameOf::Stage, Some(&stage.stage)).0.unwrap_or_default();
                    stages.entry(root).or_default().insert((stage.entered_at, name.to_owned()));
                }
            }
            Fact::Committee(it) => {
                if let (Some(root), Some(person)) = (root(&it.deal), people.of_crm(said.source, &it.person)) {
                    let member = Member { person, role: it.role.clone(), is_primary: it.is_primary };
                    committees.entry(root).or_default().insert(member);
                }
            }
            _ => {}
        }
    }

    let mut rows = Vec::new();
    for (root, mut records) in described {
        records.sort_by(|a, b| (a.0, a.1, &a.2.id).cmp(&(b.0, b.1, &b.2.id)));
        let (_, source, deal, record) = records[0];
        let committee = merge_members(committees.remove(&root).unwrap_or_default());
        let account = deal.account.as_deref().and_then(|id| accounts.find(source, id)).or_else(|| {
            let at = deal.created_at.or(deal.closed_at).unwrap_or(Time(i64::MAX - 1));
            let primary = committee.iter().find(|member| member.is_primary).or(committee.first())?;
            people.account_at(primary.person, at, &[], None)
        });
        rows.push(Deal {
            id: DealId(root),
            key: deal.id.clone(),
            account,
            name: deal.name.clone(),
            amount: amount(scene, deal),
            created_at: deal.created_at,
            closed_at: deal.closed_at,
            outcome: deal.outcome,
            stage: scene.named(source, NameOf::Stage, deal.stage.as_ref()).0.map(str::to_owned),
            owner: scene.named(source, NameOf::Rep, deal.owner.as_ref()).0.map(str::to_owned),
            pipeline: deal.pipeline.clone(),
            attributes: deal.attributes.clone(),
            record,
            stages: stages
                .remove(&root)
                .unwrap_or_default()
                .into_iter()
                .map(|(at, stage)| (stage, at))
                .collect(),
            committee,
        });
    }
    rows
}

/// The amount, from the configured attribute if there is one.
fn amount(scene: &Scene<'_>, deal: &fact::Deal) -> Option<Money> {
    match (&scene.rules.amount_field, deal.amount) {
        (Some(field), Some(amount)) if field != "amount" => {
            deal.attributes.get(field).and_then(|text| Money::parse(text, amount.currency).ok())
        }
        (_, amount) => amount,
    }
}

/// One row a person: primary if any row says so, the role of the primary row first.
fn merge_members(members: BTreeSet<Member>) -> Vec<Member> {
    let mut rows: BTreeMap<_, Member> = BTreeMap::new();
    let mut members: Vec<Member> = members.into_iter().collect();
    members.sort_by_key(|member| !member.is_primary);
    for member in members {
        let row = rows.entry(member.person).or_insert_with(|| member.clone());
        row.is_primary |= member.is_primary;
        row.role = row.role.take().or(member.role);
    }
    rows.into_values().collect()
}
