//! What went wrong, as JSON that says what to do: `{"error": …, "hint": …}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tributary_answers::AnswerError;
use tributary_store::StoreError;

/// An answer that is none.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    body: Body,
}

#[derive(Debug, Serialize)]
struct Body {
    error: String,
    hint: String,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, body: Body { error: error.into(), hint: hint.into() } }
    }

    pub(crate) fn unknown_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "there is nothing at this path",
            "GET /api/v1/openapi.json lists all",
        )
    }

    pub(crate) fn wrong_method() -> Self {
        let hint = "GET /api/v1/openapi.json says which methods each path takes";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method", hint)
    }

    pub(crate) fn too_slow() -> Self {
        let hint = "the store is busy or does not answer: try again, and look at /readyz";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "the answer took too long", hint)
    }

    pub(crate) fn unknown_source(id: &str, known: &[&str]) -> Self {
        let hint = format!("the configuration has: {}", known.join(", "));
        Self::new(StatusCode::NOT_FOUND, format!("no source has the id `{id}`"), hint)
    }
}

impl From<AnswerError> for Fault {
    fn from(error: AnswerError) -> Self {
        tracing::warn!(%error, "failed to answer a request");
        let hint = "the daemon's log says more; try again once the store answers";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the store did not answer", hint)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        AnswerError::from(error).into()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
