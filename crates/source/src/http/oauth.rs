//! Signing in by OAuth 2: with a refresh token, as the client itself, or by a signed assertion.
//!
//! Not responsible for where sign-ins are kept between two processes, nor for how a person is asked: [`Consent`] says
//! what is to be opened, and reads what comes back.

mod assertion;
mod consent;

use std::time::Duration;

use async_trait::async_trait;
use oauth2::TokenResponse;
use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenType};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tributary_core::Time;
use tributary_core::id::Hash;

use super::{Bare, Credential, Login, Request};
use crate::environment::Kept;
use crate::error::{Error, NextStep};
use crate::settings::Settings;

pub use assertion::Assertion;
pub use consent::{Authorize, Consent};

/// How a source signs in by OAuth 2.
pub struct OAuth {
    /// The source, under which sign-ins are kept.
    pub source: String,
    /// Where a person allows it in a browser, if that is how.
    pub authorize: Option<Authorize>,
    /// Where tokens come from; on an allowed host.
    pub token_url: String,
    /// The client.
    pub client_id: String,
    /// Its secret, if it has one.
    pub client_secret: Option<SecretString>,
    /// What is asked for, where that must be said.
    pub scopes: Vec<String>,
    /// How long a refresh token lives, where the vendor documents it and does not tell.
    pub refresh_life: Option<Duration>,
    /// By what right.
    pub grant: Grant,
}

/// By what right a client gets access tokens.
pub enum Grant {
    /// What a person allowed: the configured token to begin with, or that which [`Consent`] brought. One that the
    /// vendor gave in its place is newer; one configured anew is newer still.
    RefreshToken(Option<SecretString>),
    /// The client's own.
    ClientCredentials,
    /// An assertion that is signed with a private key (RFC 7523).
    JwtBearer(Assertion),
}

/// An answer with tokens.
type Answer = oauth2::StandardTokenResponse<Extra, BasicTokenType>;

/// What vendors tell beside RFC 6749.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Extra {
    /// Seconds that the refresh token lives.
    #[serde(alias = "x_refresh_token_expires_in")]
    refresh_token_expires_in: Option<u64>,
    /// What was granted, as a list.
    scopes: Option<Vec<String>>,
}

impl oauth2::ExtraTokenFields for Extra {}

/// Why there was no answer with tokens.
enum Refusal {
    /// The grant is worth nothing any more.
    InvalidGrant,
    /// Anything else.
    Other(Error),
}

impl OAuth {
    /// A grant by a person: the secret `client_secret`, and `refresh_token` if it was not granted by
    /// `tributary connect`.
    pub fn of(settings: &Settings, client_id: &str, token_url: String) -> Result<Self, Error> {
        let secret = settings.secret("client_secret")?.clone();
        let grant = Grant::RefreshToken(settings.secrets.get("refresh_token").cloned());
        Ok(Self { client_secret: Some(secret), ..Self::by(grant, settings, client_id, token_url) })
    }

    /// Any grant, of a client that has no secret.
    pub fn by(grant: Grant, settings: &Settings, client_id: &str, token_url: String) -> Self {
        Self {
            source: settings.source.clone(),
            authorize: None,
            token_url,
            client_id: client_id.to_owned(),
            client_secret: None,
            scopes: Vec::new(),
            refresh_life: None,
            grant,
        }
    }

    /// The host that signs in, which an API must allow.
    pub fn host(&self) -> Option<String> {
        url::Url::parse(&self.token_url).ok()?.host_str().map(str::to_owned)
    }

    /// What is configured, as a hash: what is kept of another configuration does not hold.
    fn origin(&self) -> String {
        let secret = self.client_secret.as_ref().map_or("", |secret| secret.expose_secret());
        let parts = match &self.grant {
            Grant::RefreshToken(None) => return String::new(),
            Grant::RefreshToken(Some(token)) => ["refresh token", token.expose_secret(), ""],
            Grant::ClientCredentials => ["client", &self.client_id, secret],
            Grant::JwtBearer(assertion) => ["assertion", &assertion.issuer, assertion.key.expose_secret()],
        };
        Hash::of("grant", &parts).to_string()
    }

    /// Whether what is kept comes from what is configured.
    fn holds(&self, kept: &Kept) -> bool {
        match self.grant {
            Grant::RefreshToken(None) => kept.refresh_token.is_some(),
            _ => kept.origin == self.origin(),
        }
    }

    /// What a person does once the vendor refuses.
    fn remedy(&self) -> String {
        let source = &self.source;
        match self.grant {
            Grant::RefreshToken(_) if self.authorize.is_some() => format!("run `tributary connect {source}`"),
            Grant::RefreshToken(_) => "configure a new `refresh_token`".to_owned(),
            Grant::ClientCredentials | Grant::JwtBearer(_) => {
                format!("allow the client there, then run `tributary connect {source}`")
            }
        }
    }

    /// The form that asks for an access token.
    fn form(&self, kept: &Kept, now: Time) -> Result<Vec<(&'static str, SecretString)>, Error> {
        let scope = || Some(("scope", SecretString::from(self.scopes.join(" "))));
        let scope = || scope().filter(|_| !self.scopes.is_empty());
        let mut form = vec![("grant_type", SecretString::from(self.grant.name()))];
        match &self.grant {
            Grant::RefreshToken(configured) => {
                let token = kept.refresh_token.as_ref().or(configured.as_ref()).ok_or_else(|| {
                    let message = format!("source `{}` is not connected: {}", self.source, self.remedy());
                    Error::new(NextStep::Reauthorize, message)
                })?;
                form.push(("refresh_token", token.clone()));
            }
            Grant::ClientCredentials => form.extend(scope()),
            Grant::JwtBearer(assertion) => {
                form.push(("assertion", assertion.signed(&self.scopes, now)?));
                form.extend(scope());
                // The assertion says who asks.
                return Ok(form);
            }
        }
        form.extend(self.client());
        Ok(form)
    }

