#![doc = include_str!("../README.md")]

mod access;
mod api;
mod fault;
mod metrics;
mod pulse;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tributary_answers::status::Configured;
use tributary_core::Time;
use tributary_store::Store;

pub use access::{Access, MetricsAccess};
pub use pulse::Pulse;

use fault::Fault;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much a request may send: none of them needs anything.
const BODY_BYTES: usize = 16 << 10;

/// What is behind the door.
pub struct Site {
    /// The daemon's store.
    pub store: Store,
    /// The sources that are configured now.
    pub sources: Box<dyn Fn() -> Vec<Configured> + Send + Sync>,
    /// Tells the time.
    pub now: Box<dyn Fn() -> Time + Send + Sync>,
    /// Whether the daemon's loop goes round.
    pub pulse: Arc<Pulse>,
    /// Who may ask.
    pub access: Access,
}

/// Answers until it is stopped; requests in hand are answered to their end.
pub async fn serve(listener: TcpListener, site: Site, stop: CancellationToken) -> io::Result<()> {
    let stopped = async move { stop.cancelled().await };
    axum::serve(listener, router(Arc::new(site))).with_graceful_shutdown(stopped).await
}

/// All paths.
pub fn router(site: Arc<Site>) -> Router {
    let api = Router::new()
        .route("/status", get(api::status))
        .route("/sources/{id}", get(api::source))
        .route("/sources/{id}/{action}", post(api::act))
        .route("/runs", get(api::runs))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&site), access::api));
    let metrics = Router::new()
        .route("/metrics", get(metrics::answer))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&site), access::metrics));
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(pulse::ready))
        .route("/api/v1/openapi.json", get(api::described))
        .nest("/api/v1", api)
        .merge(metrics)
        .fallback(async || Fault::unknown_path())
        .method_not_allowed_fallback(async || Fault::wrong_method())
        .layer(middleware::from_fn(in_time))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(site)
}

/// Ends what takes too long, and keeps every answer out of caches.
async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(PATIENCE, next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| Fault::too_slow().into_response());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
