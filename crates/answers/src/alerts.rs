//! Which problems somebody is to be told of now: a pure function of what is wrong, what was told before, and a rule.
//!
//! Not responsible for finding problems ([`status`](crate::status)), nor for telling anybody.

use std::collections::BTreeSet;

use serde::Serialize;
use tributary_core::Time;
use tributary_store::alerts::Told;

use crate::status::{Problem, Status};

/// Problems that are told of unless a rule names others: those that need somebody soon.
pub const CODES: [&str; 7] = [
    "failing",
    "late",
    "needs_authorization",
    "authorization_ends",
    "row_drop",
    "quota_near",
    "version-ends",
];

/// Who is told of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Who: a name that stays, under which is remembered what was told.
    pub receiver: String,
    /// Codes of problems.
    pub on: BTreeSet<String>,
    /// Runs in a row that fail before it is told.
    pub after_failures: u32,
    /// When a problem that lasts is told again, in microseconds.
    pub remind_micros: i64,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// What happened.
    pub event: Event,
    /// The source.
    pub source: String,
    /// The problem's code.
    pub code: String,
    /// What is wrong, or was: a lower-case fragment that fits after the source and a colon.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Since when.
    #[serde(serialize_with = "crate::text::time")]
    pub since: Time,
}

/// What happened to a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It began.
    Began,
    /// It lasts.
    Lasts,
    /// It is over.
    Ended,
}

/// What a receiver is to be told now, given what it was told before.
pub fn due(status: &Status, told: &[Told], rule: &Rule) -> Vec<Alert> {
    let counts = |problem: &&Problem| {
        let source = status.sources.iter().find(|source| source.source == problem.source);
        let failures = source.map_or(0, |source| source.failures);
        rule.on.contains(&problem.code) && (problem.code != "failing" || failures >= rule.after_failures)
    };
    let problems: Vec<&Problem> = status.problems.iter().filter(counts).collect();
    let mut alerts = Vec::new();
    for problem in &problems {
        let before = told.iter().find(|told| told.source == problem.source && told.code == problem.code);
        let (event, since) = match before {
            None => (Event::Began, status.now),
            Some(told) if status.now.0 - told.told_at.0 >= rule.remind_micros => (Event::Lasts, told.since),
            Some(_) => continue,
        };
        alerts.push(Alert {
            event,
            source: problem.source.clone(),
            code: problem.code.clone(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            since,
        });
    }
    let is_over = |told: &&Told| {
        !problems.iter().any(|problem| problem.source == told.source && problem.code == told.code)
    };
    alerts.extend(told.iter().filter(is_over).map(|told| Alert {
        event: Event::Ended,
        source: told.source.clone(),
        code: told.code.clone(),
        message: format!("it is over: {}", told.message),
        hint: None,
        since: told.since,
    }));
    alerts
}
