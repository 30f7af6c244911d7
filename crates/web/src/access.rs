//! Who may ask: whoever brings the token. Without a configured one, nobody.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::Site;
use crate::fault::Fault;

/// Who may ask.
#[derive(Clone, Default)]
pub struct Access {
    /// What a request must bring as `Authorization: Bearer TOKEN`; nobody may ask without.
    pub token: Option<String>,
    /// Who may read metrics.
    pub metrics: MetricsAccess,
}

/// Who may read metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Whoever brings the token.
    #[default]
    Token,
    /// Whoever reaches the door.
    Open,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_some() { "…" } else { "none" };
        f.debug_struct("Access").field("token", &token).field("metrics", &self.metrics).finish()
    }
}

impl Access {
    fn admit(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let Some(token) = &self.token else {
            let hint = "write [daemon] token = { env = \"TRIBUTARY_TOKEN\" } into the configuration, put a secret into \
                that variable, and start the daemon anew";
            return Err(Fault::new(
                StatusCode::FORBIDDEN,
                "no token is configured: only /healthz and /readyz answer",
                hint,
            ));
        };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        // In a time that does not tell how much of it is right.
        if given.is_some_and(|(_, given)| bool::from(given.trim().as_bytes().ct_eq(token.as_bytes()))) {
            return Ok(());
        }
        let error =
            if given.is_some() { "this token is not the configured one" } else { "this needs the token" };
        let hint = "send Authorization: Bearer TOKEN, with what [daemon] token names";
        Err(Fault::new(StatusCode::UNAUTHORIZED, error, hint))
    }
}

/// Lets requests to the API through that bring the token.
pub(crate) async fn api(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    match site.access.admit(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(fault) => refused(fault),
    }
}

/// The same for metrics, unless they are open.
pub(crate) async fn metrics(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    match site.access.metrics {
        MetricsAccess::Open => next.run(request).await,
        MetricsAccess::Token => api(State(site), request, next).await,
    }
}

fn refused(fault: Fault) -> Response {
    let mut response = fault.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
