//! One client for all connectors: authentication, limits, retries, bounded bodies, redaction.
//!
//! A connector declares its vendor as an [`Api`] and sends [`Request`]s; everything that must be right once is
//! right here. Not responsible for what a vendor's words mean: [`Api::classify`] says that, in one place per vendor.

mod address;
mod auth;
mod body;
mod classify;
mod limit;
mod message;
mod oauth;
pub mod paging;
mod retry;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Client;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::{Instant, sleep, timeout};
use tributary_core::Time;
use url::Url;

pub use auth::{Auth, Credential, Login};
pub use classify::{Verdict, classify};
pub use limit::{Limit, Quota};
pub use message::{Request, Response, Sent};
pub use oauth::{Assertion, Authorize, Consent, Grant, OAuth};
pub use reqwest::header::HeaderMap as Headers;

use crate::environment::{Environment, Vendor};
use crate::error::{Error, NextStep};
use address::{check_scheme, redacted};
use limit::Limiter;
use message::header;
use retry::{PATIENCE, Tries};

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
    /// How much of an address errors and logs show.
    pub shown: Shown,
}

/// How much of an address errors and logs show; never its user, password or query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// Host and path.
    #[default]
    Path,
    /// The host alone, where the path is a secret.
    Host,
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
            shown: Shown::default(),
        }
    }
}

/// A client of one account at one vendor. Cheap to clone; clones share tokens and limits.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
    /// A narrower limit that these requests keep beside the account's.
    narrow: Option<Arc<Limiter>>,
}

struct Inner {
    api: Api,
    base: Url,
    peer: Peer,
    limiter: Limiter,
    session: auth::Session,
    environment: Environment,
    /// Whether the last request was given up without any reply. Then the next one is tried once: who is not there
    /// for one stream is not there for the others.
    is_silent: AtomicBool,
}

/// Who answers.
enum Peer {
    /// A server on the network.
    Server(Client),
    /// Somebody in this process, in its place.
    Vendor(Arc<dyn Vendor>),
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Http({})", redacted(&self.inner.base))
    }
}

impl Http {
    /// Prepares a client; nothing is sent.
    pub fn new(api: Api, environment: &Environment) -> Result<Self, Error> {
        let fault = |message: String| Error::new(NextStep::FixConfig, message);
        let mut base = Url::parse(&api.base)
            .map_err(|error| fault(format!("`{}` is no web address: {error}", api.base)))?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        check_scheme(&base)?;
        let peer = match &environment.vendor {
            Some(vendor) => Peer::Vendor(Arc::clone(vendor)),
            None => Peer::Server(client(&api)?),
        };
        let limiter = Limiter::new(&api.limit);
        let environment = environment.clone();
        Ok(Self {
            inner: Arc::new(Inner {
                api,
                base,
                peer,
                limiter,
                session: auth::Session::default(),
                environment,
                is_silent: AtomicBool::new(false),
            }),
            narrow: None,
        })
    }

    /// The same account, for a class of requests that has a limit of its own beside the account's.
    pub fn narrowed(&self, limit: &Limit) -> Self {
        Self { inner: Arc::clone(&self.inner), narrow: Some(Arc::new(Limiter::new(limit))) }
    }

