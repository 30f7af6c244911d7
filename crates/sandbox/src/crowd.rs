//! A book of any size, straight as the engine reads it: what figures are measured on.
//!
//! It has the sizes of a large real one (heavy-tailed accounts, a dozen channels, hundreds of campaigns, few deals
//! won) and none of the [`World`](crate::World)'s stories, records or planted truth. An account follows from the seed
//! and its number alone, so that a book can be made part by part, in any order.

use tributary_core::book::{Account, Book, Deal, Direction, Member, NOBODY, Outcome, Person, Term, Touch};
use tributary_core::dice::Dice;
use tributary_core::fact::FULL_WEIGHT;
use tributary_core::id::{AccountId, DealId, Hash, PersonId, TouchId};
use tributary_core::time::DAY_MICROS;
use tributary_core::{Currency, Money, Time};

/// Touches of an account on average, as drawn below.
const MEAN_TOUCHES: f64 = 43.0;

/// No account has more touches.
const MOST_TOUCHES: f64 = 5_431.0;

/// One account in so many is far busier than the others.
const BUSY: f64 = 0.04;

/// Campaigns in all.
const CAMPAIGNS: usize = 500;

/// A channel: its name, how often it touches, what its touches are, and who begins them.
type Kind = (&'static str, f64, &'static str, Direction, &'static str);

const CHANNELS: [Kind; 12] = [
    ("direct", 16.0, "visit", Direction::Inbound, "marketing"),
    ("organic_search", 15.0, "visit", Direction::Inbound, "marketing"),
    ("paid_search", 11.0, "visit", Direction::Inbound, "marketing"),
    ("email", 14.0, "email", Direction::Outbound, "marketing"),
    ("paid_social", 9.0, "ad", Direction::Outbound, "marketing"),
    ("retargeting", 7.0, "ad", Direction::Outbound, "marketing"),
    ("display", 6.0, "ad", Direction::Outbound, "marketing"),
    ("webinar", 4.0, "form", Direction::Inbound, "marketing"),
    ("event", 3.0, "form", Direction::Inbound, "marketing"),
    ("partner", 3.0, "referral", Direction::Inbound, "partner"),
    ("sdr", 7.0, "call", Direction::Outbound, "sales"),
    ("ae_meeting", 5.0, "meeting", Direction::Outbound, "sales"),
];

/// Many accounts, each with one deal: 16 % won, 54 % lost, the rest open.
///
/// Half of the accounts have 20 touches or fewer, one in a hundred more than about 465, none more than 5,431.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Chooses among books of the same size.
    pub seed: u64,
    /// Accounts.
    pub accounts: usize,
}

impl Crowd {
    /// As many accounts as have about so many touches together.
    pub fn for_touches(touches: u64) -> Self {
        Self { seed: 1, accounts: ((touches as f64 / MEAN_TOUCHES).round() as usize).max(1) }
    }

    /// The account of a number from 0.
    pub fn account(&self, number: usize) -> AccountId {
        AccountId(Hash::of("crowd", &[&self.seed.to_string(), &number.to_string()]))
    }

    /// The first instant after everything that happens.
    pub fn end() -> Time {
        start().plus_days(1_000)
    }

