//! The daemon's pulse: whether its loop goes round, and how long working things out takes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::Site;
use crate::fault::Fault;

/// The loop goes round every few seconds; after this long it hangs.
const HANGS_AFTER: Duration = Duration::from_mins(1);
/// How long the store may take to answer.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// What a daemon says of itself while it runs.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Beat>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beat {
    looked_at: Option<Instant>,
    deriving_since: Option<Instant>,
    /// How long working things out took last.
    pub(crate) derived_in: Option<Duration>,
    /// How often things were worked out, and how often that failed.
    pub(crate) derived: u64,
    pub(crate) failed: u64,
}

impl Pulse {
    /// The loop went round.
    pub fn beat(&self) {
        self.beats().looked_at = Some(Instant::now());
    }

    /// Working things out begins.
    pub fn deriving(&self) {
        self.beats().deriving_since = Some(Instant::now());
    }

    /// Things were worked out.
    pub fn derived(&self) {
        let mut beat = self.beats();
        beat.derived += 1;
        beat.derived_in = beat.deriving_since.take().map(|since| since.elapsed());
    }

    /// Things could not be worked out.
    pub fn failed_to_derive(&self) {
        self.beats().failed += 1;
    }

    pub(crate) fn read(&self) -> Beat {
        *self.beats()
    }

    fn beats(&self) -> MutexGuard<'_, Beat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /readyz`
pub(crate) async fn ready(State(site): State<Arc<Site>>) -> Result<Json<Value>, Fault> {
    let not = |error: &str, hint: &str| Fault::new(StatusCode::SERVICE_UNAVAILABLE, error, hint);
    let is_alive = site.pulse.read().looked_at.is_some_and(|at| at.elapsed() < HANGS_AFTER);
    if !is_alive {
        return Err(not("the daemon's loop does not go round", "if it just began, wait; else start it anew"));
    }
    match timeout(STORE_PATIENCE, site.store.planned()).await {
        Ok(Ok(_)) => Ok(Json(json!({ "ready": true }))),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(not("the store does not answer", "look whether the database runs and has room")),
    }
}
