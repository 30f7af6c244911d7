//! The daemon's door: where it answers over HTTP, if the configuration says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tributary_store::Store;
use tributary_sync::Plan;
use tributary_web::{Access, MetricsAccess, Pulse, Site};

use super::{Context, status, sync};
use crate::config::Metrics;
use crate::failure::Failure;

/// The shortest token that nobody guesses.
const TOKEN_LENGTH: usize = 16;
/// How long requests in hand may take once the daemon ends.
const GRACE: Duration = Duration::from_secs(1);

/// Opens the door, if the configuration says where.
pub(super) async fn open(
    context: &Context,
    store: &Store,
    plan: watch::Receiver<Arc<Plan>>,
    pulse: Arc<Pulse>,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let daemon = &context.config.daemon;
    let Some(address) = daemon.listen else { return Ok(None) };
    let token = daemon.token.as_deref().map(token).transpose()?;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!("failed to listen at {address}: {error}"))
            .hint("end what listens there, or give [daemon] listen another port")
    })?;
    let bound = listener.local_addr().map_or(address, |bound| bound);
    tracing::info!(address = %bound, "answering over HTTP");
    if !bound.ip().is_loopback() {
        tracing::warn!(address = %bound, "others can reach this port: put a proxy with TLS before it");
    }
    let metrics = match daemon.metrics {
        Metrics::Token => MetricsAccess::Token,
        Metrics::Open => MetricsAccess::Open,
    };
    let site = Site {
        store: store.clone(),
        sources: Box::new(move || plan.borrow().sources.iter().map(status::configured).collect()),
        now: Box::new(sync::now),
        pulse,
        access: Access { token, metrics },
    };
    let stop = context.cancel.clone();
    Ok(Some(tokio::spawn(async move {
        if let Err(error) = tributary_web::serve(listener, site, stop).await {
            tracing::error!(%error, "failed to answer over HTTP");
        }
    })))
}

/// Waits for requests in hand, as long as that is bearable.
pub(super) async fn shut(door: Option<JoinHandle<()>>) {
    let Some(mut door) = door else { return };
    if tokio::time::timeout(GRACE, &mut door).await.is_err() {
        door.abort();
    }
}

/// The token that a variable of the environment holds.
fn token(variable: &str) -> Result<String, Failure> {
    let hint = format!("put a secret of {TOKEN_LENGTH} characters or more into it: openssl rand -hex 32");
    let token = std::env::var(variable).map_err(|_| {
        Failure::usage(format!("the environment variable `{variable}` is not set")).hint(&hint)
    })?;
    if token.trim().len() < TOKEN_LENGTH {
        return Err(Failure::usage(format!("the token in `{variable}` is too short")).hint(hint));
    }
    Ok(token.trim().to_owned())
}
