//! Who we are: fixed keys, and credentials that are renewed by signing in, once for all who wait.
//!
//! Not responsible for how a vendor signs in: that is a [`Login`].

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tributary_core::Time;

use super::message::header;
use super::{Bare, Http};
use crate::error::{Error, NextStep};

/// How requests are authorised.
#[derive(Clone)]
pub enum Auth {
    /// They are not.
    None,
    /// `Authorization: Bearer …`.
    Bearer(SecretString),
    /// A header with a key.
    Header(&'static str, SecretString),
    /// Signing in gives a credential that lives for a while.
    Login(Arc<dyn Login>),
}

impl Auth {
    /// Whether a refused credential can be renewed.
    pub(super) fn renews(&self) -> bool {
        matches!(self, Self::Login(_))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(…)",
            Self::Header(..) => "Header(…)",
            Self::Login(_) => "Login(…)",
        })
    }
}

/// A header that authorises requests.
pub struct Credential {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    expires_at: Option<Time>,
}

impl Credential {
    /// A header; its value never shows.
    pub fn new(name: &str, value: &SecretString, expires_at: Option<Time>) -> Result<Self, Error> {
        let (name, value) = header(name, value.expose_secret())?;
        Ok(Self { name, value, expires_at })
    }

    /// `Authorization: Bearer …`.
    pub fn bearer(token: &SecretString, expires_at: Option<Time>) -> Result<Self, Error> {
        let value = SecretString::from(format!("Bearer {}", token.expose_secret()));
        Self::new("authorization", &value, expires_at)
    }
}

/// Signs in: a session, OAuth, or whatever a vendor has.
#[async_trait]
pub trait Login: Send + Sync {
    /// Gives a new credential. Called once at a time, and to its end even if nobody waits any more; all who need
    /// the credential get this one, or this error. After [`NextStep::Reauthorize`] it is not called again.
    async fn login(&self, http: &Bare) -> Result<Credential, Error>;
}

/// The credential in use.
#[derive(Default)]
pub(super) struct Session {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
enum State {
    #[default]
    Out,
    Renewing(Renewal),
    In(Arc<Credential>),
    /// Only a person can mend it: no further try is made.
    Refused(Refusal),
}

type Outcome = Result<Arc<Credential>, Refusal>;
type Renewal = Shared<BoxFuture<'static, Outcome>>;

/// An error that many callers get.
#[derive(Clone)]
struct Refusal {
    next: NextStep,
    message: String,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.next, refusal.message)
    }
}

impl Session {
    pub(super) async fn credential(
        &self,
        auth: &Auth,
        http: &Http,
    ) -> Result<Option<Arc<Credential>>, Error> {
        let login = match auth {
            Auth::None => return Ok(None),
            Auth::Bearer(token) => return Ok(Some(Arc::new(Credential::bearer(token, None)?))),
            Auth::Header(name, value) => return Ok(Some(Arc::new(Credential::new(name, value, None)?))),
            Auth::Login(login) => login,
        };
        let renewal = {
            let mut state = lock(&self.state);
            match &*state {
                State::In(credential) if credential.expires_at.is_none_or(|at| at > http.now()) => {
                    return Ok(Some(Arc::clone(credential)));
                }
                State::Refused(refusal) => return Err(refusal.clone().into()),
                State::Renewing(renewal) => renewal.clone(),
                State::In(_) | State::Out => {
                    let renewal = self.renew(Arc::clone(login), http.clone());
                    *state = State::Renewing(renewal.clone());
                    renewal
                }
            }
        };
        Ok(Some(renewal.await?))
    }

    /// Signs in, in a task of its own: a caller who gives up half-way must not lose a token that the vendor has
    /// just rotated.
    fn renew(&self, login: Arc<dyn Login>, http: Http) -> Renewal {
        let state = Arc::clone(&self.state);
        let task = tokio::spawn(async move {
            let outcome = login.login(&Bare(http)).await;
            outcome.map(Arc::new).map_err(|error| Refusal { next: error.next, message: error.message })
        });
        let renewal = async move {
            task.await.unwrap_or_else(|_| {
                Err(Refusal { next: NextStep::Bug, message: "signing in broke off".to_owned() })
            })
        };
        let renewal = async move {
            let outcome = renewal.await;
            *lock(&state) = match &outcome {
                Ok(credential) => State::In(Arc::clone(credential)),
                Err(refusal) if refusal.next == NextStep::Reauthorize => State::Refused(refusal.clone()),
                Err(_) => State::Out,
            };
            outcome
        };
        renewal.boxed().shared()
    }

    /// Drops a refused credential, unless somebody renewed it meanwhile.
    pub(super) fn forget(&self, refused: Option<&Arc<Credential>>) {
        let mut state = lock(&self.state);
        if let (State::In(current), Some(refused)) = (&*state, refused)
            && Arc::ptr_eq(current, refused)
        {
            *state = State::Out;
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
