//! Which channel a touch came through, and which team made it.
//!
//! Order, first that answers: the configured rules; the channel the source itself gives; UTM parameters; what the
//! ad network says of the click id; the click id alone; the referrer; the kind of touch. UTM and referrer follow the definitions of GA4's default channel
//! group, written in snake case.

use tributary_core::contact;
use tributary_core::fact::{Direction, Touch};

use crate::rules::{Rules, fits};

/// A channel and the rule that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The channel; `None` when nothing says it.
    pub name: Option<String>,
    /// `rule 2`, `source`, `utm`, `click`, `gclid`, `referrer`, `kind`, `none`.
    pub rule: String,
}

/// The touch as the rules see it: its names already readable.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The touch.
    pub touch: &'a Touch,
    /// Its campaign's readable name.
    pub campaign: Option<&'a str>,
    /// Its rep's readable name.
    pub actor: Option<&'a str>,
    /// The team that the source gives its rep.
    pub actor_team: Option<&'a str>,
    /// The channel as which its ad network sold the click.
    pub sold_as: Option<&'a str>,
}

impl Seen<'_> {
    fn value(&self, name: &str, channel: Option<&str>) -> Option<String> {
        let attribute = |name: &str| self.touch.attributes.get(name).cloned();
        match name {
            "campaign" => self.campaign.map(str::to_owned),
            "actor" => self.actor.map(str::to_owned),
            "channel" => channel.map(str::to_owned),
            "kind" => Some(self.touch.kind.clone()),
            "content" => self.touch.content.clone(),
            "direction" => self
                .touch
                .direction
                .map(|it| if it == Direction::Inbound { "inbound" } else { "outbound" }.to_owned()),
            "referrer" => {
                attribute("referrer").map(|referrer| contact::domain(&referrer).unwrap_or(referrer))
            }
            _ => attribute(name),
        }
    }

    fn fits_all<'r>(
        &self,
        when: impl IntoIterator<Item = (&'r String, &'r String)>,
        channel: Option<&str>,
    ) -> bool {
        when.into_iter()
            .all(|(name, pattern)| self.value(name, channel).is_some_and(|value| fits(pattern, &value)))
    }
}

/// Finds the channel of a touch.
pub fn channel(seen: &Seen<'_>, rules: &Rules) -> Channel {
    let found = |name: &str, rule: &str| Channel { name: Some(name.to_owned()), rule: rule.to_owned() };
    let touch = seen.touch;
    let own = touch.channel.as_deref();
    for (index, rule) in rules.channels.iter().enumerate() {
        if seen.fits_all(&rule.when, own) {
            return found(&rule.channel, &format!("rule {}", index + 1));
        }
    }
    if let Some(own) = own {
        return found(known(own).unwrap_or(own), "source");
    }
    let attribute = |name: &str| {
        touch.attributes.get(name).map(|value| value.trim().to_lowercase()).filter(|v| !v.is_empty())
    };
    let (source, medium) = (attribute("utm_source"), attribute("utm_medium"));
    let campaign = attribute("utm_campaign");
    if source.is_some() || medium.is_some() {
        let source = source.as_deref().unwrap_or("");
        let medium = medium.as_deref().unwrap_or("");
        if let Some(name) = default_group(source, medium, campaign.as_deref().unwrap_or("")) {
            return found(name, "utm");
        }
    }
    if let Some(sold_as) = seen.sold_as {
        return found(sold_as, "click");
    }
    for (click, name) in CLICK_IDS {
        if attribute(click).is_some() {
            return found(name, click);
        }
    }
    if let Some(referrer) = attribute("referrer") {
        let host = contact::domain(&referrer).unwrap_or(referrer);
        let own = rules.own_domains.iter().any(|own| own.eq_ignore_ascii_case(&host));
        if !own {
            return found(referrer_group(&host), "referrer");
        }
    }
    match KINDS.iter().find(|(kind, _)| *kind == touch.kind) {
        Some((_, name)) => found(name, "kind"),
        None => Channel { name: None, rule: "none".to_owned() },
    }
}

/// Finds the team of a touch, given its channel.
pub fn team(seen: &Seen<'_>, channel: Option<&str>, rules: &Rules) -> String {
    if let Some(team) = &seen.touch.team {
        return team.to_lowercase();
    }
    for rule in &rules.teams {
        if seen.fits_all(&rule.when, channel) {
            return rule.team.clone();
        }
    }
    if let Some(actor) = seen.actor {
        for (team, reps) in &rules.reps {
            if reps.iter().any(|rep| rep.eq_ignore_ascii_case(actor)) {
                return team.clone();
            }
        }
    }
    if let Some(team) = seen.actor_team {
        return team.to_lowercase();
    }
    let by_kind = match (seen.touch.kind.as_str(), channel.unwrap_or("")) {
        (_, "sdr") => "sdr",
        (_, "partner") => "partner",
        ("call" | "meeting" | "demo" | "sequence", _) => "sales",
        ("email", _) if seen.actor.is_some() => "sales",
        _ => "marketing",
    };
    by_kind.to_owned()
}

