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

/// A data-driven model, fitted on the journeys of a book by one dimension.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Its name.
    pub name: String,
    /// What it learned by.
    pub method: Method,
    /// The dimension that it was fitted on.
    pub on: By,
    paths: Paths,
    learned: Arc<dyn Learned>,
    comparable: Comparable,
    /// The path of each deal (goal `lead`: person) by row of the book; [`NO_PATH`] without.
    path_of: Vec<u32>,
}

/// No path: another outcome, no touch, or no rate.
const NO_PATH: u32 = u32::MAX;

impl Fitted {
    /// Fits a method on journeys and on what came to nothing.
    pub fn new(
        name: &str,
        method: &Method,
        found: &Journeys<'_>,
        on: By,
        (rates, reporting): (&Rates, Currency),
    ) -> Result<Self, LearnError> {
        let paths = Paths::of_journeys(found, on, rates, reporting);
        let learned = method.fit(&paths)?.into();
        let book = found.book;
        let mut path_of = vec![NO_PATH; book.deals.len().max(book.people.len())];
        let nulls = null_journeys(found);
        for (path, (journeys, journey)) in counted(found, &nulls, rates, reporting).enumerate() {
            if std::ptr::eq(journeys, found)
                && let Some(row) = row(journey)
            {
                path_of[row] = path as u32;
            }
        }
        let comparable = Comparable::of(&paths);
        Ok(Self { name: name.to_owned(), method: method.clone(), on, paths, learned, comparable, path_of })
    }

    /// The keys of the dimension, and the credit of each over all paths.
    pub fn credit(&self) -> impl Iterator<Item = (&Option<String>, &Credit)> {
        self.paths.walked.keys.iter().zip(self.learned.credit())
    }

    /// What a key is called, by its number; `None` for touches without the dimension.
    pub fn key(&self, number: u32) -> Option<&str> {
        self.paths.walked.keys.get(number as usize)?.as_deref()
    }

    /// What a reader must know to read the credit rightly.
    pub fn remarks(&self) -> Vec<Remark> {
        self.learned.remarks()
    }

    fn path(&self, journey: &Journey) -> Option<usize> {
        let path = *self.path_of.get(row(journey)?)?;
        (path != NO_PATH).then_some(path as usize)
    }

    /// The weights of a journey's touches, one of those it was fitted on: they sum to 1, or all are 0.
    pub fn weights(&self, journeys: &Journeys<'_>, journey: &Journey, out: &mut Vec<f64>) {
        if let Some(path) = self.path(journey) {
            self.learned.weigh(self.paths.walked.steps(path), out);
        } else {
            out.clear();
            out.resize(journeys.touches(journey).len(), 0.0);
        }
    }

    /// Why a journey's touches have the weights they have; `None` of a journey that it was not fitted on.
    pub fn explain(&self, journey: &Journey) -> Option<Explained> {
        let path = self.path(journey)?;
        Some(self.comparable.explain(&*self.learned, self.paths.walked.steps(path)))
    }
}

/// The row by which a journey is found again.
fn row(journey: &Journey) -> Option<usize> {
    match journey.subject {
        Subject::Deal(row) | Subject::Lead(row) => Some(row),
        Subject::Account => None,
    }
}
