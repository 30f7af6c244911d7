//! A row → facts. Pure.

use rust_decimal::Decimal;
use serde_json::Value;
use tributary_core::fact::{Claim, Click, Name, NameOf, Spend};
use tributary_core::money::parse_decimal;
use tributary_core::time::{Span, When, Zone};
use tributary_core::{Currency, Fact, Money};
use tributary_source::{Normalized, Problem, Record};

use crate::api::{at, text};

pub(crate) fn normalize(record: &Record) -> Normalized {
    let Some(body) = &record.body else { return Normalized::default() };
    let row = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let mut reader = Reader { row: &row, problems: Vec::new() };
    let facts = match record.stream {
        "campaigns" => reader.campaign(),
        "spend" => reader.spend(),
        "clicks" => reader.click(),
        _ => Vec::new(),
    };
    Normalized { facts, problems: reader.problems }
}

/// One row on its way to facts.
struct Reader<'a> {
    row: &'a Value,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, field: &str, reason: impl ToString) {
        self.problems.push(Problem { field: field.to_owned(), reason: reason.to_string() });
    }

    fn needed(&mut self, path: &str) -> Option<String> {
        let found = text(self.row, path);
        if found.is_none() {
            self.problem(path, "missing");
        }
        found
    }

    /// A number that Google leaves out where it is zero.
    fn number(&mut self, path: &str) -> Decimal {
        let Some(written) = text(self.row, path) else {
            if !at(self.row, path).is_null() {
                self.problem(path, "not a number");
            }
            return Decimal::ZERO;
        };
        // Doubles come with an exponent where they are very small.
        let parsed = Decimal::from_scientific(&written).ok().or_else(|| parse_decimal(&written).ok());
        parsed.unwrap_or_else(|| {
            self.problem(path, "not a number");
            Decimal::ZERO
        })
    }

    fn count(&mut self, path: &str) -> u64 {
        let number = self.number(path);
        u64::try_from(number).unwrap_or_else(|_| {
            self.problem(path, "not a count");
            0
        })
    }

    /// A day of the ads account's time zone.
    fn day(&mut self) -> Option<Span> {
        let (day, zone) = (self.needed("segments.date")?, self.needed("customer.timeZone")?);
        let Some(zone) = Zone::parse(&zone) else {
            self.problem("customer.timeZone", "not a time zone");
            return None;
        };
        if let Ok(When::Day(day)) = When::parse(&day, &zone) {
            return Some(day);
        }
        self.problem("segments.date", "not a day");
        None
    }

    fn currency(&mut self) -> Option<Currency> {
        let code = self.needed("customer.currencyCode")?;
        Currency::parse(&code).map_err(|error| self.problem("customer.currencyCode", error)).ok()
    }

    fn money(&mut self, path: &str, value: Decimal, currency: Currency) -> Option<Money> {
        Money::rounded(value, currency).map_err(|error| self.problem(path, error)).ok()
    }

    /// What the campaign's channel is called here.
    fn channel(&self) -> Option<String> {
        let channel = match at(self.row, "campaign.advertisingChannelType").as_str()? {
            "SEARCH" => "paid_search",
            "DISPLAY" => "display",
            "VIDEO" => "paid_video",
            "SHOPPING" => "paid_shopping",
            // As GA4's default channel group has them: campaigns that Google spreads over its networks itself.
            "PERFORMANCE_MAX" | "DEMAND_GEN" | "DISCOVERY" | "MULTI_CHANNEL" | "SMART" | "LOCAL" => {
                "cross_network"
            }
            _ => "paid_other",
        };
        Some(channel.to_owned())
    }

    /// Ids of campaigns are unique at Google, whatever the account.
    fn campaign(&mut self) -> Vec<Fact> {
        let (Some(id), Some(name)) = (self.needed("campaign.id"), self.needed("campaign.name")) else {
            return Vec::new();
        };
        vec![Fact::Name(Name { of: NameOf::Campaign, id, name, team: None })]
    }

    fn spend(&mut self) -> Vec<Fact> {
        let (day, campaign, currency) = (self.day(), self.needed("campaign.id"), self.currency());
        let (Some(day), Some(campaign), Some(currency)) = (day, campaign, currency) else {
            return Vec::new();
        };
        let micros = self.number("metrics.costMicros");
        let million = Decimal::from(1_000_000);
        let amount = self.money("metrics.costMicros", micros / million, currency);
        let worth = self.number("metrics.conversionsValue");
        let value = self.money("metrics.conversionsValue", worth, currency).filter(|value| value.minor != 0);
        let claim = Claim {
            day,
            channel: self.channel(),
            campaign: Some(campaign.clone()),
            impressions: self.count("metrics.impressions"),
            clicks: self.count("metrics.clicks"),
            conversions: self.number("metrics.conversions").round_dp(6),
            value,
        };
        let spend =
            amount.map(|amount| Spend { day, channel: self.channel(), campaign: Some(campaign), amount });
        spend.map(Fact::Spend).into_iter().chain([Fact::Claim(claim)]).collect()
    }

    fn click(&mut self) -> Vec<Fact> {
        let day = self.day();
        let Some(id) = self.needed("clickView.gclid") else { return Vec::new() };
        let keyword = text(self.row, "clickView.keywordInfo.text");
        vec![Fact::Click(Click {
            id,
            channel: self.channel(),
            campaign: text(self.row, "campaign.id"),
            content: keyword.or_else(|| text(self.row, "adGroup.name")),
            day,
        })]
    }
}
