//! The columnar book: every account's timeline and deals, as the engine reads them.
//!
//! `derive` writes it chunk by chunk, `store` keeps the chunks column by column, and a process appends the columns
//! that its question needs into one book. Touches are columns, sorted by account and then by time, so that a journey
//! is a range of rows; all else is few enough to be rows. Not responsible for which touches count for a deal: that
//! is a journey.
//!
//! A column of touches that was not loaded is empty, and a name that was not loaded is [`Term::UNREAD`]: to read
//! either is a mistake in the program, and panics.

mod chunk;
mod column;
mod layers;
mod weights;

use std::mem::take;
use std::ops::Range;

use foldhash::fast::RandomState;
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

pub use crate::fact::{Direction, Outcome, Silent};
use crate::id::{AccountId, DealId, Hash, PersonId, TouchId};
use crate::money::Money;
use crate::time::Time;
pub use chunk::{Chunk, ChunkError};
pub use column::{Column, Columns};
pub use layers::{Assembly, Keys, Merged, Place, merge};
pub use weights::Weights;

/// A number for a text of the book; [`Term::NONE`] where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Term(pub u32);

impl Term {
    /// No text: the touch has no such dimension.
    pub const NONE: Self = Self(0);

    /// A text that was not loaded: [`Terms::get`] panics on it.
    pub const UNREAD: Self = Self(u32::MAX);

    /// Whether there is no text.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// The texts of a book, each once. Numbers follow first use and mean nothing outside this book.
#[derive(Clone, Debug)]
pub struct Terms(IndexSet<Box<str>, RandomState>);

impl Default for Terms {
    fn default() -> Self {
        // The number 0 is that of no text.
        Self(IndexSet::from_iter([Box::default()]))
    }
}

impl Terms {
    /// The number of a text, given now if it is new; blank text is [`Term::NONE`].
    pub fn intern(&mut self, text: &str) -> Term {
        let number = self.0.get_index_of(text).unwrap_or_else(|| self.0.insert_full(text.into()).0);
        Term(number as u32)
    }

    /// The number of an optional text.
    pub fn intern_option(&mut self, text: Option<&str>) -> Term {
        text.map_or(Term::NONE, |text| self.intern(text))
    }

    /// The number of a text that may not be known; none of blank text.
    pub fn find(&self, text: &str) -> Option<Term> {
        self.0.get_index_of(text).map(|number| Term(number as u32)).filter(|term| !term.is_none())
    }

    /// The text of a number, `None` for [`Term::NONE`].
    ///
    /// Panics on [`Term::UNREAD`]: the question did not say that it needs this name.
    pub fn get(&self, term: Term) -> Option<&str> {
        assert!(term != Term::UNREAD, "the name was not loaded: the question's columns lack it");
        if term.is_none() { None } else { self.0.get_index(term.0 as usize).map(|text| &**text) }
    }

    /// How many numbers are in use, [`Term::NONE`] included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no text is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }
}

/// No person, in [`Touches::person`].
pub const NOBODY: u32 = u32::MAX;

/// One account's place in the book. People without an account each have a place of their own, with no id.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The account, or `None` for a person who belongs to none.
    pub id: Option<AccountId>,
    /// The source's id for it, as reports print it.
    pub key: Term,
    /// Its name.
    pub label: Term,
    /// Its rows of [`Book::touches`], in order of time.
    pub touches: Range<usize>,
    /// Its rows of [`Book::people`].
    pub people: Range<usize>,
    /// Its rows of [`Book::deals`].
    pub deals: Range<usize>,
    /// Pairs such as `industry`, `finance`, sorted by name's text.
    pub attributes: Vec<(Term, Term)>,
}

/// A person as a member of one account. One who moved stands under each account, with the same id.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// The person.
    pub id: PersonId,
    /// The source's id, or the address where there is none.
    pub key: Term,
    /// The person's name.
    pub label: Term,
    /// The person's own role.
    pub role: Term,
    /// When the CRM first knew them.
    pub created_at: Option<Time>,
    /// Whether this is the membership that the goal `lead` counts: the one at the time of creation.
    pub is_lead_here: bool,
}

