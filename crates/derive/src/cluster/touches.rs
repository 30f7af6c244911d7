//! Which touches there were: one event with one external person is one touch, however many tools saw it.

use std::collections::{BTreeMap, BTreeSet};

use tributary_core::fact::{self, Fact, Identifier as Id, NameOf, Silent};
use tributary_core::id::{Hash, PersonId, TouchId};
use tributary_core::{Time, contact};
use tributary_store::derived::Touch;

use super::Scene;
use super::accounts::Accounts;
use super::people::People;
use crate::channel::{self, Seen};
use crate::terms;

/// Links that a mail scanner follows come at least this many …
const SCANNER_CLICKS: usize = 3;
/// … within this many microseconds.
const SCANNER_MICROS: i64 = 2_000_000;

pub(crate) fn resolve(scene: &Scene<'_>, accounts: &Accounts, people: &mut People) -> Vec<Touch> {
    let mut touches: BTreeMap<TouchId, Touch> = BTreeMap::new();
    // Of several records about one click id the first in order of source, stream and id counts.
    let mut clicks: BTreeMap<&str, (&str, &fact::Click)> = BTreeMap::new();
    for said in &scene.said {
        if let Fact::Click(it) = said.fact {
            clicks.entry(it.id.trim()).or_insert((said.source, it));
        }
    }
    for said in &scene.said {
        let Fact::Touch(it) = said.fact else { continue };
        let person = people.of_touch(scene, said.source, it);
        let participant = person.map_or_else(|| participant(said.source, it), |person| person.to_string());
        let id = TouchId(match &it.event {
            Some(event) => Hash::of("event", &[event, &participant]),
            None => {
                Hash::of("touch", &[said.source, &said.record.stream, &said.record.native_id, &it.suffix])
            }
        });
        let (campaign, _) = scene.named(said.source, NameOf::Campaign, it.campaign.as_ref());
        let (actor, actor_team) = scene.named(said.source, NameOf::Rep, it.actor.as_ref());
        let click = terms::clicks(it).find_map(|click| clicks.get(click).copied());
        let campaign =
            campaign.or_else(|| it.attributes.get("utm_campaign").map(String::as_str)).or_else(|| {
                click.and_then(|(source, it)| scene.named(source, NameOf::Campaign, it.campaign.as_ref()).0)
            });
        let sold_as = click.and_then(|(_, click)| click.channel.as_deref());
        let seen = Seen { touch: it, campaign, actor, actor_team, sold_as };
        let channel = channel::channel(&seen, scene.rules);
        let team = channel::team(&seen, channel.name.as_deref(), scene.rules);
        let touch = Touch {
            id,
            at: it.occurred_at,
            account: account(scene, said.source, it, person, accounts, people),
            person,
            kind: it.kind.clone(),
            direction: channel::direction(it),
            team,
            channel: channel.name,
            channel_rule: channel.rule,
            campaign: campaign.map(str::to_owned),
            content: it.content.clone().or_else(|| click?.1.content.clone()),
            actor: actor.map(str::to_owned),
            source: said.source.to_owned(),
            weight: it.weight,
            silent: silent(scene, it, person, people),
            cost: it.cost,
            records: vec![said.record.record],
        };
        // The first in order of source, stream and id tells the touch; copies fill what it leaves open.
        match touches.get_mut(&id) {
            Some(first) => join(first, touch),
            None => {
                touches.insert(id, touch);
            }
        }
    }
    let mut rows: Vec<Touch> = touches.into_values().collect();
    rows.sort_by(|a, b| (a.at, &a.source, a.id).cmp(&(b.at, &b.source, b.id)));
    silence_scanners(&mut rows);
    for row in &mut rows {
        if row.silent.is_some() {
            row.weight = 0;
        }
    }
    rows
}

/// Something stable that tells participants of one event apart when no person is known.
fn participant(source: &str, touch: &fact::Touch) -> String {
    let mut ids: Vec<_> = touch.who.iter().filter_map(|id| terms::identifier(source, id)).collect();
    ids.sort();
    ids.first().map(|(kind, value)| format!("{kind}:{value}")).unwrap_or_default()
}

/// The account the record names, else the person's at that time, else the one that has the address's domain.
fn account(
    scene: &Scene<'_>,
    source: &str,
    touch: &fact::Touch,
    person: Option<PersonId>,
    accounts: &Accounts,
    people: &People,
) -> Option<tributary_core::AccountId> {
    if let Some(account) = touch.account.as_deref().and_then(|id| accounts.find(source, id)) {
        return Some(account);
    }
    let emails = touch.who.iter().filter_map(|id| if let Id::Email(text) = id { Some(text) } else { None });
    let mut domains = emails.filter_map(|text| terms::company_domain(text, scene.rules));
    let domain = domains.find_map(|domain| accounts.by_domain(&domain));
    let hints: Vec<Hash> = touch
        .who
        .iter()
        .filter(|id| matches!(id, Id::Crm(_)))
        .filter_map(|id| terms::identifier(source, id).map(|(kind, value)| Hash::of(kind, &[&value])))
        .collect();
    match person {
        Some(person) => people.account_at(person, touch.occurred_at, &hints, domain),
        None => domain,
    }
}

fn silent(
    scene: &Scene<'_>,
    touch: &fact::Touch,
    person: Option<PersonId>,
    people: &People,
) -> Option<Silent> {
    let own_address = touch.who.iter().any(|id| match id {
        Id::Email(text) => contact::domain(text).is_some_and(|domain| terms::is_own(&domain, scene.rules)),
        _ => false,
    });
    let external = touch.who.iter().any(|id| match id {
        Id::Email(text) => contact::domain(text).is_some_and(|domain| !terms::is_own(&domain, scene.rules)),
        _ => false,
    });
    if touch.machine {
        Some(Silent::Machine)
    } else if person.is_some_and(|person| people.is_internal(person)) || (own_address && !external) {
        Some(Silent::Internal)
    } else if touch.weight == 0 {
        Some(Silent::Weightless)
    } else {
        None
    }
}

fn join(first: &mut Touch, copy: Touch) {
    first.records.extend(copy.records);
    if first.channel.is_none() {
        first.channel = copy.channel;
        first.channel_rule = copy.channel_rule;
    }
    first.account = first.account.or(copy.account);
    first.person = first.person.or(copy.person);
    first.campaign = first.campaign.take().or(copy.campaign);
    first.content = first.content.take().or(copy.content);
    first.actor = first.actor.take().or(copy.actor);
    first.cost = first.cost.or(copy.cost);
    first.silent = first.silent.or(copy.silent);
}

/// A mail scanner follows the links of a mail at once: all of one person's clicks within two seconds, if there are
/// at least three, are its work.
fn silence_scanners(rows: &mut [Touch]) {
    let mut clicks: BTreeMap<PersonId, Vec<(Time, usize)>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        if matches!(row.kind.as_str(), "email" | "email_click" | "email_open")
            && channel_is_inbound(row)
            && let Some(person) = row.person
        {
            clicks.entry(person).or_default().push((row.at, index));
        }
    }
    let mut machine = BTreeSet::new();
    for clicks in clicks.values() {
        for group in clicks.windows(SCANNER_CLICKS) {
            if group[SCANNER_CLICKS - 1].0.0 - group[0].0.0 < SCANNER_MICROS {
                machine.extend(group.iter().map(|(_, index)| *index));
            }
        }
    }
    for index in machine {
        rows[index].silent.get_or_insert(Silent::Machine);
    }
}

fn channel_is_inbound(row: &Touch) -> bool {
    row.direction == fact::Direction::Inbound
}
