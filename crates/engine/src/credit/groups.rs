//! Which group of a dimension each touch falls in, as small numbers in the order of first use.
//!
//! What reads the same is one group: a person under several accounts, all the people without an account, and two
//! sources' deals that share both id and name. Not responsible for credit.

use std::collections::HashMap;
use std::sync::OnceLock;

use tributary_core::book::{Book, Direction, NOBODY, Term};

use super::By;
use crate::journey::{Journey, Journeys, Rows, Subject};
use crate::parallel::cores;

/// A key and a readable name.
pub(crate) type Name = (Option<String>, Option<String>);

/// A group that was not met yet.
const UNMET: u32 = u32::MAX;

/// Numbers the groups of touches as they are met.
pub(crate) struct Groups<'b> {
    book: &'b Book,
    by: By,
    /// The group by number of a term, of a direction, or by row of the book for accounts, people and deals; the last
    /// entry is that of touches that have none.
    met: Vec<u32>,
    /// The group by key and label, where rows of the book may share them.
    pairs: HashMap<(Term, Term), u32>,
    /// Key and label by group; of directions, their number.
    names: Vec<(Term, Term)>,
}

impl<'b> Groups<'b> {
    pub(crate) fn new(book: &'b Book, by: By) -> Self {
        let values = match by {
            By::Person => book.people.len(),
            By::Account => book.accounts.len(),
            By::Deal => book.deals.len(),
            By::Direction => 2,
            _ => book.terms.len(),
        };
        Self { book, by, met: vec![UNMET; values + 1], pairs: HashMap::new(), names: Vec::new() }
    }

    /// The group of a touch.
    pub(crate) fn of(&mut self, journeys: &Journeys<'_>, journey: &Journey, row: usize) -> u32 {
        if let Some(column) = self.column() {
            return self.number(column[row].0 as usize);
        }
        let touches = &self.book.touches;
        let none = self.met.len() - 1;
        let value = match self.by {
            By::Role => journeys.role(journey, touches.person[row]).0 as usize,
            By::Direction => usize::from(touches.direction[row] == Direction::Outbound),
            By::Account => journey.account,
            By::Deal => {
                if let Subject::Deal(deal) = journey.subject {
                    deal
                } else {
                    none
                }
            }
            _ if touches.person[row] == NOBODY => none,
            _ => touches.person[row] as usize,
        };
        self.number(value)
    }

    /// Appends the groups of touches whose terms follow each other in the dimension's column.
    fn of_terms(&mut self, terms: &[Term], out: &mut Vec<u32>) {
        let first = out.len();
        let met = &self.met[..];
        out.extend(terms.iter().map(|term| met[term.0 as usize]));
        // Most have been met before. Counted to the end, several are looked at at a time.
        if out[first..].iter().filter(|group| **group == UNMET).count() > 0 {
            out.truncate(first);
            out.extend(terms.iter().map(|term| self.number(term.0 as usize)));
        }
    }

    /// The group of a term, if the dimension is this column; of no touch, if none has the term.
    pub(crate) fn of_term(&self, column: &[Term], term: u32) -> Option<u32> {
        self.column().filter(|own| std::ptr::eq(*own, column)).map(|_| self.met[term as usize])
    }

    /// The column of terms that the dimension is, if it is one.
    fn column(&self) -> Option<&'b [Term]> {
        let touches = &self.book.touches;
        match self.by {
            By::Channel => Some(&touches.channel),
            By::Campaign => Some(&touches.campaign),
            By::Content => Some(&touches.content),
            By::Team => Some(&touches.team),
            By::Rep => Some(&touches.actor),
            By::Kind => Some(&touches.kind),
            By::Source => Some(&touches.source),
            By::Role | By::Direction | By::Account | By::Deal | By::Person => None,
        }
    }

    /// The group of a value of the dimension.
    fn number(&mut self, value: usize) -> u32 {
        let group = self.met[value];
        if group == UNMET { self.meet(value) } else { group }
    }

    #[cold]
    fn meet(&mut self, value: usize) -> u32 {
        let book = self.book;
        let next = self.names.len() as u32;
        let name = match self.by {
            By::Person => book.people.get(value).map(|it| (it.key, it.label)).unwrap_or_default(),
            By::Account => book.accounts.get(value).map(|it| (it.key, it.label)).unwrap_or_default(),
            By::Deal => book.deals.get(value).map(|it| (it.key, it.label)).unwrap_or_default(),
            _ => (Term(value as u32), Term::NONE),
        };
        let group = *self.pairs.entry(name).or_insert(next);
        if group == next {
            self.names.push(name);
        }
        self.met[value] = group;
        group
    }

    /// How many groups were met.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// What all groups that were met are called.
    pub(crate) fn names(&self) -> Vec<Name> {
        (0..self.len() as u32).map(|group| self.name(group)).collect()
    }

    /// What a group is called.
    pub(crate) fn name(&self, group: u32) -> Name {
        let (key, label) = self.names[group as usize];
        if self.by == By::Direction {
            return (Some(["inbound", "outbound"][key.0 as usize].to_owned()), None);
        }
        let text = |term: Term| self.book.terms.get(term).map(str::to_owned);
        (text(key), text(label))
    }
}