/// A deal and all that milestones need.
#[derive(Clone, Debug, PartialEq)]
pub struct Deal {
    /// The deal.
    pub id: DealId,
    /// The source's id.
    pub key: Term,
    /// Its name.
    pub label: Term,
    /// The amount in its own currency.
    pub amount: Option<Money>,
    /// When the opportunity was created.
    pub created_at: Option<Time>,
    /// When it closed.
    pub closed_at: Option<Time>,
    /// How it ended.
    pub outcome: Outcome,
    /// The stage it is in now.
    pub stage: Term,
    /// The owner's name.
    pub owner: Term,
    /// The pipeline.
    pub pipeline: Term,
    /// Stages entered, by time; the same stage may come again.
    pub stages: Vec<(Term, Time)>,
    /// The committee, by row of [`Book::people`].
    pub committee: Vec<Member>,
    /// Pairs such as `region`, `EMEA`, sorted by name's text.
    pub attributes: Vec<(Term, Term)>,
}

/// A person's part in a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The row of [`Book::people`].
    pub person: u32,
    /// Their role in this deal.
    pub role: Term,
    /// Whether they are the primary contact.
    pub is_primary: bool,
}

/// The touches, a column each, all of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Touches {
    /// The touch.
    pub id: Vec<TouchId>,
    /// When.
    pub at: Vec<Time>,
    /// The row of [`Book::people`], or [`NOBODY`].
    pub person: Vec<u32>,
    /// `visit`, `email`, `call`, …
    pub kind: Vec<Term>,
    /// Who began it.
    pub direction: Vec<Direction>,
    /// The channel after the channel rules.
    pub channel: Vec<Term>,
    /// The campaign's name.
    pub campaign: Vec<Term>,
    /// The content.
    pub content: Vec<Term>,
    /// The team after the team rules.
    pub team: Vec<Term>,
    /// The rep's name.
    pub actor: Vec<Term>,
    /// The source that told of it first in order of evidence.
    pub source: Vec<Term>,
    /// The source's own weight in millionths, read only by models that say `use_weight`. Zero: kept, but in no journey.
    pub weight: Weights,
}

impl Touches {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Appends one.
    pub fn push(&mut self, touch: Touch) {
        self.id.push(touch.id);
        self.at.push(touch.at);
        self.person.push(touch.person);
        self.kind.push(touch.kind);
        self.direction.push(touch.direction);
        self.channel.push(touch.channel);
        self.campaign.push(touch.campaign);
        self.content.push(touch.content);
        self.team.push(touch.team);
        self.actor.push(touch.actor);
        self.source.push(touch.source);
        self.weight.push(touch.weight);
    }

    /// Makes room for so many more, in these columns.
    fn reserve(&mut self, more: usize, columns: Columns) {
        self.at.reserve(more);
        for (_, terms) in self.terms_mut().into_iter().filter(|(column, _)| columns.has(*column)) {
            terms.reserve(more);
        }
    }

    /// The columns of terms.
    fn terms(&self) -> [(Column, &Vec<Term>); 7] {
        [
            (Column::Kind, &self.kind),
            (Column::Channel, &self.channel),
            (Column::Campaign, &self.campaign),
            (Column::Content, &self.content),
            (Column::Team, &self.team),
            (Column::Actor, &self.actor),
            (Column::Source, &self.source),
        ]
    }

    /// The columns of terms, to be filled.
    fn terms_mut(&mut self) -> [(Column, &mut Vec<Term>); 7] {
        [
            (Column::Kind, &mut self.kind),
            (Column::Channel, &mut self.channel),
            (Column::Campaign, &mut self.campaign),
            (Column::Content, &mut self.content),
            (Column::Team, &mut self.team),
            (Column::Actor, &mut self.actor),
            (Column::Source, &mut self.source),
        ]
    }
}

