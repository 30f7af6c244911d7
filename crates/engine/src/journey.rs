//! Which touches count for a deal, in what order, and which of them hold a milestone.
//!
//! A journey ends at the deal's close (goals won, lost), at its creation (opportunity), at the person's creation
//! (lead), or at the time of asking for what is still open. Nothing after the end counts. Touches without weight are
//! gone before positions and milestones are found. Not responsible for weights: that is a model.

mod null;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tributary_core::book::{Account, Book, Deal, NOBODY, Outcome};
use tributary_core::time::{Span, Time};
use tributary_core::{Money, book::Term};

pub use null::null_journeys;
pub use rows::{Rows, Selected};

/// What is being credited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// Deals closed won, their amount.
    #[default]
    Won,
    /// Deals closed lost, their amount: attribution measures contribution to failure too.
    Lost,
    /// Every deal, its amount, credited to what came before its creation.
    Opportunity,
    /// Deals that are open, their amount as it is now, credited to what came before the time of asking.
    ///
    /// A period asks when the deal was created: all these journeys end at the same time.
    Open,
    /// Each person with a CRM creation time, one lead each, credited to that person's own touches up to the creation.
    ///
    /// A lead is a person and has no committee, so [`Whose`] is not asked. One who belonged to several accounts is
    /// one lead, of the account at the time of creation. Its one milestone is `lead`, the end of the journey.
    Lead,
}

/// Whose touches count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// All people of the account, and touches of nobody known.
    #[default]
    All,
    /// The deal's committee.
    Committee,
    /// The committee's primary contact.
    Primary,
}

/// Which journeys to look at, and how far.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What is being credited.
    pub goal: Goal,
    /// Whose touches count.
    pub whose: Whose,
    /// Days before the end from which touches count; all of them if `None`.
    pub lookback_days: Option<f64>,
    /// The time of asking: where journeys of open deals end.
    pub as_of: Time,
    /// Pipelines whose deals count; all if empty.
    pub pipelines: BTreeSet<String>,
    /// Further milestones by name, each with the stages that mean it.
    pub milestones: BTreeMap<String, BTreeSet<String>>,
    /// When the journey must have ended (an open deal, been created), if at all.
    pub period: Option<Span>,
    /// Attributes that the deal or its account must have.
    pub filter: Vec<(String, String)>,
}

impl Policy {
    /// Won deals, all people, no look-back.
    pub fn new(as_of: Time) -> Self {
        Self {
            goal: Goal::Won,
            whose: Whose::All,
            lookback_days: None,
            as_of,
            pipelines: BTreeSet::new(),
            milestones: BTreeMap::new(),
            period: None,
            filter: Vec::new(),
        }
    }
}

/// What a journey led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A deal, by row of [`Book::deals`].
    Deal(usize),
    /// A lead, by row of [`Book::people`].
    Lead(usize),
    /// Nothing: an account without a deal, or a person who never became a lead. Only in [`null_journeys`].
    Account,
}

/// What a journey is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A deal's amount.
    Money(Money),
    /// A deal without an amount: known, worth nothing.
    Nothing,
    /// One lead, in millionths.
    Lead,
}

/// Millionths of one lead.
pub const ONE_LEAD: i64 = 1_000_000;

/// One deal or lead and the touches before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Journey {
    /// What it led to.
    pub subject: Subject,
    /// The row of [`Book::accounts`].
    pub account: usize,
    /// What it is worth.
    pub value: Value,
    /// When it ended.
    pub end: Time,
    /// Its touches; [`Journeys::touches`] tells their rows.
    pub touches: Selected,
    /// Milestone times by number of [`Journeys::milestones`]: the last time of a stage that came again, the first of
    /// the leads.
    pub times: Vec<Option<Time>>,
}

impl Journey {
    /// How old a touch was at the end, in microseconds.
    pub(crate) fn age(&self, at: Time) -> f64 {
        self.end.0.saturating_sub(at.0) as f64
    }
}

/// The journeys of a book under a policy.
#[derive(Clone, Debug)]
pub struct Journeys<'b> {
    /// The book.
    pub book: &'b Book,
    /// The goal.
    pub goal: Goal,
    /// Rows of [`Book::touches`] of the journeys that leave some out between others, each in order of time.
    pub listed: Vec<u32>,
    /// The journeys, in the order of the book.
    pub list: Vec<Journey>,
    /// Milestone names: `lead`, `opportunity`, `closed`, then the policy's own.
    pub milestones: Vec<String>,
    /// The policy they follow.
    pub policy: Policy,
    /// The stages that mean each of the policy's own milestones.
    stages: Vec<Vec<Term>>,
}

/// The milestones that every journey may have.
const BUILT_IN: [&str; 3] = ["lead", "opportunity", "closed"];

