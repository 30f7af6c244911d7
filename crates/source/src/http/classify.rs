//! What a reply means, for vendors that do as everybody does.

use std::iter::successors;

use jiff::fmt::rfc2822;
use tributary_core::Time;

use super::Response;
use crate::error::{Error, NextStep};

/// What a reply means. Reasons are lower-case fragments without bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can be read.
    Fine,
    /// Too many requests: nobody may ask before.
    Throttled {
        /// Until when, if the vendor says.
        until: Option<Time>,
        /// Why.
        reason: String,
    },
    /// The credential is not valid (any more): sign in once more.
    AuthExpired(String),
    /// A person must sign in again.
    ReauthNeeded(String),
    /// A person must change the configuration, or a permission at the vendor.
    Config(String),
    /// May pass: try again.
    Transient(String),
    /// Too much for one request: split it.
    WindowTooBig(String),
    /// The cursor is lost: read the stream anew.
    CursorLost(String),
    /// This stream can't be had.
    SkipStream(String),
    /// This part of the stream can't be had.
    SkipPart(String),
    /// What was asked does not exist for the vendor: our own mistake, or a changed API.
    Wrong(String),
}

impl Verdict {
    /// The error that tells the daemon what to do.
    pub(crate) fn into_error(self) -> Error {
        let (next, reason) = match self {
            Self::Fine => (NextStep::Bug, "a reply that is fine was called an error".to_owned()),
            Self::Throttled { until: Some(until), reason } => (NextStep::Wait(until), reason),
            Self::Throttled { until: None, reason } | Self::Transient(reason) => (NextStep::Retry, reason),
            Self::AuthExpired(reason) | Self::ReauthNeeded(reason) => (NextStep::Reauthorize, reason),
            Self::Config(reason) => (NextStep::FixConfig, reason),
            Self::WindowTooBig(reason) => (NextStep::SplitWindow, reason),
            Self::CursorLost(reason) => (NextStep::Restart, reason),
            Self::SkipStream(reason) => (NextStep::SkipStream, reason),
            Self::SkipPart(reason) => (NextStep::SkipPart, reason),
            Self::Wrong(reason) => (NextStep::Bug, reason),
        };
        Error::new(next, reason)
    }
}

/// The usual meaning of a reply, for JSON APIs.
pub fn classify(response: &Response, now: Time) -> Verdict {
    let status = response.status;
    let until = || retry_after(response, now);
    match status {
        200..=299 if response.body.trim_ascii_start().starts_with(b"<") => Verdict::Transient(format!(
            "HTML instead of JSON (status {status}); is something between us and the vendor?"
        )),
        200..=299 => Verdict::Fine,
        300..=399 => {
            Verdict::Config(format!("the vendor redirects elsewhere (status {status}): check the address"))
        }
        401 => Verdict::AuthExpired("the vendor does not accept the credential (status 401)".to_owned()),
        403 => Verdict::Config("the credential lacks a permission (status 403)".to_owned()),
        408 => Verdict::Transient("the vendor timed out (status 408)".to_owned()),
        410 => Verdict::CursorLost("the vendor forgot where we were (status 410)".to_owned()),
        429 => Verdict::Throttled { until: until(), reason: "too many requests (status 429)".to_owned() },
        503 if response.headers.contains_key("retry-after") => {
            Verdict::Throttled { until: until(), reason: "the vendor is busy (status 503)".to_owned() }
        }
        500..=599 => Verdict::Transient(format!("the vendor failed (status {status})")),
        _ => Verdict::Wrong(format!("the vendor refused the request (status {status})")),
    }
}

/// A failure before there was a reply.
pub(super) fn transport(error: &reqwest::Error) -> Verdict {
    let what = if is_unknown_name(error) {
        "the server's name is not known: is the address right, and does this machine have a name server?"
    } else if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect: is the address right, and the server running?"
    } else if error.is_body() || error.is_decode() {
        "the reply was cut short or garbled"
    } else {
        "the connection broke"
    };
    Verdict::Transient(what.to_owned())
}

/// Whether the name was asked for and not found. No type tells, only the words.
fn is_unknown_name(error: &reqwest::Error) -> bool {
    let causes = successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).any(|words| words.starts_with("dns error"))
}

/// `Retry-After`: seconds, or a date.
fn retry_after(response: &Response, now: Time) -> Option<Time> {
    let text = response.headers.get("retry-after")?.to_str().ok()?.trim();
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..1e7).contains(&seconds) => Some(Time(now.0 + (seconds * 1e6) as i64)),
        Ok(_) => None,
        // By the vendor's own clock, which may differ from ours.
        Err(_) => {
            let wait = http_date(text)?.0 - response.server_time().unwrap_or(now).0;
            Some(Time(now.0 + wait.max(0)))
        }
    }
}

/// `Tue, 24 Nov 2026 09:00:00 GMT`.
pub(super) fn http_date(text: &str) -> Option<Time> {
    let parsed = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Time(parsed.as_microsecond()))
}
