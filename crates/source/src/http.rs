//! One client for all connectors: authentication, limits, retries, bounded bodies, redaction.
//!
//! A connector declares its vendor as an [`Api`] and sends [`Request`]s; everything that must be right once is
//! right here. Not responsible for what a vendor's words mean: [`Api::classify`] says that, in one place per vendor.

mod auth;
mod body;
mod classify;
mod limit;
pub mod paging;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use tributary_core::Time;
use url::Url;

pub use auth::{Auth, Credential, Login, OAuth};
pub use classify::{Verdict, classify};
pub use limit::{Limit, Quota};

use crate::environment::Environment;
use crate::error::{Error, NextStep};
use limit::Limiter;

/// Tries of one request, the first included.
const TRIES: u32 = 6;
/// How long one request may be tried.
const PATIENCE: Duration = Duration::from_mins(5);
/// The first wait of an exponential series; each wait is drawn evenly from zero to twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait of that series.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What a connector says about its vendor's API.
#[derive(Clone)]
pub struct Api {
    /// Where relative paths start; `https`, or `http` on loopback.
    pub base: String,
    /// Further hosts that requests and next-page addresses may go to.
    pub hosts: Vec<String>,
    /// How requests are authorised.
    pub auth: Auth,
    /// The documented limit, started at and never passed.
    pub limit: Limit,
    /// Reads the vendor's own limit headers.
    pub quota: fn(&HeaderMap) -> Option<Quota>,
    /// Says what a reply means. Ends in [`classify()`] for what the vendor does like everybody.
    pub classify: fn(&Response, Time) -> Verdict,
    /// The largest body, unpacked.
    pub max_body_bytes: usize,
    /// How long one try may take.
    pub timeout: Duration,
    /// Headers of every request.
    pub headers: Vec<(&'static str, String)>,
}

impl Api {
    /// An API without authentication and of usual habits.
    pub fn new(base: impl Into<String>) -> Self {
        Self {
            base: base.into(),
            hosts: Vec::new(),
            auth: Auth::None,
            limit: Limit::default(),
            quota: |_| None,
            classify: |response, now| classify(response, now),
            max_body_bytes: 64 << 20,
            timeout: Duration::from_mins(1),
            headers: Vec::new(),
        }
    }
}

/// One request. All of a connector's requests read, so each may be tried again.
#[derive(Clone)]
pub struct Request {
    method: Method,
    address: String,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<(HeaderValue, Bytes)>,
}

impl Request {
    /// A `GET` of a path below the base, or of a full address on an allowed host.
    pub fn get(address: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            address: address.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// A `POST` of JSON that only reads, such as a search.
    pub fn post_json(address: impl Into<String>, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body)
            .map_err(|error| Error::new(NextStep::Bug, "cannot write a request's JSON").because(error))?;
        let kind = HeaderValue::from_static("application/json");
        Ok(Self {
            method: Method::POST,
            address: address.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Some((kind, bytes.into())),
        })
    }

    /// Adds a header, in place of the [`Api`]'s own of the same name.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }
}

/// A request as it goes out.
pub struct Sent {
    /// The method.
    pub method: Method,
    /// The full address.
    pub url: Url,
    /// The headers, the credential among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A reply, read whole.
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Bytes,
}

impl Response {
    /// The server's own time.
    pub fn server_time(&self) -> Option<Time> {
        classify::http_date(self.headers.get("date")?.to_str().ok()?)
    }

    /// Reads the body as JSON. The error says where, not what: bodies hold personal data.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = if error.is_data() { "JSON of another shape" } else { "no JSON" };
            let place = format!("line {} column {}", error.line(), error.column());
            Error::new(NextStep::Retry, format!("the reply is {what} ({place}); the API may have changed"))
        })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

/// A client of one account at one vendor. Cheap to clone; clones share tokens and limits.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    api: Api,
    base: Url,
    client: Client,
    limiter: Limiter,
    session: auth::Session,
    environment: Environment,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Http({})", redacted(&self.inner.base))
    }
}

