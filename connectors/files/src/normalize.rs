//! Rows to facts. Pure: what a row means depends on the row and the settings alone.

use std::collections::BTreeMap;

use tributary_core::fact::{
    Account, Alias, Attributes, Committee, Deal, Direction, FULL_WEIGHT, Fact, Identifier, Outcome, Person,
    Rate, Spend, Stage, Touch,
};
use tributary_core::money::parse_decimal;
use tributary_core::time::{Time, When, Zone};
use tributary_core::{Currency, Money};
use tributary_source::{Normalized, Problem, Record, Settings};

use crate::config::{Config, Decimal};

pub(crate) fn normalize(settings: &Settings, record: &Record) -> Normalized {
    let Some(body) = &record.body else { return Normalized::default() };
    let cells: BTreeMap<String, String> = match serde_json::from_slice(body) {
        Ok(cells) => cells,
        Err(error) => {
            let problem = Problem { field: String::new(), reason: format!("not a row: {error}") };
            return Normalized { facts: Vec::new(), problems: vec![problem] };
        }
    };
    let config: Config = settings.parse().unwrap_or_default();
    let mut row = Row { cells, zone: &settings.zone, config: &config, problems: Vec::new() };
    let fact = match record.stream {
        "accounts" => Some(row.account(record)),
        "people" => Some(row.person(record)),
        "deals" => Some(row.deal(record)),
        "stages" => row.stage(),
        "committee" => row.committee(),
        "touches" => Some(row.touch()),
        "spend" => row.spend(),
        "aliases" => row.alias(),
        "rates" => row.rate(),
        _ => None,
    };
    // A row that is wrong anywhere says nothing: half a deal would be worse than none.
    let facts = if row.problems.is_empty() { fact.into_iter().collect() } else { Vec::new() };
    Normalized { facts, problems: row.problems }
}

struct Row<'a> {
    cells: BTreeMap<String, String>,
    zone: &'a Zone,
    config: &'a Config,
    problems: Vec<Problem>,
}

