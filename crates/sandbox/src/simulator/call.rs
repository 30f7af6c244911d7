//! A call as the vendor sees it, and the reply to it.

use bytes::Bytes;
use serde_json::Value;
use tributary_core::Time;
use tributary_source::http::Sent;

/// One request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// How many came before it.
    pub number: usize,
    /// When it came, by our clock.
    pub at: Time,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Call {
    pub(super) fn of(sent: &Sent) -> Self {
        let header = |(name, value): (&_, &_)| header(name, value);
        Self {
            method: sent.method.to_string(),
            path: sent.url.path().to_owned(),
            query: sent.url.query_pairs().into_owned().collect(),
            headers: sent.headers.iter().map(header).collect(),
            body: sent.body.clone(),
            ..Self::default()
        }
    }

    /// The path's segments.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// A parameter of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// The token in `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }

    /// The fields of a form in the body.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The JSON in the body; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A header's name and value as text.
pub(super) fn header(name: &impl AsRef<str>, value: &impl AsRef<[u8]>) -> (String, String) {
    (name.as_ref().to_lowercase(), String::from_utf8_lossy(value.as_ref()).into_owned())
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// One reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A reply of JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::of(status, "application/json;charset=utf-8", body.to_string())
    }

    /// A reply of text.
    pub fn text(status: u16, body: impl Into<Bytes>) -> Self {
        Self::of(status, "text/plain", body)
    }

    /// An error page as a server in between writes it.
    pub fn html(status: u16) -> Self {
        let page =
            format!("<!doctype html>\n<html><head><title>{status}</title></head><body>Error</body></html>\n");
        Self::of(status, "text/html", page)
    }

    fn of(status: u16, kind: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body: body.into() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds the server's time, unless it is told already.
    pub(super) fn dated(self, now: Time) -> Self {
        if self.headers.iter().any(|(name, _)| name == "date") {
            self
        } else {
            self.header("date", http_date(now))
        }
    }
}

/// An instant as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(at: Time) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let day = at.0.div_euclid(tributary_core::time::DAY_MICROS).rem_euclid(7) as usize;
    let month = part(5..7).parse::<usize>().unwrap_or(1).clamp(1, 12);
    format!("{}, {} {} {} {} GMT", DAYS[day], part(8..10), MONTHS[month - 1], part(0..4), part(11..19))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_wants_them() {
        for (micros, text) in [
            (784_111_777_000_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_795_510_800_123_456, "Tue, 24 Nov 2026 09:00:00 GMT"),
        ] {
            assert_eq!(http_date(Time(micros)), text);
        }
    }
}
