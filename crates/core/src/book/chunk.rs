//! A chunk: some accounts of a book as one compressed blob, and back.
//!
//! Texts are numbered inside the chunk in sorted order, so that equal accounts give equal bytes whatever order
//! they arrived in. Each section carries a checksum, so that damage is an error and not another book.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::{Account, Book, Deal, Direction, Member, NOBODY, Outcome, Person, Term, Touch};
use crate::id::{AccountId, DealId, Hash, PersonId, TouchId};
use crate::money::Money;
use crate::time::Time;

/// Why a blob is not a chunk.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// Not what was written.
    #[error("the chunk is damaged: {0}")]
    Damaged(String),
    /// Written by another version.
    #[error("the chunk has format {0}, this program reads {FORMAT}")]
    Format(u8),
    /// More accounts than a chunk may hold.
    #[error("the chunk is too large: a section of {0} bytes (write fewer accounts into one chunk)")]
    TooLarge(usize),
}

const FORMAT: u8 = 1;
const LEVEL: i32 = 1;

/// The most bytes a section may unpack to.
const MOST_BYTES: usize = 1 << 30;

/// Room made for a section before any of it is unpacked; beyond that, room follows what really comes out.
const FIRST_BYTES: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Rows {
    terms: Vec<String>,
    accounts: Vec<AccountRow>,
    touches: usize,
}

#[derive(Serialize, Deserialize)]
struct AccountRow {
    id: Option<AccountId>,
    key: u32,
    label: u32,
    touches: u32,
    attributes: Vec<(u32, u32)>,
    people: Vec<PersonRow>,
    deals: Vec<DealRow>,
}

#[derive(Serialize, Deserialize)]
struct PersonRow {
    id: PersonId,
    key: u32,
    label: u32,
    role: u32,
    created_at: Option<Time>,
    is_lead_here: bool,
}

#[derive(Serialize, Deserialize)]
struct DealRow {
    id: DealId,
    key: u32,
    label: u32,
    amount: Option<Money>,
    created_at: Option<Time>,
    closed_at: Option<Time>,
    outcome: Outcome,
    stage: u32,
    owner: u32,
    pipeline: u32,
    stages: Vec<(u32, Time)>,
    committee: Vec<(u32, u32, bool)>,
    attributes: Vec<(u32, u32)>,
}

/// The columns of 32-bit numbers, in the order they are written.
const TERM_COLUMNS: usize = 8;

impl Book {
    /// Writes the whole book as one chunk. Equal books with differently numbered terms give equal bytes.
    pub fn to_chunk(&self) -> Result<Vec<u8>, ChunkError> {
        let local = LocalTerms::of(self);
        let n = |term: Term| local.number(term);
        let pairs =
            |pairs: &[(Term, Term)]| pairs.iter().map(|(name, value)| (n(*name), n(*value))).collect();
        let accounts = self
            .accounts
            .iter()
            .map(|account| AccountRow {
                id: account.id,
                key: n(account.key),
                label: n(account.label),
                touches: account.touches.len() as u32,
                attributes: pairs(&account.attributes),
                people: self.people[account.people.clone()]
                    .iter()
                    .map(|person| PersonRow {
                        id: person.id,
                        key: n(person.key),
                        label: n(person.label),
                        role: n(person.role),
                        created_at: person.created_at,
                        is_lead_here: person.is_lead_here,
                    })
                    .collect(),
                deals: self.deals[account.deals.clone()]
                    .iter()
                    .map(|deal| DealRow {
                        id: deal.id,
                        key: n(deal.key),
                        label: n(deal.label),
                        amount: deal.amount,
                        created_at: deal.created_at,
                        closed_at: deal.closed_at,
                        outcome: deal.outcome,
                        stage: n(deal.stage),
                        owner: n(deal.owner),
                        pipeline: n(deal.pipeline),
                        stages: deal.stages.iter().map(|(stage, at)| (n(*stage), *at)).collect(),
                        committee: deal
                            .committee
                            .iter()
                            .map(|m| (m.person - account.people.start as u32, n(m.role), m.is_primary))
                            .collect(),
                        attributes: pairs(&deal.attributes),
                    })
                    .collect(),
            })
            .collect();
        let rows = Rows { terms: local.texts(self), accounts, touches: self.touches.len() };
        let rows = postcard::to_stdvec(&rows).map_err(damaged)?;

        let t = &self.touches;
        let mut people = Vec::with_capacity(t.len() * 4);
        for account in &self.accounts {
            for person in &t.person[account.touches.clone()] {
                let place = if *person == NOBODY { NOBODY } else { person - account.people.start as u32 };
                people.extend_from_slice(&place.to_le_bytes());
            }
        }
        let numbers =
            |column: &[Term]| column.iter().flat_map(|term| n(*term).to_le_bytes()).collect::<Vec<u8>>();
        let sections = [
            rows,
            t.at.iter().flat_map(|at| at.0.to_le_bytes()).collect(),
            people,
            numbers(&t.kind),
            t.direction.iter().map(|direction| *direction as u8).collect(),
            numbers(&t.channel),
            numbers(&t.campaign),
            numbers(&t.content),
            numbers(&t.team),
            numbers(&t.actor),
            numbers(&t.source),
            t.weight.iter().flat_map(|weight| weight.to_le_bytes()).collect(),
            t.id.iter().flat_map(|id| id.0.0).collect(),
        ];
        let mut packer = zstd::bulk::Compressor::new(LEVEL).map_err(damaged)?;
        packer.set_parameter(zstd::stream::raw::CParameter::ChecksumFlag(true)).map_err(damaged)?;
        let mut out = vec![FORMAT];
        for section in sections {
            if section.len() > MOST_BYTES {
                return Err(ChunkError::TooLarge(section.len()));
            }
            let packed = packer.compress(&section).map_err(damaged)?;
            out.extend_from_slice(&(section.len() as u64).to_le_bytes());
            out.extend_from_slice(&(packed.len() as u64).to_le_bytes());
            out.extend_from_slice(&packed);
        }
        Ok(out)
    }

