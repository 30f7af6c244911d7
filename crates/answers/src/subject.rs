//! What a question about one thing speaks of: an account or a deal, by id or name.

use tributary_core::Book;
use tributary_core::book::Term;

use crate::AnswerError;

/// One account or deal of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The row of [`Book::accounts`].
    Account(usize),
    /// The row of [`Book::deals`].
    Deal(usize),
}

impl Subject {
    /// A deal by its source's id, else by name.
    pub fn deal(book: &Book, text: &str) -> Result<usize, AnswerError> {
        let names = book.deals.iter().map(|deal| (deal.key, deal.label));
        find(book, names, text)?.ok_or_else(|| AnswerError::Unknown { what: "deal", text: text.to_owned() })
    }

    /// A deal, else an account, by its source's id, else by name.
    pub fn find(book: &Book, text: &str) -> Result<Self, AnswerError> {
        if let Some(deal) = find(book, book.deals.iter().map(|deal| (deal.key, deal.label)), text)? {
            return Ok(Self::Deal(deal));
        }
        let accounts = book.accounts.iter().map(|account| (account.key, account.label));
        find(book, accounts, text)?
            .map(Self::Account)
            .ok_or_else(|| AnswerError::Unknown { what: "deal or account", text: text.to_owned() })
    }
}

/// The one row whose id is the text; else the one whose name is, whatever its case.
fn find(
    book: &Book,
    names: impl Iterator<Item = (Term, Term)> + Clone,
    text: &str,
) -> Result<Option<usize>, AnswerError> {
    let text = text.trim();
    let term = book.terms.find(text).filter(|term| !term.is_none());
    let mut found: Vec<usize> =
        names.clone().enumerate().filter(|(_, (key, _))| Some(*key) == term).map(|(row, _)| row).collect();
    if found.is_empty() {
        let wanted = text.to_lowercase();
        let is_named =
            |label: Term| book.terms.get(label).is_some_and(|label| label.to_lowercase() == wanted);
        found = names
            .clone()
            .enumerate()
            .filter(|(_, (_, label))| is_named(*label))
            .map(|(row, _)| row)
            .collect();
    }
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        more => {
            let keys: Vec<(Term, Term)> = names.collect();
            let candidate = |row: &usize| {
                let (key, label) = keys[*row];
                let text = |term| book.terms.get(term).unwrap_or("?");
                format!("{} ({})", text(key), text(label))
            };
            let candidates = more.iter().map(candidate).collect();
            Err(AnswerError::Ambiguous { text: text.to_owned(), candidates })
        }
    }
}
