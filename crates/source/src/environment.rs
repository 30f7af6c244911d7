//! What a live connection needs from outside: the time of day and a place for tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tributary_core::Time;

use crate::error::Error;
use crate::http::{Response, Sent, Verdict};

/// Where rotated tokens are kept, by source and name. The daemon seals them in the store.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// The token kept under a name.
    async fn load(&self, source: &str, name: &str) -> Result<Option<SecretString>, Error>;
    /// Keeps a token; returns only once it is safe.
    async fn save(&self, source: &str, name: &str, token: &SecretString) -> Result<(), Error>;
}

/// Tokens in memory: gone with the process.
#[derive(Default)]
pub struct MemoryTokens(Mutex<BTreeMap<(String, String), SecretString>>);

#[async_trait]
impl TokenStore for MemoryTokens {
    async fn load(&self, source: &str, name: &str) -> Result<Option<SecretString>, Error> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tokens.get(&(source.to_owned(), name.to_owned())).cloned())
    }

    async fn save(&self, source: &str, name: &str, token: &SecretString) -> Result<(), Error> {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(
            (source.to_owned(), name.to_owned()),
            SecretString::from(token.expose_secret().to_owned()),
        );
        Ok(())
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
    /// Keeps rotated tokens.
    pub tokens: Arc<dyn TokenStore>,
    /// Answers instead of the network.
    pub vendor: Option<Arc<dyn Vendor>>,
}

impl Environment {
    /// The given time of day, and tokens in memory.
    pub fn new(now: Arc<dyn Fn() -> Time + Send + Sync>) -> Self {
        Self { now, tokens: Arc::new(MemoryTokens::default()), vendor: None }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}
