//! A live connection of the broken sources: how it reads, and where that goes wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tributary_core::Time;

use super::Bug;
use crate::connector::{
    Counted, Covers, Cursor, Finding, Next, Page, Part, Record, Source, Span, Stream, Task,
};
use crate::error::{Error, NextStep};
use crate::http::paging::{resume, resumed};
use crate::http::{Http, Request};

/// Records a page.
const PAGE: usize = 5;
/// How far a pull looks back, in microseconds.
const LOOK_BACK: i64 = 10 * 60 * 1_000_000;
/// Days of a window.
const WINDOW: i64 = 4;
/// Windows of `days`, the newest first.
const WINDOWS: [&str; 3] = ["2", "1", "0"];

/// A live connection.
pub(super) struct Connection {
    pub(super) bug: Option<Bug>,
    pub(super) http: Http,
    /// For the second stream.
    pub(super) other: Http,
    pub(super) key: String,
    /// What was read beyond what was handed over, for the mistake that needs it.
    pub(super) ahead: Mutex<Option<i64>>,
}

/// Where a span stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    began: Option<i64>,
    highest: i64,
    after: i64,
    done: u64,
    /// The vendor's own text for the next page.
    token: Option<String>,
}

#[derive(Default, Deserialize)]
struct Listed {
    items: Vec<Value>,
    more: bool,
    total: u64,
    token: Option<String>,
}

impl Connection {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    async fn list(&self, stream: &str, request: &Request) -> Result<(Listed, Option<Time>), Error> {
        let end = || (Listed::default(), None);
        let http = if stream == "lists" { &self.other } else { &self.http };
        let response = match http.send(request).await {
            Err(_) if self.has(Bug::ErrorIsEnd) => return Ok(end()),
            Err(error) if self.has(Bug::KeyInError) => {
                return Err(Error::new(error.next, format!("{error} (with key {})", self.key)));
            }
            other => other?,
        };
        if self.has(Bug::FollowsRedirects)
            && let Some(address) = response.headers.get("location").and_then(|it| it.to_str().ok())
        {
            return Ok((http.send(&Request::get(address)).await?.json()?, None));
        }
        let is_end = match self.bug {
            Some(Bug::DeadTokenIsEnd) => response.status == 410,
            Some(Bug::HtmlIsEmpty) => response.body.starts_with(b"<"),
            Some(Bug::EmptyIsEnd) => response.body.is_empty(),
            Some(Bug::GarbageIsEnd) => serde_json::from_slice::<Value>(&response.body).is_err(),
            Some(Bug::NoBound) => response.body.starts_with(b"  "),
            _ => false,
        };
        if is_end {
            return Ok(end());
        }
        Ok((response.json()?, response.server_time()))
    }
}

fn number(row: &Value, field: &str) -> i64 {
    row[field].as_i64().unwrap_or_default()
}

#[async_trait]
impl Source for Connection {
    async fn check(&self) -> Result<Vec<Finding>, Error> {
        if !self.has(Bug::NeverChecks) {
            self.list("things", &Request::get("things").query("limit", 1)).await?;
        }
        Ok(Vec::new())
    }

    async fn parts(&self, stream: &Stream) -> Result<Vec<Part>, Error> {
        let part = |name: &str| Part(name.to_owned());
        Ok(match (stream.name, self.bug) {
            ("days", Some(Bug::PartTwice)) => WINDOWS.iter().chain(&["0"]).map(|name| part(name)).collect(),
            ("days", _) => WINDOWS.map(part).to_vec(),
            (_, Some(Bug::PartsOfTheMinute)) => vec![Part(self.http.now().to_string())],
            _ => vec![Part::default()],
        })
    }

