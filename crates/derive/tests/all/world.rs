//! Short ways to say facts.

use std::sync::Arc;

use tributary_core::fact::{
    Account, Alias, Deal, Entity, Fact, Identifier, Membership, Merge, Outcome, Person, Touch,
};
use tributary_core::id::Hash;
use tributary_core::money::Currency;
use tributary_core::{Money, Time};
use tributary_derive::Rules;
use tributary_derive::cluster::{Names, resolve};
use tributary_store::derived::{self, ClusterRows};
use tributary_store::facts::RecordFacts;

/// A day since 2025-01-01.
pub(crate) fn day(n: i64) -> Time {
    Time::from_seconds(1_735_689_600).plus_days(n)
}

/// Records said so far.
#[derive(Clone, Default)]
pub(crate) struct Said {
    pub(crate) records: Vec<RecordFacts>,
}

impl Said {
    pub(crate) fn fact(mut self, source: &str, stream: &str, id: &str, fact: Fact) -> Self {
        self.records.push(RecordFacts {
            record: self.records.len() as i64 + 1,
            source: Arc::from(source),
            stream: stream.to_owned(),
            native_id: id.to_owned(),
            hash: Hash::of("test", &[source, stream, id]),
            stamp: None,
            facts: vec![fact],
        });
        self
    }

    pub(crate) fn account(self, source: &str, id: &str, domain: &str) -> Self {
        let account = Account {
            id: id.to_owned(),
            name: Some(format!("{id} Inc")),
            domain: Some(domain.to_owned()),
            ..Account::default()
        };
        self.fact(source, "accounts", id, Fact::Account(account))
    }

    pub(crate) fn person(self, source: &str, id: &str, account: &str, email: &str, created: i64) -> Self {
        let person = Person {
            id: id.to_owned(),
            account: Some(account.to_owned()).filter(|text| !text.is_empty()),
            emails: vec![email.to_owned()],
            created_at: Some(day(created)),
            ..Person::default()
        };
        self.fact(source, "people", id, Fact::Person(person))
    }

    pub(crate) fn member(self, source: &str, person: &str, account: &str, from: i64, until: i64) -> Self {
        let fact = Membership {
            person: person.to_owned(),
            account: account.to_owned(),
            from: Some(day(from)),
            until: Some(day(until)),
            role: None,
        };
        self.fact(source, "relations", &format!("{person}-{account}"), Fact::Membership(fact))
    }

    pub(crate) fn deal(self, id: &str, account: &str, cents: i64, closed: i64) -> Self {
        let deal = Deal {
            id: id.to_owned(),
            account: Some(account.to_owned()),
            amount: Some(Money::new(cents, Currency::USD)),
            created_at: Some(day(closed - 30)),
            closed_at: Some(day(closed)),
            outcome: Outcome::Won,
            ..Deal::default()
        };
        self.fact("crm", "deals", id, Fact::Deal(deal))
    }

    pub(crate) fn touch(self, source: &str, id: &str, at: i64, who: &[Identifier]) -> Self {
        self.touch_with(source, id, at, who, |_| {})
    }

    pub(crate) fn touch_with(
        self,
        source: &str,
        id: &str,
        at: i64,
        who: &[Identifier],
        edit: impl FnOnce(&mut Touch),
    ) -> Self {
        let mut touch = Touch::new(day(at), "visit");
        touch.who = who.to_vec();
        edit(&mut touch);
        self.fact(source, "touches", id, Fact::Touch(touch))
    }

    pub(crate) fn alias(self, a: Identifier, b: Identifier) -> Self {
        let id = format!("{a:?} {b:?}");
        self.fact("crm", "aliases", &id, Fact::Alias(Alias { a, b, at: None }))
    }

    pub(crate) fn merge(self, entity: Entity, loser: &str, winner: &str) -> Self {
        let merge = Merge { entity, loser: loser.to_owned(), winner: winner.to_owned() };
        self.fact("crm", "merges", &format!("{loser} {winner}"), Fact::Merge(merge))
    }

    /// Resolves all records as one cluster, forwards and backwards, which must not differ.
    pub(crate) fn resolve(&self) -> ClusterRows {
        let rules = Rules { own_domains: vec!["own.example".to_owned()], ..Rules::default() };
        let rows = resolve(&self.records, &Names::new(), &rules);
        let mut backwards = self.records.clone();
        backwards.reverse();
        assert_eq!(rows, resolve(&backwards, &Names::new(), &rules), "order of arrival changed the result");
        rows
    }
}

pub(crate) fn email(text: &str) -> Identifier {
    Identifier::Email(text.to_owned())
}

pub(crate) fn crm(text: &str) -> Identifier {
    Identifier::Crm(text.to_owned())
}

pub(crate) fn anonymous(text: &str) -> Identifier {
    Identifier::Anonymous(text.to_owned())
}

/// The account key of the touch at a day.
pub(crate) fn account_at(rows: &ClusterRows, at: i64) -> Option<&str> {
    let touch = touch_at(rows, at);
    rows.accounts.iter().find(|account| Some(account.id) == touch.account).map(|account| account.key.as_str())
}

/// The person key of the touch at a day.
pub(crate) fn person_at(rows: &ClusterRows, at: i64) -> Option<&str> {
    let touch = touch_at(rows, at);
    rows.people.iter().find(|person| Some(person.id) == touch.person).map(|person| person.key.as_str())
}

pub(crate) fn touch_at(rows: &ClusterRows, at: i64) -> &derived::Touch {
    rows.touches.iter().find(|touch| touch.at == day(at)).expect("a touch on that day")
}
