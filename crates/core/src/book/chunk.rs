//! A chunk: some accounts of a book as compressed columns, and back.
//!
//! Each column is written and read by itself, with the texts that it uses in sorted order, so that a question reads
//! only what it asks for, and equal accounts give equal bytes whatever order they arrived in. Each carries a
//! checksum, so that damage is an error and not another book.

mod pack;

use std::collections::BTreeMap;

use super::{Account, Book, Column, Columns, Deal, Direction, Keys, Member, NOBODY, Outcome, Person, Term};
use crate::id::{AccountId, DealId, Hash, PersonId, TouchId};
use crate::money::{Currency, Money};
use pack::{Packer, Unpacker, damaged, unpack};
use zstd::bulk::Decompressor;

/// Why bytes are not a chunk.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// Not what was written.
    #[error("the chunk is damaged: {0}")]
    Damaged(String),
    /// Written by another version.
    #[error("the chunk has format {0}, this program reads {format}", format = pack::FORMAT)]
    Format(u8),
    /// More accounts than a chunk may hold.
    #[error("the chunk is too large: a column of {0} bytes (write fewer accounts into one chunk)")]
    TooLarge(usize),
}

/// Some accounts as compressed columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk(pub BTreeMap<Column, Vec<u8>>);

impl Chunk {
    /// Writes a whole book, and which entries of earlier layers are no more.
    ///
    /// Equal books with differently numbered terms give equal bytes.
    pub fn write(book: &Book, gone: &[Hash]) -> Result<Self, ChunkError> {
        let columns = Column::ALL.into_iter().map(|column| {
            let mut out = Packer::default();
            match column {
                Column::Accounts => write_accounts(&mut out, book, gone),
                Column::People => write_people(&mut out, book),
                Column::Deals => write_deals(&mut out, book),
                Column::AccountNames => {
                    write_names(&mut out, book, book.accounts.iter().map(|it| [it.key, it.label]));
                }
                Column::PersonNames => {
                    write_names(&mut out, book, book.people.iter().map(|it| [it.key, it.label]));
                }
                Column::DealNames => {
                    write_names(&mut out, book, book.deals.iter().map(|it| [it.key, it.label]));
                }
                _ => write_touches(&mut out, book, column),
            }
            Ok((column, out.finish()?))
        });
        columns.collect::<Result<_, _>>().map(Self)
    }

    /// What names the entries, without reading more than that.
    pub fn keys(&self) -> Result<Keys, ChunkError> {
        let mut unpacking = Decompressor::new().map_err(damaged)?;
        let bytes = unpack(self.column(Column::Accounts)?, &mut unpacking)?;
        read_keys(&mut Unpacker(&bytes)).map(|(keys, _)| keys)
    }

    /// Reads the columns that are asked for. What else the chunk holds need not be there.
    pub fn read(&self, columns: Columns) -> Result<Book, ChunkError> {
        let mut book = Book::with_columns(columns);
        let mut unpacking = Decompressor::new().map_err(damaged)?;
        let mut unpack = |column: Column| unpack(self.column(column)?, &mut unpacking);
        let rows = read_accounts(&mut book, &unpack(Column::Accounts)?)?;
        for column in columns.iter().filter(|column| *column != Column::Accounts) {
            let bytes = unpack(column)?;
            let mut from = Unpacker(&bytes);
            let named = &mut book.terms;
            match column {
                Column::Accounts => {}
                Column::People => read_people(&mut book, &mut from, rows.people)?,
                Column::Deals => read_deals(&mut book, &mut from, rows.deals)?,
                Column::AccountNames => {
                    let rows = book.accounts.iter_mut().map(|it| [&mut it.key, &mut it.label]);
                    read_names(rows, &mut from, named)?;
                }
                Column::PersonNames => {
                    let rows = book.people.iter_mut().map(|it| [&mut it.key, &mut it.label]);
                    read_names(rows, &mut from, named)?;
                }
                Column::DealNames => {
                    let rows = book.deals.iter_mut().map(|it| [&mut it.key, &mut it.label]);
                    read_names(rows, &mut from, named)?;
                }
                _ => read_touches(&mut book, &mut from, column, &rows)?,
            }
            from.end()?;
        }
        Ok(book)
    }

    fn column(&self, column: Column) -> Result<&[u8], ChunkError> {
        self.0
            .get(&column)
            .map(Vec::as_slice)
            .ok_or_else(|| damaged(format!("the column {column:?} is missing")))
    }
}

