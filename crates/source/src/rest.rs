//! Ordinary REST APIs, declared instead of written: lists with pages, an id, a stamp, and a parameter for what is new.
//!
//! What a vendor does otherwise is written by hand in its connector. A declared stream looks back, never moves its
//! cursor beyond what was seen, and takes the server's clock for the time, as hand-written ones do.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tributary_core::Time;
use tributary_core::time::Zone;

use crate::connector::{Counted, Covers, Cursor, Next, Page, Record, Stream, Task};
use crate::error::{Error, NextStep};
use crate::http::paging::{next_link, resume, resumed};
use crate::http::{Http, Request};

/// One stream of an ordinary API.
#[derive(Clone, Debug)]
pub struct RestStream {
    /// What it is called and how it is read: [`Mode::Keyset`](crate::Mode::Keyset) with `since`, else
    /// [`Mode::Snapshot`](crate::Mode::Snapshot).
    pub stream: Stream,
    /// The path below the API's address.
    pub path: &'static str,
    /// Parameters of every request.
    pub query: &'static [(&'static str, &'static str)],
    /// Where the records stand in a reply, as a JSON pointer; empty if the reply is the list.
    pub items: &'static str,
    /// Where a record's id stands.
    pub id: &'static str,
    /// Where a record says when it was modified last.
    pub stamp: Option<&'static str>,
    /// Where a reply says how many records the whole question finds.
    pub total: Option<&'static str>,
    /// How what is new is asked for.
    pub since: Option<Since>,
    /// How one page leads to the next.
    pub paging: Paging,
}

/// How what is new is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// The parameter that takes an instant, from which on records come.
    pub param: &'static str,
    /// How the instant is written.
    pub form: Instant,
    /// How many seconds a pull looks back: for what shows late.
    pub look_back_seconds: i64,
}

/// How an instant is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instant {
    /// RFC 3339 in UTC.
    Rfc3339,
    /// Whole seconds since 1970.
    Seconds,
    /// Whole milliseconds since 1970.
    Milliseconds,
}

/// How one page leads to the next.
#[derive(Clone, Copy, Debug)]
pub enum Paging {
    /// There is one page.
    Single,
    /// The reply gives a text for the next request.
    Token {
        /// The parameter that takes it.
        param: &'static str,
        /// Where it stands in the reply.
        next: &'static str,
    },
    /// The reply gives the next page's address.
    Address {
        /// Where it stands in the reply.
        next: &'static str,
    },
    /// The reply has a `Link: <…>; rel="next"` header.
    LinkHeader,
    /// Pages are counted from 1; one that is not full is the last.
    Number {
        /// The parameter that takes the number.
        param: &'static str,
        /// Records of a full page.
        size: usize,
    },
}

/// Where a span stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Place {
    /// The next page, in its paging's own form.
    next: String,
    began: Option<i64>,
    highest: i64,
    /// Records so far.
    came: u64,
    /// What the first page said how many there are.
    counted: Option<u64>,
}

/// Pulls one page of a declared stream.
pub async fn pull(http: &Http, streams: &[RestStream], task: &Task) -> Result<Page, Error> {
    let declared = streams.iter().find(|declared| declared.stream.name == task.stream);
    let declared = declared
        .ok_or_else(|| Error::new(NextStep::Bug, format!("no stream `{}` is declared", task.stream)))?;
    let before = task.since()?.map(Cursor::read).transpose()?.filter(|_| declared.since.is_some());
    let place = resumed::<Place>(task.resume.as_ref())?;
    let request = declared.request(before, place.as_ref());
    let place = place.unwrap_or_else(|| Place { highest: before.unwrap_or(0), ..Place::default() });
    let response = http.send(&request).await?;
    let body: Value = response.json()?;
    let items = body.pointer(declared.items).and_then(Value::as_array);
    let items = items.ok_or_else(|| {
        Error::new(
            NextStep::Retry,
            format!("the reply has no list at `{}`; the API may have changed", declared.items),
        )
    })?;
    let records = items.iter().map(|item| declared.record(item)).collect::<Result<Vec<_>, Error>>()?;
    let began = place.began.or(response.server_time().map(|at| at.0));
    let stamps = records.iter().filter_map(|record| record.stamp).map(|at| at.0);
    let highest = stamps.fold(place.highest, i64::max);
    let came = place.came + records.len() as u64;
    let total = declared.total.and_then(|path| number(body.pointer(path)?));
    let counted = place.counted.or(total);
    let next = match declared.next(&body, next_link(&response.headers), &place, records.len()) {
        Some(next) => Next::More(resume(&Place { next, began, highest, came, counted })?),
        // The server's clock may be ahead of its database's: never beyond what was seen.
        None => Next::Done(Cursor::of(began.map_or(highest, |began| began.min(highest)))),
    };
    let is_last = matches!(next, Next::Done(_));
    let counts = counted.zip(total.or(counted)).filter(|_| is_last);
    Ok(Page {
        covers: if declared.since.is_some() { Covers::Upsert } else { Covers::Replace },
        server_time: response.server_time(),
        progress: counted.map(|counted| (came, counted.max(came))),
        counted: counts.map(|(at_first, at_last)| Counted { came, at_first, at_last }),
        ..Page::new(records, next)
    })
}

