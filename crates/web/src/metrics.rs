//! `GET /metrics`: the status answer in Prometheus' text form, made when it is asked for.
//!
//! All but what is named `tributary_derive…` comes from the store, so that every daemon of one store tells the same
//! numbers: a query takes their `max by (source)`. Counters are kept in the store too, and survive every process.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use tributary_answers::status::{State as Word, Status, Total, status};
use tributary_core::Time;

use crate::Site;
use crate::fault::Fault;
use crate::pulse::Beat;

/// `GET /metrics`
pub(crate) async fn answer(State(site): State<Arc<Site>>) -> Result<impl IntoResponse, Fault> {
    let status = status(&site.store, &(site.sources)(), (site.now)()).await?;
    let text = render(&status, site.pulse.read());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

/// Metrics in the order in which they are told.
#[derive(Default)]
struct Text(String);

#[derive(Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
}

type Labels<'a> = &'a [(&'a str, &'a str)];

impl Text {
    /// Begins a metric.
    fn metric(&mut self, kind: Kind, name: &'static str, help: &str) -> Metric<'_> {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Metric { text: self, name }
    }

    fn gauge(&mut self, name: &'static str, help: &str) -> Metric<'_> {
        self.metric(Kind::Gauge, name, help)
    }

    fn counter(&mut self, name: &'static str, help: &str) -> Metric<'_> {
        self.metric(Kind::Counter, name, help)
    }
}

struct Metric<'a> {
    text: &'a mut Text,
    name: &'static str,
}

impl Metric<'_> {
    fn value(&mut self, labels: Labels<'_>, value: impl Display) {
        let out = &mut self.text.0;
        out.push_str(self.name);
        for (index, (label, said)) in labels.iter().enumerate() {
            let said = said.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(out, "{}{label}=\"{said}\"", if index == 0 { '{' } else { ',' });
        }
        if !labels.is_empty() {
            out.push('}');
        }
        let _ = writeln!(out, " {value}");
    }

    fn option(&mut self, labels: Labels<'_>, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(labels, value);
        }
    }
}

fn seconds(at: Time) -> f64 {
    at.0 as f64 / 1e6
}

