//! The world as plain data, and the order in which it is built.
//!
//! Things name each other by their place: a touch's `person` is a place in [`World::people`]. Not responsible for
//! how a tool would report them: that is [`crate::TouchRow`] for touches, and the canonical files for the rest.

use rust_decimal::Decimal;
pub use tributary_core::fact::Outcome;
use tributary_core::{Currency, Money, Time};

use crate::cast;
use crate::channel::Channel;
use crate::grow;
use crate::plan::Plan;
use crate::progress;
use crate::story;
use crate::truth::{self, Truth};

/// Everything there is.
#[derive(Clone, Debug)]
pub struct World {
    /// What it was built from.
    pub plan: Plan,
    /// The buying companies.
    pub accounts: Vec<Account>,
    /// Their people, and the second records of some of them.
    pub people: Vec<Person>,
    /// The company's own sales people.
    pub reps: Vec<Rep>,
    /// Campaigns of all channels.
    pub campaigns: Vec<Campaign>,
    /// Deals, by account and time.
    pub deals: Vec<Deal>,
    /// Stage history, by deal and time.
    pub stages: Vec<Stage>,
    /// Who takes part in which deal.
    pub committee: Vec<Committee>,
    /// Touches, by time.
    pub touches: Vec<Touch>,
    /// Advertising money by day and campaign.
    pub spend: Vec<Spend>,
    /// Identifiers that belong together.
    pub aliases: Vec<Alias>,
    /// Exchange rates, weekly.
    pub rates: Vec<Rate>,
    /// Where to find what was planted.
    pub stories: Stories,
    /// What each channel really brought in.
    pub truth: Truth,
}

/// A buying company.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of accounts.csv")]
pub struct Account {
    pub id: String,
    pub name: String,
    pub domain: String,
    pub industry: &'static str,
    pub employees: u32,
    pub region: &'static str,
    pub segment: &'static str,
    /// The rep who owns it.
    pub owner: usize,
    /// The currency in which it buys.
    pub currency: Currency,
}

/// One record of a human. Someone known under two ids stands here twice.
#[derive(Clone, Debug)]
pub struct Person {
    /// Id in the CRM.
    pub id: String,
    /// Where they work.
    pub account: usize,
    /// Full name.
    pub name: String,
    /// Address.
    pub email: String,
    /// Job title.
    pub title: &'static str,
    /// Role in purchases.
    pub role: &'static str,
    /// Seniority.
    pub seniority: &'static str,
    /// When the CRM first knew them.
    pub created_at: Time,
    /// The cookie of their browser.
    pub device: u64,
    /// The first record of the same human, if this is another one.
    pub same_as: Option<usize>,
    /// Whether the CRM still has this record: one that was merged away, or a private address, it has not.
    pub is_in_crm: bool,
}

/// One of the company's own sales people.
#[derive(Clone, Debug)]
pub struct Rep {
    /// Full name.
    pub name: String,
    /// `sales` or `sdr`.
    pub team: &'static str,
}

/// A campaign of one channel.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name.
    pub name: String,
    /// Its channel.
    pub channel: Channel,
    /// When it begins; a webinar or an event happens then.
    pub from: Time,
    /// When it is over.
    pub until: Time,
}

/// A deal.
#[derive(Clone, Debug)]
pub struct Deal {
    /// Id in the CRM.
    pub id: String,
    /// With whom.
    pub account: usize,
    /// Its name.
    pub name: String,
    /// What it is worth.
    pub amount: Money,
    /// When the opportunity was created.
    pub created_at: Time,
    /// When it closed; for an open deal, when it is expected to.
    pub closes_at: Time,
    /// How it ended.
    pub outcome: Outcome,
    /// The stage it is in.
    pub stage: &'static str,
    /// The rep who owns it.
    pub owner: usize,
    /// `new business` or `expansion`.
    pub pipeline: &'static str,
    /// Whether the outcome was drawn from the planted effects; otherwise a story decided it.
    pub is_drawn: bool,
}

/// A deal entered a stage.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of stages.csv")]
pub struct Stage {
    pub deal: usize,
    pub stage: &'static str,
    pub entered_at: Time,
}

/// A person takes part in a deal.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of committee.csv")]
pub struct Committee {
    pub deal: usize,
    pub person: usize,
    pub role: &'static str,
    pub is_primary: bool,
}

/// What a touch's record tells about who it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The cookie.
    Device,
    /// The cookie and the address, from a form.
    Form,
    /// The address.
    Email,
    /// The person's and the account's ids in the CRM.
    Contact,
    /// The account's id alone.
    Account,
}

