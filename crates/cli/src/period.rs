//! `--from`, `--to`, `--period` and `--as-of` as spans of time in the company's zone.

use tributary_core::time::{Span, Time, When, Zone};

use crate::arguments::Scope;
use crate::failure::Failure;

/// The span that the flags name; without them, from the history's start on.
pub(crate) fn span(scope: &Scope, zone: &Zone, history_start: Option<Time>) -> Result<Span, Failure> {
    if let Some(period) = &scope.period {
        return Span::parse_period(period, zone)
            .map_err(|error| Failure::usage(format!("--period: {error}")));
    }
    let from = match &scope.from {
        Some(text) => parse(text, zone, "--from")?.start(),
        None => history_start.unwrap_or(Time::MIN),
    };
    let until = match &scope.to {
        Some(text) => match parse(text, zone, "--to")? {
            When::Instant(at) => at,
            When::Day(day) => day.until,
        },
        None => Time::MAX,
    };
    if scope.from.is_some() && scope.to.is_some() && from >= until {
        return Err(Failure::usage("--from is after --to"));
    }
    Ok(Span { from, until })
}

/// Whether a span leaves anything out.
pub(crate) fn is_limited(span: Span) -> bool {
    span.from != Time::MIN || span.until != Time::MAX
}

/// A day means its end: what was known when it was over.
pub(crate) fn as_of(scope: &Scope, zone: &Zone) -> Result<Option<Time>, Failure> {
    scope.as_of.as_ref().map(|text| Ok(parse(text, zone, "--as-of")?.end())).transpose()
}

fn parse(text: &str, zone: &Zone, flag: &str) -> Result<When, Failure> {
    When::parse(text, zone).map_err(|error| Failure::usage(format!("{flag}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scope: Scope, expected: &str) {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let found = match span(&scope, &zone, None) {
            Ok(span) => format!("{} {}", span.from, span.until),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{scope:?}");
    }

    #[test]
    fn a_period_begins_and_ends_at_the_companys_midnight() {
        let period = |text: &str| Scope { period: Some(text.to_owned()), ..Scope::default() };
        check(period("2026-H2"), "2026-06-30T22:00:00Z 2026-12-31T23:00:00Z");
        let refused = span(&period("2026-Q5"), &Zone::default(), None).unwrap_err().to_string();
        assert!(refused.starts_with("--period: `2026-Q5` is not a period"), "{refused}");
    }

    #[test]
    fn the_last_day_counts_to_its_end() {
        let scope =
            Scope { from: Some("2026-01-01".into()), to: Some("2026-01-31".into()), ..Scope::default() };
        check(scope, "2025-12-31T23:00:00Z 2026-01-31T23:00:00Z");
        let scope =
            Scope { from: Some("2026-02-01".into()), to: Some("2026-01-31".into()), ..Scope::default() };
        check(scope, "--from is after --to");
    }
}
