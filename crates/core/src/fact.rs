//! What a record says, in our words.
//!
//! A connector turns each record version into facts and nothing else. A fact never joins: other records are
//! named by [`Ref`], the id the same source gives them, and `derive` does the joining. So facts can be made
//! from one record alone, in any order, again and again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::time::{Span, Time};

/// The id that the record's own source gives another record, such as an account id in a CRM.
pub type Ref = String;

/// Everything a record says beyond the named fields, by column or field name.
///
/// Well-known names that the channel rules read: `utm_source`, `utm_medium`, `utm_campaign`, `utm_content`,
/// `utm_term`, `referrer`, `url`, `gclid`, `msclkid`, `fbclid`, `li_fat_id`, `ttclid`.
pub type Attributes = BTreeMap<String, String>;

/// One statement of one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// A company.
    Account(Account),
    /// A human.
    Person(Person),
    /// A person belongs to an account for a time.
    Membership(Membership),
    /// A deal.
    Deal(Deal),
    /// A deal entered a stage.
    Stage(Stage),
    /// A person takes part in a deal.
    Committee(Committee),
    /// One contact between the company and an account.
    Touch(Touch),
    /// Advertising money spent on a day.
    Spend(Spend),
    /// Two identifiers belong to one person, or an anonymous or click id was seen with a person's identifier.
    Alias(Alias),
    /// The vendor merged one record into another.
    Merge(Merge),
    /// An exchange rate.
    Rate(Rate),
    /// The readable name of something that other records name by id: an owner, a stage, a campaign.
    Name(Name),
    /// What an ad network says about a click id.
    Click(Click),
    /// What an ad platform claims for itself.
    Claim(Claim),
}

/// A company as a CRM knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The source's id.
    pub id: Ref,
    /// The company's name.
    pub name: Option<String>,
    /// Web site or domain, as written; `derive` normalises it.
    pub domain: Option<String>,
    /// The account owner: a [`NameOf::Rep`] id or a plain name.
    pub owner: Option<Ref>,
    /// `industry`, `employees`, `region`, `segment` and whatever else the record carries; `--where` reads these.
    pub attributes: Attributes,
}

/// A human as a CRM knows them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The source's id.
    pub id: Ref,
    /// The account the record names, without dates: see [`Membership`] for relations that have them.
    pub account: Option<Ref>,
    /// Addresses as written, the main one first.
    pub emails: Vec<String>,
    /// User ids that the company's own product or site gave this person.
    pub users: Vec<String>,
    /// Full name.
    pub name: Option<String>,
    /// Job title.
    pub title: Option<String>,
    /// The person's own role; a committee role in a deal beats it.
    pub role: Option<String>,
    /// Seniority.
    pub seniority: Option<String>,
    /// When the CRM first knew them: the *lead created* milestone.
    pub created_at: Option<Time>,
    /// Whatever else the record carries.
    pub attributes: Attributes,
}

/// A person belongs to an account for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// The person's id in the same source.
    pub person: Ref,
    /// The account's id in the same source.
    pub account: Ref,
    /// First instant, if the vendor says.
    pub from: Option<Time>,
    /// First instant after, if the vendor says.
    pub until: Option<Time>,
    /// The typed role, such as a relation type.
    pub role: Option<String>,
}

/// How a deal ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Not closed yet.
    #[default]
    Open,
    /// Closed won.
    Won,
    /// Closed lost.
    Lost,
}

/// A deal as a CRM knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deal {
    /// The source's id.
    pub id: Ref,
    /// The account the deal is with.
    pub account: Option<Ref>,
    /// The deal's name.
    pub name: Option<String>,
    /// The amount; a deal without one is known but carries no money.
    pub amount: Option<Money>,
    /// When the opportunity was created.
    pub created_at: Option<Time>,
    /// When it closed; a date-only close is the last microsecond of that day in the source's time zone.
    pub closed_at: Option<Time>,
    /// How it ended.
    pub outcome: Outcome,
    /// The stage it is in now: a [`NameOf::Stage`] id or a plain name.
    pub stage: Option<Ref>,
    /// The rep: a [`NameOf::Rep`] id or a plain name.
    pub owner: Option<Ref>,
    /// The pipeline, such as `new business` or `renewal`.
    pub pipeline: Option<String>,
    /// Whatever else the record carries, other amount fields included.
    pub attributes: Attributes,
}

/// A deal entered a stage. The same stage may be entered again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The deal's id in the same source.
    pub deal: Ref,
    /// The stage: a [`NameOf::Stage`] id or a plain name.
    pub stage: Ref,
    /// When.
    pub entered_at: Time,
}

/// A person takes part in a deal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Committee {
    /// The deal's id in the same source.
    pub deal: Ref,
    /// The person's id in the same source.
    pub person: Ref,
    /// Their role in this deal.
    pub role: Option<String>,
    /// Whether they are the primary contact.
    pub is_primary: bool,
}

/// An identifier of a person.
///
/// People unite by [`Email`](Identifier::Email), [`User`](Identifier::User) and [`Crm`](Identifier::Crm) only.
/// Devices and links are shared, so [`Anonymous`](Identifier::Anonymous) and [`Click`](Identifier::Click) never unite people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Identifier {
    /// An e-mail address, as written.
    Email(String),
    /// A user id of the company's own product or site.
    User(String),
    /// A person's id in the fact's own source.
    Crm(Ref),
    /// A cookie or device id.
    Anonymous(String),
    /// An ad network's click id.
    Click(String),
}