/// Finds the journeys of a book.
pub fn journeys<'b>(book: &'b Book, policy: &Policy) -> Journeys<'b> {
    let names =
        BUILT_IN.iter().map(|name| (*name).to_owned()).chain(policy.milestones.keys().cloned()).collect();
    let stages = policy
        .milestones
        .values()
        .map(|stages| stages.iter().filter_map(|stage| book.terms.find(stage)).collect())
        .collect();
    let mut out = Journeys {
        book,
        goal: policy.goal,
        listed: Vec::new(),
        list: Vec::new(),
        milestones: names,
        policy: policy.clone(),
        stages,
    };
    let wanted = wanted(book, policy);
    for (index, account) in book.accounts.iter().enumerate() {
        if policy.goal == Goal::Lead {
            if has_all(&account.attributes, &wanted) {
                leads(&mut out, policy, index, account);
            }
            continue;
        }
        for row in account.deals.clone() {
            let deal = &book.deals[row];
            let fits =
                wanted.iter().all(|pair| has(&deal.attributes, *pair) || has(&account.attributes, *pair));
            let pipeline = book.terms.get(deal.pipeline).unwrap_or_default();
            if !fits || !(policy.pipelines.is_empty() || policy.pipelines.contains(pipeline)) {
                continue;
            }
            if let Some(end) = deal_end(deal, policy)
                && policy.period.is_none_or(|period| period.contains(in_period_by(deal, policy.goal, end)))
            {
                push_deal(&mut out, policy, (index, account), (row, deal), end);
            }
        }
    }
    out
}

/// An attribute and its value as terms; `None` where the book has no such text, which fits nothing.
type Wanted = (Option<Term>, Option<Term>);

/// The policy's filter in the book's terms.
fn wanted(book: &Book, policy: &Policy) -> Vec<Wanted> {
    policy.filter.iter().map(|(name, value)| (book.terms.find(name), book.terms.find(value))).collect()
}

fn has(attributes: &[(Term, Term)], (name, value): Wanted) -> bool {
    attributes.iter().any(|(n, v)| Some(*n) == name && Some(*v) == value)
}

fn has_all(attributes: &[(Term, Term)], wanted: &[Wanted]) -> bool {
    wanted.iter().all(|pair| has(attributes, *pair))
}

/// When a deal's journey ends; `None` if the deal is not part of the goal.
fn deal_end(deal: &Deal, policy: &Policy) -> Option<Time> {
    let close = deal.closed_at.unwrap_or(policy.as_of);
    match (policy.goal, deal.outcome) {
        (Goal::Won, Outcome::Won) | (Goal::Lost, Outcome::Lost) => Some(close),
        (Goal::Opportunity, _) => Some(deal.created_at.unwrap_or(close)),
        (Goal::Open, Outcome::Open) => Some(policy.as_of),
        _ => None,
    }
}

/// The time that a period asks for.
fn in_period_by(deal: &Deal, goal: Goal, end: Time) -> Time {
    if goal == Goal::Open { deal.created_at.unwrap_or(end) } else { end }
}

/// Whether a person's touches count for a deal.
fn counts(deal: &Deal, whose: Whose, person: u32) -> bool {
    let mut committee = deal.committee.iter();
    match whose {
        Whose::All => true,
        Whose::Committee => committee.any(|member| member.person == person),
        Whose::Primary => committee.any(|member| member.person == person && member.is_primary),
    }
}

fn push_deal(
    out: &mut Journeys<'_>,
    policy: &Policy,
    (index, account): (usize, &Account),
    (row, deal): (usize, &Deal),
    end: Time,
) {
    let book = out.book;
    let counts = |person: u32| counts(deal, policy.whose, person);
    // Whose touches they are is read only where it is asked.
    let of_counting = |row: usize| policy.whose == Whose::All || counts(book.touches.person[row]);
    let touches = select(out, account.touches.clone(), start(policy, end), end, of_counting);
    let lead = account.people.clone().filter(|person| counts(*person as u32));
    let lead = lead.filter_map(|person| book.people[person].created_at).min();
    // An open deal may say when it is expected to close.
    let closed = deal.closed_at.filter(|_| deal.outcome != Outcome::Open);
    let mut times = vec![lead, deal.created_at, closed];
    times.extend(out.stages.iter().map(|stages| {
        let entered = deal.stages.iter().filter(|(stage, _)| stages.contains(stage));
        entered.map(|(_, at)| *at).filter(|at| *at <= end).max()
    }));
    for time in &mut times {
        *time = time.filter(|time| *time <= end);
    }
    let value = deal.amount.map_or(Value::Nothing, Value::Money);
    out.list.push(Journey { subject: Subject::Deal(row), account: index, value, end, touches, times });
}

