//! A record → facts. Pure: all properties are texts or null.

use std::collections::BTreeMap;

use tributary_core::fact::{
    Account, Attributes, Committee, Deal, Direction, Entity, Identifier, Merge, Name, NameOf, Outcome,
    Person, Stage, Touch,
};
use tributary_core::money::parse_decimal;
use tributary_core::time::Zone;
use tributary_core::{Currency, Fact, Money, Time};
use tributary_source::{Borrowed as Value, Normalized, Problem, Record, Settings};

use crate::api::id;
use crate::config::Config;

pub(crate) fn normalize(settings: &Settings, record: &Record) -> Normalized {
    let Some(body) = &record.body else { return Normalized::default() };
    let refused = |reason: String| {
        let problem = Problem { field: String::new(), reason };
        Normalized { facts: Vec::new(), problems: vec![problem] }
    };
    let Ok(row) = serde_json::from_slice::<Value<'_>>(body) else { return refused("not JSON".to_owned()) };
    let config = match settings.parse::<Config>() {
        Ok(config) => config,
        Err(error) => return refused(error.to_string()),
    };
    let mut reader = Reader { id: &record.id, row: &row, config: &config, problems: Vec::new() };
    let facts = match record.stream {
        "owners" => reader.owner(),
        "pipelines" => reader.pipeline(),
        "companies" => reader.company(),
        "contacts" => reader.contact(),
        "deals" => reader.deal(),
        "calls" => reader.call(),
        "emails" => reader.email(),
        "meetings" => reader.meeting(),
        _ => Vec::new(),
    };
    Normalized { facts, problems: reader.problems }
}

/// One record on its way to facts.
struct Reader<'a> {
    id: &'a str,
    row: &'a Value<'a>,
    config: &'a Config,
    problems: Vec<Problem>,
}

/// The elements of a list; none where there is no list.
fn list<'a>(value: &'a Value<'a>) -> &'a [Value<'a>] {
    value.as_array().unwrap_or_default()
}