/// Who began the contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The buyer came to the company.
    #[default]
    Inbound,
    /// The company went to the buyer.
    Outbound,
}

/// Why a touch weighs nothing, though it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silent {
    /// A mail scanner, a privacy proxy, a bot.
    Machine,
    /// One of the company's own people.
    Internal,
    /// The source said weight 0.
    Weightless,
}

/// One full weight, in millionths.
pub const FULL_WEIGHT: u32 = 1_000_000;

/// One contact between the company and an account, with one external person or none known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Touch {
    /// Distinguishes the touches of one record; empty when there is only one.
    pub suffix: String,
    /// What names the event across tools: RFC Message-ID, iCalUID with occurrence, messageId.
    pub event: Option<String>,
    /// When it happened (not when it was recorded).
    pub occurred_at: Time,
    /// The account the record names.
    pub account: Option<Ref>,
    /// What the record says about who it was; the strongest identifier decides.
    pub who: Vec<Identifier>,
    /// `visit`, `ad_click`, `form`, `email`, `call`, `meeting`, `event`, `content`, …
    pub kind: String,
    /// Who began it, if the record says; else the kind decides.
    pub direction: Option<Direction>,
    /// The channel, if the record says; else the channel rules decide.
    pub channel: Option<String>,
    /// The campaign: a [`NameOf::Campaign`] id or a plain name.
    pub campaign: Option<Ref>,
    /// The content: a page, a mail, a talk.
    pub content: Option<String>,
    /// The team, if the record says; else the team rules decide.
    pub team: Option<String>,
    /// The rep: a [`NameOf::Rep`] id or a plain name.
    pub actor: Option<Ref>,
    /// Weight in millionths; [`FULL_WEIGHT`] unless the source says otherwise.
    pub weight: u32,
    /// Set by the connector for machine activity it can see in the record.
    pub machine: bool,
    /// What this one touch cost.
    pub cost: Option<Money>,
    /// UTM parameters, referrer, addresses, click ids and whatever else the record carries.
    pub attributes: Attributes,
}

impl Touch {
    /// A touch of full weight with nothing known but its time and kind.
    pub fn new(occurred_at: Time, kind: impl Into<String>) -> Self {
        Self {
            suffix: String::new(),
            event: None,
            occurred_at,
            account: None,
            who: Vec::new(),
            kind: kind.into(),
            direction: None,
            channel: None,
            campaign: None,
            content: None,
            team: None,
            actor: None,
            weight: FULL_WEIGHT,
            machine: false,
            cost: None,
            attributes: Attributes::new(),
        }
    }
}

/// Advertising money spent on a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spend {
    /// The day, as the instants it covers in the ad account's time zone.
    pub day: Span,
    /// The channel, if the record says.
    pub channel: Option<String>,
    /// The campaign.
    pub campaign: Option<Ref>,
    /// How much.
    pub amount: Money,
}

/// What an ad network says about a click id: the touch whose address carries the id takes it over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Click {
    /// The click id, such as a `gclid`.
    pub id: String,
    /// The channel that the network sold it as.
    pub channel: Option<String>,
    /// The campaign: a [`NameOf::Campaign`] id or a plain name.
    pub campaign: Option<Ref>,
    /// The ad group, keyword or ad.
    pub content: Option<String>,
    /// The day of the click, as the instants it covers in the ad account's time zone.
    pub day: Option<Span>,
}

/// What an ad platform claims to have brought about on a day: to compare with, never a touch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The day, as the instants it covers in the ad account's time zone.
    pub day: Span,
    /// The channel, if the record says.
    pub channel: Option<String>,
    /// The campaign: a [`NameOf::Campaign`] id or a plain name.
    pub campaign: Option<Ref>,
    /// How often ads were shown.
    pub impressions: u64,
    /// How often they were clicked.
    pub clicks: u64,
    /// Conversions, in parts where the platform splits them.
    pub conversions: rust_decimal::Decimal,
    /// What those were worth to the platform.
    pub value: Option<Money>,
}

/// Two identifiers seen together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// One.
    pub a: Identifier,
    /// The other.
    pub b: Identifier,
    /// When they were seen together, if the record says.
    pub at: Option<Time>,
}

/// What a vendor can merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entity {
    /// Companies.
    Account,
    /// People.
    Person,
    /// Deals.
    Deal,
}

/// The vendor merged one record into another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// What was merged.
    pub entity: Entity,
    /// The id that is gone.
    pub loser: Ref,
    /// The id that stays.
    pub winner: Ref,
}

/// An exchange rate: one unit of `from` is `rate` units of `to` from this day on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The first instant it holds for.
    pub at: Time,
    /// One unit of this …
    pub from: crate::money::Currency,
    /// … is worth `rate` units of this.
    pub to: crate::money::Currency,
    /// A plain decimal, such as `1.0842`.
    pub rate: rust_decimal::Decimal,
}

/// What a [`Name`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameOf {
    /// A rep: owner of accounts and deals, actor of touches.
    Rep,
    /// A stage of a pipeline.
    Stage,
    /// A campaign.
    Campaign,
}

/// The readable name behind an id of the same source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Name {
    /// What kind of thing.
    pub of: NameOf,
    /// Its id in the source.
    pub id: Ref,
    /// Its readable name.
    pub name: String,
    /// The team a rep belongs to, if the source says.
    pub team: Option<String>,
}