    /// Appends the accounts of a chunk, all of them or, if it is damaged, none.
    pub fn append_chunk(&mut self, bytes: &[u8]) -> Result<(), ChunkError> {
        let (accounts, people, deals) = (self.accounts.len(), self.people.len(), self.deals.len());
        let touches = self.touches.len();
        let result = self.append_rows(bytes);
        if result.is_err() {
            self.accounts.truncate(accounts);
            self.people.truncate(people);
            self.deals.truncate(deals);
            self.touches.truncate(touches);
        }
        result
    }

    fn append_rows(&mut self, bytes: &[u8]) -> Result<(), ChunkError> {
        let (format, mut rest) = bytes.split_first().ok_or_else(|| damaged("empty"))?;
        if *format != FORMAT {
            return Err(ChunkError::Format(*format));
        }
        let rows: Rows = postcard::from_bytes(&section(&mut rest)?).map_err(damaged)?;
        let map: Vec<Term> = std::iter::once(Term::NONE)
            .chain(rows.terms.iter().map(|text| self.terms.intern(text)))
            .collect();
        let term = |number: u32| map.get(number as usize).copied().ok_or_else(|| damaged("unknown term"));
        let at = longs(&section(&mut rest)?);
        let person = words(&section(&mut rest)?);
        let kind = words(&section(&mut rest)?);
        let direction = section(&mut rest)?;
        let mut columns: [Vec<u32>; TERM_COLUMNS - 1] = Default::default();
        for column in &mut columns {
            *column = words(&section(&mut rest)?);
        }
        let [channel, campaign, content, team, actor, source, weight] = columns;
        let ids = section(&mut rest)?;
        if !rest.is_empty() {
            return Err(damaged("bytes after the end"));
        }
        let total = rows.touches;
        let lengths = [at.len(), person.len(), kind.len(), direction.len(), channel.len(), campaign.len()];
        let more = [content.len(), team.len(), actor.len(), source.len(), weight.len(), ids.len() / 16];
        if lengths.iter().chain(&more).any(|length| *length != total) {
            return Err(damaged("columns differ in length"));
        }
        let touches: u64 = rows.accounts.iter().map(|account| u64::from(account.touches)).sum();
        if touches != total as u64 {
            return Err(damaged("rows of touches differ from those of the accounts"));
        }
        let mut row = 0;
        for account in rows.accounts {
            let pairs = |pairs: &[(u32, u32)]| {
                pairs
                    .iter()
                    .map(|(name, value)| Ok((term(*name)?, term(*value)?)))
                    .collect::<Result<Vec<_>, _>>()
            };
            let people_start = self.people.len();
            let place = |person: u32| {
                let known = (person as usize) < account.people.len();
                if known { Ok(person + people_start as u32) } else { Err(damaged("unknown person")) }
            };
            for person in &account.people {
                self.people.push(Person {
                    id: person.id,
                    key: term(person.key)?,
                    label: term(person.label)?,
                    role: term(person.role)?,
                    created_at: person.created_at,
                    is_lead_here: person.is_lead_here,
                });
            }
            let deals_start = self.deals.len();
            for deal in &account.deals {
                self.deals.push(Deal {
                    id: deal.id,
                    key: term(deal.key)?,
                    label: term(deal.label)?,
                    amount: deal.amount,
                    created_at: deal.created_at,
                    closed_at: deal.closed_at,
                    outcome: deal.outcome,
                    stage: term(deal.stage)?,
                    owner: term(deal.owner)?,
                    pipeline: term(deal.pipeline)?,
                    stages: deal
                        .stages
                        .iter()
                        .map(|(stage, at)| Ok((term(*stage)?, *at)))
                        .collect::<Result<_, _>>()?,
                    committee: deal
                        .committee
                        .iter()
                        .map(|(person, role, is_primary)| {
                            Ok(Member {
                                person: place(*person)?,
                                role: term(*role)?,
                                is_primary: *is_primary,
                            })
                        })
                        .collect::<Result<_, _>>()?,
                    attributes: pairs(&deal.attributes)?,
                });
            }
            let touches_start = self.touches.len();
            for _ in 0..account.touches {
                let mut id = [0; 16];
                id.copy_from_slice(&ids[row * 16..row * 16 + 16]);
                self.touches.push(Touch {
                    id: TouchId(Hash(id)),
                    at: at[row],
                    person: if person[row] == NOBODY { NOBODY } else { place(person[row])? },
                    kind: term(kind[row])?,
                    direction: match direction[row] {
                        0 => Direction::Inbound,
                        1 => Direction::Outbound,
                        _ => return Err(damaged("unknown direction")),
                    },
                    channel: term(channel[row])?,
                    campaign: term(campaign[row])?,
                    content: term(content[row])?,
                    team: term(team[row])?,
                    actor: term(actor[row])?,
                    source: term(source[row])?,
                    weight: weight[row],
                });
                row += 1;
            }
            self.accounts.push(Account {
                id: account.id,
                key: term(account.key)?,
                label: term(account.label)?,
                touches: touches_start..self.touches.len(),
                people: people_start..self.people.len(),
                deals: deals_start..self.deals.len(),
                attributes: pairs(&account.attributes)?,
            });
        }
        Ok(())
    }
}

