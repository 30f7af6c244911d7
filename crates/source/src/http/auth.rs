//! Who we are: fixed keys, session logins, OAuth refresh tokens. One renewal at a time.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{AuthType, ClientId, ClientSecret, RefreshToken, RequestTokenError, TokenResponse, TokenUrl};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tributary_core::Time;

use super::{Http, Request};
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
    /// A header; its value is marked as sensitive.
    pub fn new(name: &'static str, value: &SecretString, expires_at: Option<Time>) -> Result<Self, Error> {
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
            Error::new(NextStep::FixConfig, "the credential holds signs that no header may hold")
        })?;
        value.set_sensitive(true);
        Ok(Self { name: HeaderName::from_static(name), value, expires_at })
    }

    /// `Authorization: Bearer …`.
    pub fn bearer(token: &SecretString, expires_at: Option<Time>) -> Result<Self, Error> {
        let value = SecretString::from(format!("Bearer {}", token.expose_secret()));
        Self::new("authorization", &value, expires_at)
    }
}

/// Signs in.
#[async_trait]
pub trait Login: Send + Sync {
    /// Gives a new credential. Called once at a time; others wait for it.
    async fn login(&self, http: &Http) -> Result<Credential, Error>;
}

/// The credential in use.
#[derive(Default)]
pub(super) struct Session {
    current: Mutex<Option<Arc<Credential>>>,
    /// The refusal that only a person can mend: no further try is made.
    refused: Mutex<Option<String>>,
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
        // Whoever comes while somebody renews waits here, and then finds the new credential.
        let mut current = self.current.lock().await;
        let fresh = current.as_ref().filter(|it| it.expires_at.is_none_or(|at| at > http.now()));
        if let Some(credential) = fresh {
            return Ok(Some(Arc::clone(credential)));
        }
        if let Some(message) = &*self.refused.lock().await {
            return Err(Error::new(NextStep::Reauthorize, message.clone()));
        }
        match login.login(http).await {
            Ok(credential) => {
                let credential = Arc::new(credential);
                *current = Some(Arc::clone(&credential));
                Ok(Some(credential))
            }
            Err(error) => {
                if error.next == NextStep::Reauthorize {
                    *self.refused.lock().await = Some(error.message.clone());
                }
                Err(error)
            }
        }
    }

    /// Drops a refused credential, unless somebody renewed it meanwhile.
    pub(super) async fn forget(&self, refused: Option<&Arc<Credential>>) {
        let mut current = self.current.lock().await;
        if let (Some(now), Some(refused)) = (current.as_ref(), refused)
            && Arc::ptr_eq(now, refused)
        {
            *current = None;
        }
    }
}

/// OAuth 2 with a refresh token, which some vendors replace at each use.
pub struct OAuth {
    /// The source, under which tokens are kept.
    pub source: String,
    /// Where tokens come from; on an allowed host.
    pub token_url: String,
    /// The client.
    pub client_id: String,
    /// Its secret, if it has one.
    pub client_secret: Option<SecretString>,
    /// The refresh token to begin with; a kept one is newer.
    pub refresh_token: SecretString,
}

/// The name that a rotated refresh token is kept under.
const REFRESH_TOKEN: &str = "refresh_token";

#[async_trait]
impl Login for OAuth {
    async fn login(&self, http: &Http) -> Result<Credential, Error> {
        let tokens = &http.environment().tokens;
        let kept = tokens.load(&self.source, REFRESH_TOKEN).await?;
        let refresh = kept.unwrap_or_else(|| self.refresh_token.clone());
        let url = TokenUrl::new(self.token_url.clone())
            .map_err(|_| Error::new(NextStep::FixConfig, "the token address is no web address"))?;
        let mut client = BasicClient::new(ClientId::new(self.client_id.clone())).set_token_uri(url);
        if let Some(secret) = &self.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        let client = client.set_auth_type(AuthType::RequestBody);
        let old = RefreshToken::new(refresh.expose_secret().to_owned());
        let send = |request: oauth2::HttpRequest| exchange(http.clone(), request);
        let answer = client.exchange_refresh_token(&old).request_async(&send).await.map_err(refused)?;
        if let Some(rotated) = answer.refresh_token().filter(|new| new.secret() != old.secret()) {
            // Kept before the access token is used: a crash in between must not lose the only valid one.
            tokens.save(&self.source, REFRESH_TOKEN, &SecretString::from(rotated.secret().clone())).await?;
        }
        // A little early, so that no request is on its way when the token dies.
        let lifetime = answer.expires_in().map(|lifetime| lifetime.mul_f64(0.9));
        let expires_at = lifetime.map(|lifetime| Time(http.now().0 + lifetime.as_micros() as i64));
        Credential::bearer(&SecretString::from(answer.access_token().secret().clone()), expires_at)
    }
}

/// Sends the `oauth2` crate's request through our client.
async fn exchange(http: Http, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, Error> {
    let (parts, body) = request.into_parts();
    let mut ours = Request::get(parts.uri.to_string());
    ours.method = parts.method;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    ours.body = Some((kind, body.into()));
    let response = http.bare(&ours).await?;
    let mut out = oauth2::HttpResponse::new(response.body.to_vec());
    *out.status_mut() =
        reqwest::StatusCode::from_u16(response.status).unwrap_or(reqwest::StatusCode::BAD_GATEWAY);
    *out.headers_mut() = response.headers;
    out.headers_mut().remove(AUTHORIZATION);
    Ok(out)
}

type OAuthError = RequestTokenError<Error, oauth2::StandardErrorResponse<BasicErrorResponseType>>;

fn refused(error: OAuthError) -> Error {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            let next = match answer.error() {
                BasicErrorResponseType::InvalidGrant => NextStep::Reauthorize,
                _ => NextStep::FixConfig,
            };
            let code = answer.error().as_ref().to_owned();
            Error::new(
                next,
                format!("the vendor refused to renew the sign-in ({code}); connect the source again"),
            )
        }
        RequestTokenError::Request(error) => error,
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Error::new(NextStep::Retry, "the answer to renewing the sign-in can't be read")
        }
    }
}
