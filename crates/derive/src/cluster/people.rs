//! Who is one person, where they belong and when, and who used an anonymous id.

use std::collections::{BTreeMap, BTreeSet};

use tributary_core::fact::{self, Entity, Fact, Identifier as Id};
use tributary_core::id::{AccountId, Hash, PersonId};
use tributary_core::{Time, contact};
use tributary_store::derived::{Identifier, Person};

use super::Scene;
use super::accounts::Accounts;
use crate::identity::Union;
use crate::terms;

/// The people of a cluster.
pub(crate) struct People {
    pub(crate) rows: Vec<Person>,
    pub(crate) identifiers: Vec<Identifier>,
    union: Union,
    places: BTreeMap<PersonId, Vec<Place>>,
    domains: BTreeMap<PersonId, BTreeSet<AccountId>>,
    internal: BTreeSet<PersonId>,
    devices: Union,
    sightings: BTreeMap<Hash, BTreeSet<(Time, PersonId)>>,
}

/// A stay with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    from: Time,
    until: Time,
    account: AccountId,
    /// The CRM record that says so.
    record: Hash,
}

/// Whether this identifier may unite people.
fn unites(id: &Id) -> bool {
    matches!(id, Id::Email(_) | Id::User(_) | Id::Crm(_))
}

fn hash(source: &str, id: &Id) -> Option<Hash> {
    terms::identifier(source, id).map(|(kind, value)| Hash::of(kind, &[&value]))
}

/// The identifiers by which a touch's participants unite: one of the company's own addresses never joins others.
fn uniting<'a>(scene: &Scene<'_>, who: &'a [Id]) -> Vec<&'a Id> {
    let is_own = |id: &Id| match id {
        Id::Email(text) => contact::domain(text).is_some_and(|domain| terms::is_own(&domain, scene.rules)),
        _ => false,
    };
    let all: Vec<&Id> = who.iter().filter(|id| unites(id)).collect();
    let others: Vec<&Id> = all.iter().copied().filter(|id| !is_own(id)).collect();
    if others.is_empty() { all } else { others }
}

impl People {
    /// The person that a touch names, or who was last seen on its device.
    pub(crate) fn of_touch(
        &mut self,
        scene: &Scene<'_>,
        source: &str,
        touch: &fact::Touch,
    ) -> Option<PersonId> {
        for id in uniting(scene, &touch.who) {
            if let Some(hash) = hash(source, id) {
                return Some(PersonId(self.union.find(hash)));
            }
        }
        let device = touch.who.iter().filter(|id| !unites(id)).find_map(|id| hash(source, id))?;
        let seen = self.sightings.get(&self.devices.find(device))?;
        let before = seen.range(..=(touch.occurred_at, PersonId(Hash([0xff; 16])))).next_back();
        // Of several seen at the same instant, the smallest id.
        let at = before.or_else(|| seen.first())?.0;
        seen.range((at, PersonId(Hash([0; 16])))..).next().map(|(_, person)| *person)
    }

    /// The person behind a CRM id.
    pub(crate) fn of_crm(&mut self, source: &str, id: &str) -> Option<PersonId> {
        let hash = hash(source, &Id::Crm(id.to_owned()))?;
        self.union.contains(hash).then(|| PersonId(self.union.find(hash)))
    }

    /// Whether this is one of the company's own people.
    pub(crate) fn is_internal(&self, person: PersonId) -> bool {
        self.internal.contains(&person)
    }

    /// Where the person belonged at a time: CRM relation first, then company domain.
    ///
    /// The first stay reaches back to the beginning. Of stays that overlap, the one that the touch's own record
    /// or address points to wins, then the smallest account id.
    pub(crate) fn account_at(
        &self,
        person: PersonId,
        at: Time,
        hints: &[Hash],
        domain: Option<AccountId>,
    ) -> Option<AccountId> {
        if let Some(places) = self.places.get(&person) {
            let mut here: Vec<&Place> =
                places.iter().filter(|place| place.from <= at && at < place.until).collect();
            if here.is_empty()
                && let Some(first) = places.iter().map(|place| place.from).min().filter(|first| at < *first)
            {
                here = places.iter().filter(|place| place.from == first).collect();
            }
            if here.is_empty()
                && let Some(last) = places.iter().map(|place| place.until).max()
            {
                here = places.iter().filter(|place| place.until == last).collect();
            }
            let pointed = here.iter().find(|place| hints.contains(&place.record));
            let pointed = pointed.or_else(|| here.iter().find(|place| Some(place.account) == domain));
            if let Some(account) =
                pointed.map(|place| place.account).or_else(|| here.iter().map(|p| p.account).min())
            {
                return Some(account);
            }
        }
        domain.or_else(|| {
            self.domains.get(&person).filter(|ids| ids.len() == 1).and_then(|ids| ids.first().copied())
        })
    }
}