/// The book's terms that are in use, numbered from 1 in the order of their texts.
struct LocalTerms {
    numbers: Vec<u32>,
    order: Vec<Term>,
}

impl LocalTerms {
    fn of(book: &Book) -> Self {
        let mut used: BTreeMap<&str, Term> = BTreeMap::new();
        let mut add = |term: Term| {
            if let Some(text) = book.terms.get(term) {
                used.insert(text, term);
            }
        };
        for account in &book.accounts {
            [account.key, account.label].into_iter().for_each(&mut add);
            account.attributes.iter().flat_map(|(name, value)| [*name, *value]).for_each(&mut add);
        }
        for person in &book.people {
            [person.key, person.label, person.role].into_iter().for_each(&mut add);
        }
        for deal in &book.deals {
            [deal.key, deal.label, deal.stage, deal.owner, deal.pipeline].into_iter().for_each(&mut add);
            deal.stages.iter().map(|(stage, _)| *stage).for_each(&mut add);
            deal.committee.iter().map(|member| member.role).for_each(&mut add);
            deal.attributes.iter().flat_map(|(name, value)| [*name, *value]).for_each(&mut add);
        }
        let t = &book.touches;
        let mut seen = vec![false; book.terms.len()];
        for column in [&t.kind, &t.channel, &t.campaign, &t.content, &t.team, &t.actor, &t.source] {
            for term in column {
                if !std::mem::replace(&mut seen[term.0 as usize], true) {
                    add(*term);
                }
            }
        }
        let mut numbers = vec![0; book.terms.len()];
        let order: Vec<Term> = used.into_values().collect();
        for (index, term) in order.iter().enumerate() {
            numbers[term.0 as usize] = index as u32 + 1;
        }
        Self { numbers, order }
    }

    fn number(&self, term: Term) -> u32 {
        self.numbers[term.0 as usize]
    }

    fn texts(&self, book: &Book) -> Vec<String> {
        self.order.iter().filter_map(|term| book.terms.get(*term).map(str::to_owned)).collect()
    }
}

fn section(rest: &mut &[u8]) -> Result<Vec<u8>, ChunkError> {
    let length = take_long(rest)?;
    let packed = take_long(rest)?;
    if packed > rest.len() {
        return Err(damaged("cut short"));
    }
    let (body, after) = rest.split_at(packed);
    *rest = after;
    if length > MOST_BYTES {
        return Err(damaged("a section of more than 1 GiB"));
    }
    let mut out = Vec::with_capacity(length.min(FIRST_BYTES));
    let unpacker = zstd::stream::read::Decoder::with_buffer(body).map_err(damaged)?;
    unpacker.take(length as u64 + 1).read_to_end(&mut out).map_err(damaged)?;
    if out.len() == length { Ok(out) } else { Err(damaged("a section differs in length")) }
}

fn take_long(rest: &mut &[u8]) -> Result<usize, ChunkError> {
    let (head, after) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("cut short"))?;
    *rest = after;
    usize::try_from(u64::from_le_bytes(*head)).map_err(damaged)
}

fn longs(bytes: &[u8]) -> Vec<Time> {
    bytes.as_chunks::<8>().0.iter().map(|chunk| Time(i64::from_le_bytes(*chunk))).collect()
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect()
}

fn damaged(reason: impl ToString) -> ChunkError {
    ChunkError::Damaged(reason.to_string())
}