/// Who began the contact, where the record does not say.
pub fn direction(touch: &Touch) -> Direction {
    touch.direction.unwrap_or(match touch.kind.as_str() {
        "call" | "email" | "sequence" | "impression" => Direction::Outbound,
        _ => Direction::Inbound,
    })
}

/// Channels that sources write in their own ways: `Paid Search` and `(direct)` are `paid_search` and `direct`.
const CHANNELS: &[&str] = &[
    "affiliate",
    "ai_assistant",
    "audio",
    "cross_network",
    "direct",
    "display",
    "email",
    "event",
    "mobile_push",
    "organic_search",
    "organic_shopping",
    "organic_social",
    "organic_video",
    "paid_other",
    "paid_search",
    "paid_shopping",
    "paid_social",
    "paid_video",
    "partner",
    "referral",
    "retargeting",
    "sales_call",
    "sales_meeting",
    "sms",
    "webinar",
];

/// The channel of ours that a text means, however it is spelled.
fn known(text: &str) -> Option<&'static str> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let name = words.join("_");
    CHANNELS.iter().find(|channel| **channel == name).copied()
}

/// The click id a landing address carries, and what its network sells.
pub(crate) const CLICK_IDS: &[(&str, &str)] = &[
    ("gclid", "paid_search"),
    ("wbraid", "paid_search"),
    ("gbraid", "paid_search"),
    ("msclkid", "paid_search"),
    ("li_fat_id", "paid_social"),
    ("fbclid", "organic_social"),
    ("ttclid", "paid_social"),
    ("twclid", "paid_social"),
];

const KINDS: &[(&str, &str)] = &[
    ("email", "email"),
    ("email_open", "email"),
    ("email_click", "email"),
    ("call", "sales_call"),
    ("meeting", "sales_meeting"),
    ("demo", "sales_meeting"),
    ("event", "event"),
    ("webinar", "webinar"),
    ("visit", "direct"),
    ("form", "direct"),
];

const SEARCH: &[&str] = &[
    "google",
    "bing",
    "duckduckgo",
    "yahoo",
    "baidu",
    "yandex",
    "ecosia",
    "qwant",
    "startpage",
    "naver",
    "seznam",
    "brave",
    "ask",
    "aol",
];
const SOCIAL: &[&str] = &[
    "linkedin",
    "facebook",
    "instagram",
    "twitter",
    "x",
    "t",
    "reddit",
    "pinterest",
    "tiktok",
    "xing",
    "quora",
    "threads",
    "mastodon",
    "bsky",
    "lnkd",
    "fb",
    "whatsapp",
    "tumblr",
    "vk",
    "weibo",
    "snapchat",
    "glassdoor",
    "stackoverflow",
    "ycombinator",
    "meetup",
];
const VIDEO: &[&str] =
    &["youtube", "vimeo", "twitch", "dailymotion", "netflix", "disneyplus", "wistia", "youtu"];
const SHOPPING: &[&str] = &["amazon", "ebay", "etsy", "shopify", "walmart", "alibaba", "aliexpress"];
const ASSISTANTS: &[&str] = &["chatgpt", "openai", "perplexity", "claude", "gemini", "copilot"];

