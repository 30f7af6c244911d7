//! The JSON API: `answers` as they are, and requests to the daemon through the store.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tributary_answers::runs::{Runs, runs as past};
use tributary_answers::status::{Configured, Problem, SourceStatus, Status, status as now};

use crate::Site;
use crate::fault::Fault;

/// The most runs of one answer.
const MOST_RUNS: u32 = 1_000;

/// What the API is, for programs.
pub(crate) const OPENAPI: &str = include_str!("../openapi.json");

/// One source with what is wrong with it.
#[derive(Serialize)]
pub(crate) struct OneSource {
    source: SourceStatus,
    problems: Vec<Problem>,
}

/// Which runs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichRuns {
    source: Option<String>,
    last: Option<u32>,
}

/// `GET /api/v1/status`
pub(crate) async fn status(State(site): State<Arc<Site>>) -> Result<Json<Status>, Fault> {
    Ok(Json(now(&site.store, &(site.sources)(), (site.now)()).await?))
}

/// `GET /api/v1/sources/{id}`
pub(crate) async fn source(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<OneSource>, Fault> {
    let all = now(&site.store, &(site.sources)(), (site.now)()).await?;
    let known: Vec<String> = all.sources.iter().map(|source| source.source.clone()).collect();
    let found = all.sources.into_iter().find(|source| source.source == id);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let source = found.ok_or_else(|| Fault::unknown_source(&id, &known))?;
    let problems = all.problems.into_iter().filter(|problem| problem.source == id).collect();
    Ok(Json(OneSource { source, problems }))
}

/// `GET /api/v1/runs`
pub(crate) async fn runs(
    State(site): State<Arc<Site>>,
    which: Result<Query<WhichRuns>, QueryRejection>,
) -> Result<Json<Runs>, Fault> {
    let Query(which) = which.map_err(|error| {
        Fault::new(StatusCode::BAD_REQUEST, error.body_text(), "?source=ID and ?last=COUNT may be asked for")
    })?;
    let most = which.last.unwrap_or(20).min(MOST_RUNS);
    Ok(Json(past(&site.store, which.source.as_deref(), most).await?))
}

/// `POST /api/v1/sources/{id}/{sync, pause, resume}`: noted in the store, where a daemon finds it.
pub(crate) async fn act(
    State(site): State<Arc<Site>>,
    Path((id, action)): Path<(String, String)>,
) -> Result<impl IntoResponse, Fault> {
    let sources = (site.sources)();
    let known: Vec<&str> = sources.iter().map(|source: &Configured| source.id.as_str()).collect();
    if !known.contains(&id.as_str()) {
        return Err(Fault::unknown_source(&id, &known));
    }
    match action.as_str() {
        "sync" => site.store.ask(&id, (site.now)()).await?,
        "pause" => site.store.pause(&id).await?,
        "resume" => site.store.resume(&id).await?,
        _ => return Err(Fault::unknown_path()),
    }
    tracing::info!(source = id, action, "asked for over HTTP");
    Ok((StatusCode::ACCEPTED, Json(serde_json::json!({ "source": id, "asked": action }))))
}

/// `GET /api/v1/openapi.json`
pub(crate) async fn described() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