fn write_accounts(out: &mut Packer, book: &Book, gone: &[Hash]) {
    let accounts = &book.accounts;
    out.number(accounts.len() as u64);
    out.number(gone.len() as u64);
    out.hashes(accounts.iter().map(|account| book.entry(account)));
    out.hashes(gone.iter().copied());
    out.flags(accounts.iter().map(|account| account.id.is_some()));
    let mut counts = |count: fn(&Account) -> usize| {
        out.numbers(&accounts.iter().map(|account| count(account) as u64).collect::<Vec<_>>());
    };
    counts(|account| account.touches.len());
    counts(|account| account.people.len());
    counts(|account| account.deals.len());
    write_pairs(out, book, accounts.iter().map(|account| &account.attributes[..]));
}

/// How many rows a chunk has, and how many touches each account.
struct Rows {
    touches_of: Vec<u32>,
    touches: usize,
    people: usize,
    deals: usize,
}

fn read_keys(from: &mut Unpacker<'_>) -> Result<(Keys, usize), ChunkError> {
    let (count, gone) = (from.count()?, from.count()?);
    let entries = from.hashes(count)?.collect();
    Ok((Keys { entries, gone: from.hashes(gone)?.collect() }, count))
}

fn read_accounts(book: &mut Book, bytes: &[u8]) -> Result<Rows, ChunkError> {
    let from = &mut Unpacker(bytes);
    let (keys, count) = read_keys(from)?;
    let has_id = from.flags(count)?;
    let (touches_of, touches) = from.counts(count)?;
    let (people_of, people) = from.counts(count)?;
    let (deals_of, deals) = from.counts(count)?;
    let mut attributes = read_pairs(book, from, count)?.into_iter();
    from.end()?;
    let (mut touch, mut person, mut deal) = (0, 0, 0);
    let next = |start: &mut usize, count: u32| {
        let range = *start..*start + count as usize;
        *start = range.end;
        range
    };
    for (row, (key, has_id)) in keys.entries.into_iter().zip(has_id).enumerate() {
        book.accounts.push(Account {
            id: has_id.then_some(AccountId(key)),
            key: Term::UNREAD,
            label: Term::UNREAD,
            touches: next(&mut touch, touches_of[row]),
            people: next(&mut person, people_of[row]),
            deals: next(&mut deal, deals_of[row]),
            attributes: attributes.next().unwrap_or_default(),
        });
    }
    Ok(Rows { touches_of, touches, people, deals })
}

fn write_people(out: &mut Packer, book: &Book) {
    let people = &book.people;
    out.hashes(people.iter().map(|person| person.id.0));
    out.terms(&people.iter().map(|person| person.role).collect::<Vec<_>>(), &book.terms);
    out.times(&people.iter().map(|person| person.created_at).collect::<Vec<_>>());
    out.flags(people.iter().map(|person| person.is_lead_here));
}

fn read_people(book: &mut Book, from: &mut Unpacker<'_>, count: usize) -> Result<(), ChunkError> {
    let ids = from.hashes(count)?;
    let roles = from.terms(count, &mut book.terms)?;
    let created = from.times(count)?;
    let leads = from.flags(count)?;
    book.people.extend(ids.zip(roles).zip(created).zip(leads).map(
        |(((id, role), created_at), is_lead_here)| {
            let (id, key, label) = (PersonId(id), Term::UNREAD, Term::UNREAD);
            Person { id, key, label, role, created_at, is_lead_here }
        },
    ));
    Ok(())
}

