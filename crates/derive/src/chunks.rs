//! A cluster's accounts as entries of the columnar book.

use std::collections::{BTreeMap, BTreeSet};

use tributary_core::book::{self, Book, NOBODY, Term};
use tributary_core::id::{AccountId, PersonId};
use tributary_store::derived::{ClusterRows, Deal, Person, Touch};

/// Appends a cluster's entries to a book: its accounts, then people and deals without one.
pub fn append(book: &mut Book, rows: &ClusterRows) {
    let people: BTreeMap<PersonId, &Person> = rows.people.iter().map(|person| (person.id, person)).collect();
    let mut entries: BTreeMap<AccountId, Entry<'_>> = BTreeMap::new();
    let mut alone: BTreeMap<PersonId, Entry<'_>> = BTreeMap::new();
    for account in &rows.accounts {
        entries.insert(account.id, Entry::default());
    }
    for person in rows.people.iter().filter(|person| !person.is_internal) {
        let homes = [person.account, person.lead_account];
        for account in homes.iter().flatten() {
            entries.entry(*account).or_default().people.insert(person.id);
        }
        if homes == [None, None] && person.created_at.is_some() {
            alone.entry(person.id).or_default().people.insert(person.id);
        }
    }
    for touch in &rows.touches {
        let internal =
            touch.person.is_some_and(|id| people.get(&id).is_some_and(|person| person.is_internal));
        let entry = match (touch.account, touch.person) {
            (Some(account), _) => entries.entry(account).or_default(),
            (None, Some(person)) if !internal => alone.entry(person).or_default(),
            _ => continue,
        };
        entry.people.extend(touch.person);
        entry.touches.push(touch);
    }
    let mut homeless = Vec::new();
    for deal in &rows.deals {
        let mut entry = Entry::default();
        let target = match deal.account {
            Some(account) => entries.entry(account).or_default(),
            None => &mut entry,
        };
        target.people.extend(deal.committee.iter().map(|member| member.person));
        target.deals.push(deal);
        if deal.account.is_none() {
            homeless.push(entry);
        }
    }
    let accounts: BTreeMap<AccountId, _> =
        rows.accounts.iter().map(|account| (account.id, account)).collect();
    for (id, entry) in entries {
        let Some(account) = accounts.get(&id) else { continue };
        let key = book.terms.intern(&account.key);
        let label = book.terms.intern(account.name.as_deref().unwrap_or(&account.key));
        let mut attributes = account.attributes.clone();
        for (name, value) in [("owner", &account.owner), ("domain", &account.domain)] {
            if let Some(value) = value {
                attributes.entry(name.to_owned()).or_insert_with(|| value.clone());
            }
        }
        let attributes = pairs(book, &attributes);
        entry.push(book, &people, Some(id), key, label, attributes);
    }
    for entry in alone.into_values().chain(homeless) {
        entry.push(book, &people, None, Term::NONE, Term::NONE, Vec::new());
    }
}

#[derive(Default)]
struct Entry<'a> {
    people: BTreeSet<PersonId>,
    touches: Vec<&'a Touch>,
    deals: Vec<&'a Deal>,
}

impl Entry<'_> {
    fn push(
        self,
        book: &mut Book,
        people: &BTreeMap<PersonId, &Person>,
        id: Option<AccountId>,
        key: Term,
        label: Term,
        attributes: Vec<(Term, Term)>,
    ) {
        let starts = (book.touches.len(), book.people.len(), book.deals.len());
        let mut places = BTreeMap::new();
        for person in self.people.iter().filter_map(|id| people.get(id)) {
            places.insert(person.id, book.people.len() as u32);
            let label = person.name.as_deref().or(person.email.as_deref()).unwrap_or(&person.key);
            let row = book::Person {
                id: person.id,
                key: book.terms.intern(&person.key),
                label: book.terms.intern(label),
                role: book.terms.intern_option(person.role.as_deref()),
                created_at: person.created_at.filter(|_| !person.is_internal),
                is_lead_here: !person.is_internal && person.created_at.is_some() && person.lead_account == id,
            };
            book.people.push(row);
        }
        for deal in self.deals {
            let stages = deal.stages.iter().map(|(stage, at)| (book.terms.intern(stage), *at)).collect();
            let committee = deal
                .committee
                .iter()
                .filter_map(|member| {
                    let role = book.terms.intern_option(member.role.as_deref());
                    let person = *places.get(&member.person)?;
                    Some(book::Member { person, role, is_primary: member.is_primary })
                })
                .collect();
            let row = book::Deal {
                id: deal.id,
                key: book.terms.intern(&deal.key),
                label: book.terms.intern(deal.name.as_deref().unwrap_or(&deal.key)),
                amount: deal.amount,
                created_at: deal.created_at,
                closed_at: deal.closed_at,
                outcome: deal.outcome,
                stage: book.terms.intern_option(deal.stage.as_deref()),
                owner: book.terms.intern_option(deal.owner.as_deref()),
                pipeline: book.terms.intern_option(deal.pipeline.as_deref()),
                stages,
                committee,
                attributes: pairs(book, &deal.attributes),
            };
            book.deals.push(row);
        }
        for touch in self.touches {
            let terms = &mut book.terms;
            let row = book::Touch {
                id: touch.id,
                at: touch.at,
                person: touch.person.and_then(|id| places.get(&id).copied()).unwrap_or(NOBODY),
                kind: terms.intern(&touch.kind),
                direction: touch.direction,
                channel: terms.intern_option(touch.channel.as_deref()),
                campaign: terms.intern_option(touch.campaign.as_deref()),
                content: terms.intern_option(touch.content.as_deref()),
                team: terms.intern(&touch.team),
                actor: terms.intern_option(touch.actor.as_deref()),
                source: terms.intern(&touch.source),
                weight: touch.weight,
            };
            book.touches.push(row);
        }
        book.accounts.push(book::Account {
            id,
            key,
            label,
            touches: starts.0..book.touches.len(),
            people: starts.1..book.people.len(),
            deals: starts.2..book.deals.len(),
            attributes,
        });
    }
}

fn pairs(book: &mut Book, attributes: &BTreeMap<String, String>) -> Vec<(Term, Term)> {
    attributes.iter().map(|(name, value)| (book.terms.intern(name), book.terms.intern(value))).collect()
}
