//! The rows that clusters come to, and what of them is to be written.

use std::collections::{BTreeMap, HashMap};

use tributary_core::fact::{Direction, Outcome, Silent};
use tributary_core::id::{AccountId, Hash, PersonId};
use tributary_core::time::Time;

use super::rows::ClusterRows;
use super::tables::{Before, Rows, TABLES};
use crate::db::Value;

/// The tables whose rows have keys of their own.
pub(super) const KEYED: [&str; 4] = ["account", "person", "deal", "touch"];

/// The first unused key of each of those.
#[derive(Clone, Debug, Default)]
pub struct UnusedKeys(pub(super) [i64; 4]);

/// What is to be written so that the tables say what some clusters come to.
pub struct Changes {
    /// By table, the keys of the rows that go.
    pub(super) stale: Vec<Vec<i64>>,
    /// By table, the rows that come.
    pub(super) fresh: Vec<Rows>,
}

impl Before {
    /// What makes rows those of some clusters. One that says the same as before stays as it is, so that little is
    /// written where little changed.
    pub fn changes(self, clusters: Vec<ClusterRows>, unused: &mut UnusedKeys) -> Changes {
        let mut fresh = self.rows(clusters, unused);
        let tables = TABLES.iter().zip(self.0).zip(&mut fresh);
        Changes { stale: tables.map(|((table, old), new)| table.keep_changed(old, new)).collect(), fresh }
    }

    /// The rows of some clusters by table, under the keys that they have if they were there before.
    fn rows(&self, clusters: Vec<ClusterRows>, unused: &mut UnusedKeys) -> Vec<Rows> {
        let [account, person, deal, touch] = &mut unused.0;
        let keys = |name, next| {
            let known = self.table(name).map(|(table, rows)| table.keys(rows)).unwrap_or_default();
            Keys { known, next }
        };
        let (mut account_keys, mut person_keys) = (keys("account", account), keys("person", person));
        let (mut deal_keys, mut touch_keys) = (keys("deal", deal), keys("touch", touch));
        let mut out = Batches::default();
        for rows in clusters {
            let cluster = rows.cluster;
            let mut accounts = HashMap::new();
            let mut people = HashMap::new();
            out.term.extend(rows.binding.iter().map(|term| vec![int(*term), int(cluster)]));
            out.depends.extend(rows.naming.iter().map(|term| vec![int(*term), int(cluster)]));
            out.member.extend(rows.records.iter().map(|record| vec![int(*record), int(cluster)]));
            for row in rows.accounts {
                let account_id = account_keys.of(row.id.0);
                accounts.insert(row.id, account_id);
                out.account.push(vec![
                    int(account_id),
                    int(cluster),
                    bytes(row.id.0),
                    Value::from(row.key),
                    text(row.name),
                    text(row.domain),
                    text(row.owner),
                    json(&row.attributes),
                ]);
            }
            let place = |id: Option<AccountId>| {
                id.and_then(|id| accounts.get(&id).copied()).map_or(Value::Int(None), int)
            };
            for row in rows.people {
                let person_id = person_keys.of(row.id.0);
                people.insert(row.id, person_id);
                out.person.push(vec![
                    int(person_id),
                    int(cluster),
                    bytes(row.id.0),
                    Value::from(row.key),
                    place(row.account),
                    place(row.lead_account),
                    text(row.name),
                    text(row.email),
                    text(row.title),
                    text(row.role),
                    text(row.seniority),
                    time(row.created_at),
                    int(i64::from(row.is_internal)),
                ]);
            }
            let who = |id: PersonId| people.get(&id).copied().map_or(Value::Int(None), int);
            for row in rows.identifiers {
                out.identifier.push(vec![
                    int(cluster),
                    Value::from(row.kind),
                    Value::from(row.value),
                    who(row.person),
                    Value::from(row.reason),
                    int(row.record),
                ]);
            }
            for row in rows.deals {
                let deal_id = deal_keys.of(row.id.0);
                out.deal.push(vec![
                    int(deal_id),
                    int(cluster),
                    bytes(row.id.0),
                    Value::from(row.key),
                    place(row.account),
                    text(row.name),
                    row.amount.map_or(Value::Int(None), |money| int(money.minor)),
                    text(row.amount.map(|money| money.currency.to_string())),
                    time(row.created_at),
                    time(row.closed_at),
                    Value::from(outcome_text(row.outcome).to_owned()),
                    text(row.stage),
                    text(row.owner),
                    text(row.pipeline),
                    json(&row.attributes),
                    int(row.record),
                ]);
                out.stage_entry.extend(
                    row.stages
                        .into_iter()
                        .map(|(stage, at)| vec![int(cluster), int(deal_id), Value::from(stage), int(at.0)]),
                );
                out.committee.extend(row.committee.into_iter().map(|member| {
                    let primary = int(i64::from(member.is_primary));
                    vec![int(cluster), int(deal_id), who(member.person), text(member.role), primary]
                }));
            }
            for row in rows.touches {
                let touch_id = touch_keys.of(row.id.0);
                out.touch.push(vec![
                    int(touch_id),
                    int(cluster),
                    bytes(row.id.0),
                    int(row.at.0),
                    place(row.account),
                    row.person.map_or(Value::Int(None), &who),
                    Value::from(row.kind),
                    Value::from(direction_text(row.direction).to_owned()),
                    text(row.channel),
                    Value::from(row.channel_rule),
                    text(row.campaign),
                    text(row.content),
                    Value::from(row.team),
                    text(row.actor),
                    Value::from(row.source),
                    int(i64::from(row.weight)),
                    text(row.silent.map(|silent| silent_text(silent).to_owned())),
                    row.cost.map_or(Value::Int(None), |money| int(money.minor)),
                    text(row.cost.map(|money| money.currency.to_string())),
                    int(row.records.first().copied().unwrap_or_default()),
                    int(row.records.len() as i64),
                ]);
                out.evidence.extend(
                    row.records.iter().skip(1).map(|record| vec![int(cluster), int(touch_id), int(*record)]),
                );
            }
            for row in rows.findings {
                out.finding.push(vec![int(cluster), Value::from(row.code), Value::from(row.message)]);
            }
        }
        out.by_table()
    }
}

