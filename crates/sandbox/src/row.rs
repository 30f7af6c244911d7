//! How a tool would report a touch: the row of `touches.csv`.
//!
//! Web tools tell how the visitor came and leave the channel to whoever reads; sales tools and ad platforms say the
//! channel themselves.

use std::borrow::Cow;

use serde::Serialize;

use crate::OWN_DOMAIN;
use crate::channel::Channel;
use crate::identify;
use crate::world::{Known, Nature, World};
use tributary_core::dice::mix;

/// A row of `touches.csv`: the canonical columns, and after them what web and mail tools add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the columns of touches.csv")]
pub struct TouchRow<'a> {
    pub id: String,
    pub occurred_at: String,
    pub account: Option<&'a str>,
    pub person: Option<&'a str>,
    pub email: Option<Cow<'a, str>>,
    pub anonymous_id: Option<String>,
    pub kind: &'a str,
    pub direction: Option<&'a str>,
    pub channel: Option<&'a str>,
    pub campaign: Option<&'a str>,
    pub content: Option<&'a str>,
    pub team: Option<&'a str>,
    pub actor: Option<&'a str>,
    pub weight: Option<&'a str>,
    pub cost: Option<&'a str>,
    pub currency: Option<&'a str>,
    pub event_id: Option<String>,
    pub url: Option<String>,
    pub referrer: Option<&'a str>,
    pub utm_source: Option<&'a str>,
    pub utm_medium: Option<&'a str>,
    pub utm_campaign: Option<&'a str>,
    pub gclid: Option<String>,
    pub li_fat_id: Option<String>,
    pub machine: Option<&'a str>,
}

/// Which kind of tool reports a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Web analytics: whatever has a cookie.
    Web,
    /// The CRM: what the company's own sales people did.
    Crm,
    /// All others: mail, webinar, event and advertising tools that export sheets.
    Sheets,
}

impl World {
    /// Which kind of tool reports a touch.
    pub fn tool(&self, index: usize) -> Tool {
        let touch = &self.touches[index];
        match touch.channel {
            _ if touch.device != 0 => Tool::Web,
            Channel::Sdr | Channel::AeMeeting if touch.actor.is_some() => Tool::Crm,
            _ => Tool::Sheets,
        }
    }

    /// The row in which a sheet reports a touch: sheets know people by their address.
    pub fn sheet_row(&self, index: usize) -> TouchRow<'_> {
        let mut row = self.touch_row(index);
        if row.person.take().is_some() {
            let person = self.touches[index].person.map(|person| &self.people[person]);
            row.email = person.map(|person| Cow::Borrowed(person.email.as_str()));
        }
        row
    }

    /// The row that reports a touch.
    pub fn touch_row(&self, index: usize) -> TouchRow<'_> {
        let touch = &self.touches[index];
        let account = touch.account.map(|account| &self.accounts[account]);
        let person = touch.person.map(|person| &self.people[person]);
        let is_web = touch.device != 0;
        let mut row = TouchRow {
            id: Self::touch_id(index),
            occurred_at: touch.at.to_string(),
            kind: touch.kind,
            content: Some(touch.content).filter(|content| !content.is_empty()),
            actor: touch.actor.map(|actor| self.reps[actor].name.as_str()),
            event_id: touch.event.map(|event| format!("{event:012x}@calendar.{OWN_DOMAIN}")),
            machine: (touch.nature == Nature::Machine
                && touch.account.is_some_and(|account| account % 2 == 0))
            .then_some("true"),
            ..TouchRow::default()
        };
        match touch.known {
            Known::Device | Known::Form => row.anonymous_id = Some(identify::device(touch.device)),
            Known::Contact => row.person = person.map(|person| person.id.as_str()),
            Known::Email | Known::Account => {}
        }
        if matches!(touch.known, Known::Contact | Known::Account) {
            row.account = account.map(|account| account.id.as_str());
        }
        if matches!(touch.known, Known::Form | Known::Email) {
            row.email = person.map(|person| Cow::Borrowed(person.email.as_str()));
        }
        if touch.nature == Nature::Internal {
            row.email = Some(Cow::Owned(format!("qa@{OWN_DOMAIN}")));
        }
        let campaign = touch.campaign.map(|campaign| self.campaigns[campaign].name.as_str());
        if is_web {
            if touch.kind != "form" {
                row.url = Some(format!("https://www.{OWN_DOMAIN}{}", touch.content));
            }
            self.tell_origin(index, campaign, &mut row);
        } else {
            row.campaign = campaign;
            if touch.nature != Nature::Copy {
                row.channel = Some(touch.channel.name());
            }
        }
        match touch.channel {
            Channel::Sdr => (row.team, row.direction) = (Some("sdr"), Some("outbound")),
            Channel::AeMeeting => row.team = Some("sales"),
            Channel::Partner if !is_web => row.team = Some("partner"),
            Channel::Email => row.direction = Some("inbound"),
            Channel::Event if touch.kind == "event" => {
                (row.cost, row.currency) = (Some("120.00"), Some("USD"));
            }
            _ => {}
        }
        row
    }

    /// What a web tool knows of where a visitor came from.
    fn tell_origin<'a>(&'a self, index: usize, campaign: Option<&'a str>, row: &mut TouchRow<'a>) {
        let touch = &self.touches[index];
        let chance = mix(touch.device ^ touch.at.0 as u64);
        let (source, medium) = match touch.channel {
            Channel::OrganicSearch => {
                row.referrer = Some(
                    ["https://www.google.com/", "https://www.bing.com/", "https://duckduckgo.com/"]
                        [(chance % 10).saturating_sub(7) as usize],
                );
                return;
            }
            Channel::PaidSearch => {
                row.gclid = Some(format!("Cj0{chance:016x}"));
                ("google", "cpc")
            }
            Channel::PaidSocial => {
                if chance.is_multiple_of(2) {
                    row.li_fat_id = Some(format!("{chance:016x}"));
                }
                ("linkedin", "paid_social")
            }
            Channel::Retargeting => ("adroll", "retargeting"),
            Channel::Partner => {
                (campaign.and_then(|name| name.strip_prefix("partner-")).unwrap_or("partner"), "partner")
            }
            _ => {
                // A form says nothing by its kind, so the site says that nobody sent its visitor.
                if touch.kind == "form" {
                    row.channel = Some(touch.channel.name());
                }
                return;
            }
        };
        (row.utm_source, row.utm_medium, row.utm_campaign) = (Some(source), Some(medium), campaign);
    }
}
