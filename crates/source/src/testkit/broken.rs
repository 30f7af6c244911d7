//! Deliberately broken sources, by which the suite itself is tested: each has one mistake that real connectors made,
//! and the case that must catch it.

mod vendor;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tributary_core::Time;
use tributary_core::fact::{Account, Entity, Fact, Merge};

use super::{CASES, Clock, Outcome, Report, Subject, run};
use crate::connector::{
    Connector, Counted, Covers, Cursor, Finding, Mode, Next, Normalized, Page, Problem, Reach, Record,
    Source, Span, Stream, Task,
};
use crate::environment::Environment;
use crate::error::{Error, NextStep};
use crate::http::paging::{resume, resumed};
use crate::http::{Api, Auth, Http, Limit, Request, Response, Verdict, classify};
use crate::settings::{Secret, Settings, Spec};
use secrecy::ExposeSecret;
use vendor::ToyVendor;

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident => $case:literal)+) => {
        /// One mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $bug,)+
        }

        impl Bug {
            /// Every mistake, and the case that must catch it.
            pub const ALL: &[(Self, &'static str)] = &[$((Self::$bug, $case),)+];
        }
    };
}

bugs! {
    /// Asks for what is later than the cursor, not for what is as late.
    StrictCursor => "incremental_sees_changes_of_one_instant"
    /// Rounds the cursor up to the next second.
    RoundedCursor => "incremental_sees_changes_of_one_instant"
    /// Does not look back for what shows late.
    NoLookBack => "incremental_sees_what_shows_late"
    /// Takes the server's time for the cursor, however far it is ahead.
    TrustsTheServersClock => "incremental_bears_a_skewed_clock"
    /// Stops at the last page.
    LosesLastPage => "fetch_lands_everything_there_is"
    /// Stops after the first page.
    FirstPageOnly => "fetch_lands_everything_there_is"
    /// Notes the next page before this one is landed.
    StateBeforeData => "state_resumes_at_every_page"
    /// Begins anew wherever it was told to go on.
    IgnoresResume => "state_resumes_at_every_page"
    /// Pages by offset through a list that changes.
    PagesByOffset => "fetch_loses_nothing_to_changes_while_paging"
    /// Writes the time of reading into each record.
    StampsBodies => "state_second_pass_is_quiet"
    /// Takes a cursor that it cannot read for today.
    GuessesCursor => "state_of_another_version_starts_anew"
    /// Never looks for what is gone.
    IgnoresDeletes => "delete_is_seen"
    /// Takes a page for the whole list.
    DeletesByPage => "delete_waits_for_a_complete_walk"
    /// Does not follow merges.
    IgnoresMerges => "merge_is_followed"
    /// Names the winner of a merge as its loser.
    TurnsMergesRound => "merge_is_followed"
    /// Sends as fast as it can.
    NoLimit => "rate_is_never_over_the_limit"
    /// Takes a refusal for a hiccup.
    IgnoresRetryAfter => "rate_waits_for_retry_after_seconds"
    /// Tries again what cannot succeed.
    RetriesOn400 => "error_4xx_is_not_tried_again"
    /// Gives up at the first hiccup.
    NeverTriesAgain => "error_5xx_is_tried_again"
    /// Takes an error page for an empty list.
    HtmlIsEmpty => "error_html_is_no_data"
    /// Takes silence for the end of the list.
    EmptyIsEnd => "error_empty_body_is_no_data"
    /// Takes what it cannot read for the end of the list.
    GarbageIsEnd => "error_garbage_is_no_data"
    /// Moves the cursor on after an error.
    ErrorIsEnd => "error_that_stays_loses_nothing"
    /// Takes bodies of any size.
    NoBound => "error_body_too_large_is_refused"
    /// Knocks again with a bad key.
    RetriesOn401 => "check_says_that_a_credential_is_bad"
    /// Does not look whether the key is good.
    NeverChecks => "check_says_that_a_credential_is_bad"
    /// Puts the key into the address.
    KeyInAddress => "secrets_never_leak"
    /// Quotes the key in an error.
    KeyInError => "secrets_never_leak"
    /// Logs the key.
    KeyInLog => "secrets_never_leak"
    /// Keeps the key in its cursor.
    KeyInCursor => "secrets_never_leak"
    /// Counts what it does not read.
    Miscounts => "fetch_counts_what_the_vendor_counts"
    /// Calls its stream something else.
    StrangeStream => "spec_records_are_well_formed"
    /// Loses the id.
    NoId => "spec_records_are_well_formed"
    /// Does not say which secrets it takes.
    HidesSecret => "spec_describes_every_setting"
    /// Its README is silent about a setting.
    HidesSetting => "spec_describes_every_setting"
    /// Swallows settings that it does not know.
    TakesAnySetting => "spec_describes_every_setting"
    /// Two streams of one name.
    TwoOfOneName => "spec_streams_are_unique"
    /// Breaks on a missing name.
    PanicsOnNull => "normalize_never_panics"
    /// Says something else each time.
    Impure => "normalize_is_pure"
    /// Lets new fields into the facts.
    TakesUnknownFields => "normalize_ignores_unknown_fields"
    /// Complains of what is in order.
    ComplainsAlways => "normalize_names_what_it_speaks_of"
    /// Says something of a record that is gone.
    SpeaksOfTheDead => "normalize_says_nothing_of_deletions"
    /// Reads the second page differently.
    Unrepeatable => "fetch_page_is_repeatable"
}