pub(crate) fn resolve(scene: &Scene<'_>, accounts: &Accounts) -> People {
    let mut union = Union::default();
    let mut devices = Union::default();
    let mut losers = BTreeSet::new();
    let mut links: BTreeMap<Hash, (String, String, &'static str, i64)> = BTreeMap::new();
    for said in &scene.said {
        let mut link = |ids: &[&Id], reason: &'static str, union: &mut Union| {
            let mut first = None;
            for id in ids {
                let Some((kind, value)) = terms::identifier(said.source, id) else { continue };
                let hash = Hash::of(kind, &[&value]);
                links.entry(hash).or_insert_with(|| (kind.to_owned(), value, reason, said.record.record));
                union.add(hash);
                match first {
                    Some(first) => union.unite(first, hash),
                    None => first = Some(hash),
                }
            }
        };
        match said.fact {
            Fact::Person(person) => {
                let ids: Vec<Id> = std::iter::once(Id::Crm(person.id.clone()))
                    .chain(person.emails.iter().cloned().map(Id::Email))
                    .chain(person.users.iter().cloned().map(Id::User))
                    .collect();
                link(&ids.iter().collect::<Vec<_>>(), "person record", &mut union);
            }
            Fact::Alias(alias) => match (unites(&alias.a), unites(&alias.b)) {
                (true, true) => link(&[&alias.a, &alias.b], "alias", &mut union),
                (false, false) => link(&[&alias.a, &alias.b], "alias", &mut devices),
                (true, false) => {
                    link(&[&alias.a], "alias", &mut union);
                    link(&[&alias.b], "alias", &mut devices);
                }
                (false, true) => {
                    link(&[&alias.b], "alias", &mut union);
                    link(&[&alias.a], "alias", &mut devices);
                }
            },
            Fact::Merge(merge) if merge.entity == Entity::Person => {
                let (loser, winner) = (Id::Crm(merge.loser.clone()), Id::Crm(merge.winner.clone()));
                losers.extend(hash(said.source, &loser));
                link(&[&winner, &loser], "merged in the source", &mut union);
            }
            Fact::Touch(touch) => {
                link(&uniting(scene, &touch.who), "touch", &mut union);
                let anonymous: Vec<&Id> = touch.who.iter().filter(|id| !unites(id)).collect();
                link(&anonymous, "touch", &mut devices);
            }
            Fact::Membership(it) => link(&[&Id::Crm(it.person.clone())], "membership", &mut union),
            Fact::Committee(it) => link(&[&Id::Crm(it.person.clone())], "committee", &mut union),
            _ => {}
        }
    }

    let mut people = People {
        rows: Vec::new(),
        identifiers: Vec::new(),
        places: BTreeMap::new(),
        domains: BTreeMap::new(),
        internal: BTreeSet::new(),
        sightings: BTreeMap::new(),
        union,
        devices,
    };
    people.see_devices(scene);
    people.place(scene, accounts);
    people.describe(scene, &losers, links, accounts);
    people
}

impl People {
    /// Notes when each device was used by whom.
    fn see_devices(&mut self, scene: &Scene<'_>) {
        for said in &scene.said {
            let (at, ids): (Time, Vec<&Id>) = match said.fact {
                Fact::Touch(touch) => {
                    let named = uniting(scene, &touch.who);
                    (
                        touch.occurred_at,
                        named.into_iter().take(1).chain(touch.who.iter().filter(|id| !unites(id))).collect(),
                    )
                }
                Fact::Alias(alias) => (alias.at.unwrap_or(Time::MIN), vec![&alias.a, &alias.b]),
                _ => continue,
            };
            let person = ids.iter().filter(|id| unites(id)).find_map(|id| hash(said.source, id));
            let Some(person) = person.map(|hash| PersonId(self.union.find(hash))) else { continue };
            for id in ids.into_iter().filter(|id| !unites(id)) {
                if let Some(hash) = hash(said.source, id) {
                    let device = self.devices.find(hash);
                    self.sightings.entry(device).or_default().insert((at, person));
                }
            }
        }
    }

