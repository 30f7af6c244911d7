//! One touch of a channel: what it was, and what its record will tell. Not responsible for when and to whom.

use tributary_core::Time;

use crate::cast::HOUR;
use crate::channel::Channel;
use crate::names::PAGES;
use crate::world::{Known, Nature, Touch, World};
use tributary_core::dice::Dice;

/// One export in so many has a row twice.
const REPEATED: f64 = 1.0 / 350.0;

/// A touch of an account's person.
pub(crate) fn make(
    dice: &mut Dice,
    world: &World,
    at: Time,
    account: usize,
    person: usize,
    channel: Channel,
) -> Touch {
    let (kind, known) = match channel {
        Channel::OrganicSearch | Channel::Direct => ("visit", Known::Device),
        Channel::PaidSearch | Channel::PaidSocial | Channel::Retargeting => ("ad_click", Known::Device),
        Channel::Display => ("impression", Known::Account),
        Channel::Email if dice.chance(0.6) => ("email_click", Known::Email),
        Channel::Email => ("email_open", Known::Email),
        Channel::Webinar => ("webinar", Known::Email),
        Channel::Event => ("event", Known::Contact),
        Channel::Partner if dice.chance(0.5) => ("visit", Known::Device),
        Channel::Sdr if dice.chance(0.5) => ("call", Known::Contact),
        Channel::Sdr => ("sequence", Known::Email),
        Channel::Partner | Channel::AeMeeting => ("meeting", Known::Contact),
    };
    let content = match channel {
        Channel::Display => "Banner",
        Channel::Webinar | Channel::Event | Channel::Sdr | Channel::Email => "",
        Channel::AeMeeting => *dice.pick(&["Discovery", "Demo", "Proposal review", "Negotiation"]),
        Channel::Partner if kind == "meeting" => "Joint meeting",
        _ => *dice.pick(&PAGES),
    };
    let actor = match channel {
        Channel::AeMeeting => Some(world.accounts[account].owner),
        // Every third rep is an SDR.
        Channel::Sdr => Some(account % (world.reps.len() / 3) * 3 + 2),
        _ => None,
    };
    let running: Vec<usize> = (0..world.campaigns.len())
        .filter(|index| {
            let campaign = &world.campaigns[*index];
            campaign.channel == channel && campaign.from <= at && at < campaign.until
        })
        .collect();
    let campaign = if running.is_empty() { None } else { Some(*dice.pick(&running)) };
    Touch {
        at,
        account: Some(account),
        person: (known != Known::Account).then_some(person),
        channel,
        kind,
        known,
        device: if known == Known::Device { world.people[person].device } else { 0 },
        campaign,
        content,
        actor,
        nature: Nature::Human,
        event: None,
        is_repeated: dice.chance(REPEATED),
    }
}

/// The webinar or event nearest to a time, and when in it somebody came.
pub(crate) fn attend(dice: &mut Dice, world: &World, channel: Channel, near: Time) -> Option<(usize, Time)> {
    let dates = world.campaigns.iter().enumerate().filter(|(_, campaign)| campaign.channel == channel);
    let (index, campaign) = dates.min_by_key(|(_, campaign)| (campaign.from.0 - near.0).abs())?;
    let minutes = if channel == Channel::Webinar { 10.0 } else { 8.0 * 60.0 };
    let day = if channel == Channel::Event && dice.chance(0.5) { 24 * HOUR } else { 0 };
    Some((index, Time(campaign.from.0 + day + dice.below(minutes as usize) as i64 * HOUR / 60)))
}