    async fn pull(&self, task: &Task) -> Result<Page, Error> {
        let place: Place = match resumed(task.resume.as_ref())? {
            Some(_) if self.has(Bug::IgnoresResume) => Place::default(),
            place => place.unwrap_or_default(),
        };
        let before = match &task.span {
            Span::Since(Some(cursor)) => self.read_cursor(cursor)?,
            _ => None,
        };
        if self.has(Bug::WindowsAreFinal) && task.stream == "days" && before.is_some() {
            return Ok(Page::new(Vec::new(), Next::Done(Cursor::of(0))));
        }
        let mut after = place.after;
        if self.has(Bug::StateBeforeData) {
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            after = match (&task.resume, *ahead) {
                (Some(_), Some(real)) => real,
                _ => after,
            };
            *ahead = None;
        }
        let mut request = self.request(task, &place, after, before);
        if self.has(Bug::KeyInAddress) {
            request = request.query("key", &self.key);
        }
        if self.has(Bug::KeyInLog) {
            tracing::debug!(key = %self.key, "asking");
        }
        let (mut listed, server_time) = self.list(task.stream, &request).await?;
        while self.has(Bug::ReadsAllIntoMemory) && task.stream == "things" && listed.more {
            after = listed.items.iter().map(|row| number(row, "id")).fold(after, i64::max);
            let (more, _) = self.list(task.stream, &self.request(task, &place, after, before)).await?;
            listed = Listed { items: listed.items.into_iter().chain(more.items).collect(), ..more };
        }
        if self.has(Bug::LogsRecords) {
            tracing::debug!(rows = ?listed.items, "read");
        }
        let is_mistake = match self.bug {
            Some(Bug::FailsOnEmptyPage) => {
                listed.more = listed.items.len() >= PAGE;
                listed.items.is_empty() && place.done > 0
            }
            Some(Bug::NeedsARecord) => listed.items.is_empty(),
            _ => false,
        };
        if is_mistake {
            return Err(Error::new(NextStep::Retry, "the page is empty"));
        }
        let ids = listed.items.iter().map(|row| number(row, "id"));
        let reached = Place {
            began: place.began.or(server_time.map(|at| at.0)),
            highest: listed
                .items
                .iter()
                .map(|row| number(row, "stamp"))
                .fold(place.highest.max(before.unwrap_or(0)), i64::max),
            after: ids.fold(after, i64::max),
            done: place.done + listed.items.len() as u64,
            token: listed.token.clone(),
        };
        if self.has(Bug::ForgetsTheRestored) {
            listed.items.retain(|row| row["restored"].is_null());
        }
        let is_sweep = task.span == Span::Sweep;
        let seen = listed.items.iter().map(|row| number(row, "id").to_string()).collect();
        let records = listed.items.iter().map(|row| self.record(task, before, row)).collect();
        // A walk over ids reads no record.
        let (records, seen) = if is_sweep { (Vec::new(), seen) } else { (records, Vec::new()) };
        let ends = !listed.more
            || self.has(Bug::FirstPageOnly)
            || self.has(Bug::LosesLastPage) && reached.done + PAGE as u64 >= listed.total;
        let next = if ends {
            Next::Done(self.cursor(&reached))
        } else if self.has(Bug::StateBeforeData) {
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(reached.after);
            Next::More(resume(&Place { after: reached.after + PAGE as i64, ..reached.clone() })?)
        } else {
            Next::More(resume(&reached)?)
        };
        let replaces = match task.stream {
            "days" => !self.has(Bug::AppendsWindows),
            stream => is_sweep || stream == "lists",
        };
        let total = listed.total + u64::from(self.has(Bug::Miscounts));
        let is_counted = !self.has(Bug::FailsOnEmptyPage) && self.bug != Some(Bug::ForgetsTheRestored);
        let mut page = Page {
            seen,
            covers: if replaces { Covers::Replace } else { Covers::Upsert },
            server_time,
            progress: Some((reached.done, total.max(reached.done))),
            counted: Some(Counted::once(reached.done, total.max(reached.done)))
                .filter(|_| ends && is_counted),
            ..Page::new(records, next)
        };
        if self.has(Bug::DeletesByPage) && is_sweep {
            page.next = Next::Done(Cursor::of(0));
            (page.progress, page.counted) = (None, None);
        }
        Ok(page)
    }
}

/// Berlin's clocks show an hour twice a year.
fn berlin() -> Option<jiff::tz::TimeZone> {
    jiff::tz::TimeZone::get("Europe/Berlin").ok()
}

