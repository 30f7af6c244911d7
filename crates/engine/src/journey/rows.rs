//! A journey's touches as rows of the book: a range where every touch of a stretch of the account's timeline counts,
//! which nearly always is so and takes no room, and a list where some do not.

use std::ops::Range;

use tributary_core::Time;
use tributary_core::book::Touches;

/// Which touches a journey has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// All of these rows of [`Book::touches`](tributary_core::Book::touches).
    All(Range<usize>),
    /// Those that this range of [`Journeys::listed`](super::Journeys::listed) names.
    Listed(Range<usize>),
}

impl Selected {
    /// How many there are.
    pub fn len(&self) -> usize {
        let (Self::All(range) | Self::Listed(range)) = self;
        range.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rows of [`Book::touches`](tributary_core::Book::touches), in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows<'j> {
    /// One after the other.
    All {
        /// The first.
        first: usize,
        /// How many there are.
        count: usize,
    },
    /// These.
    Listed(&'j [u32]),
}

impl<'j> Rows<'j> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Self::All { count, .. } => count,
            Self::Listed(rows) => rows.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The row at a place.
    ///
    /// Panics beyond the last place.
    pub fn at(self, place: usize) -> usize {
        match self {
            Self::All { first, count } => {
                assert!(place < count, "place {place} of {count} touches");
                first + place
            }
            Self::Listed(rows) => rows[place] as usize,
        }
    }

    /// The rows.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator + Clone + use<'j> {
        (0..self.len()).map(move |place| self.at(place))
    }

    /// How many of them were before a time.
    pub fn before(self, touches: &Touches, time: Time) -> usize {
        self.partition_point(touches, |at| at < time)
    }

    /// How many of them were at or before a time.
    pub fn until(self, touches: &Touches, time: Time) -> usize {
        self.partition_point(touches, |at| at <= time)
    }

    fn partition_point(self, touches: &Touches, is_early: impl Fn(Time) -> bool) -> usize {
        match self {
            Self::All { first, count } => {
                touches.at[first..first + count].partition_point(|at| is_early(*at))
            }
            Self::Listed(rows) => rows.partition_point(|row| is_early(touches.at[*row as usize])),
        }
    }
}
