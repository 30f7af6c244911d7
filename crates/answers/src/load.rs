//! Loads what the questions are asked of.

use tributary_core::book::Columns;
use tributary_core::{Book, Currency, Time};
use tributary_derive::{Rules, update};
use tributary_engine::Rates;
use tributary_store::Store;
use tributary_store::derived::RateRow;
use tributary_store::landing::StreamCoverage;

use crate::AnswerError;

/// Everything the engine needs.
#[derive(Debug)]
pub struct Data {
    /// Every account's timeline and deals.
    pub book: Book,
    /// Exchange rates.
    pub rates: Rates,
    /// What was known then.
    pub as_of: Time,
    /// What of each stream is complete now.
    pub coverage: Vec<StreamCoverage>,
}

/// Loads the book as it is now, the columns that the question needs, or all of it as it was known at a time.
///
/// As it is now is what was derived last: bring that up to date first.
pub async fn load(
    store: &Store,
    rules: &Rules,
    as_of: Option<Time>,
    columns: Columns,
) -> Result<Data, AnswerError> {
    let latest = store.last_observed().await?.ok_or(AnswerError::Empty)?;
    let (book, rates, as_of) = match as_of {
        Some(at) => {
            let (book, rates) = update::book_as_of(store, rules, at).await?;
            (book, rates, at)
        }
        None => (store.load_book(columns).await?, store.rates().await?, latest),
    };
    Ok(Data { book, rates: read_rates(rates), as_of, coverage: store.coverage().await? })
}

/// A rate that is no number was refused when it was imported; here it would only be left out.
fn read_rates(rows: Vec<RateRow>) -> Rates {
    let mut rates = Rates::default();
    for row in rows {
        if let Ok(rate) = tributary_core::money::parse_decimal(&row.rate) {
            rates.add(row.at, row.from, row.to, rate);
        }
    }
    rates
}

impl Data {
    /// Data of a book alone, for tests and benches.
    pub fn of_book(book: Book, as_of: Time) -> Self {
        Self { book, rates: Rates::default(), as_of, coverage: Vec::new() }
    }

    /// Adds a rate from `at` on.
    pub fn with_rate(mut self, at: Time, from: Currency, to: Currency, rate: &str) -> Self {
        if let Ok(rate) = tributary_core::money::parse_decimal(rate) {
            self.rates.add(at, from, to, rate);
        }
        self
    }
}
