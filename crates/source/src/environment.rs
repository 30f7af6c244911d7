//! What a live connection needs from outside: the time of day and a place for sign-ins.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::SecretString;
use tributary_core::Time;
use tributary_core::time::DAY_MICROS;

use crate::error::Error;
use crate::http::{Response, Sent, Verdict};

/// What is kept of a source's sign-in between two processes. Debug shows no token.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The configured grant that this follows, as a hash: with another one, nothing here holds.
    pub origin: String,
    /// The refresh token, where the grant has one.
    pub refresh_token: Option<SecretString>,
    /// The scopes that were granted, where the vendor says.
    pub scopes: Vec<String>,
    /// When the access token dies.
    pub access_until: Option<Time>,
    /// When the refresh token dies, where that is known.
    pub until: Option<Time>,
    /// Why the vendor renews no more: it is not asked again until a person has signed in.
    pub refused: Option<String>,
}

/// Where sign-ins are kept, by source: sealed, in the store. Whoever renews takes the turn first, because a refresh
/// token may be worth nothing, or cost the whole grant, once it was used.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Takes the turn as soon as nobody else has it, and reads what is kept.
    async fn take(&self, source: &str) -> Result<Option<Kept>, Error>;
    /// Keeps what came of the turn, and ends it; returns only once that is safe.
    async fn keep(&self, source: &str, kept: Kept) -> Result<(), Error>;
    /// Ends the turn with nothing changed.
    async fn leave(&self, source: &str) -> Result<(), Error>;
    /// Keeps a new sign-in, whatever was kept before.
    async fn replace(&self, source: &str, kept: Kept) -> Result<(), Error>;
}

/// Sign-ins in memory: gone with the process, which renews one at a time anyway.
#[derive(Default)]
pub struct MemoryTokens(Mutex<BTreeMap<String, Kept>>);

#[async_trait]
impl TokenStore for MemoryTokens {
    async fn take(&self, source: &str) -> Result<Option<Kept>, Error> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(source).cloned())
    }

    async fn keep(&self, source: &str, kept: Kept) -> Result<(), Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source.to_owned(), kept);
        Ok(())
    }

    async fn leave(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn replace(&self, source: &str, kept: Kept) -> Result<(), Error> {
        self.keep(source, kept).await
    }
}

/// Answers requests in this process instead of over a socket, so that a test's week may pass in a second.
#[async_trait]
pub trait Vendor: Send + Sync {
    /// Answers one request.
    async fn answer(&self, request: Sent) -> Result<Response, Verdict>;
}

/// Counts the requests that a source sends, and keeps it to its share of what the vendor allows in a day, which the
/// customer's other tools need too.
#[derive(Debug)]
pub struct Meter {
    /// The part of a day's requests that are ours, from 0 to 1.
    share: f64,
    /// What the vendor allows in a day, where the connector does not know.
    daily: Option<u64>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Since 1970.
    day: i64,
    /// On that day, those of earlier processes included.
    today: u64,
    /// Not yet told by [`Meter::take`].
    untold: u64,
    /// Sent by this process in all.
    sent: u64,
    /// What the vendor allows in a day, once a request asked for it.
    allowed: Option<u64>,
}

impl Meter {
    /// A meter that lets a part of each day's requests through, from 0 to 1. `daily` is what the vendor allows, where
    /// that is not what the connector declares.
    pub fn new(share: f64, daily: Option<u64>) -> Self {
        Self { share, daily, counts: Mutex::default() }
    }

    /// Counts a request. Refused if the day's share is used up: then comes the instant at which the next day begins.
    pub(crate) fn admit(&self, now: Time, daily: Option<u64>) -> Result<(), Time> {
        let mut counts = self.counts();
        counts.turn(now);
        counts.allowed = self.daily.or(daily).map(|daily| (daily as f64 * self.share) as u64);
        if counts.allowed.is_some_and(|allowed| counts.today >= allowed) {
            return Err(Time((counts.day + 1) * DAY_MICROS));
        }
        counts.today += 1;
        counts.untold += 1;
        counts.sent += 1;
        Ok(())
    }

    /// Today (since 1970, UTC) and the requests that were not told before.
    pub fn take(&self, now: Time) -> (i64, u64) {
        let mut counts = self.counts();
        counts.turn(now);
        (counts.day, std::mem::take(&mut counts.untold))
    }

    /// Hears how many requests a day had in all, those of other processes included.
    pub fn hear(&self, day: i64, requests: u64) {
        let mut counts = self.counts();
        if day >= counts.day {
            counts.today = requests + if day == counts.day { counts.untold } else { 0 };
            counts.day = day;
        }
    }

    /// Requests of the day that were counted, and those that the share allows, once a request told.
    pub fn today(&self) -> (u64, Option<u64>) {
        let counts = self.counts();
        (counts.today, counts.allowed)
    }

    /// Requests sent by this process.
    pub fn sent(&self) -> u64 {
        self.counts().sent
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn turn(&mut self, now: Time) {
        let day = now.0.div_euclid(DAY_MICROS);
        if day > self.day {
            // What was not told yet belongs to the day before, and is told as part of this one: a share is not less.
            (self.day, self.today) = (day, self.untold);
        }
    }
}

/// What a live connection needs from outside. Waiting goes through tokio's clock, which tests pause.
#[derive(Clone)]
pub struct Environment {
    /// Tells the time of day.
    pub now: Arc<dyn Fn() -> Time + Send + Sync>,
    /// Keeps sign-ins.
    pub tokens: Arc<dyn TokenStore>,
    /// Answers instead of the network.
    pub vendor: Option<Arc<dyn Vendor>>,
    /// Counts requests.
    pub meter: Arc<Meter>,
}

impl Environment {
    /// The given time of day, sign-ins in memory, and no share of a day.
    pub fn new(now: Arc<dyn Fn() -> Time + Send + Sync>) -> Self {
        Self {
            now,
            tokens: Arc::new(MemoryTokens::default()),
            vendor: None,
            meter: Arc::new(Meter::new(1.0, None)),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}