/// One row of [`Touches`]; the fields are its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is documented where it is a column")]
pub struct Touch {
    pub id: TouchId,
    pub at: Time,
    pub person: u32,
    pub kind: Term,
    pub direction: Direction,
    pub channel: Term,
    pub campaign: Term,
    pub content: Term,
    pub team: Term,
    pub actor: Term,
    pub source: Term,
    pub weight: u32,
}

/// Accounts, their people, their deals and their touches.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// The texts that all [`Term`]s below stand for.
    pub terms: Terms,
    /// The accounts, by [entry](Self::entry).
    pub accounts: Vec<Account>,
    /// The people, account by account.
    pub people: Vec<Person>,
    /// The deals, account by account.
    pub deals: Vec<Deal>,
    /// The touches, account by account.
    pub touches: Touches,
    /// Which columns are loaded; of a book that was not loaded but made, all.
    pub columns: Columns,
}

/// What the terms of one book are in another, as far as they were asked.
#[derive(Clone, Debug)]
pub struct Translation(Vec<Term>);

impl Translation {
    /// Nothing asked so far.
    pub fn of(from: &Terms) -> Self {
        let mut known = vec![Term::UNREAD; from.len()];
        known[0] = Term::NONE;
        Self(known)
    }

    #[inline]
    fn translate(&mut self, term: Term, from: &Terms, to: &mut Terms) -> Term {
        match self.0.get(term.0 as usize) {
            Some(known) if *known != Term::UNREAD => *known,
            _ => self.ask(term, from, to),
        }
    }

    #[cold]
    fn ask(&mut self, term: Term, from: &Terms, to: &mut Terms) -> Term {
        if term == Term::UNREAD {
            return term;
        }
        let known = from.get(term).map_or(Term::NONE, |text| to.intern(text));
        self.0[term.0 as usize] = known;
        known
    }
}

impl Book {
    /// An empty book that will have these columns.
    pub fn with_columns(columns: Columns) -> Self {
        Self { columns, ..Self::default() }
    }

    /// What names an account's place: the account, or the deal or person that has none.
    pub fn entry(&self, account: &Account) -> Hash {
        let person = || self.people[account.people.clone()].first().map(|person| person.id.0);
        let deal = || self.deals[account.deals.clone()].first().map(|deal| deal.id.0);
        account.id.map(|id| id.0).or_else(deal).or_else(person).unwrap_or_default()
    }

    /// Appends some accounts of another book, with the columns that this one has.
    pub fn append(&mut self, from: &Self, accounts: Range<usize>, translation: &mut Translation) {
        let Some(part) = Part::of(from, accounts) else { return };
        self.append_touches(from, &part, translation);
        let deals = from.deals[part.deals.clone()].iter().cloned();
        let accounts = from.accounts[part.accounts.clone()].iter().cloned();
        self.append_rows(from, &part, (deals, accounts), translation);
    }

    /// As [`append`](Self::append), but takes lists out of the other book's rows where that copies them.
    pub fn take(&mut self, from: &mut Self, accounts: Range<usize>, translation: &mut Translation) {
        let Some(part) = Part::of(from, accounts) else { return };
        self.append_touches(from, &part, translation);
        let (mut all_deals, mut all_accounts) = (take(&mut from.deals), take(&mut from.accounts));
        let deals = all_deals[part.deals.clone()].iter_mut().map(|deal| Deal {
            stages: take(&mut deal.stages),
            committee: take(&mut deal.committee),
            attributes: take(&mut deal.attributes),
            ..deal.clone()
        });
        let accounts = all_accounts[part.accounts.clone()].iter_mut();
        let accounts = accounts.map(|it| Account { attributes: take(&mut it.attributes), ..it.clone() });
        self.append_rows(from, &part, (deals, accounts), translation);
        (from.deals, from.accounts) = (all_deals, all_accounts);
    }