fn write_deals(out: &mut Packer, book: &Book) {
    let deals = &book.deals;
    out.hashes(deals.iter().map(|deal| deal.id.0));

    let amounts: Vec<Money> = deals.iter().filter_map(|deal| deal.amount).collect();
    let mut currencies: Vec<Currency> = amounts.iter().map(|amount| amount.currency).collect();
    currencies.sort_unstable();
    currencies.dedup();
    let place = |currency: Currency| currencies.partition_point(|it| *it < currency) as u64;
    out.flags(deals.iter().map(|deal| deal.amount.is_some()));
    out.number(currencies.len() as u64);
    out.texts(&currencies.iter().map(Currency::code).collect::<Vec<_>>());
    out.numbers(&amounts.iter().map(|amount| place(amount.currency)).collect::<Vec<_>>());
    out.numbers(&amounts.iter().map(|amount| zigzag(amount.minor)).collect::<Vec<_>>());

    out.times(&deals.iter().map(|deal| deal.created_at).collect::<Vec<_>>());
    out.times(&deals.iter().map(|deal| deal.closed_at).collect::<Vec<_>>());
    out.numbers(&deals.iter().map(|deal| deal.outcome as u64).collect::<Vec<_>>());
    let mut terms = |term: fn(&Deal) -> Term| {
        out.terms(&deals.iter().map(term).collect::<Vec<_>>(), &book.terms);
    };
    terms(|deal| deal.stage);
    terms(|deal| deal.owner);
    terms(|deal| deal.pipeline);

    out.numbers(&deals.iter().map(|deal| deal.stages.len() as u64).collect::<Vec<_>>());
    let stages = || deals.iter().flat_map(|deal| &deal.stages);
    out.terms(&stages().map(|(stage, _)| *stage).collect::<Vec<_>>(), &book.terms);
    out.times(&stages().map(|(_, at)| Some(*at)).collect::<Vec<_>>());

    out.numbers(&deals.iter().map(|deal| deal.committee.len() as u64).collect::<Vec<_>>());
    let members = book.accounts.iter().flat_map(|account| {
        let first = account.people.start as u32;
        let members = book.deals[account.deals.clone()].iter().flat_map(|deal| &deal.committee);
        members.map(move |member| u64::from(member.person - first))
    });
    out.numbers(&members.collect::<Vec<_>>());
    let members = || deals.iter().flat_map(|deal| &deal.committee);
    out.terms(&members().map(|member| member.role).collect::<Vec<_>>(), &book.terms);
    out.flags(members().map(|member| member.is_primary));

    write_pairs(out, book, deals.iter().map(|deal| &deal.attributes[..]));
}

fn read_deals(book: &mut Book, from: &mut Unpacker<'_>, count: usize) -> Result<(), ChunkError> {
    let ids = from.hashes(count)?;

    let has_amount = from.flags(count)?;
    let known = has_amount.iter().filter(|has| **has).count();
    let currencies = from.count()?;
    let currencies = from.texts(currencies)?.into_iter().map(Currency::parse);
    let currencies = currencies.collect::<Result<Vec<_>, _>>().map_err(damaged)?;
    let places = from.numbers::<u32>(known)?;
    let mut amounts = Vec::with_capacity(known);
    for (place, minor) in places.into_iter().zip(from.numbers::<u64>(known)?) {
        let currency = currencies.get(place as usize).ok_or_else(|| damaged("unknown currency"))?;
        amounts.push(Money::new(unzigzag(minor), *currency));
    }
    let mut amounts = amounts.into_iter();

    let created = from.times(count)?;
    let closed = from.times(count)?;
    let outcomes = from.numbers::<u32>(count)?;
    let terms = &mut book.terms;
    let stage = from.terms(count, terms)?;
    let owner = from.terms(count, terms)?;
    let pipeline = from.terms(count, terms)?;

    let (stages_of, stages) = from.counts(count)?;
    let names = from.terms(stages, terms)?;
    let times = from.times(stages)?.into_iter();
    let mut stages =
        names.into_iter().zip(times.map(|at| at.ok_or_else(|| damaged("a stage without a time"))));

    let (members_of, members) = from.counts(count)?;
    let people = from.numbers::<u32>(members)?;
    let roles = from.terms(members, terms)?;
    let primary = from.flags(members)?;
    let mut members = people.into_iter().zip(roles).zip(primary);

    let mut attributes = read_pairs(book, from, count)?.into_iter();
    let mut rows = ids.enumerate();
    for account in &book.accounts {
        for (row, id) in rows.by_ref().take(account.deals.len()) {
            let committee =
                members.by_ref().take(members_of[row] as usize).map(|((person, role), is_primary)| {
                    let person = place_of(person, account)?;
                    Ok(Member { person, role, is_primary })
                });
            book.deals.push(Deal {
                id: DealId(id),
                key: Term::UNREAD,
                label: Term::UNREAD,
                amount: if has_amount[row] { amounts.next() } else { None },
                created_at: created[row],
                closed_at: closed[row],
                outcome: match outcomes[row] {
                    0 => Outcome::Open,
                    1 => Outcome::Won,
                    2 => Outcome::Lost,
                    _ => return Err(damaged("unknown outcome")),
                },
                stage: stage[row],
                owner: owner[row],
                pipeline: pipeline[row],
                committee: committee.collect::<Result<_, _>>()?,
                stages: stages
                    .by_ref()
                    .take(stages_of[row] as usize)
                    .map(|(stage, at)| Ok((stage, at?)))
                    .collect::<Result<_, ChunkError>>()?,
                attributes: attributes.next().unwrap_or_default(),
            });
        }
    }
    Ok(())
}