fn render(status: &Status, beat: Beat) -> String {
    let mut text = Text::default();
    let mut metric = text.gauge("tributary_build_info", "The version that runs.");
    metric.value(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    sources(&mut text, status);
    streams(&mut text, status);
    totals(&mut text, status);
    let mut metric =
        text.gauge("tributary_dirty_records", "Records that landed and were not worked out yet.");
    metric.value(&[], status.pending);
    let mut metric = text
        .gauge("tributary_derive_duration_seconds", "How long this process took last to work out what came.");
    metric.option(&[], beat.derived_in.map(|took| took.as_secs_f64()));
    let mut metric =
        text.counter("tributary_derive_total", "How often this process worked out what came, by outcome.");
    metric.value(&[("outcome", "ok")], beat.derived);
    metric.value(&[("outcome", "failed")], beat.failed);
    text.0
}

fn sources(text: &mut Text, status: &Status) {
    let mut each = |name, help, value: &dyn Fn(&tributary_answers::status::SourceStatus) -> Option<f64>| {
        let mut metric = text.gauge(name, help);
        for it in &status.sources {
            metric.option(&[("source", &it.source)], value(it));
        }
    };
    let word =
        |state: Word| move |it: &tributary_answers::status::SourceStatus| Some(f64::from(it.state == state));
    each("tributary_source_running", "Whether a process has the source in hand.", &word(Word::Running));
    each("tributary_source_paused", "Whether the source is paused.", &word(Word::Paused));
    each("tributary_source_late", "Whether the source is overdue.", &word(Word::Late));
    let refused = word(Word::NeedsAuthorization);
    each("tributary_source_needs_authorization", "Whether a person must sign in again.", &refused);
    each("tributary_source_failures_in_a_row", "Runs in a row that failed.", &|it| {
        Some(f64::from(it.failures))
    });
    each("tributary_source_last_success_timestamp_seconds", "When a run last ended well.", &|it| {
        it.last_success_at.map(seconds)
    });
    each("tributary_source_last_run_timestamp_seconds", "When the last run began.", &|it| {
        it.last_run.as_ref().map(|run| seconds(run.started_at))
    });
    each("tributary_source_last_run_duration_seconds", "How long the last run took.", &|it| {
        it.last_run.as_ref().and_then(|run| run.took_seconds)
    });
    each("tributary_source_next_run_timestamp_seconds", "When the source is due next.", &|it| {
        it.next_at.map(seconds)
    });
    each(
        "tributary_source_lag_seconds",
        "How old the completeness is of the stream that is furthest behind.",
        &|it| it.lag_seconds.map(|lag| lag as f64),
    );
    each("tributary_source_requests_today", "Requests to the vendor since midnight UTC.", &|it| {
        Some(it.requests_today as f64)
    });
    each("tributary_source_requests_allowed", "Requests that may be sent in a day.", &|it| {
        it.requests_allowed.map(|allowed| allowed as f64)
    });
    each("tributary_source_quarantined_records", "Records that could not be understood.", &|it| {
        Some(it.quarantined as f64)
    });
    each("tributary_source_authorized_until_timestamp_seconds", "When the sign-in ends.", &|it| {
        it.authorized_until.map(seconds)
    });
    let mut metric = text.gauge("tributary_source_in_hand", "Which process has the source in hand.");
    for it in &status.sources {
        if let Some(holder) = &it.holder {
            metric.value(&[("source", &it.source), ("holder", holder)], 1);
        }
    }
    let mut problems: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for problem in &status.problems {
        *problems.entry((&problem.source, &problem.code)).or_default() += 1;
    }
    let mut metric = text.gauge("tributary_source_problems", "What a person should look at, by kind.");
    for ((source, code), count) in problems {
        metric.value(&[("source", source), ("code", code)], count);
    }
}

fn streams(text: &mut Text, status: &Status) {
    let all = || status.sources.iter().flat_map(|it| it.streams.iter().map(move |stream| (it, stream)));
    let mut metric =
        text.gauge("tributary_stream_complete_until_timestamp_seconds", "Until when the stream is complete.");
    for (it, stream) in all() {
        let labels = [("source", it.source.as_str()), ("stream", &stream.stream)];
        metric.option(&labels, stream.complete_until.map(seconds));
    }
    let mut metric =
        text.gauge("tributary_stream_read_done_records", "Records done of the read that the stream is in.");
    for (it, stream) in all() {
        let labels = [("source", it.source.as_str()), ("stream", &stream.stream)];
        metric.option(&labels, stream.reading.as_ref().and_then(|reading| reading.done));
    }
    let mut metric = text
        .gauge("tributary_stream_read_expected_records", "Records in all of the read that the stream is in.");
    for (it, stream) in all() {
        let labels = [("source", it.source.as_str()), ("stream", &stream.stream)];
        metric.option(&labels, stream.reading.as_ref().and_then(|reading| reading.total));
    }
}

/// One of the counts of runs.
type Count = fn(&Total) -> u64;

fn totals(text: &mut Text, status: &Status) {
    let mut metric = text.counter("tributary_runs_total", "Runs that ended, by outcome.");
    for it in &status.sources {
        for (outcome, total) in &it.totals {
            metric.value(&[("source", &it.source), ("outcome", outcome)], total.runs);
        }
    }
    let results: [(&str, Count); 5] = [
        ("read", |total| total.fetched),
        ("new", |total| total.added),
        ("unchanged", |total| total.unchanged),
        ("quarantined", |total| total.problems),
        ("deleted", |total| total.deleted),
    ];
    let mut metric =
        text.counter("tributary_records_total", "Records of runs that ended, by what became of them.");
    for it in &status.sources {
        for (result, count) in results {
            let sum: u64 = it.totals.values().map(count).sum();
            metric.value(&[("source", &it.source), ("result", result)], sum);
        }
    }
    let mut metric = text.counter("tributary_requests_total", "Requests to the vendor by runs that ended.");
    for it in &status.sources {
        let sum: u64 = it.totals.values().map(|total| total.requests).sum();
        metric.value(&[("source", &it.source)], sum);
    }
    let mut metric = text.counter("tributary_run_duration_seconds_total", "How long runs took that ended.");
    for it in &status.sources {
        let sum: f64 = it.totals.values().map(|total| total.took_seconds).sum();
        metric.value(&[("source", &it.source)], sum);
    }
}