/// Runs the suite on a source with a mistake; on one without for `None`.
pub fn report(bug: Option<Bug>) -> Report {
    run(&subject(bug))
}

/// Runs one case on a source with a mistake.
pub fn outcome(bug: Bug, case: &str) -> Option<Outcome> {
    CASES.iter().find(|it| it.name == case).map(|case| super::cases::run(case, &subject(Some(bug))))
}

fn subject(bug: Option<Bug>) -> Subject {
    let simulate = |clock: Clock| Arc::new(ToyVendor::new(clock)) as Arc<dyn super::Simulated>;
    Subject { connector: Arc::new(Toy(bug)), simulate: Box::new(simulate) }
}

/// A connector for a vendor that is as plain as can be.
struct Toy(Option<Bug>);

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

/// Records a page.
const PAGE: usize = 5;
/// How far a pull looks back, in microseconds.
const LOOK_BACK: i64 = 10 * 60 * 1_000_000;

static STREAMS: [Stream; 2] = [
    Stream { name: "things", mode: Mode::Keyset, sweeps: true },
    Stream { name: "lists", mode: Mode::Snapshot, sweeps: false },
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
        api.limit = Limit { per_second: 5.0, burst: 1, concurrent: 2 };
        if self.has(Bug::NoLimit) {
            api.limit = Limit { per_second: 100_000.0, burst: 100_000, concurrent: 100 };
        }
        if self.has(Bug::NoBound) {
            api.max_body_bytes = usize::MAX;
        }
        let http = Http::new(api, environment)?;
        let key = key.expose_secret().to_owned();
        Ok(Box::new(Connection { bug: self.0, http, key, ahead: Mutex::default() }))
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
            name => name.map(str::to_owned),
        };
        let mut account = Account { id: record.id.clone(), name, ..Account::default() };
        if self.has(Bug::Impure) {
            account.owner = Some(CALLS.fetch_add(1, Ordering::Relaxed).to_string());
        }
        if self.has(Bug::TakesUnknownFields) {
            account.owner = row.as_object().map(|fields| fields.len().to_string());
        }
        let mut normalized = Normalized { facts: vec![Fact::Account(account)], problems: Vec::new() };
        if let Some(winner) = row["merged_into"].as_str().filter(|_| !self.has(Bug::IgnoresMerges)) {
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

/// A live connection.
struct Connection {
    bug: Option<Bug>,
    http: Http,
    key: String,
    /// What was read beyond what was handed over, for the mistake that needs it.
    ahead: Mutex<Option<i64>>,
}

/// Where a span stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    began: Option<i64>,
    highest: i64,
    after: i64,
    done: u64,
}

#[derive(Deserialize)]
struct Listed {
    items: Vec<Value>,
    more: bool,
    total: u64,
}

impl Connection {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    async fn list(&self, request: &Request) -> Result<(Listed, Option<Time>), Error> {
        let end = || (Listed { items: Vec::new(), more: false, total: 0 }, None);
        let response = match self.http.send(request).await {
            Err(_) if self.has(Bug::ErrorIsEnd) => return Ok(end()),
            Err(error) if self.has(Bug::KeyInError) => {
                return Err(Error::new(error.next, format!("{error} (with key {})", self.key)));
            }
            other => other?,
        };
        let is_end = match self.bug {
            Some(Bug::HtmlIsEmpty) => response.body.starts_with(b"<"),
            Some(Bug::EmptyIsEnd) => response.body.is_empty(),
            Some(Bug::GarbageIsEnd) => serde_json::from_slice::<Value>(&response.body).is_err(),
            Some(Bug::NoBound) => response.body.starts_with(b"  "),
            _ => false,
        };
        if is_end {
            return Ok(end());
        }
        Ok((response.json()?, response.server_time()))
    }
}

fn number(row: &Value, field: &str) -> i64 {
    row[field].as_i64().unwrap_or_default()
}

#[async_trait]
impl Source for Connection {
    async fn check(&self) -> Result<Vec<Finding>, Error> {
        if !self.has(Bug::NeverChecks) {
            self.list(&Request::get("things").query("limit", 1)).await?;
        }
        Ok(Vec::new())
    }