/// The row of a person whose place among the account's own is known.
fn place_of(person: u32, account: &Account) -> Result<u32, ChunkError> {
    let known = (person as usize) < account.people.len();
    if known { Ok(person + account.people.start as u32) } else { Err(damaged("unknown person")) }
}

fn write_pairs<'a>(out: &mut Packer, book: &Book, lists: impl Iterator<Item = &'a [(Term, Term)]> + Clone) {
    out.numbers(&lists.clone().map(|list| list.len() as u64).collect::<Vec<_>>());
    out.terms(&lists.clone().flatten().map(|(name, _)| *name).collect::<Vec<_>>(), &book.terms);
    out.terms(&lists.flatten().map(|(_, value)| *value).collect::<Vec<_>>(), &book.terms);
}

fn read_pairs(
    book: &mut Book,
    from: &mut Unpacker<'_>,
    count: usize,
) -> Result<Vec<Vec<(Term, Term)>>, ChunkError> {
    let (counts, sum) = from.counts(count)?;
    let names = from.terms(sum, &mut book.terms)?;
    let values = from.terms(sum, &mut book.terms)?;
    let mut pairs = names.into_iter().zip(values);
    Ok(counts.into_iter().map(|count| pairs.by_ref().take(count as usize).collect()).collect())
}

fn write_names(out: &mut Packer, book: &Book, names: impl Iterator<Item = [Term; 2]>) {
    let names: Vec<&str> = names.flatten().map(|term| book.terms.get(term).unwrap_or_default()).collect();
    out.texts(&names);
}

fn read_names<'a>(
    rows: impl ExactSizeIterator<Item = [&'a mut Term; 2]>,
    from: &mut Unpacker<'_>,
    terms: &mut super::Terms,
) -> Result<(), ChunkError> {
    let texts = from.texts(rows.len() * 2)?;
    for (term, text) in rows.flatten().zip(texts) {
        *term = terms.intern(text);
    }
    Ok(())
}

fn write_touches(out: &mut Packer, book: &Book, column: Column) {
    let touches = &book.touches;
    if let Some((_, terms)) = touches.terms().into_iter().find(|(of, _)| *of == column) {
        return out.terms(terms, &book.terms);
    }
    match column {
        Column::At => {
            out.timeline(&touches.at, book.accounts.iter().map(|it| &touches.at[it.touches.clone()]));
        }
        Column::Weight => {
            out.numbers(&(0..touches.len()).map(|row| u64::from(touches.weight[row])).collect::<Vec<_>>());
        }
        Column::Id => out.hashes(touches.id.iter().map(|id| id.0)),
        Column::Direction => {
            out.flags(touches.direction.iter().map(|direction| *direction == Direction::Outbound));
        }
        // Nobody is 0, the account's first person 1.
        _ => {
            let people = book.accounts.iter().flat_map(|account| {
                let first = account.people.start as u32;
                let place = move |row: &u32| if *row == NOBODY { 0 } else { u64::from(row - first) + 1 };
                touches.person[account.touches.clone()].iter().map(place)
            });
            out.numbers(&people.collect::<Vec<_>>());
        }
    }
}

fn read_touches(
    book: &mut Book,
    from: &mut Unpacker<'_>,
    column: Column,
    rows: &Rows,
) -> Result<(), ChunkError> {
    let touches = &mut book.touches;
    if let Some((_, terms)) = touches.terms_mut().into_iter().find(|(of, _)| *of == column) {
        *terms = from.terms(rows.touches, &mut book.terms)?;
        return Ok(());
    }
    match column {
        Column::At => touches.at = from.timeline(&rows.touches_of, rows.touches)?,
        Column::Weight => touches.weight = from.numbers::<u32>(rows.touches)?.into(),
        Column::Id => touches.id = from.hashes(rows.touches)?.map(TouchId).collect(),
        Column::Direction => {
            let direction = |outbound| if outbound { Direction::Outbound } else { Direction::Inbound };
            touches.direction = from.flags(rows.touches)?.into_iter().map(direction).collect();
        }
        _ => {
            let mut places = from.numbers::<u32>(rows.touches)?.into_iter();
            touches.person = Vec::with_capacity(rows.touches);
            for account in &book.accounts {
                for place in places.by_ref().take(account.touches.len()) {
                    touches.person.push(match place.checked_sub(1) {
                        None => NOBODY,
                        Some(person) => place_of(person, account)?,
                    });
                }
            }
        }
    }
    Ok(())
}

/// Small numbers for amounts near zero of either sign.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
