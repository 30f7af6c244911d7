//! How the state of sources, the contents of a store and past syncs look.

use tributary_answers::contents::Contents;
use tributary_answers::runs::Runs;
use tributary_answers::status::{SourceStatus, Status, StreamStatus};
use tributary_core::Time;

use super::cell::printable;
use super::{Answer, Cell, Table, wrapped};
use crate::command::status::Everything;

impl Answer for Everything {
    fn tables(&self) -> Vec<Table> {
        let mut tables = if self.status.sources.is_empty() { Vec::new() } else { self.status.tables() };
        tables.extend(contents(&self.contents, self.status.pending));
        tables
    }

    fn data(&self) -> Option<Table> {
        self.status.data()
    }
}

impl Answer for Status {
    fn tables(&self) -> Vec<Table> {
        let mut tables = vec![sources(self)];
        let reading = |source: &SourceStatus| source.streams.iter().any(|stream| stream.reading.is_some());
        if self.sources.iter().any(reading) {
            tables.push(in_reading(self));
        }
        if !self.problems.is_empty() {
            tables.push(problems(self));
        }
        tables
    }
}

fn sources(status: &Status) -> Table {
    let mut table = Table::new([
        "Source", "State", "Last run", "Took", "Outcome", "Read", "New", "Requests", "Next run", "Lag",
        "Quota",
    ]);
    for it in &status.sources {
        let last = it.last_run.as_ref();
        let count = |count: fn(&tributary_answers::status::LastRun) -> u64| {
            last.map_or(Cell::Nothing, |last| Cell::Count(count(last)))
        };
        table.row(vec![
            Cell::Text(it.source.clone()),
            Cell::Text(match &it.holder {
                Some(holder) => format!("{} ({holder})", it.state.word()),
                None => it.state.word().to_owned(),
            }),
            last.map_or(Cell::Nothing, |last| Cell::Time(last.started_at)),
            last.and_then(|last| last.took_seconds).map_or(Cell::Nothing, Cell::Lasting),
            Cell::option(last.map(|last| last.outcome.clone())),
            count(|last| last.fetched),
            count(|last| last.added),
            count(|last| last.requests),
            it.next_at.map_or(Cell::Nothing, Cell::Time),
            it.lag_seconds.map_or(Cell::Nothing, |lag| Cell::Lasting(lag as f64)),
            it.quota_used().map_or(Cell::Nothing, Cell::Share),
        ]);
    }
    table
}

/// Streams in the middle of a read.
fn in_reading(status: &Status) -> Table {
    let mut table = Table::new(["Being read", "Stream", "Done", "Of", "Ready"]);
    for source in &status.sources {
        for StreamStatus { stream, reading, .. } in &source.streams {
            let Some(reading) = reading else { continue };
            table.row(vec![
                Cell::Text(source.source.clone()),
                Cell::Text(stream.clone()),
                reading.done.map_or(Cell::Nothing, Cell::Count),
                reading.total.map_or(Cell::Nothing, Cell::Count),
                reading.done_at.map_or(Cell::Nothing, Cell::Time),
            ]);
        }
    }
    table
}

fn problems(status: &Status) -> Table {
    let mut table = Table::new(Vec::<String>::new()).title("problems");
    for problem in &status.problems {
        let message = format!("{}: {}", problem.source, problem.message);
        table.note(wrapped(&printable(&message), "  "));
        if let Some(hint) = &problem.hint {
            table.note(wrapped(&printable(&format!("hint: {hint}")), "    "));
        }
    }
    table
}

