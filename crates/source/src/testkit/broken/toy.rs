//! The connector of the broken sources: what it declares, and what its records mean.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use tributary_core::Time;
use tributary_core::fact::{Account, Attributes, Entity, Fact, Merge};
use tributary_core::time::Zone;

use super::Bug;
use super::connection::Connection;
use crate::connector::{Connector, Mode, Normalized, Problem, Record, Source, Stream};
use crate::environment::Environment;
use crate::error::Error;
use crate::http::{Api, Auth, Http, Limit, Response, Verdict, classify};
use crate::settings::{Secret, Settings, Spec};

/// A connector for a vendor that is as plain as can be.
pub(super) struct Toy(pub(super) Option<Bug>);

/// The settings of a toy.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The vendor's address.
    #[serde(default, rename = "url")]
    _url: String,
}

/// Settings that are not closed.
#[derive(Deserialize, JsonSchema)]
struct Open {
    /// The vendor's address.
    #[serde(default, rename = "url")]
    _url: String,
}

static STREAMS: [Stream; 3] = [
    Stream { name: "things", mode: Mode::Keyset, sweeps: true },
    Stream { name: "lists", mode: Mode::Snapshot, sweeps: false },
    Stream { name: "days", mode: Mode::Windows, sweeps: false },
];
static WITHOUT_SWEEPS: [Stream; 2] = [
    Stream { name: "things", mode: Mode::Keyset, sweeps: false },
    Stream { name: "lists", mode: Mode::Snapshot, sweeps: false },
];
static OF_ONE_NAME: [Stream; 2] = [
    Stream { name: "lists", mode: Mode::Keyset, sweeps: false },
    Stream { name: "lists", mode: Mode::Snapshot, sweeps: false },
];

impl Toy {
    fn has(&self, bug: Bug) -> bool {
        self.0 == Some(bug)
    }
}

impl Connector for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn about(&self) -> &'static str {
        if self.has(Bug::HidesSetting) {
            "a vendor that is none"
        } else {
            "a vendor that is none, at `url`, with a `key`"
        }
    }

    fn spec(&self) -> Spec {
        const KEY: &[Secret] = &[Secret { name: "key", about: "A key." }];
        match self.0 {
            Some(Bug::TakesAnySetting) => Spec::of::<Open>(KEY),
            Some(Bug::HidesSecret) => Spec::of::<Config>(&[]),
            _ => Spec::of::<Config>(KEY),
        }
    }

    fn normalizer_version(&self) -> u32 {
        1
    }

    fn streams(&self) -> &'static [Stream] {
        match self.0 {
            Some(Bug::IgnoresDeletes) => &WITHOUT_SWEEPS,
            Some(Bug::TwoOfOneName) => &OF_ONE_NAME,
            _ => &STREAMS,
        }
    }

    fn connect(&self, settings: &Settings, environment: &Environment) -> Result<Box<dyn Source>, Error> {
        let key = settings.secret("key")?.clone();
        let mut api = Api {
            auth: Auth::Bearer(key.clone()),
            classify: meaning(self.0),
            ..Api::new("https://toy.example")
        };
        api.limit = Limit { per_second: 5.0, burst: 1, concurrent: 2, daily: None };
        if self.has(Bug::NoLimit) {
            api.limit = Limit { per_second: 100_000.0, burst: 100_000, concurrent: 100, daily: None };
        }
        if self.has(Bug::NoBound) {
            api.max_body_bytes = usize::MAX;
        }
        if self.has(Bug::FollowsRedirects) {
            api.hosts.push("elsewhere.example".to_owned());
        }
        let http = Http::new(api.clone(), environment)?;
        let other =
            if self.has(Bug::GateForEachStream) { Http::new(api, environment)? } else { http.clone() };
        let key = key.expose_secret().to_owned();
        Ok(Box::new(Connection { bug: self.0, http, other, key, ahead: Mutex::default() }))
    }

    fn normalize(&self, _: &Settings, record: &Record) -> Normalized {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let Some(body) = &record.body else {
            let last_words = Account { id: record.id.clone(), ..Account::default() };
            let facts =
                if self.has(Bug::SpeaksOfTheDead) { vec![Fact::Account(last_words)] } else { Vec::new() };
            return Normalized { facts, problems: Vec::new() };
        };
        let row: Value = serde_json::from_slice(body).unwrap_or_default();
        let name = match row["name"].as_str() {
            None if self.has(Bug::PanicsOnNull) => panic!("a record without name"),
            None if self.has(Bug::NamesNull) => row.get("name").map(ToString::to_string),
            name => name.map(str::to_owned),
        };
        let made = row["made"].as_str().and_then(|text| match self.0 {
            Some(Bug::DropsOffsets) => Time::parse(&format!("{}Z", text.get(..19)?), &Zone::default()).ok(),
            _ => Time::parse(text, &Zone::default()).ok(),
        });
        let mut account = Account { id: record.id.clone(), name, ..Account::default() };
        account.attributes = Attributes::from_iter(made.map(|at| ("made".to_owned(), at.to_string())));
        if self.has(Bug::Impure) {
            account.owner = Some(CALLS.fetch_add(1, Ordering::Relaxed).to_string());
        }
        if self.has(Bug::TakesUnknownFields) {
            account.owner = row.as_object().map(|fields| fields.len().to_string());
        }
        let mut normalized = Normalized { facts: vec![Fact::Account(account)], problems: Vec::new() };
        let winner = row["merged_into"].as_str();
        let winner = match self.0 {
            Some(Bug::IgnoresMerges) => None,
            Some(Bug::FollowsOneMerge) => winner.filter(|_| row["took_in"].is_null()),
            Some(Bug::NeverSplits) => winner.or(row["was_merged_into"].as_str()),
            _ => winner,
        };
        if let Some(winner) = winner {
            let (mut loser, mut winner) = (record.id.clone(), winner.to_owned());
            if self.has(Bug::TurnsMergesRound) {
                std::mem::swap(&mut loser, &mut winner);
            }
            normalized.facts.push(Fact::Merge(Merge { entity: Entity::Account, loser, winner }));
        }
        if self.has(Bug::ComplainsAlways) {
            normalized.problems.push(Problem { field: "name".to_owned(), reason: "is odd".to_owned() });
        }
        normalized
    }
}

