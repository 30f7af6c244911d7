//! A column of weights, which are nearly always all the same.

use std::ops::{Index, Range};

/// Weights in millionths. As long as all are equal the one is kept, and takes no room.
#[derive(Clone, Debug)]
pub enum Weights {
    /// All are equal.
    Same {
        /// The weight.
        weight: u32,
        /// How many there are.
        count: usize,
    },
    /// They differ, or did.
    Each(Vec<u32>),
}

impl Default for Weights {
    fn default() -> Self {
        Self::Same { weight: 0, count: 0 }
    }
}

impl Weights {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Same { count, .. } => *count,
            Self::Each(weights) => weights.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends one.
    pub fn push(&mut self, weight: u32) {
        self.extend(weight, 1);
    }

    /// Appends a range of another column.
    pub fn append(&mut self, from: &Self, range: Range<usize>) {
        match (self, from) {
            (to, Self::Same { weight, .. }) => to.extend(*weight, range.len()),
            (Self::Each(to), Self::Each(weights)) => to.extend_from_slice(&weights[range]),
            (to, Self::Each(weights)) => weights[range].iter().for_each(|weight| to.push(*weight)),
        }
    }

    fn extend(&mut self, weight: u32, more: usize) {
        match self {
            Self::Same { weight: own, count } if *own == weight || *count == 0 => {
                *own = weight;
                *count += more;
            }
            Self::Same { weight: own, count } => {
                let mut each = vec![*own; *count];
                each.resize(*count + more, weight);
                *self = Self::Each(each);
            }
            Self::Each(weights) => weights.resize(weights.len() + more, weight),
        }
    }
}

impl From<Vec<u32>> for Weights {
    fn from(weights: Vec<u32>) -> Self {
        match weights.first() {
            Some(first) if weights.iter().all(|weight| weight == first) => {
                Self::Same { weight: *first, count: weights.len() }
            }
            None => Self::default(),
            Some(_) => Self::Each(weights),
        }
    }
}

impl Index<usize> for Weights {
    type Output = u32;

    fn index(&self, row: usize) -> &u32 {
        match self {
            Self::Same { weight, count } => {
                assert!(row < *count, "row {row} of {count} weights");
                weight
            }
            Self::Each(weights) => &weights[row],
        }
    }
}

impl PartialEq for Weights {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len()).all(|row| self[row] == other[row])
    }
}