/// What is in a store, with the number of records that were not worked out yet.
fn contents(it: &Contents, pending: u64) -> Vec<Table> {
    let mut tables = Vec::new();
    if !it.records.is_empty() || !it.coverage.is_empty() {
        tables.push(streams(it));
    }
    if !it.sign_ins.is_empty() {
        let mut sign_ins = Table::new(["Source", "Signed in", "Scopes", "Until"]);
        for it in &it.sign_ins {
            sign_ins.row(vec![
                Cell::Text(it.source.clone()),
                Cell::Text(it.needs_authorization.clone().unwrap_or_else(|| "yes".to_owned())),
                Cell::option(Some(it.scopes.join(" ")).filter(|scopes| !scopes.is_empty())),
                it.until.map_or(Cell::Nothing, Cell::Time),
            ]);
        }
        tables.push(sign_ins);
    }
    tables.push(counts(it, pending));
    if !it.findings.is_empty() {
        let mut findings = Table::new(["Finding", "What to know"]);
        for finding in &it.findings {
            findings.row(vec![Cell::Text(finding.code.clone()), Cell::Text(finding.message.clone())]);
        }
        tables.push(findings);
    }
    if !it.quarantine.is_empty() {
        let mut quarantine = Table::new(["Source", "Where", "Column", "Why"]).title("in quarantine");
        for problem in &it.quarantine {
            quarantine.row(vec![
                Cell::Text(problem.source.clone()),
                Cell::Text(problem.place.clone()),
                Cell::Text(problem.field.clone()),
                Cell::Text(problem.reason.clone()),
            ]);
        }
        if it.quarantined > it.quarantine.len() as u64 {
            quarantine.note(format!("and {} more", it.quarantined - it.quarantine.len() as u64));
        }
        tables.push(quarantine);
    }
    tables
}

/// Streams with their records, and from when until when these are complete.
fn streams(contents: &Contents) -> Table {
    let mut table = Table::new(["Source", "Stream", "Records", "Complete from", "Complete until"]);
    let records = contents.records.iter().map(|it| (it.source.as_str(), it.stream.as_str()));
    let covered = contents.coverage.iter().map(|it| (it.source.as_str(), it.stream.as_str()));
    let all: std::collections::BTreeSet<(&str, &str)> = records.chain(covered).collect();
    for (source, stream) in all {
        let records =
            contents.records.iter().find(|it| (it.source.as_str(), it.stream.as_str()) == (source, stream));
        let covered =
            contents.coverage.iter().find(|it| (it.source.as_str(), it.stream.as_str()) == (source, stream));
        let text =
            |at: Option<Time>, without: &str| at.map_or_else(|| Cell::Text(without.to_owned()), Cell::Time);
        let (since, until) = covered.map_or((Cell::Nothing, Cell::Nothing), |it| {
            (text(it.since, "the beginning"), text(it.until, "never read to its end"))
        });
        table.row(vec![
            Cell::Text(source.to_owned()),
            Cell::Text(stream.to_owned()),
            Cell::Count(records.map_or(0, |it| it.records)),
            since,
            until,
        ]);
    }
    table
}

fn counts(contents: &Contents, pending: u64) -> Table {
    let counts = &contents.counts;
    let mut table = Table::new(["What", "How many"]);
    let mut line = |what: &str, count: u64| table.row(vec![Cell::Text(what.to_owned()), Cell::Count(count)]);
    line("accounts", counts.accounts);
    line("people", counts.people);
    line("deals", counts.deals);
    line("touches", counts.touches);
    for (reason, count) in &counts.silent {
        line(&format!("  that count for nothing: {reason}"), *count);
    }
    line("  of nobody known", counts.unresolved);
    line("streams never read to their end", contents.unfinished.len() as u64);
    line("records not worked out yet", pending);
    line("problems in quarantine", contents.quarantined);
    table
}

impl Answer for Runs {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new([
            "Run", "Source", "Began", "Took", "Outcome", "Read", "New", "Problems", "Deleted", "Requests",
            "Why",
        ]);
        for run in &self.runs {
            let it = &run.ended;
            table.row(vec![
                Cell::Count(run.run as u64),
                Cell::Text(run.source.clone()),
                Cell::Time(it.started_at),
                it.took_seconds.map_or(Cell::Nothing, Cell::Lasting),
                Cell::Text(it.outcome.clone()),
                Cell::Count(it.fetched),
                Cell::Count(it.added),
                Cell::Count(it.problems),
                Cell::Count(it.deleted),
                Cell::Count(it.requests),
                Cell::option(it.message.clone()),
            ]);
        }
        vec![table]
    }
}