/// The first label of a host, or the text itself: `google` for `google.co.uk`.
fn site(source: &str) -> String {
    contact::domain(source)
        .unwrap_or_else(|| source.to_owned())
        .split('.')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// GA4's default channel group, from lower-case UTM values. `None` is GA4's *Unassigned*.
fn default_group(source: &str, medium: &str, campaign: &str) -> Option<&'static str> {
    let site = site(source);
    let among = |list: &[&str]| list.contains(&site.as_str());
    // GA4's pattern for paid media: ^(.*cp.*|ppc|retargeting|paid.*)$
    let paid = medium.contains("cp") || medium.starts_with("paid") || matches!(medium, "ppc" | "retargeting");
    let shopping = among(SHOPPING)
        || campaign.split(|c: char| !c.is_alphanumeric()).any(|word| word == "shop" || word == "shopping");
    let group = match medium {
        _ if source == "(direct)" || (source == "direct" && matches!(medium, "" | "(none)" | "none")) => {
            "direct"
        }
        _ if campaign.contains("cross-network") => "cross_network",
        "retargeting" | "remarketing" => "retargeting",
        _ if campaign.contains("retarget") || campaign.contains("remarket") => "retargeting",
        _ if paid && shopping => "paid_shopping",
        _ if paid && among(SEARCH) => "paid_search",
        "paid_search" | "paidsearch" | "paid-search" | "sem" => "paid_search",
        _ if paid && among(SOCIAL) => "paid_social",
        "paid_social" | "paidsocial" | "paid-social" => "paid_social",
        _ if paid && among(VIDEO) => "paid_video",
        "display" | "banner" | "expandable" | "interstitial" | "cpm" => "display",
        "cpc" | "ppc" if source.is_empty() => "paid_search",
        _ if paid => "paid_other",
        _ if shopping => "organic_shopping",
        "social" | "social-network" | "social-media" | "sm" | "social network" | "social media" => {
            "organic_social"
        }
        _ if among(SOCIAL) => "organic_social",
        _ if among(VIDEO) || medium.contains("video") => "organic_video",
        "organic" => "organic_search",
        _ if among(SEARCH) && medium.is_empty() => "organic_search",
        _ if matches!(source, "email" | "e-mail" | "e_mail" | "e mail" | "newsletter") => "email",
        "email" | "e-mail" | "e_mail" | "e mail" | "newsletter" => "email",
        "webinar" => "webinar",
        "event" => "event",
        "partner" => "partner",
        "affiliate" | "affiliates" => "affiliate",
        "referral" | "app" | "link" => "referral",
        "audio" => "audio",
        "sms" => "sms",
        _ if source == "sms" => "sms",
        _ if medium.ends_with("push") || medium.contains("mobile") || medium.contains("notification") => {
            "mobile_push"
        }
        _ => return None,
    };
    Some(group)
}

/// The group of a visit that only has a referrer.
fn referrer_group(host: &str) -> &'static str {
    let site = site(host);
    let among = |list: &[&str]| list.contains(&site.as_str());
    if among(SEARCH) {
        "organic_search"
    } else if among(SOCIAL) {
        "organic_social"
    } else if among(VIDEO) {
        "organic_video"
    } else if among(SHOPPING) {
        "organic_shopping"
    } else if among(ASSISTANTS) {
        "ai_assistant"
    } else {
        "referral"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ChannelRule;
    use tributary_core::Time;

    fn check(kind: &str, attributes: &[(&str, &str)], expected: Option<&str>, rule: &str) {
        let mut touch = Touch::new(Time(0), kind);
        touch.attributes =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let rules = Rules {
            channels: vec![ChannelRule {
                channel: "community".to_owned(),
                when: [("utm_campaign".to_owned(), "meetup-*".to_owned())].into(),
            }],
            ..Rules::default()
        };
        let seen = Seen { touch: &touch, campaign: None, actor: None, actor_team: None, sold_as: None };
        let found = channel(&seen, &rules);
        assert_eq!((found.name.as_deref(), found.rule.as_str()), (expected, rule), "{kind} {attributes:?}");
    }

    #[test]
    fn the_first_answer_wins() {
        check("visit", &[("utm_source", "google"), ("utm_medium", "cpc")], Some("paid_search"), "utm");
        check("visit", &[("utm_source", "linkedin"), ("utm_medium", "cpc")], Some("paid_social"), "utm");
        check(
            "visit",
            &[("utm_source", "linkedin"), ("utm_medium", "social")],
            Some("organic_social"),
            "utm",
        );
        check(
            "visit",
            &[("utm_source", "adroll"), ("utm_medium", "retargeting")],
            Some("retargeting"),
            "utm",
        );
        check("visit", &[("utm_source", "news"), ("utm_medium", "email")], Some("email"), "utm");
        check("visit", &[("utm_medium", "display")], Some("display"), "utm");
        check("visit", &[("gclid", "abc")], Some("paid_search"), "gclid");
        check("visit", &[("referrer", "https://www.reddit.com/r/x")], Some("organic_social"), "referrer");
        check("visit", &[], Some("direct"), "kind");
        check(
            "visit",
            &[("utm_campaign", "meetup-berlin"), ("utm_medium", "email")],
            Some("community"),
            "rule 1",
        );
        check("something", &[], None, "none");
    }

    #[test]
    fn a_sources_own_spelling_of_a_channel_is_that_channel() {
        for (own, expected) in [
            ("(direct)", "direct"),
            ("Direct", "direct"),
            ("Paid Search", "paid_search"),
            ("paid-social", "paid_social"),
            ("Podcast: SaaS Weekly", "Podcast: SaaS Weekly"),
        ] {
            let mut touch = Touch::new(Time(0), "visit");
            touch.channel = Some(own.to_owned());
            let seen = Seen { touch: &touch, campaign: None, actor: None, actor_team: None, sold_as: None };
            let found = channel(&seen, &Rules::default());
            assert_eq!((found.name.as_deref(), found.rule.as_str()), (Some(expected), "source"));
        }
    }
}