fn leads(out: &mut Journeys<'_>, policy: &Policy, index: usize, account: &Account) {
    for row in account.people.clone() {
        let person = &out.book.people[row];
        let Some(end) = person.created_at.filter(|_| person.is_lead_here) else { continue };
        if policy.period.is_some_and(|period| !period.contains(end)) {
            continue;
        }
        let people = &out.book.touches.person;
        let own = |touch: usize| people[touch] as usize == row;
        let touches = select(out, account.touches.clone(), start(policy, end), end, own);
        let mut times = vec![None; out.milestones.len()];
        times[0] = Some(end);
        out.list.push(Journey {
            subject: Subject::Lead(row),
            account: index,
            value: Value::Lead,
            end,
            touches,
            times,
        });
    }
}

fn start(policy: &Policy, end: Time) -> Time {
    match policy.lookback_days {
        Some(days) => Time(end.0.saturating_sub((days * tributary_core::time::DAY_MICROS as f64) as i64)),
        None => Time::MIN,
    }
}

/// Selects the rows of an account's timeline that count.
fn select(
    out: &mut Journeys<'_>,
    timeline: Range<usize>,
    start: Time,
    end: Time,
    counts: impl Fn(usize) -> bool,
) -> Selected {
    let touches = &out.book.touches;
    let at = &touches.at[timeline.clone()];
    let from = timeline.start + at.partition_point(|at| *at < start);
    let until = timeline.start + at.partition_point(|at| *at <= end);
    let within = from..until.max(from);
    let counts = |row: &usize| touches.weight[*row] > 0 && counts(*row);
    if within.clone().all(|row| counts(&row)) {
        return Selected::All(within);
    }
    let first = out.listed.len();
    out.listed.extend(within.filter(counts).map(|row| row as u32));
    Selected::Listed(first..out.listed.len())
}

impl Journeys<'_> {
    /// The touches of a journey, as rows of [`Book::touches`].
    pub fn touches(&self, journey: &Journey) -> Rows<'_> {
        match &journey.touches {
            Selected::All(rows) => Rows::All { first: rows.start, count: rows.len() },
            Selected::Listed(range) => Rows::Listed(&self.listed[range.clone()]),
        }
    }

    /// The touches of all journeys, each as often as it is on one.
    pub fn touch_count(&self) -> usize {
        self.list.iter().map(|journey| journey.touches.len()).sum()
    }

    /// The role in which a touch's person took part: the committee's first, then the person's own.
    pub fn role(&self, journey: &Journey, person: u32) -> Term {
        if person == NOBODY {
            return Term::NONE;
        }
        let own = self.book.people[person as usize].role;
        let Subject::Deal(deal) = journey.subject else { return own };
        let committee = &self.book.deals[deal].committee;
        committee
            .iter()
            .find(|member| member.person == person && !member.role.is_none())
            .map_or(own, |it| it.role)
    }

    /// Whether a person's touches count for a journey's deal. A lead has no committee: everybody's do.
    pub fn counts(&self, journey: &Journey, whose: Whose, person: u32) -> bool {
        match journey.subject {
            Subject::Deal(deal) => counts(&self.book.deals[deal], whose, person),
            Subject::Lead(_) | Subject::Account => true,
        }
    }

    /// Whether a journey's deal has not closed, so that the journey goes on after the time of asking.
    pub fn is_open(&self, journey: &Journey) -> bool {
        let open = |deal: usize| self.book.deals[deal].outcome == Outcome::Open;
        journey.end == self.policy.as_of && matches!(journey.subject, Subject::Deal(deal) if open(deal))
    }

    /// Every time at which a journey reached a milestone, in order, with the person who then became a lead.
    ///
    /// Leads are those of the people who count under both the policy and `whose`.
    pub fn entries(&self, journey: &Journey, milestone: usize, whose: Whose, out: &mut Vec<(Time, u32)>) {
        out.clear();
        match (journey.subject, BUILT_IN.get(milestone)) {
            (Subject::Lead(person), Some(&"lead")) => out.push((journey.end, person as u32)),
            (Subject::Deal(_), Some(&"lead")) => {
                let counts = |person: u32| {
                    self.counts(journey, self.policy.whose, person) && self.counts(journey, whose, person)
                };
                let people = self.book.accounts[journey.account].people.clone();
                let people = people.filter(|person| counts(*person as u32));
                out.extend(people.filter_map(|row| Some((self.book.people[row].created_at?, row as u32))));
            }
            (Subject::Deal(deal), None) => {
                let meant = &self.stages[milestone - BUILT_IN.len()];
                let entered = self.book.deals[deal].stages.iter().filter(|(stage, _)| meant.contains(stage));
                out.extend(entered.map(|(_, at)| (*at, NOBODY)));
            }
            _ => out.extend(journey.times[milestone].map(|at| (at, NOBODY))),
        }
        out.retain(|(at, _)| *at <= journey.end);
        out.sort_by_key(|(at, _)| *at);
    }
}