    /// Finds where each person belongs and when.
    fn place(&mut self, scene: &Scene<'_>, accounts: &Accounts) {
        let mut open: BTreeMap<PersonId, Vec<Place>> = BTreeMap::new();
        for said in &scene.said {
            let (person, account, from, until) = match said.fact {
                Fact::Person(it) => match &it.account {
                    Some(account) => (&it.id, account, it.created_at, None),
                    None => continue,
                },
                Fact::Membership(it) => (&it.person, &it.account, it.from, it.until),
                _ => continue,
            };
            let Some(record) = hash(said.source, &Id::Crm(person.clone())) else { continue };
            let Some(account) = accounts.find(said.source, account) else { continue };
            let place =
                Place { from: from.unwrap_or(Time::MIN), until: until.unwrap_or(Time::MAX), account, record };
            open.entry(PersonId(self.union.find(record))).or_default().push(place);
        }
        for (person, mut places) in open {
            places.sort();
            places.dedup();
            // A stay without an end lasts until the next one begins.
            let starts: BTreeSet<Time> = places.iter().map(|place| place.from).collect();
            for place in &mut places {
                if place.until == Time::MAX
                    && let Some(next) = starts
                        .range((std::ops::Bound::Excluded(place.from), std::ops::Bound::Unbounded))
                        .next()
                {
                    place.until = *next;
                }
            }
            self.places.insert(person, places);
        }
    }

    fn describe(
        &mut self,
        scene: &Scene<'_>,
        losers: &BTreeSet<Hash>,
        links: BTreeMap<Hash, (String, String, &'static str, i64)>,
        accounts: &Accounts,
    ) {
        let mut rows: BTreeMap<PersonId, Person> = BTreeMap::new();
        let mut keys: BTreeMap<PersonId, (u8, bool, String)> = BTreeMap::new();
        for (hash, (kind, value, reason, record)) in links {
            if !self.union.contains(hash) {
                continue;
            }
            let id = PersonId(self.union.find(hash));
            let row = rows.entry(id).or_insert_with(|| Person {
                id,
                key: String::new(),
                account: None,
                lead_account: None,
                name: None,
                email: None,
                title: None,
                role: None,
                seniority: None,
                created_at: None,
                is_internal: false,
            });
            // The surviving CRM record names the person, then an address, then a user id.
            let rank = match kind.as_str() {
                "crm" => 0,
                "email" => 1,
                _ => 2,
            };
            let key = (rank, losers.contains(&hash), value.clone());
            if keys.get(&id).is_none_or(|old| key < *old) {
                row.key = if kind == "crm" {
                    value.split_once(':').map_or(value.clone(), |(_, id)| id.to_owned())
                } else {
                    value.clone()
                };
                keys.insert(id, key);
            }
            if kind == "email" {
                if let Some(domain) = contact::domain(&value) {
                    row.is_internal |= terms::is_own(&domain, scene.rules);
                    if let Some(account) = accounts.by_domain(&domain) {
                        self.domains.entry(id).or_default().insert(account);
                    }
                }
                if row.email.as_ref().is_none_or(|old| value < *old) {
                    row.email = Some(value.clone());
                }
            }
            self.identifiers.push(Identifier { kind, value, person: id, reason: reason.to_owned(), record });
        }
        // Surviving records speak first.
        let mut said: Vec<_> = scene
            .said
            .iter()
            .filter_map(|said| match said.fact {
                Fact::Person(person) => {
                    let hash = hash(said.source, &Id::Crm(person.id.clone()))?;
                    Some((losers.contains(&hash), hash, person))
                }
                _ => None,
            })
            .collect();
        said.sort_by_key(|(merged_away, ..)| *merged_away);
        let mut main_email: BTreeSet<PersonId> = BTreeSet::new();
        for (_, hash, person) in said {
            let id = PersonId(self.union.find(hash));
            let Some(row) = rows.get_mut(&id) else { continue };
            if let Some(email) = person.emails.iter().find_map(|text| contact::email(text))
                && main_email.insert(id)
            {
                row.email = Some(email);
            }
            for (mine, theirs) in [
                (&mut row.name, &person.name),
                (&mut row.title, &person.title),
                (&mut row.role, &person.role),
                (&mut row.seniority, &person.seniority),
            ] {
                if mine.is_none() {
                    mine.clone_from(theirs);
                }
            }
            row.created_at = match (row.created_at, person.created_at) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        for said in &scene.said {
            if let Fact::Membership(it) = said.fact
                && let Some(role) = &it.role
                && let Some(hash) = hash(said.source, &Id::Crm(it.person.clone()))
                && let Some(row) = rows.get_mut(&PersonId(self.union.find(hash)))
                && row.role.is_none()
            {
                row.role = Some(role.clone());
            }
        }
        for row in rows.values_mut() {
            row.account = self.account_at(row.id, Time(i64::MAX - 1), &[], None);
            row.lead_account = row.created_at.and_then(|at| self.account_at(row.id, at, &[], None));
            if row.is_internal {
                self.internal.insert(row.id);
            }
        }
        self.identifiers.sort_by(|a, b| (&a.kind, &a.value).cmp(&(&b.kind, &b.value)));
        self.rows = rows.into_values().collect();
    }
}
