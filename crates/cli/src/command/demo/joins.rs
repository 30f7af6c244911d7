//! What only several tools together know, shown by one case each.

use std::collections::BTreeMap;

use tributary_core::book::{Book, NOBODY};
use tributary_core::time::DAY_MICROS;
use tributary_core::{Money, Time};
use tributary_engine::journey::{Journey, Subject};
use tributary_engine::{Journeys, journeys};
use tributary_store::reports::Export;

use crate::command::report::Asked;
use crate::show::cell::money;

/// An account that nobody touched for so long was cold.
const COLD_DAYS: f64 = 100.0;

/// What is told: a heading, and a sentence or two.
pub(super) type Told = Vec<(&'static str, String)>;

/// Looks for a case of each.
pub(super) fn find(asked: &Asked, tables: &[Export]) -> Told {
    let found = journeys(&asked.data.book, &asked.question.policy);
    let won: Vec<Won<'_>> = found.list.iter().filter_map(|journey| Won::of(&found, journey)).collect();
    let cases = [
        (
            "A visitor without a name who became somebody",
            won.iter().filter_map(Won::stranger).max().map(|(_, told)| told),
        ),
        ("An ad click and what it cost", won.iter().find_map(|won| won.paid_click(tables))),
        (
            "Calls of sales beside mails of marketing",
            won.iter().max_by_key(|won| won.sides()).and_then(Won::beside),
        ),
        ("An account that was cold, and what revived it", won.iter().find_map(Won::revived)),
    ];
    cases.into_iter().filter_map(|(heading, told)| Some((heading, told?))).collect()
}

/// A won deal and its touches.
struct Won<'a> {
    book: &'a Book,
    rows: Vec<usize>,
    account: String,
    deal: String,
}

fn day(at: Time) -> String {
    at.to_string().chars().take(10).collect()
}

impl<'a> Won<'a> {
    fn of(found: &Journeys<'a>, journey: &Journey) -> Option<Self> {
        let book = found.book;
        let Subject::Deal(deal) = journey.subject else { return None };
        let rows = found.touches(journey).iter().collect();
        let name = |term| book.terms.get(term).map(str::to_owned);
        let account = name(book.accounts[journey.account].label)?;
        Some(Self { book, rows, account, deal: name(book.deals[deal].label)? })
    }

    fn kind(&self, row: usize) -> &'a str {
        self.book.terms.get(self.book.touches.kind[row]).unwrap_or_default()
    }

    fn channel(&self, row: usize) -> &'a str {
        self.book.terms.get(self.book.touches.channel[row]).unwrap_or_default()
    }

    fn source(&self, row: usize) -> &'a str {
        self.book.terms.get(self.book.touches.source[row]).unwrap_or_default()
    }

    fn person(&self, row: usize) -> Option<&'a str> {
        let person = self.book.touches.person[row];
        (person != NOBODY).then(|| self.book.terms.get(self.book.people[person as usize].label)).flatten()
    }

    fn at(&self, row: usize) -> Time {
        self.book.touches.at[row]
    }

    /// Visits of a person before the form that told who they were, and how many.
    fn stranger(&self) -> Option<(usize, String)> {
        let form = *self.rows.iter().find(|row| self.kind(**row) == "form" && self.source(**row) == "web")?;
        let who = self.person(form)?;
        let is_before = |row: &&usize| {
            self.kind(**row) == "visit" && self.person(**row) == Some(who) && self.at(**row) < self.at(form)
        };
        let before: Vec<usize> = self.rows.iter().filter(is_before).copied().collect();
        let first = *before.first()?;
        let told = format!(
            "{} of {} visited {} times from {} on, known by a cookie alone; the form of {} said who it was, \
             and all of it counts for {}.",
            who,
            self.account,
            before.len(),
            day(self.at(first)),
            day(self.at(form)),
            self.deal
        );
        Some((before.len(), told))
    }

    /// A visit by a click that the ad platform knows the campaign of, and the price of a click that day.
    fn paid_click(&self, tables: &[Export]) -> Option<String> {
        let table = |name: &str| tables.iter().find(|table| table.name == name);
        let rows = |name: &str| {
            let table = table(name)?;
            let named = move |row: &Vec<Option<String>>| -> BTreeMap<&'static str, String> {
                table
                    .columns
                    .iter()
                    .copied()
                    .zip(row.iter().map(|cell| cell.clone().unwrap_or_default()))
                    .collect()
            };
            Some(table.rows.iter().map(named).collect::<Vec<_>>())
        };
        let (claims, spend) = (rows("claims")?, rows("spend")?);
        self.rows.iter().rev().find_map(|row| {
            let campaign = self.book.terms.get(self.book.touches.campaign[*row])?;
            if self.channel(*row) != "paid_search" {
                return None;
            }
            let is_day = |it: &&BTreeMap<&str, String>| {
                let from = Time::parse(&it["day"], &tributary_core::time::Zone::default()).ok();
                let inside = from.is_some_and(|from| (0..DAY_MICROS).contains(&(self.at(*row).0 - from.0)));
                inside && it["campaign"] == campaign && it["source"] == "ads"
            };
            let (claimed, paid) = (claims.iter().find(is_day)?, spend.iter().find(is_day)?);
            let clicks: i64 = claimed["clicks"].parse().ok().filter(|clicks| *clicks > 0)?;
            let currency = tributary_core::Currency::parse(&paid["currency"]).ok()?;
            let amount = Money::parse(&paid["amount"], currency).ok().filter(|amount| amount.minor > 0)?;
            Some(format!(
                "{} of {} came on {} by an ad of {campaign}: {} {currency} for {clicks} {} that day by Google's books. \
                 The visit is the site's, the campaign Google's, the deal ({}) the CRM's.",
                self.person(*row)?, self.account, day(self.at(*row)), money(amount.minor, currency),
                if clicks == 1 { "click" } else { "clicks" }, self.deal
            ))
        })
    }

    fn count(&self, fits: impl Fn(usize) -> bool) -> usize {
        self.rows.iter().filter(|row| fits(**row)).count()
    }

    fn calls(&self) -> usize {
        self.count(|row| self.source(row) == "crm")
    }

    fn mails(&self) -> usize {
        self.count(|row| self.channel(row) == "email" && self.source(row) == "sheets")
    }

    /// How much of both sides there is.
    fn sides(&self) -> (usize, &str) {
        (self.calls().min(self.mails()), &self.deal)
    }

    fn beside(&self) -> Option<String> {
        let (calls, mails) = (self.calls(), self.mails());
        (calls > 0 && mails > 0).then(|| {
            format!(
                "{}: {calls} calls, mails and meetings that HubSpot logged for sales stand beside {mails} nurture \
                 mails that were opened or clicked, in one journey.",
                self.deal
            )
        })
    }

    /// The first touch after a long silence, if it was a retargeting ad.
    fn revived(&self) -> Option<String> {
        let pairs = self.rows.windows(2);
        let silence = |pair: &[usize]| (self.at(pair[1]).days_since(self.at(pair[0])), pair[1]);
        let (days, first) = pairs
            .map(silence)
            .find(|(days, first)| *days > COLD_DAYS && self.channel(*first) == "retargeting")?;
        let campaign = self.book.terms.get(self.book.touches.campaign[first]).unwrap_or("a retargeting ad");
        Some(format!(
            "{} was silent for {days:.0} days until {campaign} brought somebody back on {}; {} was won after it.",
            self.account,
            day(self.at(first)),
            self.deal
        ))
    }
}
