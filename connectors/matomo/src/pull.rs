//! How each stream is read.
//!
//! Visits are sorted by their last action, which moves as they grow: a page begins at the last action of the page
//! before it, so that a visit which grew meanwhile comes again instead of pushing another one out of sight. Where more
//! visits end in one second than a page holds, the next page is twice as large.

use std::future::Future;

use serde::{Deserialize, Serialize};
use tributary_core::Time;
use tributary_core::time::{When, Zone};
use tributary_source::http::paging::{resume, resumed};
use tributary_source::{Covers, Cursor, Error, Finding, Next, NextStep, Page, Part, Reach, Record, Task};

use crate::api::{Row, Rows, Server, needed};
use crate::config::Config;

/// A visit may grow until its visitor was idle for half an hour; a quarter more for slow trackers.
const SETTLED_SECONDS: i64 = 45 * 60;
/// What was tracked late is at most so much older than what was seen.
const LOOK_BACK_SECONDS: i64 = 24 * 60 * 60;

/// Where a span stands, in seconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Visits are taken up to this last action.
    until: i64,
    /// The last action that the page begins with.
    from: i64,
    /// Visits of the page.
    limit: usize,
    /// The latest last action taken.
    highest: i64,
}

pub(crate) async fn parts(server: &Server, config: &Config, stream: &str) -> Result<Vec<Part>, Error> {
    if stream == "sites" {
        return Ok(vec![Part::default()]);
    }
    if !config.sites.is_empty() {
        return Ok(config.sites.iter().map(|site| Part(site.to_string())).collect());
    }
    let rows = server.sites().await?.rows;
    rows.iter().map(|row| Ok(Part(needed(row, "idsite")?.to_string()))).collect()
}

pub(crate) async fn pull(server: &Server, config: &Config, task: &Task) -> Result<Page, Error> {
    let before = task.since()?.map(Cursor::read).transpose()?;
    match task.stream {
        "sites" => sites(server, task).await,
        "goals" => goals(server, task).await,
        "visits" => visits(server, config, task, before).await,
        other => Err(Error::new(NextStep::Bug, format!("matomo has no stream `{other}`"))),
    }
}

async fn sites(server: &Server, task: &Task) -> Result<Page, Error> {
    list(task, server.sites(), |row| Ok(record("sites", needed(row, "idsite")?.to_string(), None, row))).await
}

async fn goals(server: &Server, task: &Task) -> Result<Page, Error> {
    let site = &task.part.0;
    let goal = |row: &Row| Ok(record("goals", format!("{site}/{}", needed(row, "idgoal")?), None, row));
    list(task, server.goals(site), goal).await
}

/// A list that comes whole.
async fn list(
    task: &Task,
    rows: impl Future<Output = Result<Rows, Error>>,
    record: impl Fn(&Row) -> Result<Record, Error>,
) -> Result<Page, Error> {
    // There is one page: a place to go on from was written by another version.
    if task.resume.is_some() {
        return Err(Error::new(NextStep::Restart, format!("the list of {} has one page", task.stream)));
    }
    let Rows { rows, server_time } = rows.await?;
    let records = rows.iter().map(record).collect::<Result<Vec<_>, Error>>()?;
    let total = records.len() as u64;
    let (covers, progress) = (Covers::Replace, Some((total, total)));
    Ok(Page { covers, progress, server_time, ..Page::new(records, Next::Done(Cursor::of(0))) })
}

async fn visits(server: &Server, config: &Config, task: &Task, before: Option<i64>) -> Result<Page, Error> {
    let resumed = resumed::<Place>(task.resume.as_ref())?;
    let from = before.map_or(0, |before| before - LOOK_BACK_SECONDS);
    let begin = Place { until: i64::MAX, from, limit: config.page_size, highest: before.unwrap_or(0) };
    let place = resumed.unwrap_or(begin);
    let site = &task.part.0;
    let mut limit = place.limit;
    let Rows { rows, server_time } = loop {
        match server.visits(site, &range(config, place.from), place.from, limit).await {
            Err(error) if error.next == NextStep::SplitWindow && limit > 1 => limit /= 2,
            answer => break answer?,
        }
    };
    // The server's own clock decides what may still grow; a server that does not tell it is believed to the second.
    let settled = server_time.map_or(i64::MAX, |now| now.0 / 1_000_000 - SETTLED_SECONDS);
    let until = place.until.min(settled);
    let mut records = Vec::new();
    let mut last = place.from;
    let mut grows = false;
    for row in &rows {
        let at = needed(row, "serverTimestamp")?;
        if at > until {
            grows = true;
            break;
        }
        last = last.max(at);
        let id = format!("{site}/{}", needed(row, "idVisit")?);
        records.push(record("visits", id, Some(Time::from_seconds(at)), row));
    }
    let highest = records.iter().filter_map(|record| record.stamp).map(|at| at.0 / 1_000_000);
    let highest = highest.fold(place.highest, i64::max);
    let next = if grows || rows.len() < limit {
        Next::Done(Cursor::of(highest))
    } else {
        let limit = if last > place.from {
            // As large as the settings say, or as the server's time allows.
            limit.min(config.page_size)
        } else if limit == place.limit {
            limit.saturating_mul(2)
        } else {
            let message = format!("site {site}: more visits end in one second than Matomo has time for");
            return Err(Error::new(NextStep::Retry, message));
        };
        Next::More(resume(&Place { until, from: last, limit, highest })?)
    };
    // What is earlier is not read later either: `start` says what the first read asks for.
    let start = config.start.as_ref().filter(|_| before.is_none());
    let start = start.and_then(|day| When::parse(day, &Zone::default()).ok());
    let reach = start.map_or(Reach::Everything, |day| Reach::Since(day.start()));
    Ok(Page { reach, server_time, ..Page::new(records, next) })
}

/// The days that are asked for. Days of the site's zone begin up to 14 hours before those of UTC; those to come hold
/// nothing.
fn range(config: &Config, from: i64) -> String {
    let begin = Time::from_seconds(from).plus_days(-1).date_in(&Zone::default());
    let begin = match &config.start {
        Some(start) if *start > begin => start.clone(),
        _ => begin.max("2000-01-01".to_owned()),
    };
    format!("{begin},2099-12-31")
}

fn record(stream: &'static str, id: String, stamp: Option<Time>, row: &Row) -> Record {
    Record::of(stream, id, stamp, &serde_json::Value::Object(row.clone()))
}

/// Proves the token, and that each configured site may be seen.
pub(crate) async fn check(server: &Server, config: &Config) -> Result<Vec<Finding>, Error> {
    let rows = server.sites().await?.rows;
    let known = rows.iter().map(|row| needed(row, "idsite")).collect::<Result<Vec<_>, Error>>()?;
    let missing = config.sites.iter().filter(|site| !known.contains(&i64::from(**site)));
    let finding = |site| Finding {
        code: "site-hidden".to_owned(),
        message: format!("the token may not see site {site}: give its user view access"),
    };
    let mut findings: Vec<Finding> = missing.map(finding).collect();
    if known.is_empty() {
        let message = "the token may not see any site: give its user view access".to_owned();
        findings.push(Finding { code: "no-sites".to_owned(), message });
    }
    Ok(findings)
}