    /// Who asks.
    fn client(&self) -> impl Iterator<Item = (&'static str, SecretString)> {
        let secret = self.client_secret.iter().map(|secret| ("client_secret", secret.clone()));
        std::iter::once(("client_id", SecretString::from(self.client_id.as_str()))).chain(secret)
    }

    /// Sends a form to the token address.
    async fn ask(&self, http: &Bare, form: &[(&'static str, SecretString)]) -> Result<Answer, Refusal> {
        let fields: Vec<(&str, &str)> = form.iter().map(|(name, it)| (*name, it.expose_secret())).collect();
        let request = Request::post_form(&self.token_url, &fields).header("accept", "application/json");
        let response = http.send(&request).await.map_err(Refusal::Other)?;
        let other = |next, message: String| Refusal::Other(Error::new(next, message));
        let unreadable = || {
            let message = "the answer to renewing the sign-in can't be read";
            other(NextStep::Retry, message.to_owned())
        };
        if (200..300).contains(&response.status) {
            return serde_json::from_slice(&response.body).map_err(|_| unreadable());
        }
        let Ok(refusal) = serde_json::from_slice::<BasicErrorResponse>(&response.body) else {
            if !matches!(response.status, 401 | 403) {
                return Err(unreadable());
            }
            let message = format!(
                "the vendor refused to renew the sign-in (status {}): check the client, then connect the source again",
                response.status
            );
            return Err(other(NextStep::Reauthorize, message));
        };
        Err(match refusal.error() {
            BasicErrorResponseType::InvalidGrant => Refusal::InvalidGrant,
            BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => other(
                NextStep::FixConfig,
                "the vendor does not know the client: check the client id and secret".to_owned(),
            ),
            BasicErrorResponseType::InvalidScope => other(
                NextStep::FixConfig,
                format!("the vendor does not grant the client these scopes: {}", self.scopes.join(" ")),
            ),
            _ => other(
                NextStep::FixConfig,
                "the vendor refused to renew the sign-in: check the client's settings and permissions there"
                    .to_owned(),
            ),
        })
    }

    /// What is to be kept of an answer.
    fn granted(&self, answer: &Answer, before: Kept, now: Time) -> Kept {
        let after = |life: Duration| Time(now.0.saturating_add(life.as_micros() as i64));
        let scopes = answer.scopes().map(|scopes| scopes.iter().map(|it| it.to_string()).collect());
        let rotated = answer.refresh_token().map(|token| SecretString::from(token.secret().as_str()));
        let told = answer.extra_fields().refresh_token_expires_in.map(Duration::from_secs);
        let until = match (told, &rotated) {
            (Some(life), _) => Some(after(life)),
            (None, Some(_)) => self.refresh_life.map(after).or(before.until),
            (None, None) => before.until,
        };
        Kept {
            origin: self.origin(),
            refresh_token: rotated.or(before.refresh_token),
            scopes: scopes.or_else(|| answer.extra_fields().scopes.clone()).unwrap_or(before.scopes),
            access_until: answer.expires_in().map(after),
            until,
            refused: None,
        }
    }
}

impl Grant {
    /// Its `grant_type`.
    fn name(&self) -> &'static str {
        match self {
            Self::RefreshToken(_) => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::JwtBearer(_) => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }
}

#[async_trait]
impl Login for OAuth {
    async fn login(&self, http: &Bare) -> Result<Credential, Error> {
        let tokens = &http.environment().tokens;
        let kept = tokens.take(&self.source).await?.filter(|kept| self.holds(kept)).unwrap_or_default();
        let told = kept.refused.clone().map(|why| Error::new(NextStep::Reauthorize, why));
        let form = told.map_or_else(|| self.form(&kept, http.now()), Err);
        let asked = match form {
            Ok(form) => self.ask(http, &form).await,
            Err(error) => Err(Refusal::Other(error)),
        };
        match asked {
            Ok(answer) => {
                // Kept before the access token is used: a crash in between must not lose the only valid refresh token.
                tokens.keep(&self.source, self.granted(&answer, kept, http.now())).await?;
                // A little early, so that no request is on its way when the token dies.
                let lifetime = answer.expires_in().map(|lifetime| lifetime.mul_f64(0.9));
                let expires_at = lifetime.map(|lifetime| Time(http.now().0 + lifetime.as_micros() as i64));
                Credential::bearer(&SecretString::from(answer.access_token().secret().as_str()), expires_at)
            }
            Err(Refusal::InvalidGrant) => {
                let remedy = self.remedy();
                let why = format!("the vendor refused to renew the sign-in (invalid_grant): {remedy}");
                let refused = Some(why.clone());
                tokens.keep(&self.source, Kept { origin: self.origin(), refused, ..kept }).await?;
                Err(Error::new(NextStep::Reauthorize, why))
            }
            Err(Refusal::Other(error)) => {
                tokens.leave(&self.source).await?;
                Err(error)
            }
        }
    }
}