/// Whether a touch is one, and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// A human of a buying company, reported for the first time.
    Human,
    /// The same event again, reported by a second tool.
    Copy,
    /// A mail scanner.
    Machine,
    /// One of the company's own people.
    Internal,
    /// Somebody who never said who they are.
    Stranger,
}

/// One contact between the company and a human.
#[derive(Clone, Debug)]
pub struct Touch {
    /// When it happened.
    pub at: Time,
    /// The account, unless it never becomes known.
    pub account: Option<usize>,
    /// The person; none for strangers and for what only the account is known to have seen.
    pub person: Option<usize>,
    /// The channel it really came through, whether its record says so or not.
    pub channel: Channel,
    /// What it was.
    pub kind: &'static str,
    /// What its record tells about who it was.
    pub known: Known,
    /// The cookie, where the record has one.
    pub device: u64,
    /// The campaign.
    pub campaign: Option<usize>,
    /// The page, form or talk.
    pub content: &'static str,
    /// The rep.
    pub actor: Option<usize>,
    /// Whether it counts.
    pub nature: Nature,
    /// The number of the calendar entry that two tools report.
    pub event: Option<u64>,
    /// Whether the tool exported its row twice.
    pub is_repeated: bool,
}

/// Advertising money of one day.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of spend.csv")]
pub struct Spend {
    pub day: Time,
    pub campaign: usize,
    pub amount: Money,
}

/// Two identifiers of one human; kinds are those of aliases.csv.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of aliases.csv")]
pub struct Alias {
    pub a: (&'static str, String),
    pub b: (&'static str, String),
    pub seen_at: Time,
}

/// One unit of `from` is worth `rate` units of `to` from this day on.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of rates.csv")]
pub struct Rate {
    pub day: Time,
    pub from: Currency,
    pub to: Currency,
    pub rate: Decimal,
}

/// What was planted, by place.
#[derive(Clone, Debug, Default)]
pub struct Stories {
    /// Accounts that went cold, came back by a retargeting ad, and won.
    pub revived: Vec<Revival>,
    /// Deals won by accounts without any touch.
    pub untouched: Vec<usize>,
    /// The new record of a person who changed company; their old one is its `same_as`.
    pub moved: Option<usize>,
    /// Second records found by the same address.
    pub doubled: Vec<usize>,
    /// Records that the CRM merged into another.
    pub merged: Vec<usize>,
    /// Second, private addresses, found by an alias.
    pub private: Vec<usize>,
    /// Accounts whose mail scanner follows every link.
    pub scanned: Vec<usize>,
}

/// An account that went cold and came back.
#[derive(Clone, Copy, Debug)]
pub struct Revival {
    /// The account.
    pub account: usize,
    /// Its last touch before the silence.
    pub silent_from: Time,
    /// The retargeting ad that ended it.
    pub revived_at: Time,
    /// The deal that was won then.
    pub deal: usize,
}

/// Builds the world of a plan: the same plan, the same world.
pub fn build(plan: &Plan) -> World {
    let mut world = World {
        plan: plan.clone(),
        accounts: Vec::new(),
        people: Vec::new(),
        reps: cast::reps(plan),
        campaigns: cast::campaigns(plan),
        deals: Vec::new(),
        stages: Vec::new(),
        committee: Vec::new(),
        touches: Vec::new(),
        spend: Vec::new(),
        aliases: Vec::new(),
        rates: cast::rates(plan),
        stories: Stories::default(),
        truth: Truth::default(),
    };
    for index in 0..plan.account_count() {
        grow::account(&mut world, index);
    }
    story::plant(&mut world);
    // Stable, so that a copy stays behind its original.
    world.touches.sort_by_key(|touch| touch.at);
    truth::decide(&mut world);
    progress::stages(&mut world);
    world.spend = cast::spend(&world);
    world
}

impl World {
    /// The id under which a touch is exported.
    pub fn touch_id(index: usize) -> String {
        format!("T{:07}", index + 1)
    }

    /// An amount in the reporting currency, at the latest rate at or before a time, in minor units.
    pub(crate) fn reported(&self, amount: Money, at: Time) -> f64 {
        if amount.currency == Currency::USD {
            return amount.minor as f64;
        }
        let after = self.rates.partition_point(|rate| rate.day <= at);
        let rate = &self.rates[after.max(1) - 1].rate;
        amount.minor as f64 * f64::try_from(*rate).unwrap_or(1.0)
    }
}