impl Http {
    /// Prepares a client; nothing is sent.
    pub fn new(api: Api, environment: &Environment) -> Result<Self, Error> {
        // One provider a process; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let fault = |message: String| Error::new(NextStep::FixConfig, message);
        let mut base = Url::parse(&api.base)
            .map_err(|error| fault(format!("`{}` is no web address: {error}", api.base)))?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        check_scheme(&base)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &api.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| fault(format!("header `{name}` holds a forbidden sign")))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let client = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(api.timeout)
            .redirect(Policy::custom(|attempt| {
                let first = attempt
                    .previous()
                    .first()
                    .map(|url| (url.scheme().to_owned(), url.host_str().map(str::to_owned)));
                let next =
                    Some((attempt.url().scheme().to_owned(), attempt.url().host_str().map(str::to_owned)));
                if first == next && attempt.previous().len() < 5 { attempt.follow() } else { attempt.stop() }
            }))
            .build()
            .map_err(|error| Error::new(NextStep::Bug, "cannot make an HTTP client").because(error))?;
        let limiter = Limiter::new(&api.limit);
        let environment = environment.clone();
        Ok(Self {
            inner: Arc::new(Inner {
                api,
                base,
                client,
                limiter,
                session: auth::Session::default(),
                environment,
            }),
        })
    }

    /// Sends a request, waiting for limits, signing in when needed, trying again what may pass.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        let inner = &self.inner;
        let address = self.address(&request.address)?;
        let started = Instant::now();
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let place = inner.limiter.admit().await;
            let credential = inner.session.credential(&inner.api.auth, self).await?;
            let sent = Instant::now();
            let outcome = self.once(request, address.clone(), credential.as_ref()).await;
            drop(place);
            let elapsed_ms = sent.elapsed().as_millis() as u64;
            let (verdict, status) = match &outcome {
                Ok(response) => {
                    if let Some(quota) = (inner.api.quota)(&response.headers) {
                        inner.limiter.pace(quota);
                    }
                    ((inner.api.classify)(response, (inner.environment.now)()), response.status)
                }
                Err(verdict) => (verdict.clone(), 0),
            };
            let path = address.path();
            tracing::debug!(method = %request.method, path, status, elapsed_ms, attempt, "asked the vendor");
            let cause = match verdict {
                Verdict::Fine => {
                    return outcome
                        .map_err(|_| Error::new(NextStep::Bug, "a failed request was called fine"));
                }
                Verdict::AuthExpired(_) if !renewed && inner.api.auth.renews() => {
                    renewed = true;
                    inner.session.forget(credential.as_ref()).await;
                    continue;
                }
                Verdict::Throttled { until, reason } => {
                    let wait = until.map(|until| {
                        Duration::from_micros((until.0 - (inner.environment.now)().0).max(0) as u64)
                    });
                    let wait = wait.unwrap_or_else(|| backoff(attempt));
                    inner.limiter.close(wait);
                    if started.elapsed() + wait > PATIENCE {
                        let until = until
                            .unwrap_or_else(|| Time((inner.environment.now)().0 + wait.as_micros() as i64));
                        return Err(Error::new(
                            NextStep::Wait(until),
                            format!("{reason}: the vendor asks to wait until {until}"),
                        ));
                    }
                    reason
                }
                Verdict::Transient(reason) => {
                    if attempt < TRIES {
                        sleep(backoff(attempt)).await;
                    }
                    reason
                }
                other => return Err(other.into_error()),
            };
            if attempt >= TRIES || started.elapsed() > PATIENCE {
                let elapsed_s = started.elapsed().as_secs();
                let message = format!(
                    "{} {} failed {attempt} times in {elapsed_s} s, last with: {cause}",
                    request.method,
                    redacted(&address)
                );
                return Err(Error::new(NextStep::Retry, message));
            }
            attempt += 1;
        }
    }

    /// A full address for a path below the base or an address on an allowed host.
    pub fn address(&self, address: &str) -> Result<Url, Error> {
        let base = &self.inner.base;
        let relative = address.trim_start_matches('/');
        let url = if address.contains("://") { Url::parse(address) } else { base.join(relative) };
        let url = url
            .map_err(|error| Error::new(NextStep::Bug, "a request goes to no web address").because(error))?;
        let host = url.host_str().unwrap_or_default();
        let is_base =
            url.host_str() == base.host_str() && url.port_or_known_default() == base.port_or_known_default();
        if !is_base && !self.inner.api.hosts.iter().any(|allowed| allowed == host) {
            let message = format!("the vendor points to another host ({host}): nothing was sent there");
            return Err(Error::new(NextStep::FixConfig, message));
        }
        check_scheme(&url)?;
        Ok(url)
    }

    /// The time of day.
    pub fn now(&self) -> Time {
        (self.inner.environment.now)()
    }

    /// The outside world of this client.
    pub fn environment(&self) -> &Environment {
        &self.inner.environment
    }

    /// Sends once, without credentials and without trying again: for signing in.
    pub async fn bare(&self, request: &Request) -> Result<Response, Error> {
        let address = self.address(&request.address)?;
        let _place = self.inner.limiter.admit().await;
        self.once(request, address, None).await.map_err(Verdict::into_error)
    }

    async fn once(
        &self,
        request: &Request,
        address: Url,
        credential: Option<&Arc<Credential>>,
    ) -> Result<Response, Verdict> {
        let mut headers = HeaderMap::new();
        if let Some((kind, _)) = &request.body {
            headers.insert("content-type", kind.clone());
        }
        for (name, value) in &request.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| Verdict::Wrong(format!("header `{name}` holds a forbidden sign")))?;
            headers.insert(*name, value);
        }
        if let Some(credential) = credential {
            headers.insert(credential.name.clone(), credential.value.clone());
        }
        let mut url = address;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let body = request.body.as_ref().map(|(_, body)| body.clone()).unwrap_or_default();
        let method = request.method.clone();
        if let Some(vendor) = &self.inner.environment.vendor {
            return vendor.answer(Sent { method, url, headers, body }).await;
        }
        let builder = self.inner.client.request(method, url).headers(headers).body(body);
        let response = builder.send().await.map_err(|error| classify::transport(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = body::read(response, self.inner.api.max_body_bytes).await?;
        Ok(Response { status, headers, body })
    }
}

fn check_scheme(url: &Url) -> Result<(), Error> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        _ => {
            let message = format!(
                "{} is not https: credentials are only sent encrypted, or to this machine",
                redacted(url)
            );
            Err(Error::new(NextStep::FixConfig, message))
        }
    }
}

/// An address without user, password, query and fragment, where secrets hide.
pub(crate) fn redacted(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// Full jitter: evenly from zero to the series' wait.
fn backoff(attempt: u32) -> Duration {
    let ceiling = FIRST_WAIT.saturating_mul(1 << attempt.min(16)).min(LONGEST_WAIT);
    ceiling.mul_f64(fastrand::f64())
}
