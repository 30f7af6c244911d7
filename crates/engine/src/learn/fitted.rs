//! A learned model on the book that it learned from: it splits that book's journeys, and tells why.
//!
//! Not responsible for learning (`method`), nor for money (`credit`).

use std::sync::Arc;

use tributary_core::Currency;

use super::explain::{Comparable, Explained};
use super::{Credit, LearnError, Learned, Method, Remark};
use crate::credit::By;
use crate::journey::{Journey, Journeys, Subject, null_journeys};
use crate::money::Rates;
use crate::paths::{Paths, counted};

/// The journeys of a book and what came to nothing, laid out to be learned from: once, whatever the models.
#[derive(Debug)]
pub struct TrainingSet {
    on: By,
    paths: Paths,
    comparable: Comparable,
    /// The path of each deal (goal `lead`: person) by row of the book; [`NO_PATH`] without.
    path_of: Vec<u32>,
}

/// No path: another outcome, no touch, or no rate.
const NO_PATH: u32 = u32::MAX;

impl TrainingSet {
    /// Lays journeys out by one dimension.
    pub fn of(found: &Journeys<'_>, on: By, (rates, reporting): (&Rates, Currency)) -> Self {
        let nulls = null_journeys(found);
        let paths = Paths::with_nulls(found, &nulls, on, (rates, reporting));
        let book = found.book;
        let mut path_of = vec![NO_PATH; book.deals.len().max(book.people.len())];
        for (path, (journeys, journey)) in counted(found, &nulls, rates, reporting).enumerate() {
            if std::ptr::eq(journeys, found)
                && let Some(row) = row(journey)
            {
                path_of[row] = path as u32;
            }
        }
        Self { on, comparable: Comparable::of(&paths), paths, path_of }
    }
}

/// A data-driven model, fitted on the journeys of a book by one dimension.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Its name.
    pub name: String,
    /// What it learned by.
    pub method: Method,
    learned: Arc<dyn Learned>,
    from: Arc<TrainingSet>,
}

impl Fitted {
    /// Fits a method.
    pub fn new(name: &str, method: &Method, from: &Arc<TrainingSet>) -> Result<Self, LearnError> {
        let learned = method.fit(&from.paths)?.into();
        Ok(Self { name: name.to_owned(), method: method.clone(), learned, from: Arc::clone(from) })
    }

    /// The dimension that it was fitted on.
    pub fn on(&self) -> By {
        self.from.on
    }

    /// The keys of the dimension, and the credit of each over all paths.
    pub fn credit(&self) -> impl Iterator<Item = (&Option<String>, &Credit)> {
        self.from.paths.walked.keys.iter().zip(self.learned.credit())
    }

    /// What a key is called, by its number; `None` for touches without the dimension.
    pub fn key(&self, number: u32) -> Option<&str> {
        self.from.paths.walked.keys.get(number as usize)?.as_deref()
    }

    /// What a reader must know to read the credit rightly.
    pub fn remarks(&self) -> Vec<Remark> {
        self.learned.remarks()
    }

    fn path(&self, journey: &Journey) -> Option<usize> {
        let path = *self.from.path_of.get(row(journey)?)?;
        (path != NO_PATH).then_some(path as usize)
    }

    /// The weights of a journey's touches, one of those it was fitted on: they sum to 1, or all are 0.
    pub fn weights(&self, journey: &Journey, out: &mut Vec<f64>) {
        if let Some(path) = self.path(journey) {
            self.learned.weigh(self.from.paths.walked.steps(path), out);
        } else {
            out.clear();
            out.resize(journey.touches.len(), 0.0);
        }
    }

    /// Why a journey's touches have the weights they have; `None` of a journey that it was not fitted on.
    pub fn explain(&self, journey: &Journey) -> Option<Explained> {
        let path = self.path(journey)?;
        Some(self.from.comparable.explain(&*self.learned, self.from.paths.walked.steps(path)))
    }
}

/// The row by which a journey is found again.
fn row(journey: &Journey) -> Option<usize> {
    match journey.subject {
        Subject::Deal(row) | Subject::Lead(row) => Some(row),
        Subject::Account => None,
    }
}
