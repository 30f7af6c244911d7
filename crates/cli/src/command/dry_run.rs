//! `tributary sync --dry-run`: one page of each stream, from where the last sync ended, and nothing written.

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_answers::AnswerError;
use tributary_core::Fact;
use tributary_source::{Cursor, Mode, Next, NextStep, Page, Source, Span, Stream, Task};
use tributary_sync::SourceRun;

use super::{Context, sync};
use crate::failure::{Failure, Outcome};
use crate::show::{self, Answer, Cell, Table};

#[derive(Serialize)]
struct Tried {
    streams: Vec<TriedStream>,
}

#[derive(Serialize)]
struct TriedStream {
    source: String,
    stream: &'static str,
    parts: usize,
    records: usize,
    /// What the records of the page say, by kind of fact.
    facts: BTreeMap<&'static str, usize>,
    problems: usize,
    first_problem: Option<String>,
    more: bool,
    error: Option<String>,
}

/// Asks each configured source for one page a stream.
pub(super) async fn run(context: &Context, ids: &[String]) -> Result<Outcome, Failure> {
    let runs = sync::runs(context, ids)?;
    let store = sync::open(context).await?;
    let mut streams = Vec::new();
    for run in &runs {
        let cursors = store.cursors(&run.id).await.map_err(AnswerError::from)?;
        let environment = context.environment(&store);
        let source =
            run.connector.connect(&run.settings, &environment).map_err(|error| match error.next {
                NextStep::FixConfig => Failure::usage(error.to_string()),
                _ => Failure::failed(format!("failed to connect source `{}`: {error}", run.id)),
            })?;
        for stream in run.connector.streams() {
            context.progress.say(&format!("{}: asking for {}", run.id, stream.name));
            streams.push(one(run, source.as_ref(), stream, &cursors).await);
        }
    }
    store.close().await;
    let failed = streams.iter().any(|stream| stream.error.is_some());
    show::print(&Tried { streams }, context.format)?;
    Ok(if failed { Outcome::SomeSourcesFailed } else { Outcome::Done })
}

async fn one(
    run: &SourceRun,
    source: &dyn Source,
    stream: &'static Stream,
    cursors: &BTreeMap<(String, String), String>,
) -> TriedStream {
    let mut tried = TriedStream {
        source: run.id.clone(),
        stream: stream.name,
        parts: 0,
        records: 0,
        facts: BTreeMap::new(),
        problems: 0,
        first_problem: None,
        more: false,
        error: None,
    };
    let page = match source.parts(stream).await {
        Err(error) => Err(error),
        Ok(parts) => {
            tried.parts = parts.len();
            let Some(part) = parts.into_iter().next() else { return tried };
            let cursor = cursors.get(&(stream.name.to_owned(), part.0.clone()));
            let cursor = cursor.filter(|_| stream.mode != Mode::Snapshot).cloned().map(Cursor);
            source.pull(&Task { stream: stream.name, part, span: Span::Since(cursor), resume: None }).await
        }
    };
    match page {
        Err(error) => tried.error = Some(error.to_string()),
        Ok(page) => tried.count(run, &page),
    }
    tried
}

impl TriedStream {
    fn count(&mut self, run: &SourceRun, page: &Page) {
        self.records = page.records.len();
        self.problems = page.rejects.len();
        self.first_problem =
            page.rejects.first().map(|it| format!("{}: {}", it.problem.field, it.problem.reason));
        self.more = matches!(page.next, Next::More(_));
        for record in &page.records {
            let normalized = run.connector.normalize(&run.settings, record);
            for fact in &normalized.facts {
                *self.facts.entry(kind(fact)).or_default() += 1;
            }
            self.problems += normalized.problems.len();
            if let (None, Some(problem)) = (&self.first_problem, normalized.problems.first()) {
                self.first_problem = Some(format!("{}: {}: {}", record.id, problem.field, problem.reason));
            }
        }
    }
}

fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Account(_) => "accounts",
        Fact::Person(_) => "people",
        Fact::Membership(_) => "memberships",
        Fact::Deal(_) => "deals",
        Fact::Stage(_) => "stages",
        Fact::Committee(_) => "committee",
        Fact::Touch(_) => "touches",
        Fact::Spend(_) => "spend",
        Fact::Alias(_) => "aliases",
        Fact::Merge(_) => "merges",
        Fact::Rate(_) => "rates",
        Fact::Name(_) => "names",
        Fact::Click(_) => "clicks",
        Fact::Claim(_) => "claims",
    }
}

impl Answer for Tried {
    fn tables(&self) -> Vec<Table> {
        let mut table =
            Table::new(["Source", "Stream", "Parts", "Records", "More", "Facts", "Problems", "What to know"]);
        for it in &self.streams {
            let facts: Vec<String> = it.facts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            table.row(vec![
                Cell::Text(it.source.clone()),
                Cell::Text(it.stream.to_owned()),
                Cell::Count(it.parts as u64),
                Cell::Count(it.records as u64),
                Cell::Text(if it.more { "yes" } else { "no" }.to_owned()),
                Cell::option(Some(facts.join(", ")).filter(|facts| !facts.is_empty())),
                Cell::Count(it.problems as u64),
                Cell::option(it.error.clone().or_else(|| it.first_problem.clone())),
            ]);
        }
        vec![table]
    }
}