    fn append_touches(&mut self, from: &Self, part: &Part, translation: &mut Translation) {
        let (columns, rows, t) = (self.columns, part.touches.clone(), &from.touches);
        let terms = &mut self.terms;
        for ((column, to), (_, numbers)) in self.touches.terms_mut().into_iter().zip(t.terms()) {
            if columns.has(column) {
                let numbers = numbers[rows.clone()].iter();
                to.extend(numbers.map(|term| translation.translate(*term, &from.terms, terms)));
            }
        }
        let to = &mut self.touches;
        to.at.extend_from_slice(&t.at[rows.clone()]);
        to.weight.append(&t.weight, rows.clone());
        if columns.has(Column::Id) {
            to.id.extend_from_slice(&t.id[rows.clone()]);
        }
        if columns.has(Column::Person) {
            let person = part.person(self.people.len());
            let people = t.person[rows.clone()].iter();
            to.person.extend(people.map(|row| if *row == NOBODY { NOBODY } else { person(*row) }));
        }
        if columns.has(Column::Direction) {
            to.direction.extend_from_slice(&t.direction[rows]);
        }
    }

    /// Appends all but the touches, which are appended already. Deals and accounts come as they are in the other book.
    fn append_rows(
        &mut self,
        from: &Self,
        part: &Part,
        (deals, accounts): (impl Iterator<Item = Deal>, impl Iterator<Item = Account>),
        translation: &mut Translation,
    ) {
        let to_touches = self.touches.len() - part.touches.len();
        let (to_people, to_deals) = (self.people.len(), self.deals.len());
        let terms = &mut self.terms;
        let mut moved = |term: &mut Term| *term = translation.translate(*term, &from.terms, terms);
        let pairs = |list: &mut [(Term, Term)], moved: &mut dyn FnMut(&mut Term)| {
            for (name, value) in list {
                moved(name);
                moved(value);
            }
        };
        let person = part.person(to_people);
        self.people.extend(from.people[part.people.clone()].iter().cloned().map(|mut it| {
            [&mut it.key, &mut it.label, &mut it.role].into_iter().for_each(&mut moved);
            it
        }));
        self.deals.extend(deals.map(|mut it| {
            let own = [&mut it.key, &mut it.label, &mut it.stage, &mut it.owner, &mut it.pipeline];
            own.into_iter().for_each(&mut moved);
            it.stages.iter_mut().for_each(|(stage, _)| moved(stage));
            for member in &mut it.committee {
                member.person = person(member.person);
                moved(&mut member.role);
            }
            pairs(&mut it.attributes, &mut moved);
            it
        }));
        let shift =
            |range: &Range<usize>, from: usize, to: usize| range.start - from + to..range.end - from + to;
        self.accounts.extend(accounts.map(|mut it| {
            [&mut it.key, &mut it.label].into_iter().for_each(&mut moved);
            pairs(&mut it.attributes, &mut moved);
            Account {
                touches: shift(&it.touches, part.touches.start, to_touches),
                people: shift(&it.people, part.people.start, to_people),
                deals: shift(&it.deals, part.deals.start, to_deals),
                ..it
            }
        }));
    }
}

/// Some accounts of a book, and the rows that are theirs.
struct Part {
    accounts: Range<usize>,
    touches: Range<usize>,
    people: Range<usize>,
    deals: Range<usize>,
}

impl Part {
    /// `None` of no account.
    fn of(book: &Book, accounts: Range<usize>) -> Option<Self> {
        let own = &book.accounts[accounts.clone()];
        let (first, last) = (own.first()?, own.last()?);
        let (touches, people) = (first.touches.start..last.touches.end, first.people.start..last.people.end);
        Some(Self { accounts, touches, people, deals: first.deals.start..last.deals.end })
    }

    /// What a row of people becomes in a book that had so many before.
    fn person(&self, before: usize) -> impl Fn(u32) -> u32 + use<> {
        let first = self.people.start as u32;
        move |row| row - first + before as u32
    }
}