impl Row<'_> {
    fn take(&mut self, column: &str) -> Option<String> {
        self.cells.remove(column)
    }

    fn fault(&mut self, column: &str, reason: impl ToString) {
        self.problems.push(Problem { field: column.to_owned(), reason: reason.to_string() });
    }

    fn need(&mut self, column: &str) -> Option<String> {
        let cell = self.take(column);
        if cell.is_none() {
            self.fault(column, "is empty, and must not be");
        }
        cell
    }

    fn when(&mut self, column: &str) -> Option<When> {
        let text = self.take(column)?;
        match When::parse(&text, self.zone) {
            Ok(when) => Some(when),
            Err(error) => {
                self.fault(column, error);
                None
            }
        }
    }

    fn start(&mut self, column: &str) -> Option<Time> {
        self.when(column).map(When::start)
    }

    fn number(&mut self, column: &str) -> Option<rust_decimal::Decimal> {
        let text = self.take(column)?;
        let plain = match self.config.decimal {
            Decimal::Auto => text.clone(),
            Decimal::Comma => text.replace('.', "").replace(',', "."),
        };
        match parse_decimal(&plain) {
            Ok(number) => Some(number),
            Err(error) => {
                self.fault(column, error);
                None
            }
        }
    }

    /// An amount in the row's currency, else in the configured one.
    fn money(&mut self, column: &str) -> Option<Money> {
        let code = self.take("currency");
        let number = self.number(column)?;
        let currency = match (code, self.config.currency) {
            (Some(code), _) => Currency::parse(&code).map_err(|error| self.fault("currency", error)).ok()?,
            (None, Some(currency)) => currency,
            (None, None) => {
                self.fault(
                    "currency",
                    "is empty: add the column, or write currency = \"USD\" for this source",
                );
                return None;
            }
        };
        match Money::from_decimal(number, currency) {
            Ok(money) => Some(money),
            Err(error) => {
                self.fault(column, error);
                None
            }
        }
    }

    fn flag(&mut self, column: &str) -> bool {
        match self.take(column).map(|text| text.to_lowercase()).as_deref() {
            None | Some("false" | "no" | "n" | "0" | "nein" | "non") => false,
            Some("true" | "yes" | "y" | "1" | "x" | "ja" | "oui") => true,
            Some(other) => {
                let reason = format!("`{other}` is neither true nor false");
                self.fault(column, reason);
                false
            }
        }
    }

    fn rest(&mut self) -> Attributes {
        std::mem::take(&mut self.cells)
    }

    fn account(&mut self, record: &Record) -> Fact {
        Fact::Account(Account {
            id: self.take("id").unwrap_or_else(|| record.id.clone()),
            name: self.take("name"),
            domain: self.take("domain"),
            owner: self.take("owner"),
            attributes: self.rest(),
        })
    }

    fn person(&mut self, record: &Record) -> Fact {
        let emails = self.take("email").unwrap_or_default();
        Fact::Person(Person {
            id: self.take("id").unwrap_or_else(|| record.id.clone()),
            account: self.take("account"),
            emails: emails
                .split([';', ','])
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .collect(),
            users: self.take("user_id").into_iter().collect(),
            name: self.take("name"),
            title: self.take("title"),
            role: self.take("role"),
            seniority: self.take("seniority"),
            created_at: self.start("created_at"),
            attributes: self.rest(),
        })
    }

    fn deal(&mut self, record: &Record) -> Fact {
        let outcome = match self.take("outcome").map(|text| text.to_lowercase()).as_deref() {
            Some("won" | "closed won") => Outcome::Won,
            Some("lost" | "closed lost") => Outcome::Lost,
            Some("open") | None => Outcome::Open,
            Some(other) => {
                let reason = format!("`{other}` is no outcome (expected won, lost or open)");
                self.fault("outcome", reason);
                Outcome::Open
            }
        };
        let closed_at = self.when("closed_at").map(When::end);
        if outcome != Outcome::Open && closed_at.is_none() && self.problems.is_empty() {
            self.fault("closed_at", "is empty, though the deal is closed");
        }
        Fact::Deal(Deal {
            id: self.take("id").unwrap_or_else(|| record.id.clone()),
            account: self.take("account"),
            name: self.take("name"),
            amount: self.money("amount"),
            created_at: self.start("created_at"),
            closed_at: closed_at.filter(|_| outcome != Outcome::Open),
            outcome,
            stage: self.take("stage"),
            owner: self.take("owner"),
            pipeline: self.take("pipeline"),
            attributes: self.rest(),
        })
    }

    fn stage(&mut self) -> Option<Fact> {
        let (deal, stage) = (self.need("deal"), self.need("stage"));
        if !self.cells.contains_key("entered_at") {
            self.fault("entered_at", "is empty, and must not be");
        }
        let entered_at = self.start("entered_at");
        Some(Fact::Stage(Stage { deal: deal?, stage: stage?, entered_at: entered_at? }))
    }

    fn committee(&mut self) -> Option<Fact> {
        let (deal, person) = (self.need("deal"), self.need("person"));
        let (role, is_primary) = (self.take("role"), self.flag("is_primary"));
        Some(Fact::Committee(Committee { deal: deal?, person: person?, role, is_primary }))
    }

    fn touch(&mut self) -> Fact {
        if !self.cells.contains_key("occurred_at") {
            self.fault("occurred_at", "is empty, and must not be");
        }
        let occurred_at = self.start("occurred_at");
        let kind = self.need("kind");
        self.take("id");
        let mut touch = Touch::new(occurred_at.unwrap_or_default(), kind.unwrap_or_default().to_lowercase());
        touch.event = ["event_id", "message_id", "ical_uid"].iter().find_map(|column| self.take(column));
        touch.account = self.take("account");
        touch.who.extend(self.take("person").map(Identifier::Crm));
        touch.who.extend(self.take("email").map(Identifier::Email));
        touch.who.extend(self.take("user_id").map(Identifier::User));
        touch.who.extend(self.take("anonymous_id").map(Identifier::Anonymous));
        for column in ["gclid", "msclkid", "fbclid", "li_fat_id", "ttclid"] {
            touch.who.extend(self.cells.get(column).cloned().map(Identifier::Click));
        }
        touch.direction = match self.take("direction").map(|text| text.to_lowercase()).as_deref() {
            None => None,
            Some("inbound") => Some(Direction::Inbound),
            Some("outbound") => Some(Direction::Outbound),
            Some(other) => {
                let reason = format!("`{other}` is no direction (expected inbound or outbound)");
                self.fault("direction", reason);
                None
            }
        };
        touch.channel = self.take("channel");
        touch.campaign = self.take("campaign");
        touch.content = self.take("content");
        touch.team = self.take("team");
        touch.actor = self.take("actor");
        touch.machine = self.flag("machine");
        if let Some(weight) = self.number("weight") {
            let millionths = weight * rust_decimal::Decimal::from(FULL_WEIGHT);
            match u32::try_from(millionths.round()) {
                Ok(weight) => touch.weight = weight,
                Err(_) => self.fault("weight", format!("`{weight}` is not between 0 and 4294")),
            }
        }
        if self.cells.contains_key("cost") {
            touch.cost = self.money("cost");
        } else {
            self.take("currency");
        }
        touch.attributes = self.rest();
        Fact::Touch(touch)
    }

    fn spend(&mut self) -> Option<Fact> {
        if !self.cells.contains_key("date") {
            self.fault("date", "is empty, and must not be");
        }
        let day = self.start("date").map(|at| self.zone.day_of(at));
        if !self.cells.contains_key("amount") {
            self.fault("amount", "is empty, and must not be");
        }
        let amount = self.money("amount");
        let (channel, campaign) = (self.take("channel"), self.take("campaign"));
        Some(Fact::Spend(Spend { day: day?, channel, campaign, amount: amount? }))
    }

    fn identifier(&mut self, kind: &str, id: &str) -> Option<Identifier> {
        let (word, id) = (self.need(kind)?, self.need(id)?);
        Some(match word.to_lowercase().as_str() {
            "email" => Identifier::Email(id),
            "user" => Identifier::User(id),
            "anonymous" => Identifier::Anonymous(id),
            "click" => Identifier::Click(id),
            "crm" => Identifier::Crm(id),
            other => {
                let reason = format!(
                    "`{other}` is no kind of identifier (expected email, user, anonymous, click or crm)"
                );
                self.fault(kind, reason);
                return None;
            }
        })
    }

    fn alias(&mut self) -> Option<Fact> {
        let (a, b) = (self.identifier("kind_a", "id_a"), self.identifier("kind_b", "id_b"));
        let at = self.start("seen_at");
        Some(Fact::Alias(Alias { a: a?, b: b?, at }))
    }

    fn currency(&mut self, column: &str) -> Option<Currency> {
        let code = self.need(column)?;
        Currency::parse(&code).map_err(|error| self.fault(column, error)).ok()
    }

    fn rate(&mut self) -> Option<Fact> {
        if !self.cells.contains_key("date") {
            self.fault("date", "is empty, and must not be");
        }
        let at = self.start("date");
        let (from, to) = (self.currency("from"), self.currency("to"));
        if !self.cells.contains_key("rate") {
            self.fault("rate", "is empty, and must not be");
        }
        let rate = self.number("rate");
        if rate.is_some_and(|rate| rate <= rust_decimal::Decimal::ZERO) {
            self.fault("rate", "must be above 0");
        }
        Some(Fact::Rate(Rate { at: at?, from: from?, to: to?, rate: rate? }))
    }
}
