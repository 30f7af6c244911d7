//! `--from`, `--to`, `--period` and `--as-of` as spans of time in the company's zone.

use tributary_core::time::{Span, Time, When, Zone};

use crate::arguments::Scope;
use crate::failure::Failure;

/// The span that the flags name; without them, from the history's start on.
pub(crate) fn span(scope: &Scope, zone: &Zone, history_start: Option<Time>) -> Result<Span, Failure> {
    if let Some(period) = &scope.period {
        return parse_period(period, zone);
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

/// A day means its end: what was known when it was over.
pub(crate) fn as_of(scope: &Scope, zone: &Zone) -> Result<Option<Time>, Failure> {
    scope.as_of.as_ref().map(|text| Ok(parse(text, zone, "--as-of")?.end())).transpose()
}

fn parse(text: &str, zone: &Zone, flag: &str) -> Result<When, Failure> {
    When::parse(text, zone).map_err(|error| Failure::usage(format!("{flag}: {error}")))
}

fn parse_period(text: &str, zone: &Zone) -> Result<Span, Failure> {
    let unknown = || {
        Failure::usage(format!("--period: `{text}` is no period"))
            .hint("expected a year, half, quarter or month: 2026, 2026-H1, 2026-Q1, 2026-03")
    };
    let (year, part) = match text.trim().split_once('-') {
        Some((year, part)) => (year, part.to_ascii_uppercase()),
        None => (text.trim(), String::new()),
    };
    let year: i32 = year.parse().ok().filter(|year| (1900..=9998).contains(year)).ok_or_else(unknown)?;
    let number = |text: &str, most: u32| {
        text.parse::<u32>().ok().filter(|n| (1..=most).contains(n)).ok_or_else(unknown)
    };
    let (first, months) = if part.is_empty() {
        (1, 12)
    } else if let Some(half) = part.strip_prefix('H') {
        (number(half, 2)? * 6 - 5, 6)
    } else if let Some(quarter) = part.strip_prefix('Q') {
        (number(quarter, 4)? * 3 - 2, 3)
    } else {
        (number(&part, 12)?, 1)
    };
    let (end_year, end) = if first + months > 12 { (year + 1, 1) } else { (year, first + months) };
    let day =
        |year: i32, month: u32| parse(&format!("{year:04}-{month:02}-01"), zone, "--period").map(When::start);
    Ok(Span { from: day(year, first)?, until: day(end_year, end)? })
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

    fn period(text: &str) -> Scope {
        Scope { period: Some(text.to_owned()), ..Scope::default() }
    }

    #[test]
    fn a_period_begins_and_ends_at_the_companys_midnight() {
        check(period("2026"), "2025-12-31T23:00:00Z 2026-12-31T23:00:00Z");
        check(period("2026-H2"), "2026-06-30T22:00:00Z 2026-12-31T23:00:00Z");
        check(period("2026-q1"), "2025-12-31T23:00:00Z 2026-03-31T22:00:00Z");
        check(period("2026-12"), "2026-11-30T23:00:00Z 2026-12-31T23:00:00Z");
    }

    #[test]
    fn what_is_no_period_is_refused() {
        let hint = "\nhint: expected a year, half, quarter or month: 2026, 2026-H1, 2026-Q1, 2026-03";
        for text in ["2026-Q5", "2026-13", "26", "soon"] {
            let found = span(&period(text), &Zone::default(), None);
            assert_eq!(found.unwrap_err().to_string(), format!("--period: `{text}` is no period{hint}"));
        }
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
