//! A JSON Web Token that says who asks for access, signed with a private key (RFC 7523, RS256).
//!
//! Signed by rustls, which is here anyway for TLS: a JWT library would bring a second set of cryptography along.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::CsrfToken;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tributary_core::Time;

use crate::error::{Error, NextStep};

/// Seconds that an assertion holds: some vendors accept no more than three minutes.
const LIFE_SECONDS: i64 = 180;

/// Who asks for access, and for whom.
pub struct Assertion {
    /// Who signs: a client or a service account.
    pub issuer: String,
    /// For whom, if not for itself.
    pub subject: Option<String>,
    /// To whom: most vendors want their token address.
    pub audience: String,
    /// The RSA private key, PEM.
    pub key: SecretString,
}

impl Assertion {
    /// The assertion, signed now.
    pub(super) fn signed(&self, scopes: &[String], now: Time) -> Result<SecretString, Error> {
        let seconds = now.0.div_euclid(1_000_000);
        let mut claims = json!({
            "iss": self.issuer,
            "sub": self.subject.as_ref().unwrap_or(&self.issuer),
            "aud": self.audience,
            "iat": seconds,
            "exp": seconds + LIFE_SECONDS,
            "jti": CsrfToken::new_random().secret(),
        });
        if !scopes.is_empty() {
            claims["scope"] = json!(scopes.join(" "));
        }
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims));
        let signature = self.sign(message.as_bytes())?;
        Ok(SecretString::from(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let fault = || {
            let message = "the private key is no RSA key in PEM form (-----BEGIN PRIVATE KEY-----)";
            Error::new(NextStep::FixConfig, message)
        };
        // In a vendor's JSON file its line breaks are written `\n`.
        let pem = SecretString::from(self.key.expose_secret().replace("\\n", "\n"));
        let key = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes()).map_err(|_| fault())?;
        let key = any_supported_type(&key).map_err(|_| fault())?;
        let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).ok_or_else(fault)?;
        signer.sign(message).map_err(|error| Error::new(NextStep::Bug, "cannot sign").because(error))
    }
}
