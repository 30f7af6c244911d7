//! Wire record → facts. Pure: what a record means depends on the record and the settings alone.

use std::collections::BTreeMap;

use serde_json::Value;
use tributary_core::fact::{
    Account, Attributes, Committee, Deal, Direction, Entity, Identifier, Membership, Merge, Name, NameOf,
    Outcome, Person, Stage, Touch,
};
use tributary_core::money::parse_decimal;
use tributary_core::time::{When, Zone};
use tributary_core::{Currency, Fact, Money, Time};
use tributary_source::{Normalized, Problem, Record, Settings};

use crate::api::read_time;
use crate::config::{Cancelled, Config};

pub(crate) fn normalize(settings: &Settings, record: &Record) -> Normalized {
    let Some(body) = &record.body else { return Normalized::default() };
    let Ok(row) = serde_json::from_slice::<Value>(body) else {
        return refused("", "not JSON");
    };
    let config = match settings.parse::<Config>() {
        Ok(config) => config,
        Err(error) => return refused("", &error.to_string()),
    };
    let mut reader =
        Reader { record, row: &row, config: &config, zone: &settings.zone, problems: Vec::new() };
    let facts = match record.stream {
        "employees" => reader.employee(),
        "campaigns" => reader.campaign(),
        "parties" => reader.party(),
        "opportunities" => reader.opportunity(),
        "stages" => reader.stage(),
        "accesses" => reader.access(),
        _ => Vec::new(),
    };
    Normalized { facts, problems: reader.problems }
}

fn refused(field: &str, reason: &str) -> Normalized {
    let problem = Problem { field: field.to_owned(), reason: reason.to_owned() };
    Normalized { facts: Vec::new(), problems: vec![problem] }
}

/// One record on its way to facts.
struct Reader<'a> {
    record: &'a Record,
    row: &'a Value,
    config: &'a Config,
    zone: &'a Zone,
    problems: Vec<Problem>,
}

/// A relation from a person to their company.
struct Relation<'a> {
    person: Option<String>,
    company: Option<String>,
    role: &'a str,
    from: Option<When>,
    until: Option<When>,
}