impl Connection {
    fn read_cursor(&self, cursor: &Cursor) -> Result<Option<i64>, Error> {
        let text = cursor.0.strip_prefix("v1 ").and_then(|at| at.split(' ').next());
        if self.has(Bug::LocalCursor)
            && let Some((local, zone)) = text.and_then(|text| text.parse().ok()).zip(berlin())
        {
            let at = zone.to_ambiguous_timestamp(local).later().unwrap_or_default();
            return Ok(Some(at.as_microsecond()));
        }
        match text.and_then(|at| at.parse().ok()) {
            Some(at) => Ok(Some(at)),
            None if self.has(Bug::GuessesCursor) => Ok(Some(self.http.now().0)),
            None => Err(Error::new(NextStep::Restart, "the cursor was written by another version")),
        }
    }

    fn cursor(&self, reached: &Place) -> Cursor {
        let safe = reached.began.map_or(reached.highest, |began| began.min(reached.highest));
        let at = match self.bug {
            Some(Bug::RoundedCursor) => (safe / 1_000_000 + 1) * 1_000_000,
            Some(Bug::TrustsTheServersClock | Bug::LooksBackADayInstead) => reached.began.unwrap_or(safe),
            // Without look-back it is what was seen that counts, or nothing would be caught.
            Some(Bug::NoLookBack | Bug::StrictCursor) => reached.highest,
            _ => safe,
        };
        let key = if self.has(Bug::KeyInCursor) { format!(" {}", self.key) } else { String::new() };
        let local = berlin()
            .filter(|_| self.has(Bug::LocalCursor))
            .and_then(|zone| Some(zone.to_datetime(jiff::Timestamp::from_microsecond(at).ok()?).to_string()));
        Cursor(format!("v1 {}{key}", local.unwrap_or_else(|| at.to_string())))
    }

    fn look_back(&self) -> i64 {
        match self.bug {
            Some(Bug::NoLookBack | Bug::StrictCursor | Bug::RoundedCursor | Bug::TrustsTheServersClock) => 0,
            Some(Bug::LooksBackADayInstead) => 24 * 6 * LOOK_BACK,
            _ => LOOK_BACK,
        }
    }

    /// One page of a stream: from a cursor on, after an id, within a window.
    fn request(&self, task: &Task, place: &Place, after: i64, before: Option<i64>) -> Request {
        let limit = if self.has(Bug::AsksForAll) { 100_000 } else { PAGE };
        let mut request = Request::get(task.stream).query("limit", limit);
        if task.stream == "lists" {
            // Its pages have texts of their own.
            return place.token.iter().fold(request, |request, token| request.query("token", token));
        }
        if let Ok(window) = task.part.0.parse::<i64>() {
            let first = window * WINDOW + 1;
            let days = match self.bug {
                Some(Bug::OverlappingWindows) => WINDOW + 1,
                Some(Bug::LosesTheWindowsEdge) => WINDOW - 1,
                _ => WINDOW,
            };
            return request.query("after", after).query("from", first).query("until", first + days - 1);
        }
        let is_sweep = task.span == Span::Sweep;
        if matches!(self.bug, Some(Bug::CirclesInAnInstant | Bug::LeavesTheInstant)) && !is_sweep {
            let from = if place.done > 0 {
                place.highest + i64::from(self.has(Bug::LeavesTheInstant))
            } else {
                before.map_or(0, |at| at - self.look_back())
            };
            return request.query("by_stamp", 1).query("since", from);
        }
        request = if self.has(Bug::PagesByOffset) {
            request.query("offset", place.done)
        } else {
            request.query("after", after)
        };
        match before.filter(|_| !self.has(Bug::ReadsAllAgain)) {
            Some(at) => {
                let from = at - self.look_back() + i64::from(self.has(Bug::StrictCursor));
                request.query("since", from)
            }
            None => request,
        }
    }

    fn record(&self, task: &Task, before: Option<i64>, row: &Value) -> Record {
        static READS: AtomicU64 = AtomicU64::new(0);
        let mut row = row.clone();
        let id = number(&row, "id").to_string();
        if self.has(Bug::StampsBodies) {
            row["read_at"] = Value::from(self.http.now().0);
        }
        if self.has(Bug::KeepsPlaceInRecord) {
            row["since"] = json!(before);
        }
        if self.has(Bug::Unrepeatable) {
            row["read"] = Value::from(READS.fetch_add(1, Ordering::Relaxed));
        }
        let stream = if self.has(Bug::StrangeStream) { "strange" } else { task.stream };
        let id = if self.has(Bug::NoId) { String::new() } else { id };
        Record::of(stream, id, Some(Time(number(&row, "stamp"))), &row)
    }
}
