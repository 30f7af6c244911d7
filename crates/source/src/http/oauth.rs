//! Signing in by OAuth 2 with a refresh token.

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken,
    RequestTokenError, TokenResponse, TokenUrl,
};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use tributary_core::Time;
use tributary_core::id::Hash;

use super::{Bare, Credential, Login, Request};
use crate::error::{Error, NextStep};
use crate::settings::Settings;

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
    /// The refresh token to begin with. One that the vendor gave in its place is newer; one configured anew is
    /// newer still.
    pub refresh_token: SecretString,
}

impl OAuth {
    /// The grant in a source's settings: secrets `client_secret` and `refresh_token`.
    pub fn of(settings: &Settings, client_id: &str, token_url: String) -> Result<Self, Error> {
        Ok(Self {
            source: settings.source.clone(),
            token_url,
            client_id: client_id.to_owned(),
            client_secret: Some(settings.secret("client_secret")?.clone()),
            refresh_token: settings.secret("refresh_token")?.clone(),
        })
    }

    /// The host that signs in, which an API must allow.
    pub fn host(&self) -> Option<String> {
        url::Url::parse(&self.token_url).ok()?.host_str().map(str::to_owned)
    }

    /// The name that successors of the configured token are kept under.
    fn kept_name(&self) -> String {
        format!("refresh_token of {}", Hash::of("refresh token", &[self.refresh_token.expose_secret()]))
    }
}

#[async_trait]
impl Login for OAuth {
    async fn login(&self, http: &Bare) -> Result<Credential, Error> {
        let (tokens, name) = (&http.environment().tokens, self.kept_name());
        let kept = tokens.load(&self.source, &name).await?;
        let refresh = kept.unwrap_or_else(|| self.refresh_token.clone());
        let url = TokenUrl::new(self.token_url.clone())
            .map_err(|_| Error::new(NextStep::FixConfig, "the token address is no web address"))?;
        let mut client = BasicClient::new(ClientId::new(self.client_id.clone())).set_token_uri(url);
        if let Some(secret) = &self.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        let client = client.set_auth_type(AuthType::RequestBody);
        let old = RefreshToken::new(refresh.expose_secret().to_owned());
        let answer = client.exchange_refresh_token(&old).request_async(http).await.map_err(refused)?;
        if let Some(rotated) = answer.refresh_token().filter(|new| new.secret() != old.secret()) {
            // Kept before the access token is used: a crash in between must not lose the only valid one.
            tokens.save(&self.source, &name, &SecretString::from(rotated.secret().clone())).await?;
        }
        // A little early, so that no request is on its way when the token dies.
        let lifetime = answer.expires_in().map(|lifetime| lifetime.mul_f64(0.9));
        let expires_at = lifetime.map(|lifetime| Time(http.now().0 + lifetime.as_micros() as i64));
        Credential::bearer(&SecretString::from(answer.access_token().secret().clone()), expires_at)
    }
}

/// Sends the `oauth2` crate's requests through our client: its own is bound to an older reqwest.
impl<'c> AsyncHttpClient<'c> for Bare {
    type Error = Error;
    type Future = BoxFuture<'c, Result<HttpResponse, Error>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let (parts, body) = request.into_parts();
        let ours = Request::post(parts.uri.to_string(), "application/x-www-form-urlencoded", body)
            .header("accept", "application/json");
        async move {
            let response = self.send(&ours).await?;
            let says_why = serde_json::from_slice::<serde_json::Value>(&response.body).is_ok();
            if matches!(response.status, 401 | 403) && !says_why {
                let status = response.status;
                let message = format!(
                    "the vendor refused to renew the sign-in (status {status}): check the client, then connect the source again"
                );
                return Err(Error::new(NextStep::Reauthorize, message));
            }
            let mut theirs = HttpResponse::new(response.body.to_vec());
            *theirs.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::BAD_GATEWAY);
            *theirs.headers_mut() = response.headers;
            Ok(theirs)
        }
        .boxed()
    }
}

type OAuthError = RequestTokenError<Error, oauth2::StandardErrorResponse<BasicErrorResponseType>>;

fn refused(error: OAuthError) -> Error {
    match error {
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            BasicErrorResponseType::InvalidGrant => Error::new(
                NextStep::Reauthorize,
                "the vendor refused to renew the sign-in (invalid_grant): connect the source again",
            ),
            BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => Error::new(
                NextStep::FixConfig,
                "the vendor does not know the client: check the client id and secret",
            ),
            _ => Error::new(
                NextStep::FixConfig,
                "the vendor refused to renew the sign-in: check the client's settings and permissions there",
            ),
        },
        RequestTokenError::Request(error) => error,
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Error::new(NextStep::Retry, "the answer to renewing the sign-in can't be read")
        }
    }
}