    async fn pull(&self, task: &Task) -> Result<Page, Error> {
        let place: Place = match resumed(task.resume.as_ref())? {
            Some(_) if self.has(Bug::IgnoresResume) => Place::default(),
            place => place.unwrap_or_default(),
        };
        let before = match &task.span {
            Span::Since(Some(cursor)) => match cursor
                .0
                .strip_prefix("v1 ")
                .and_then(|at| at.split(' ').next()?.parse().ok())
            {
                Some(at) => Some(at),
                None if self.has(Bug::GuessesCursor) => Some(self.http.now().0),
                None => {
                    return Err(Error::new(NextStep::Restart, "the cursor was written by another version"));
                }
            },
            _ => None,
        };
        let mut after = place.after;
        if self.has(Bug::StateBeforeData) {
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            after = match (&task.resume, *ahead) {
                (Some(_), Some(real)) => real,
                _ => after,
            };
            *ahead = None;
        }
        let look_back = if self.has(Bug::NoLookBack)
            || self.has(Bug::StrictCursor)
            || self.has(Bug::RoundedCursor)
            || self.has(Bug::TrustsTheServersClock)
        {
            0
        } else {
            LOOK_BACK
        };
        let mut request = Request::get(task.stream).query("limit", PAGE);
        if self.has(Bug::PagesByOffset) {
            request = request.query("offset", place.done);
        } else {
            request = request.query("after", after);
        }
        if let Some(at) = before {
            let from: i64 = at - look_back + i64::from(self.has(Bug::StrictCursor));
            request = request.query("since", from);
        }
        if self.has(Bug::KeyInAddress) {
            request = request.query("key", &self.key);
        }
        if self.has(Bug::KeyInLog) {
            tracing::debug!(key = %self.key, "asking");
        }
        let (listed, server_time) = self.list(&request).await?;
        let ids = listed.items.iter().map(|row| number(row, "id"));
        let reached = Place {
            began: place.began.or(server_time.map(|at| at.0)),
            highest: listed
                .items
                .iter()
                .map(|row| number(row, "stamp"))
                .fold(place.highest.max(before.unwrap_or(0)), i64::max),
            after: ids.fold(after, i64::max),
            done: place.done + listed.items.len() as u64,
        };
        let is_sweep = task.span == Span::Sweep;
        let seen = listed.items.iter().map(|row| number(row, "id").to_string()).collect();
        let records = listed.items.iter().map(|row| self.record(task, row)).collect();
        // A walk over ids reads no record.
        let (records, seen) = if is_sweep { (Vec::new(), seen) } else { (records, Vec::new()) };
        let ends = !listed.more
            || self.has(Bug::FirstPageOnly)
            || self.has(Bug::LosesLastPage) && reached.done + PAGE as u64 >= listed.total;
        let next = if ends {
            let safe = reached.began.map_or(reached.highest, |began| began.min(reached.highest));
            let at = match self.bug {
                Some(Bug::RoundedCursor) => (safe / 1_000_000 + 1) * 1_000_000,
                Some(Bug::TrustsTheServersClock) => reached.began.unwrap_or(safe),
                // Without look-back it is what was seen that counts, or nothing would be caught.
                Some(Bug::NoLookBack | Bug::StrictCursor) => reached.highest,
                _ => safe,
            };
            let key = if self.has(Bug::KeyInCursor) { format!(" {}", self.key) } else { String::new() };
            Next::Done(Cursor(format!("v1 {at}{key}")))
        } else if self.has(Bug::StateBeforeData) {
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(reached.after);
            Next::More(resume(&Place { after: reached.after + PAGE as i64, ..reached.clone() })?)
        } else {
            Next::More(resume(&reached)?)
        };
        let total = listed.total + u64::from(self.has(Bug::Miscounts));
        let replaces = is_sweep || task.stream == "lists";
        let mut page = Page {
            records,
            rejects: Vec::new(),
            seen,
            next,
            covers: if replaces { Covers::Replace } else { Covers::Upsert },
            server_time,
            progress: Some((reached.done, total.max(reached.done))),
            reach: Reach::Everything,
            counted: ends.then(|| Counted::once(reached.done, total.max(reached.done))),
        };
        if self.has(Bug::DeletesByPage) && is_sweep {
            page.next = Next::Done(Cursor("v1 0".to_owned()));
            (page.progress, page.counted) = (None, None);
        }
        Ok(page)
    }
}

impl Connection {
    fn record(&self, task: &Task, row: &Value) -> Record {
        static READS: AtomicU64 = AtomicU64::new(0);
        let mut row = row.clone();
        let id = number(&row, "id").to_string();
        if self.has(Bug::StampsBodies) {
            row["read_at"] = Value::from(self.http.now().0);
        }
        if self.has(Bug::Unrepeatable) {
            row["read"] = Value::from(READS.fetch_add(1, Ordering::Relaxed));
        }
        Record {
            stream: if self.has(Bug::StrangeStream) { "strange" } else { task.stream },
            id: if self.has(Bug::NoId) { String::new() } else { id },
            stamp: Some(Time(number(&row, "stamp"))),
            body: Some(row.to_string().into_bytes().into_boxed_slice()),
            origin: None,
        }
    }
}
