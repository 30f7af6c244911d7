//! What a live connection needs from outside: the time of day and a place for sign-ins.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use secrecy::SecretString;
use tributary_core::Time;

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

/// What a live connection needs from outside. Waiting goes through tokio's clock, which tests pause.
#[derive(Clone)]
pub struct Environment {
    /// Tells the time of day.
    pub now: Arc<dyn Fn() -> Time + Send + Sync>,
    /// Keeps sign-ins.
    pub tokens: Arc<dyn TokenStore>,
    /// Answers instead of the network.
    pub vendor: Option<Arc<dyn Vendor>>,
}

impl Environment {
    /// The given time of day, and sign-ins in memory.
    pub fn new(now: Arc<dyn Fn() -> Time + Send + Sync>) -> Self {
        Self { now, tokens: Arc::new(MemoryTokens::default()), vendor: None }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}
