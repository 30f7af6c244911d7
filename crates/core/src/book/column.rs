//! The parts of a chunk that are kept and read each by itself, and sets of them.

use std::fmt;

/// One part of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Column {
    /// What names each account, how much is its own, and its attributes.
    Accounts,
    /// The people, without their names.
    People,
    /// The deals, without their names.
    Deals,
    /// [`Touches::at`](super::Touches::at).
    At,
    /// [`Touches::weight`](super::Touches::weight).
    Weight,
    /// Keys and labels of accounts.
    AccountNames,
    /// Keys and labels of people.
    PersonNames,
    /// Keys and labels of deals.
    DealNames,
    /// [`Touches::id`](super::Touches::id).
    Id,
    /// [`Touches::person`](super::Touches::person).
    Person,
    /// [`Touches::direction`](super::Touches::direction).
    Direction,
    /// [`Touches::kind`](super::Touches::kind).
    Kind,
    /// [`Touches::channel`](super::Touches::channel).
    Channel,
    /// [`Touches::campaign`](super::Touches::campaign).
    Campaign,
    /// [`Touches::content`](super::Touches::content).
    Content,
    /// [`Touches::team`](super::Touches::team).
    Team,
    /// [`Touches::actor`](super::Touches::actor).
    Actor,
    /// [`Touches::source`](super::Touches::source).
    Source,
}

impl Column {
    /// Every column, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Accounts,
        Self::People,
        Self::Deals,
        Self::At,
        Self::Weight,
        Self::AccountNames,
        Self::PersonNames,
        Self::DealNames,
        Self::Id,
        Self::Person,
        Self::Direction,
        Self::Kind,
        Self::Channel,
        Self::Campaign,
        Self::Content,
        Self::Team,
        Self::Actor,
        Self::Source,
    ];

    /// The number under which a store keeps it. It never changes.
    pub fn number(self) -> i64 {
        i64::from(self as u8)
    }

    /// The column of a number.
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// Which columns of a book are loaded: always those that every journey needs, then those that a question asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Columns(u32);

impl Columns {
    /// What every journey needs: accounts, people, deals, and the time and weight of each touch.
    pub const BASE: Self = Self(0b1_1111);
    /// Everything.
    pub const ALL: Self = Self((1 << Column::ALL.len()) - 1);

    /// These columns too.
    pub fn with(self, columns: impl IntoIterator<Item = Column>) -> Self {
        columns.into_iter().fold(self, |set, column| Self(set.0 | 1 << column as u8))
    }

    /// What either set has.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a column is one of them.
    pub fn has(self, column: Column) -> bool {
        self.0 & 1 << column as u8 != 0
    }

    /// The columns, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Column> {
        Column::ALL.into_iter().filter(move |column| self.has(*column))
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
