//! What a book says of a path's account and deal in words: industry, segment, region.
//!
//! Not responsible for which of them a model reads.

use std::collections::{BTreeMap, BTreeSet};

use tributary_core::book::{Book, Term};

/// An attribute of accounts or deals, and the values that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trait {
    /// `industry`, say.
    pub name: String,
    /// The values, sorted. The number of a value is its place here, from 1; 0 is no value.
    pub values: Vec<String>,
}

/// The numbers of all attributes of a book.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) traits: Vec<Trait>,
    places: BTreeMap<Term, usize>,
    levels: BTreeMap<(Term, Term), u32>,
}

impl Numbers {
    /// Numbers names and values by their texts, so that the order of the book's terms reaches no result.
    pub(super) fn of(book: &Book) -> Self {
        let mut seen: BTreeMap<Term, BTreeSet<Term>> = BTreeMap::new();
        let deals = book.deals.iter().flat_map(|deal| &deal.attributes);
        for (name, value) in book.accounts.iter().flat_map(|account| &account.attributes).chain(deals) {
            seen.entry(*name).or_default().insert(*value);
        }
        let text = |term: Term| book.terms.get(term).map(str::to_owned);
        let mut named: Vec<(String, Term)> =
            seen.keys().filter_map(|name| Some((text(*name)?, *name))).collect();
        named.sort();
        let mut out = Self { traits: Vec::new(), places: BTreeMap::new(), levels: BTreeMap::new() };
        for (name, term) in named {
            let mut values: Vec<(String, Term)> =
                seen[&term].iter().filter_map(|value| Some((text(*value)?, *value))).collect();
            values.sort();
            for (place, (_, value)) in values.iter().enumerate() {
                out.levels.insert((term, *value), place as u32 + 1);
            }
            out.places.insert(term, out.traits.len());
            out.traits.push(Trait { name, values: values.into_iter().map(|(value, _)| value).collect() });
        }
        out
    }

    /// The number of each attribute's value; a deal's own counts before its account's.
    pub(super) fn read(&self, book: &Book, account: usize, deal: Option<usize>) -> Box<[u32]> {
        let mut out = vec![0; self.traits.len()];
        let own = deal.map_or(&[][..], |deal| &book.deals[deal].attributes);
        for (name, value) in book.accounts[account].attributes.iter().chain(own) {
            if let (Some(place), Some(level)) = (self.places.get(name), self.levels.get(&(*name, *value))) {
                out[*place] = *level;
            }
        }
        out.into()
    }
}