    /// Sends a request, waiting for limits, signing in when needed, trying again what may pass.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        let inner = &self.inner;
        let mut tries = Tries::new();
        let mut renewed = false;
        loop {
            // Before taking a place: signing in must not wait for those who wait for it.
            let credential = inner.session.credential(&inner.api.auth, self).await?;
            let place = inner.limiter.place().await;
            let (response, verdict) = self.tried(request, credential.as_deref(), &mut tries).await?;
            drop(place);
            match verdict {
                Verdict::Fine => return Ok(response),
                Verdict::AuthExpired(_) if !renewed && inner.api.auth.renews() => {
                    renewed = true;
                    inner.session.forget(credential.as_ref());
                }
                other => return Err(other.into_error()),
            }
        }
    }

    /// Sends until there is a reply that is not just a hindrance which may pass.
    async fn tried(
        &self,
        request: &Request,
        credential: Option<&Credential>,
        tries: &mut Tries,
    ) -> Result<(Response, Verdict), Error> {
        let inner = &self.inner;
        let url = self.address(&request.address)?;
        loop {
            let hold = |wait: Duration, reason: &str| {
                let until = Time(self.now().0 + wait.as_micros() as i64);
                let message = format!("{reason}: the vendor asks to wait until {until}");
                Error::new(NextStep::Wait(until), message)
            };
            for limiter in self.narrow.iter().map(Arc::as_ref).chain([&inner.limiter]) {
                limiter.admit(PATIENCE).await.map_err(|wait| hold(wait, "the account is held"))?;
            }
            if let Err(until) = inner.environment.meter.admit(self.now(), inner.api.limit.daily) {
                let message =
                    "today's share of the vendor's daily quota is used up, the rest is for other tools";
                return Err(Error::new(NextStep::Wait(until), message));
            }
            tries.begin();
            let sent = Instant::now();
            let outcome = self.once(request, url.clone(), credential).await;
            let path = if inner.api.shown == Shown::Path { url.path() } else { "" };
            let (path, status) = (path, outcome.as_ref().map_or(0, |response| response.status));
            let is_answered = outcome.is_ok();
            if is_answered {
                inner.is_silent.store(false, Ordering::Relaxed);
            }
            let (attempt, elapsed_ms) = (tries.count, sent.elapsed().as_millis() as u64);
            tracing::debug!(method = %request.method, path, status, elapsed_ms, attempt, "asked the vendor");
            let (wait, reason) = match outcome.map(|response| (self.read(&response), response)) {
                Ok((Verdict::Throttled { until, reason }, _)) | Err(Verdict::Throttled { until, reason }) => {
                    let asked = until.map(|until| (until.0 - self.now().0).max(0) as u64);
                    let wait = asked.map_or_else(|| tries.backoff(), Duration::from_micros);
                    inner.limiter.close(wait);
                    if !tries.bear(wait) {
                        return Err(hold(wait, &reason));
                    }
                    (Duration::ZERO, reason)
                }
                Ok((Verdict::Transient(reason), _)) | Err(Verdict::Transient(reason)) => {
                    (tries.backoff(), reason)
                }
                Ok((verdict, response)) => return Ok((response, verdict)),
                Err(verdict) => return Err(verdict.into_error()),
            };
            if inner.is_silent.load(Ordering::Relaxed) || !tries.remain_after(wait) {
                inner.is_silent.store(!is_answered, Ordering::Relaxed);
                return Err(tries.used_up(&request.method, &self.shown(&url), &reason));
            }
            sleep(wait).await;
        }
    }

    /// What a reply means; heeds what it says about limits.
    fn read(&self, response: &Response) -> Verdict {
        let api = &self.inner.api;
        if let Some(quota) = (api.quota)(&response.headers) {
            self.inner.limiter.pace(quota);
        }
        (api.classify)(response, self.now())
    }

    /// A full address for a path below the base or an address on an allowed host.
    pub fn address(&self, address: &str) -> Result<Url, Error> {
        let base = &self.inner.base;
        let is_full = ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme));
        let relative = || format!("./{}", address.trim_start_matches('/'));
        let url = if is_full { Url::parse(address) } else { base.join(&relative()) };
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

    fn shown(&self, url: &Url) -> String {
        match self.inner.api.shown {
            Shown::Path => redacted(url),
            Shown::Host => url.host_str().unwrap_or_default().to_owned(),
        }
    }

    /// The time of day.
    pub fn now(&self) -> Time {
        (self.inner.environment.now)()
    }

    /// The outside world of this client.
    pub fn environment(&self) -> &Environment {
        &self.inner.environment
    }

    async fn once(
        &self,
        request: &Request,
        url: Url,
        credential: Option<&Credential>,
    ) -> Result<Response, Verdict> {
        let mut sent = request.to(url).map_err(|error| Verdict::Config(error.message))?;
        if let Some(credential) = credential {
            sent.headers.insert(credential.name.clone(), credential.value.clone());
        }
        let client = match &self.inner.peer {
            Peer::Server(client) => client,
            Peer::Vendor(vendor) => {
                let late = || Verdict::Transient("no answer in time".to_owned());
                let response =
                    timeout(self.inner.api.timeout, vendor.answer(sent)).await.map_err(|_| late())??;
                body::check(response.body.len() as u64, self.inner.api.max_body_bytes)?;
                return Ok(response);
            }
        };
        let Sent { method, url, headers, body } = sent;
        let builder = client.request(method, url).headers(headers).body(body);
        let response = builder.send().await.map_err(|error| classify::transport(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = body::read(response, self.inner.api.max_body_bytes).await?;
        Ok(Response { status, headers, body })
    }
}

/// How connections are encrypted, and by whom vendors' certificates must be signed: the machine's own list, which is
/// read once a process, since that takes a while and its copies would be what a daemon of many sources is full of.
fn encryption() -> Result<ClientConfig, rustls::Error> {
    static ONCE: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(known) = ONCE.get() {
        return Ok(known.clone());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut made = builder.with_platform_verifier()?.with_no_client_auth();
    made.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(ONCE.get_or_init(|| made).clone())
}

/// A client that follows to no other host.
fn client(api: &Api) -> Result<Client, Error> {
    let failed = "cannot make an HTTP client";
    let encryption = encryption().map_err(|error| Error::new(NextStep::FixConfig, failed).because(error))?;
    let headers = api.headers.iter().map(|(name, value)| header(name, value));
    let headers = headers.collect::<Result<HeaderMap, Error>>()?;
    Client::builder()
        .tls_backend_preconfigured(encryption)
        .default_headers(headers)
        .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        // A connection keeps what its largest reply needed, and a daemon has hundreds of sources.
        .pool_idle_timeout(Duration::from_secs(5))
        .timeout(api.timeout)
        .redirect(Policy::custom(|attempt| {
            let is_same = attempt.previous().first().map(Url::origin) == Some(attempt.url().origin());
            if is_same && attempt.previous().len() < 5 { attempt.follow() } else { attempt.stop() }
        }))
        .build()
        .map_err(|error| Error::new(NextStep::Bug, failed).because(error))
}

/// A client for signing in: it sends without a credential, and beside the places for requests on their way.
pub struct Bare(Http);

impl Bare {
    /// Sends a request, waiting for limits, trying again what may pass. Refusals come back to be read.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        Ok(self.0.tried(request, None, &mut Tries::new()).await?.0)
    }

    /// The time of day.
    pub fn now(&self) -> Time {
        self.0.now()
    }

    /// The outside world of this client.
    pub fn environment(&self) -> &Environment {
        self.0.environment()
    }
}