    /// Appends the account of a number, with its people, its deal and its touches in order of time.
    pub fn append(&self, number: usize, book: &mut Book) {
        let mut dice = Dice::new(self.seed, "crowd", number);
        let busy = dice.chance(BUSY);
        let length = if busy { dice.log_normal(280.0, 0.85) } else { dice.log_normal(19.0, 0.86) };
        let length = length.clamp(1.0, MOST_TOUCHES).round() as usize;
        let (touches, people) = (book.touches.len(), book.people.len());
        let members = 1 + dice.below(1 + (length / 12).min(4));
        let first = start().plus_days(dice.below(500) as i64);
        let step = dice.between(20.0, 400.0) * DAY_MICROS as f64 / length as f64;
        let mut at = first;
        let mut channel = dice.below(CHANNELS.len());
        let weights = CHANNELS.map(|(_, weight, ..)| weight);
        for _ in 0..length {
            // What an account does next looks like what it did last.
            if dice.chance(0.7) {
                channel = dice.weighted(&weights);
            }
            let (name, _, kind, direction, team) = CHANNELS[channel];
            let rank = dice.unit();
            let campaign = channel + CHANNELS.len() * ((rank * rank * 42.0) as usize);
            let person = if dice.chance(0.8) { (people + dice.below(members)) as u32 } else { NOBODY };
            let terms = &mut book.terms;
            let is_sales = team == "sales";
            let touch = Touch {
                id: TouchId(Hash(((u128::from(dice.next()) << 64) | u128::from(dice.next())).to_be_bytes())),
                at,
                person,
                kind: terms.intern(kind),
                direction,
                channel: terms.intern(name),
                campaign: terms.intern(&format!("campaign {:03}", campaign % CAMPAIGNS)),
                content: if dice.chance(0.3) {
                    terms.intern(&format!("asset {}", dice.below(200)))
                } else {
                    Term::NONE
                },
                team: terms.intern(team),
                actor: if is_sales { terms.intern(&format!("rep {}", dice.below(40))) } else { Term::NONE },
                source: terms.intern(if is_sales { "crm" } else { "web" }),
                weight: FULL_WEIGHT,
            };
            book.touches.push(touch);
            at = Time(at.0 + 1_000_000 + (step * 2.0 * dice.unit()) as i64);
        }
        let place = |share: f64| touches + ((length as f64 * share) as usize).min(length - 1);
        let (asked, opened) = (book.touches.at[place(0.2)], book.touches.at[place(0.55)]);
        // Some go on touching after the close.
        let closed = if dice.chance(0.2) { book.touches.at[place(0.9)] } else { at };
        for member in 0..members {
            let key = book.terms.intern(&format!("p{number}-{member}@crowd.example"));
            let row = Person {
                id: PersonId(Hash::of("crowd person", &[&number.to_string(), &member.to_string()])),
                key,
                label: key,
                role: book.terms.intern(["user", "champion", "economic buyer"][dice.below(3)]),
                created_at: Some(Time(asked.0 + member as i64 * DAY_MICROS)),
                is_lead_here: true,
            };
            book.people.push(row);
        }
        let (outcome, stage, closed_at) = match dice.weighted(&[16.0, 54.0, 30.0]) {
            0 => (Outcome::Won, "closed won", Some(closed)),
            1 => (Outcome::Lost, "closed lost", Some(closed)),
            _ => (Outcome::Open, "proposal", None),
        };
        let label = book.terms.intern(&format!("Company {number}"));
        let industry = ["software", "finance", "industry", "health"][dice.below(4)];
        let attributes = vec![(book.terms.intern("industry"), book.terms.intern(industry))];
        let deal = Deal {
            id: DealId(Hash::of("crowd deal", &[&number.to_string()])),
            key: book.terms.intern(&format!("d{number}")),
            label,
            amount: Some(Money::new((dice.log_normal(2_000_000.0, 0.9)) as i64, Currency::USD)),
            created_at: Some(opened),
            closed_at,
            outcome,
            stage: book.terms.intern(stage),
            owner: book.terms.intern(&format!("rep {}", dice.below(40))),
            pipeline: book.terms.intern("sales"),
            stages: vec![(book.terms.intern("discovery"), opened), (book.terms.intern(stage), closed)],
            committee: (0..members)
                .map(|member| Member {
                    person: (people + member) as u32,
                    role: Term::NONE,
                    is_primary: member == 0,
                })
                .collect(),
            attributes: Vec::new(),
        };
        let deals = book.deals.len();
        book.deals.push(deal);
        let account = Account {
            id: Some(self.account(number)),
            key: book.terms.intern(&format!("a{number}")),
            label,
            touches: touches..book.touches.len(),
            people: people..book.people.len(),
            deals: deals..deals + 1,
            attributes,
        };
        book.accounts.push(account);
    }
}

/// The first instant of every crowd: 2023-01-01.
fn start() -> Time {
    Time::from_seconds(1_672_531_200)
}