/// The keys of rows that hashes name.
struct Keys<'a> {
    known: HashMap<Hash, i64>,
    next: &'a mut i64,
}

impl Keys<'_> {
    /// The key of a row: the one it had, or the next.
    fn of(&mut self, hash: Hash) -> i64 {
        *self.known.entry(hash).or_insert_with(|| {
            *self.next += 1;
            *self.next - 1
        })
    }
}

/// Rows by table, written together.
#[derive(Default)]
struct Batches {
    term: Rows,
    depends: Rows,
    member: Rows,
    account: Rows,
    person: Rows,
    identifier: Rows,
    deal: Rows,
    stage_entry: Rows,
    committee: Rows,
    touch: Rows,
    evidence: Rows,
    finding: Rows,
}

impl Batches {
    /// In the order of [`TABLES`].
    fn by_table(self) -> Vec<Rows> {
        vec![
            self.term,
            self.depends,
            self.member,
            self.account,
            self.person,
            self.identifier,
            self.deal,
            self.stage_entry,
            self.committee,
            self.touch,
            self.evidence,
            self.finding,
        ]
    }
}

pub(super) fn int(number: i64) -> Value {
    Value::Int(Some(number))
}

pub(super) fn text(text: Option<String>) -> Value {
    Value::Text(text)
}

pub(super) fn bytes(hash: Hash) -> Value {
    Value::from(hash)
}

pub(super) fn time(time: Option<Time>) -> Value {
    time.map_or(Value::Int(None), |time| int(time.0))
}

pub(super) fn json(attributes: &BTreeMap<String, String>) -> Value {
    Value::from(serde_json::to_string(attributes).unwrap_or_default())
}

fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "open",
        Outcome::Won => "won",
        Outcome::Lost => "lost",
    }
}

fn direction_text(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

fn silent_text(silent: Silent) -> &'static str {
    match silent {
        Silent::Machine => "machine",
        Silent::Internal => "internal",
        Silent::Weightless => "weightless",
    }
}
