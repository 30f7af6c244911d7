//! What happened at an account, in order: touches, stages, and how its deals ended.

use serde::Serialize;
use tributary_core::book::{Direction, NOBODY, Outcome, Term};
use tributary_core::{Book, Money, Time};
use tributary_engine::Policy;

use crate::question::Stamp;
use crate::{AnswerError, Coverage, Data, Question, Subject};

/// An account's or a deal's timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Journey {
    /// The account.
    pub account: Named,
    /// The deals that the timeline shows.
    pub deals: Vec<Deal>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// How it came about.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// A thing by its source's id and its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The source's id.
    pub key: Option<String>,
    /// Its name.
    pub label: Option<String>,
}

/// A deal in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deal {
    /// Which.
    #[serde(flatten)]
    pub name: Named,
    /// Its amount in its own currency.
    pub amount: Option<Money>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was created.
    #[serde(serialize_with = "crate::text::option")]
    pub created_at: Option<Time>,
    /// When it closed.
    #[serde(serialize_with = "crate::text::option")]
    pub closed_at: Option<Time>,
    /// Who takes part, with their roles.
    pub committee: Vec<Member>,
    /// Whether everything was read that may tell of it.
    pub covered: bool,
}

/// A person's part in a deal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Who.
    #[serde(flatten)]
    pub name: Named,
    /// As what.
    pub role: Option<String>,
    /// Whether they are the primary contact.
    pub is_primary: bool,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// When.
    #[serde(serialize_with = "crate::text::time")]
    pub at: Time,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A contact between the company and the account.
    Touch(Touch),
    /// The CRM first knew a person.
    LeadCreated {
        /// Who.
        person: Named,
    },
    /// A deal was created.
    DealCreated {
        /// Which.
        deal: Named,
    },
    /// A deal entered a stage.
    Stage {
        /// Which.
        deal: Named,
        /// The stage.
        stage: String,
    },
    /// A deal closed.
    DealClosed {
        /// Which.
        deal: Named,
        /// How.
        outcome: Outcome,
        /// Its amount.
        amount: Option<Money>,
    },
}

/// One contact.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the dimensions of a touch, documented in the book")]
pub struct Touch {
    pub id: String,
    pub person: Option<Named>,
    pub role: Option<String>,
    pub kind: Option<String>,
    pub direction: Direction,
    pub channel: Option<String>,
    pub campaign: Option<String>,
    pub content: Option<String>,
    pub team: Option<String>,
    pub actor: Option<String>,
    pub source: Option<String>,
    /// Whether it counts at all; machine activity and own people do not.
    pub counts: bool,
}

/// The timeline of an account, or of a deal up to its end.
pub fn journey(data: &Data, question: &Question, subject: Subject) -> Result<Journey, AnswerError> {
    let book = &data.book;
    let (account, deals, end) = match subject {
        Subject::Account(row) => (row, book.accounts[row].deals.clone(), data.as_of),
        Subject::Deal(row) => {
            let account = account_of_deal(book, row);
            (account, row..row + 1, book.deals[row].closed_at.unwrap_or(data.as_of))
        }
    };
    let place = &book.accounts[account];
    let mut events: Vec<Event> = Vec::new();
    let mut push = |at: Time, what: What| {
        if at <= end {
            events.push(Event { at, what });
        }
    };
    for row in place.touches.clone() {
        push(book.touches.at[row], What::Touch(touch(book, row, None)));
    }
    for person in &book.people[place.people.clone()] {
        if let Some(at) = person.created_at {
            push(at, What::LeadCreated { person: named(book, person.key, person.label) });
        }
    }
    for deal in &book.deals[deals.clone()] {
        let name = named(book, deal.key, deal.label);
        if let Some(at) = deal.created_at {
            push(at, What::DealCreated { deal: name.clone() });
        }
        for (stage, at) in &deal.stages {
            let stage = text(book, *stage).unwrap_or_default();
            push(*at, What::Stage { deal: name.clone(), stage });
        }
        if let Some(at) = deal.closed_at {
            push(at, What::DealClosed { deal: name, outcome: deal.outcome, amount: deal.amount });
        }
    }
    // Stable: what is pushed first stands first at one instant, so a touch comes before the milestone it may hold.
    events.sort_by_key(|event| event.at);
    let each = deals.clone().map(|row| Coverage::of_deal(data, &question.policy, row));
    let coverage = each.reduce(Coverage::and).unwrap_or_default();
    Ok(Journey {
        account: named(book, place.key, place.label),
        deals: deals.clone().map(|row| deal_in_short(data, &question.policy, row)).collect(),
        events,
        stamp: question.stamp(&[]).over(coverage),
    })
}

/// The account that a deal stands under.
pub(crate) fn account_of_deal(book: &Book, deal: usize) -> usize {
    book.accounts.partition_point(|account| account.deals.end <= deal)
}

/// A touch in words.
pub(crate) fn touch(book: &Book, row: usize, role: Option<Term>) -> Touch {
    let touches = &book.touches;
    let person = (touches.person[row] != NOBODY).then(|| &book.people[touches.person[row] as usize]);
    let role = role.or_else(|| person.map(|person| person.role)).unwrap_or(Term::NONE);
    Touch {
        id: touches.id[row].to_string(),
        person: person.map(|person| named(book, person.key, person.label)),
        role: text(book, role),
        kind: text(book, touches.kind[row]),
        direction: touches.direction[row],
        channel: text(book, touches.channel[row]),
        campaign: text(book, touches.campaign[row]),
        content: text(book, touches.content[row]),
        team: text(book, touches.team[row]),
        actor: text(book, touches.actor[row]),
        source: text(book, touches.source[row]),
        counts: touches.weight[row] > 0,
    }
}

/// A deal in short.
pub(crate) fn deal_in_short(data: &Data, policy: &Policy, row: usize) -> Deal {
    let (book, deal) = (&data.book, &data.book.deals[row]);
    let member = |member: &tributary_core::book::Member| {
        let person = &book.people[member.person as usize];
        let role = if member.role.is_none() { person.role } else { member.role };
        Member {
            name: named(book, person.key, person.label),
            role: text(book, role),
            is_primary: member.is_primary,
        }
    };
    Deal {
        name: named(book, deal.key, deal.label),
        amount: deal.amount,
        outcome: deal.outcome,
        created_at: deal.created_at,
        closed_at: deal.closed_at,
        committee: deal.committee.iter().map(member).collect(),
        covered: Coverage::of_deal(data, policy, row).is_complete(),
    }
}

pub(crate) fn named(book: &Book, key: Term, label: Term) -> Named {
    Named { key: text(book, key), label: text(book, label) }
}

pub(crate) fn text(book: &Book, term: Term) -> Option<String> {
    book.terms.get(term).map(str::to_owned)
}