impl Reader<'_> {
    fn problem(&mut self, field: &str, reason: impl ToString) {
        self.problems.push(Problem { field: field.to_owned(), reason: reason.to_string() });
    }

    /// A property; empty is none.
    fn text(&mut self, name: &str) -> Option<String> {
        match self.row.get("properties").get(name) {
            Value::Null => None,
            Value::Str(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Array(_) | Value::Object(_) => {
                self.problem(name, "expected a text");
                None
            }
        }
    }

    /// The values of a property that has several.
    fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn time(&mut self, name: &str) -> Option<Time> {
        let text = self.text(name)?;
        let found = Time::parse(&text, &Zone::default()).ok();
        if found.is_none() {
            self.problem(name, "not a time as HubSpot writes it");
        }
        found
    }

    fn is_true(&mut self, name: &str) -> bool {
        self.text(name).as_deref() == Some("true")
    }

    fn attributes(&mut self, fields: &[(&str, &str)]) -> Attributes {
        fields
            .iter()
            .filter_map(|(name, property)| Some(((*name).to_owned(), self.text(property)?)))
            .collect()
    }

    fn merges(&mut self, entity: Entity) -> Vec<Fact> {
        let mut losers = self.list("hs_merged_object_ids");
        // `id:time` of each.
        let older = self.list("hs_calculated_merged_vids");
        losers.extend(older.iter().filter_map(|vid| vid.split(':').next()).map(str::to_owned));
        losers.retain(|loser| loser != self.id);
        losers.sort();
        losers.dedup();
        let winner = self.id.to_owned();
        losers.into_iter().map(|loser| Fact::Merge(Merge { entity, loser, winner: winner.clone() })).collect()
    }

    /// Ids of what the record is associated with, and the labels of each.
    fn associated(&self, to: &'static str) -> Vec<(String, Vec<&str>)> {
        let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for it in list(self.row.get("associations").get(to)) {
            let Some(to) = id(it.get("toObjectId")) else { continue };
            let types = list(it.get("associationTypes")).iter();
            found.entry(to).or_default().extend(types.filter_map(|it| it.get("label").as_str()));
        }
        found.into_iter().collect()
    }

    /// The company that is labelled as the primary one, else the first.
    fn company_of(&self) -> Option<String> {
        let companies = self.associated("companies");
        let primary = companies.iter().find(|(_, labels)| labels.contains(&"Primary"));
        primary.or(companies.first()).map(|(id, _)| id.clone())
    }

    fn owner(&mut self) -> Vec<Fact> {
        let text = |value: &Value<'_>| {
            value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let names = [text(self.row.get("firstName")), text(self.row.get("lastName"))];
        let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let Some(name) = Some(name).filter(|name| !name.is_empty()).or_else(|| text(self.row.get("email")))
        else {
            return Vec::new();
        };
        let teams = list(self.row.get("teams"));
        let team = teams.iter().find(|team| team.get("primary").as_bool() == Some(true)).or(teams.first());
        let team = team.and_then(|team| text(team.get("name")));
        vec![Fact::Name(Name { of: NameOf::Rep, id: self.id.to_owned(), name, team })]
    }

    fn pipeline(&mut self) -> Vec<Fact> {
        let name = |stage: &Value<'_>| {
            let (id, name) = (id(stage.get("id"))?, stage.get("label").as_str()?.to_owned());
            Some(Fact::Name(Name { of: NameOf::Stage, id, name, team: None }))
        };
        list(self.row.get("stages")).iter().filter_map(name).collect()
    }

    fn company(&mut self) -> Vec<Fact> {
        let account = Account {
            id: self.id.to_owned(),
            name: self.text("name"),
            domain: self.text("domain"),
            owner: self.text("hubspot_owner_id"),
            attributes: self.attributes(&[
                ("industry", "industry"),
                ("employees", "numberofemployees"),
                ("annual_revenue", "annualrevenue"),
                ("country", "country"),
                ("lifecycle_stage", "lifecyclestage"),
            ]),
        };
        [Fact::Account(account)].into_iter().chain(self.merges(Entity::Account)).collect()
    }

    fn contact(&mut self) -> Vec<Fact> {
        let mut emails: Vec<String> = self.text("email").into_iter().collect();
        emails.extend(self.list("hs_additional_emails"));
        let names = [self.text("firstname"), self.text("lastname")];
        let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let person = Person {
            id: self.id.to_owned(),
            account: self.text("associatedcompanyid"),
            emails,
            name: Some(name).filter(|name| !name.is_empty()),
            title: self.text("jobtitle"),
            role: self.list("hs_buying_role").into_iter().next().map(|role| role.to_lowercase()),
            seniority: self.text("hs_seniority"),
            created_at: self.time("createdate"),
            attributes: self.attributes(&[
                ("lifecycle_stage", "lifecyclestage"),
                ("original_source", "hs_analytics_source"),
            ]),
            ..Person::default()
        };
        [Fact::Person(person)].into_iter().chain(self.merges(Entity::Person)).collect()
    }

    fn amount(&mut self) -> Option<Money> {
        let text = self.text("amount")?;
        let code = self.text("deal_currency_code").or_else(|| self.config.currency.clone());
        let money = match code {
            None => Err("an amount without currency: set `currency` for this source".to_owned()),
            Some(code) => Currency::parse(&code)
                .and_then(|currency| Money::rounded(parse_decimal(&text)?, currency))
                .map_err(|error| error.to_string()),
        };
        money.map_err(|reason| self.problem("amount", reason)).ok()
    }

    fn deal(&mut self) -> Vec<Fact> {
        let outcome = match (self.is_true("hs_is_closed_won"), self.is_true("hs_is_closed")) {
            (true, _) => Outcome::Won,
            (false, true) => Outcome::Lost,
            (false, false) => Outcome::Open,
        };
        // Open deals have a hope in that place.
        let closed_at = self.time("closedate").filter(|_| outcome != Outcome::Open);
        let deal = Deal {
            id: self.id.to_owned(),
            account: self.company_of(),
            name: self.text("dealname"),
            amount: self.amount(),
            created_at: self.time("createdate"),
            closed_at,
            outcome,
            stage: self.text("dealstage"),
            owner: self.text("hubspot_owner_id"),
            pipeline: self.text("pipeline"),
            attributes: self.attributes(&[("deal_type", "dealtype")]),
        };
        let mut facts = vec![Fact::Deal(deal)];
        facts.extend(self.stages());
        for (person, labels) in self.associated("contacts") {
            let roles = labels.iter().copied().filter(|label| *label != "Primary").collect::<Vec<_>>();
            facts.push(Fact::Committee(Committee {
                deal: self.id.to_owned(),
                person,
                role: roles.first().map(|role| (*role).to_owned()),
                is_primary: labels.contains(&"Primary"),
            }));
        }
        facts.extend(self.merges(Entity::Deal));
        facts
    }

    /// The stages in order; saving a deal without a change repeats the last one.
    fn stages(&mut self) -> Vec<Fact> {
        let mut entries: Vec<(Time, String)> = Vec::new();
        for (index, row) in list(self.row.get("stages")).iter().enumerate() {
            let at = row.get("timestamp").as_str().and_then(|text| Time::parse(text, &Zone::default()).ok());
            match (at, id(row.get("value"))) {
                (Some(at), Some(stage)) => entries.push((at, stage)),
                // The property was emptied.
                (Some(_), None) => {}
                (None, _) => {
                    self.problem(&format!("stages[{index}].timestamp"), "not a time as HubSpot writes it");
                }
            }
        }
        entries.sort();
        entries.dedup_by(|later, earlier| later.1 == earlier.1);
        let stage = |(entered_at, stage)| Fact::Stage(Stage { deal: self.id.to_owned(), stage, entered_at });
        entries.into_iter().map(stage).collect()
    }

    /// One touch a contact; one of the company if there is none.
    fn touches(&mut self, touch: Touch) -> Vec<Fact> {
        let touch = Touch { account: self.company_of(), actor: self.text("hubspot_owner_id"), ..touch };
        let contacts = self.associated("contacts");
        if contacts.is_empty() {
            return vec![Fact::Touch(touch)];
        }
        let one = |(contact, _): (String, _)| {
            let who = vec![Identifier::Crm(contact.clone())];
            Fact::Touch(Touch { suffix: contact, who, ..touch.clone() })
        };
        contacts.into_iter().map(one).collect()
    }

    fn happened(&mut self) -> Option<Time> {
        let at = self.time("hs_timestamp");
        if at.is_none() && self.problems.is_empty() {
            self.problem("hs_timestamp", "nothing says when it happened");
        }
        at
    }

    fn call(&mut self) -> Vec<Fact> {
        let status = self.text("hs_call_status");
        if status.is_some_and(|status| status != "COMPLETED") {
            return Vec::new();
        }
        let Some(at) = self.happened() else { return Vec::new() };
        let direction = match self.text("hs_call_direction").as_deref() {
            Some("INBOUND") => Direction::Inbound,
            _ => Direction::Outbound,
        };
        let content = self.text("hs_call_title");
        self.touches(Touch { direction: Some(direction), content, ..Touch::new(at, "call") })
    }

    fn email(&mut self) -> Vec<Fact> {
        let status = self.text("hs_email_status");
        if matches!(status.as_deref(), Some("BOUNCED" | "FAILED" | "SCHEDULED" | "DRAFT")) {
            return Vec::new();
        }
        let Some(at) = self.happened() else { return Vec::new() };
        let direction = match self.text("hs_email_direction").as_deref() {
            Some("INCOMING_EMAIL") => Direction::Inbound,
            _ => Direction::Outbound,
        };
        let message = self.text("hs_email_message_id");
        let event = message.map(|id| id.trim_matches(['<', '>']).to_owned());
        let content = self.text("hs_email_subject");
        self.touches(Touch { direction: Some(direction), content, event, ..Touch::new(at, "email") })
    }

    fn meeting(&mut self) -> Vec<Fact> {
        let outcome = self.text("hs_meeting_outcome");
        // Without an outcome it took place if it was over when somebody last touched it.
        let (end, touched) = (self.time("hs_meeting_end_time"), self.time("hs_lastmodifieddate"));
        let took_place = match outcome.as_deref() {
            Some(outcome) => outcome == "COMPLETED",
            None => end.zip(touched).is_some_and(|(end, touched)| end <= touched),
        };
        if !took_place {
            return Vec::new();
        }
        let Some(at) = self.time("hs_meeting_start_time").or_else(|| self.happened()) else {
            return Vec::new();
        };
        let direction = match self.text("hs_meeting_source").as_deref() {
            Some("MEETINGS_PUBLIC") => Direction::Inbound,
            _ => Direction::Outbound,
        };
        let (content, event) = (self.text("hs_meeting_title"), self.text("hs_i_cal_uid"));
        self.touches(Touch { direction: Some(direction), content, event, ..Touch::new(at, "meeting") })
    }
}