/// Proves that the first stream may be read.
pub async fn check(http: &Http, streams: &[RestStream]) -> Result<(), Error> {
    for declared in streams.iter().take(1) {
        http.send(&declared.request(None, None)).await?;
    }
    Ok(())
}

impl RestStream {
    fn request(&self, before: Option<i64>, place: Option<&Place>) -> Request {
        let next = place.map(|place| place.next.as_str());
        if let (Paging::Address { .. } | Paging::LinkHeader, Some(address)) = (self.paging, next) {
            return Request::get(address);
        }
        let mut request = Request::get(self.path);
        for (name, value) in self.query {
            request = request.query(name, value);
        }
        if let (Some(since), Some(before)) = (self.since, before) {
            request = request.query(since.param, since.written(before));
        }
        match (self.paging, next) {
            (Paging::Token { param, .. } | Paging::Number { param, .. }, Some(next)) => {
                request.query(param, next)
            }
            _ => request,
        }
    }

    fn record(&self, item: &Value) -> Result<Record, Error> {
        let id = match item.pointer(self.id) {
            Some(Value::String(id)) if !id.trim().is_empty() => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => {
                let message =
                    format!("the reply has a record without id at `{}`; the API may have changed", self.id);
                return Err(Error::new(NextStep::Retry, message));
            }
        };
        let at = self.stamp.and_then(|path| stamp(item.pointer(path)?));
        Ok(Record::of(self.stream.name, id, at, item))
    }

    /// The next page, if there is one.
    fn next(&self, body: &Value, link: Option<String>, place: &Place, records: usize) -> Option<String> {
        let told = |path: &str| match body.pointer(path)? {
            Value::String(next) => Some(next.clone()).filter(|next| !next.is_empty()),
            Value::Number(next) => Some(next.to_string()),
            _ => None,
        };
        match self.paging {
            Paging::Single => None,
            Paging::Token { next, .. } | Paging::Address { next } => told(next),
            Paging::LinkHeader => link,
            Paging::Number { size, .. } => {
                let number: u64 = place.next.parse().unwrap_or(1);
                (records >= size).then(|| (number + 1).to_string())
            }
        }
    }
}

impl Since {
    /// The instant to ask from: the cursor less the look-back, never later by rounding.
    fn written(&self, before: i64) -> String {
        let from = before.saturating_sub(self.look_back_seconds.saturating_mul(1_000_000)).max(0);
        match self.form {
            Instant::Rfc3339 => Time(from.div_euclid(1_000_000) * 1_000_000).to_string(),
            Instant::Seconds => from.div_euclid(1_000_000).to_string(),
            Instant::Milliseconds => from.div_euclid(1000).to_string(),
        }
    }
}

/// A number, also as a text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A stamp: a text as vendors write times, or a number of seconds or milliseconds.
fn stamp(value: &Value) -> Option<Time> {
    /// Seconds do not get there before the year 5000.
    const MILLISECONDS_FROM: i64 = 100_000_000_000;
    match value {
        Value::String(text) => Time::parse(text, &Zone::default()).ok(),
        Value::Number(number) => {
            let number = number.as_i64()?;
            let micros = if number.abs() >= MILLISECONDS_FROM { 1000 } else { 1_000_000 };
            Some(Time(number.checked_mul(micros)?))
        }
        _ => None,
    }
}