/// What replies mean, with the mistakes that are made there.
fn meaning(bug: Option<Bug>) -> fn(&Response, Time) -> Verdict {
    match bug {
        Some(Bug::IgnoresRetryAfter) => |response, now| match response.status {
            429 => Verdict::Transient("busy".to_owned()),
            _ => classify(response, now),
        },
        Some(Bug::WaitsAnHourAtMost) => |response, now| match classify(response, now) {
            Verdict::Throttled { until: Some(until), reason } => {
                let until = Some(until.min(Time(now.0 + 3_600_000_000)));
                Verdict::Throttled { until, reason }
            }
            other => other,
        },
        Some(Bug::ShrugsAt403) => |response, now| match response.status {
            403 => Verdict::Transient("perhaps later".to_owned()),
            _ => classify(response, now),
        },
        Some(Bug::QuotesTheVendor) => |response, now| match response.status {
            400 => Verdict::Wrong(String::from_utf8_lossy(&response.body).into_owned()),
            _ => classify(response, now),
        },
        Some(Bug::SticksToDeadToken) => |response, now| match response.status {
            410 => Verdict::Transient("perhaps later".to_owned()),
            _ => classify(response, now),
        },
        Some(Bug::FollowsRedirects | Bug::DeadTokenIsEnd) => |response, now| match response.status {
            302 | 410 => Verdict::Fine,
            _ => classify(response, now),
        },
        Some(Bug::RetriesOn400) => |response, now| match response.status {
            400 => Verdict::Transient("perhaps later".to_owned()),
            _ => classify(response, now),
        },
        Some(Bug::RetriesOn401) => |response, now| match response.status {
            401 => Verdict::Transient("perhaps later".to_owned()),
            _ => classify(response, now),
        },
        Some(Bug::NeverTriesAgain) => |response, now| match response.status {
            500..=599 => Verdict::Wrong("it failed".to_owned()),
            _ => classify(response, now),
        },
        Some(Bug::HtmlIsEmpty) => |_, _| Verdict::Fine,
        _ => |response, now| classify(response, now),
    }
}