/// The touches of some journeys by group: found once, read by every model.
pub struct Grouped<'j> {
    /// How many threads may credit at the same time.
    pub(super) threads: usize,
    pub(crate) journeys: &'j Journeys<'j>,
    pub(crate) by: By,
    pub(super) groups: Groups<'j>,
    /// The group of each touch, journey after journey.
    codes: Vec<u32>,
    /// How often each journey touches each of its groups, journey after journey.
    runs: Vec<Run>,
    /// Where each journey's codes and runs begin, and a last entry where they all end.
    starts: Vec<(u32, u32)>,
    /// How many touches came before each milestone of each journey, once somebody asks.
    until: OnceLock<Vec<u32>>,
    /// How old each touch was at its journey's end, beside `codes`, once somebody asks: journeys lie far apart in a
    /// large book.
    ages: OnceLock<Vec<f64>>,
}

/// A group and how many of a journey's touches fall in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) group: u32,
    pub(crate) touches: u32,
}

impl<'j> Grouped<'j> {
    /// Groups all touches of the journeys.
    pub fn new(journeys: &'j Journeys<'j>, by: By) -> Self {
        let mut groups = Groups::new(journeys.book, by);
        let column = groups.column();
        let mut codes = Vec::with_capacity(journeys.touch_count());
        let (mut runs, mut starts): (Vec<Run>, Vec<(u32, u32)>) = (Vec::new(), vec![(0, 0)]);
        // How often the journey at hand touches each group.
        let mut counts: Vec<u32> = Vec::new();
        for journey in &journeys.list {
            let (rows, first) = (journeys.touches(journey), codes.len());
            match (column, rows) {
                (Some(column), Rows::All { first, count }) => {
                    groups.of_terms(&column[first..first + count], &mut codes);
                }
                _ => codes.extend(rows.iter().map(|row| groups.of(journeys, journey, row))),
            }
            counts.resize(groups.len(), 0);
            let own = &codes[first..];
            for group in own {
                counts[*group as usize] += 1;
            }
            if groups.len() <= own.len() {
                for (group, touches) in counts.iter_mut().enumerate().filter(|(_, touches)| **touches > 0) {
                    runs.push(Run { group: group as u32, touches: std::mem::take(touches) });
                }
            } else {
                for group in own {
                    let touches = std::mem::take(&mut counts[*group as usize]);
                    if touches > 0 {
                        runs.push(Run { group: *group, touches });
                    }
                }
            }
            starts.push((codes.len() as u32, runs.len() as u32));
        }
        Self {
            threads: cores(),
            journeys,
            by,
            groups,
            codes,
            runs,
            starts,
            until: OnceLock::new(),
            ages: OnceLock::new(),
        }
    }

    /// Credits by so many threads at most. Answers are the same to the last bit for any number.
    pub fn on_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether no journey has a touch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a group is called, and its readable name.
    pub fn name(&self, group: usize) -> (Option<String>, Option<String>) {
        self.groups.name(group as u32)
    }

    /// The groups of a journey's touches, and how often it touches each.
    pub(crate) fn of(&self, journey: usize) -> (&[u32], &[Run]) {
        let ((codes, runs), (codes_end, runs_end)) = (self.starts[journey], self.starts[journey + 1]);
        (&self.codes[codes as usize..codes_end as usize], &self.runs[runs as usize..runs_end as usize])
    }

    /// How old a journey's touches were at its end, in microseconds.
    pub(crate) fn ages(&self, journey: usize) -> &[f64] {
        let all = self.ages.get_or_init(|| {
            let at = &self.journeys.book.touches.at;
            let mut ages = Vec::with_capacity(self.codes.len());
            for journey in &self.journeys.list {
                let rows = self.journeys.touches(journey);
                ages.extend(rows.iter().map(|row| journey.age(at[row])));
            }
            ages
        });
        &all[self.starts[journey].0 as usize..self.starts[journey + 1].0 as usize]
    }

    /// How many of a journey's touches were at or before each of its milestones; [`NOT_REACHED`] for those that it did
    /// not reach.
    pub(crate) fn until(&self, journey: usize) -> &[u32] {
        let milestones = self.journeys.milestones.len();
        let all = self.until.get_or_init(|| {
            let touches = &self.journeys.book.touches;
            let journeys = self.journeys.list.iter().flat_map(|journey| {
                let rows = self.journeys.touches(journey);
                journey.times.iter().map(move |time| match time {
                    Some(time) => rows.until(touches, *time) as u32,
                    None => NOT_REACHED,
                })
            });
            journeys.collect()
        });
        &all[journey * milestones..(journey + 1) * milestones]
    }
}

/// In place of a number of touches.
pub(crate) const NOT_REACHED: u32 = u32::MAX;