impl Reader<'_> {
    fn problem(&mut self, field: &str, reason: impl ToString) {
        self.problems.push(Problem { field: field.to_owned(), reason: reason.to_string() });
    }

    /// A text field; empty is none.
    fn text(&mut self, path: &str) -> Option<String> {
        match at(self.row, path) {
            Value::Null => None,
            Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
            Value::Number(number) => Some(number.to_string()),
            other => {
                self.problem(path, format!("expected text, found {}", kind(other)));
                None
            }
        }
    }

    /// The id of a referred record.
    fn reference(&mut self, path: &str) -> Option<String> {
        let value = at(self.row, path);
        let found = referred(value);
        if found.is_none() && !value.is_null() {
            self.problem(path, format!("expected a record, found {}", kind(value)));
        }
        found
    }

    fn time(&mut self, path: &str) -> Option<Time> {
        let value = at(self.row, path);
        let found = read_time(value);
        if found.is_none() && !value.is_null() {
            self.problem(path, "not a date with time as Tryton writes it");
        }
        found
    }

    fn day(&mut self, path: &str) -> Option<When> {
        let value = at(self.row, path);
        let found = day(value, self.zone);
        if found.is_none() && !value.is_null() {
            self.problem(path, "not a date as Tryton writes it");
        }
        found
    }

    fn amount(&mut self, path: &str) -> Option<Money> {
        let value = match at(self.row, path) {
            Value::Null => return None,
            value => value,
        };
        let currency = self.text("currency.code");
        let money = match (value["decimal"].as_str(), currency) {
            (None, _) => Err("not a decimal as Tryton writes it".to_owned()),
            (_, None) => Err("an amount without currency".to_owned()),
            (Some(text), Some(code)) => Currency::parse(&code)
                .and_then(|currency| Money::from_decimal(parse_decimal(text)?, currency))
                .map_err(|error| error.to_string()),
        };
        money.map_err(|reason| self.problem(path, reason)).ok()
    }

    fn attributes(&mut self, fields: &[(&str, &str)]) -> Attributes {
        let found = fields.iter().filter_map(|(name, path)| Some(((*name).to_owned(), self.text(path)?)));
        found.collect()
    }

    fn employee(&mut self) -> Vec<Fact> {
        let name = self.text("party.name");
        let name = name.map(|name| Name { of: NameOf::Rep, id: self.record.id.clone(), name, team: None });
        name.map(Fact::Name).into_iter().collect()
    }

    fn campaign(&mut self) -> Vec<Fact> {
        let name = self.text("name");
        let name =
            name.map(|name| Name { of: NameOf::Campaign, id: self.record.id.clone(), name, team: None });
        name.map(Fact::Name).into_iter().collect()
    }

    fn party(&mut self) -> Vec<Fact> {
        let id = self.record.id.clone();
        let is_person = self.is_person(self.row) || self.is_any_person("group");
        let mut facts = Vec::new();
        if let Some(winner) = self.reference("replaced_by") {
            let entity = if is_person { Entity::Person } else { Entity::Account };
            facts.push(Fact::Merge(Merge { entity, loser: id.clone(), winner }));
        }
        let name = self.text("name");
        let emails = self.contacts("email");
        let attributes = self.attributes(&[("code", "code")]);
        if !is_person {
            let domain = self.contacts("website").into_iter().chain(emails).next();
            facts.push(Fact::Account(Account { id, name, domain, owner: None, attributes }));
            return facts;
        }
        let created_at = self.time("create_date");
        facts.push(Fact::Person(Person {
            id: id.clone(),
            emails,
            name,
            created_at,
            attributes,
            ..Person::default()
        }));
        for relation in self.relations("relations") {
            if let Some(account) = relation.company {
                facts.push(Fact::Membership(Membership {
                    person: id.clone(),
                    account,
                    from: relation.from.map(When::start),
                    until: relation.until.map(|until| Time(until.end().0 + 1)),
                    role: Some(relation.role.to_owned()),
                }));
            }
        }
        facts
    }

    fn opportunity(&mut self) -> Vec<Fact> {
        let id = self.record.id.clone();
        let stage = self.text("state");
        let outcome = match stage.as_deref() {
            Some("won") => Outcome::Won,
            Some("lost") => Outcome::Lost,
            Some("cancelled") if self.config.cancelled == Cancelled::Lost => Outcome::Lost,
            Some("cancelled") => return Vec::new(),
            // Converted means that there is a quotation; the customer has not said yes.
            _ => Outcome::Open,
        };
        if stage.is_none() {
            self.problem("state", "an opportunity without state");
        }
        let created_at = self.created_at();
        // A user may set the end of an open opportunity: that is a hope, not a close.
        let closed_at = self.day("end_date").filter(|_| outcome != Outcome::Open).map(When::end);
        let attributes = self.attributes(&[
            ("number", "number"),
            ("reference", "reference"),
            ("lost_reason", "lost_reason"),
            ("probability", "conversion_probability"),
            ("company", "company"),
            ("utm_campaign", "marketing_campaign.name"),
            ("utm_medium", "marketing_medium.name"),
            ("utm_source", "marketing_source.name"),
        ]);
        let mut facts = self.committee(&id, created_at, closed_at);
        let deal = Deal {
            account: self.reference("party"),
            name: self.text("description").or_else(|| self.text("number")),
            amount: self.amount("amount"),
            owner: self.reference("employee"),
            id,
            created_at,
            closed_at,
            outcome,
            stage,
            pipeline: None,
            attributes,
        };
        facts.insert(0, Fact::Deal(deal));
        facts
    }

    /// The day that the user gave as start; on the day of its creation, the instant of that.
    fn created_at(&mut self) -> Option<Time> {
        let (start, created) = (self.day("start_date"), self.time("create_date"));
        match (start, created) {
            (Some(When::Day(day)), Some(created)) if day.contains(created) => Some(created),
            (Some(start), _) => Some(start.start()),
            (None, created) => created,
        }
    }

    /// Who is related to the buying party while the deal lives, and who is its contact.
    fn committee(&mut self, deal: &str, opened: Option<Time>, closed: Option<Time>) -> Vec<Fact> {
        let party = self.reference("party");
        let contact = self.reference("contact.party").filter(|contact| Some(contact) != party.as_ref());
        let mut members: BTreeMap<(String, Option<String>), bool> = BTreeMap::new();
        for relation in self.relations("people") {
            let Some(person) = relation.person else { continue };
            let begins = relation.from.map_or(Time::MIN, When::start);
            let ends = relation.until.map_or(Time::MAX, When::end);
            if closed.is_none_or(|closed| begins <= closed) && opened.is_none_or(|opened| opened <= ends) {
                let is_primary = contact.as_ref() == Some(&person);
                members.insert((person, Some(relation.role.to_owned())), is_primary);
            }
        }
        if let Some(contact) = contact.filter(|contact| !members.keys().any(|(person, _)| person == contact))
        {
            members.insert((contact, None), true);
        }
        let member = |((person, role), is_primary)| {
            Fact::Committee(Committee { deal: deal.to_owned(), person, role, is_primary })
        };
        members.into_iter().map(member).collect()
    }

    fn stage(&mut self) -> Vec<Fact> {
        let (deal, stage, entered_at) = (self.text("id"), self.text("state"), self.time("revision"));
        let (Some(deal), Some(stage), Some(entered_at)) = (deal, stage, entered_at) else {
            self.problem("", "a revision without opportunity, state or instant");
            return Vec::new();
        };
        // Other changes of the opportunity make revisions too.
        if self.row["previous"]["state"] == stage.as_str() {
            return Vec::new();
        }
        vec![Fact::Stage(Stage { deal, stage, entered_at })]
    }

    fn access(&mut self) -> Vec<Fact> {
        let Some(occurred_at) = self.time("create_date") else {
            self.problem("create_date", "an access without instant");
            return Vec::new();
        };
        let method = self.text("url.method").unwrap_or_default();
        let kind = match method.rsplit_once('|').map(|(_, event)| event) {
            Some("on_email_opened") => "email_open",
            Some("on_email_clicked") => "email_click",
            _ => "visit",
        };
        let mut touch = Touch::new(occurred_at, kind);
        touch.direction = Some(Direction::Inbound);
        if let Some(party) = self.text("party") {
            if self.is_any_person("group") {
                touch.who.push(Identifier::Crm(party));
            } else {
                // The mail went to a company's own address: nobody knows who read it.
                touch.account = Some(party);
            }
        }
        touch.campaign = self.reference("activity.activity.marketing_campaign");
        touch.content = self.text("activity.activity.email_title");
        touch.attributes = self.attributes(&[
            ("activity", "activity.activity.name"),
            ("utm_campaign", "activity.activity.marketing_campaign.name"),
            ("utm_medium", "activity.activity.marketing_medium.name"),
            ("utm_source", "activity.activity.marketing_source.name"),
        ]);
        if kind != "email_open" {
            touch.attributes.extend(self.text("url.redirect_url").map(|url| ("url".to_owned(), url)));
        }
        vec![Fact::Touch(touch)]
    }

    /// Contact mechanisms of a kind: those in use first, each in Tryton's order.
    fn contacts(&self, kind: &str) -> Vec<String> {
        let all = self.row["contact_mechanisms"].as_array().into_iter().flatten();
        let ours = all.filter(|it| it["type"] == kind).filter_map(|it| {
            let value = it["value"].as_str()?.trim();
            (!value.is_empty()).then(|| (is_true(&it["active"]), value.to_owned()))
        });
        let (active, retired): (Vec<_>, Vec<_>) = ours.partition(|(active, _)| *active);
        let mut out: Vec<String> = Vec::new();
        for (_, value) in active.into_iter().chain(retired) {
            if !out.contains(&value) {
                out.push(value);
            }
        }
        out
    }

    /// Whether a relation leads from this party to a company.
    fn is_person(&self, party: &Value) -> bool {
        relations(&party["relations"], self.config, self.zone).next().is_some()
    }

    fn is_any_person(&self, field: &str) -> bool {
        self.row[field].as_array().into_iter().flatten().any(|party| self.is_person(party))
    }

    fn relations(&self, field: &str) -> Vec<Relation<'_>> {
        relations(&self.row[field], self.config, self.zone).collect()
    }
}

