//! Asking a person in a browser: authorization code with PKCE (RFC 7636) and state.

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{OAuth, Refusal};
use crate::environment::{Environment, Kept};
use crate::error::{Error, NextStep};
use crate::http::address::check_scheme;
use crate::http::{Api, Bare, Http};

/// Where a person allows a source in a browser.
#[derive(Clone, Debug)]
pub struct Authorize {
    /// The page's address.
    pub url: String,
    /// What this vendor wants beside what all want.
    pub parameters: &'static [(&'static str, &'static str)],
    /// What this machine is called in the address that the vendor answers to: `127.0.0.1`, or `localhost` where the
    /// vendor wants that.
    pub this_machine: &'static str,
}

/// A question to a person that was begun and not yet answered.
pub struct Consent<'a> {
    oauth: &'a OAuth,
    address: Url,
    redirect: String,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
}

impl OAuth {
    /// Begins to ask a person; the vendor's answer comes to `redirect`.
    pub fn consent(&self, redirect: &str) -> Result<Consent<'_>, Error> {
        let fault = |message: String| Error::new(NextStep::FixConfig, message);
        let Some(authorize) = &self.authorize else {
            return Err(fault(format!("source `{}` is allowed by nobody in a browser", self.source)));
        };
        let page = AuthUrl::new(authorize.url.clone())
            .map_err(|_| fault(format!("`{}` is no web address", authorize.url)))?;
        check_scheme(page.url())?;
        let back = RedirectUrl::new(redirect.to_owned())
            .map_err(|_| fault(format!("`{redirect}` is no web address")))?;
        let client =
            BasicClient::new(ClientId::new(self.client_id.clone())).set_auth_uri(page).set_redirect_uri(back);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(self.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge);
        let parameters = authorize.parameters.iter();
        let request = parameters.fold(request, |request, (name, it)| request.add_extra_param(*name, *it));
        let (address, state) = request.url();
        Ok(Consent { oauth: self, address, redirect: redirect.to_owned(), state, verifier })
    }
}

impl Consent<'_> {
    /// What the person opens.
    pub fn address(&self) -> &str {
        self.address.as_str()
    }

    /// The code in the address that the vendor sent the browser to.
    pub fn answered(&self, address: &str) -> Result<SecretString, Error> {
        let refused = |message: String| Error::new(NextStep::Reauthorize, message);
        let redirect = Url::parse(&self.redirect).and_then(|base| base.join(address));
        let url = redirect.map_err(|_| refused("what came back is no web address".to_owned()))?;
        let field =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, it)| it.into_owned());
        if field("state").as_deref() != Some(self.state.secret().as_str()) {
            return Err(refused(
                "the answer belongs to another attempt (its state is another): nothing was kept, begin again"
                    .to_owned(),
            ));
        }
        if let Some(error) = field("error") {
            let is_code = error.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let code = if is_code { error.as_str() } else { "an error" };
            let what = if code == "access_denied" { "access was denied" } else { "the vendor refused" };
            return Err(refused(format!("{what} ({code}): nothing was kept")));
        }
        let code = field("code").filter(|code| !code.is_empty());
        code.map(SecretString::from).ok_or_else(|| refused("the answer has no code".to_owned()))
    }

    /// The code in what a person pasted: the whole address, or the code alone, which PKCE binds to this attempt.
    pub fn pasted(&self, text: &str) -> Result<SecretString, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::new(NextStep::Reauthorize, "nothing was pasted"));
        }
        if text.contains("://") || text.contains('=') && text.contains('?') {
            return self.answered(text);
        }
        Ok(SecretString::from(text))
    }

    /// Gives the code for tokens and keeps them, in place of what was kept before.
    pub async fn redeem(self, code: &SecretString, environment: &Environment) -> Result<Kept, Error> {
        let oauth = self.oauth;
        let api = Api { hosts: oauth.host().into_iter().collect(), ..Api::new(oauth.token_url.clone()) };
        let http = Bare(Http::new(api, environment)?);
        let mut form = vec![
            ("grant_type", SecretString::from("authorization_code")),
            ("code", code.clone()),
            ("redirect_uri", SecretString::from(self.redirect)),
            ("code_verifier", SecretString::from(self.verifier.secret().as_str())),
        ];
        form.extend(oauth.client());
        let answer = oauth.ask(&http, &form).await.map_err(|refusal| match refusal {
            Refusal::InvalidGrant => Error::new(
                NextStep::Reauthorize,
                "the vendor does not accept the code (invalid_grant): it lives a few minutes and serves once, begin again",
            ),
            Refusal::Other(error) => error,
        })?;
        let before = Kept { scopes: oauth.scopes.clone(), ..Kept::default() };
        let kept = oauth.granted(&answer, before, http.now());
        if kept.refresh_token.as_ref().is_none_or(|token| token.expose_secret().is_empty()) {
            let message = "the vendor gave no refresh token: allow the client offline access there, and ask for it in `scopes`";
            return Err(Error::new(NextStep::FixConfig, message));
        }
        environment.tokens.replace(&oauth.source, kept.clone()).await?;
        Ok(kept)
    }
}
