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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tributary_store::work::{Planned, Standing};

    use super::*;
    use crate::status::{Configured, Known, judge};

    const HOUR: i64 = 3_600_000_000;

    fn rule(after_failures: u32) -> Rule {
        let on = CODES.iter().map(|code| (*code).to_owned()).collect();
        Rule { receiver: "ops".to_owned(), on, after_failures, remind_micros: 24 * HOUR }
    }

    /// A source that failed so many times in a row, at an hour.
    fn failed(times: u32, hour: i64) -> Status {
        let planned = Planned { failures: times, ..Planned::default() };
        let known = Known {
            standings: BTreeMap::from([("crm".to_owned(), Standing::default())]),
            planned: BTreeMap::from([("crm".to_owned(), planned)]),
            ..Known::default()
        };
        let configured = Configured {
            id: "crm".to_owned(),
            connector: "hubspot",
            schedule: None,
            streams: Vec::new(),
            next_due: std::sync::Arc::new(|_, _, _| None),
        };
        let mut status = judge(&known, &[configured], Time(hour * HOUR));
        // What else is wrong with it is not asked here; who never ran can't have failed.
        status.problems.retain(|problem| problem.code == "failing");
        if times > 0 && status.problems.is_empty() {
            status.problems.push(Problem {
                source: "crm".to_owned(),
                code: "failing".to_owned(),
                message: format!("failed {times} times in a row"),
                hint: None,
            });
        }
        status
    }

    fn told(alert: &Alert, hour: i64) -> Told {
        let Alert { source, code, message, since, .. } = alert.clone();
        Told { source, code, message, since, told_at: Time(hour * HOUR) }
    }

    #[test]
    fn a_source_that_fails_is_told_once_it_failed_often_enough() {
        assert_eq!(due(&failed(2, 0), &[], &rule(3)), []);
        let alerts = due(&failed(3, 1), &[], &rule(3));
        assert_eq!((alerts.len(), alerts[0].event, alerts[0].since), (1, Event::Began, Time(HOUR)));
    }

    #[test]
    fn what_was_told_is_told_again_after_a_day_and_when_it_is_over() {
        let began = due(&failed(3, 1), &[], &rule(3)).remove(0);
        assert_eq!(due(&failed(4, 2), &[told(&began, 1)], &rule(3)), []);
        let lasts = due(&failed(9, 25), &[told(&began, 1)], &rule(3));
        assert_eq!((lasts[0].event, lasts[0].since), (Event::Lasts, Time(HOUR)));
        assert_eq!(due(&failed(9, 26), &[told(&lasts[0], 25)], &rule(3)), []);
        let ended = due(&failed(0, 27), &[told(&lasts[0], 25)], &rule(3));
        assert_eq!((ended.len(), ended[0].event, ended[0].since), (1, Event::Ended, Time(HOUR)));
        assert!(ended[0].message.starts_with("it is over: failed"), "{}", ended[0].message);
    }

    #[test]
    fn what_a_rule_does_not_name_is_not_told() {
        let late_only = Rule { on: BTreeSet::from(["late".to_owned()]), ..rule(1) };
        assert_eq!(due(&failed(9, 1), &[], &late_only), []);
    }
}
