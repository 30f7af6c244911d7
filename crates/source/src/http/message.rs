//! What is asked and what comes back.

use std::fmt;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tributary_core::Time;
use url::Url;

use super::classify::http_date;
use crate::error::{Error, NextStep};

/// One request. All of a connector's requests read, so each may be tried again.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) address: String,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Request {
    fn new(method: Method, address: impl Into<String>) -> Self {
        Self { method, address: address.into(), query: Vec::new(), headers: Vec::new(), body: Bytes::new() }
    }

    /// A `GET` of a path below the base, or of a full address on an allowed host.
    pub fn get(address: impl Into<String>) -> Self {
        Self::new(Method::GET, address)
    }

    /// A `POST` of JSON that only reads, such as a search.
    pub fn post_json(address: impl Into<String>, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Error::new(NextStep::Bug, "cannot write a request's JSON").because(error))?;
        Ok(Self::post(address, "application/json", body))
    }

    /// A `POST` of a form that only reads.
    pub fn post_form(address: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::post(address, "application/x-www-form-urlencoded", body)
    }

    pub(super) fn post(address: impl Into<String>, kind: &str, body: impl Into<Bytes>) -> Self {
        let request = Self::new(Method::POST, address).header("content-type", kind);
        Self { body: body.into(), ..request }
    }

    /// Adds a header, in place of the [`Api`](super::Api)'s own of the same name.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// The request as it goes out, without a credential.
    pub(super) fn to(&self, mut url: Url) -> Result<Sent, Error> {
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let headers = self.headers.iter().map(|(name, value)| header(name, value));
        let headers = headers.collect::<Result<HeaderMap, Error>>()?;
        Ok(Sent { method: self.method.clone(), url, headers, body: self.body.clone() })
    }
}

/// A header from texts; the error shows the name only.
pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let fault = |what: &str| Error::new(NextStep::FixConfig, format!("header `{name}` {what}"));
    let key =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| fault("has a name that no header may have"))?;
    let mut value = HeaderValue::from_str(value).map_err(|_| fault("holds signs that no header may hold"))?;
    // Hidden in Debug and kept out of HTTP/2's compression tables: a key may stand in any header but this.
    value.set_sensitive(key != CONTENT_TYPE);
    Ok((key, value))
}

/// A request as it goes out.
#[derive(Clone)]
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
    /// A reply that did not come over a socket. Headers that HTTP does not allow are left out.
    pub fn new(status: u16, headers: &[(String, String)], body: impl Into<Bytes>) -> Self {
        let allowed = headers.iter().filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        });
        Self { status, headers: allowed.collect(), body: body.into() }
    }

    /// The server's own time.
    pub fn server_time(&self) -> Option<Time> {
        http_date(self.headers.get("date")?.to_str().ok()?)
    }

    /// Reads the body as JSON. The error says where, not what: bodies hold personal data.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
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