/// The relations that lead from a person to their company.
///
/// Tryton shows each relation from both sides if its type has a reverse: the side as entered has an even id.
fn relations<'a>(list: &'a Value, config: &'a Config, zone: &'a Zone) -> impl Iterator<Item = Relation<'a>> {
    list.as_array().into_iter().flatten().filter_map(move |relation| {
        let name = relation["type"]["name"].as_str()?;
        let role = match config.roles.get(name) {
            Some(role) => role.as_str(),
            None if config.roles.is_empty() && relation["id"].as_i64().is_some_and(|id| id % 2 == 0) => name,
            None => return None,
        };
        Some(Relation {
            person: referred(&relation["from_"]),
            company: referred(&relation["to"]),
            role,
            from: day(&relation["start_date"], zone),
            until: day(&relation["end_date"], zone),
        })
    })
}

/// The value at a dotted path; `null` where there is none.
fn at<'a>(row: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(row, |value, field| &value[field])
}

/// The id of a record that another names, bare or nested.
fn referred(value: &Value) -> Option<String> {
    let id = if value.is_object() { &value["id"] } else { value };
    id.as_i64().map(|id| id.to_string())
}

/// Booleans come as such or as 0 and 1, as the database stores them.
fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_i64() == Some(1))
}

fn day(value: &Value, zone: &Zone) -> Option<When> {
    if value["__class__"] != "date" {
        return None;
    }
    let part = |name: &str| value[name].as_i64();
    let (year, month, day) = (part("year")?, part("month")?, part("day")?);
    When::from_date(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?, zone).ok()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a record",
    }
}
