//! The forms of dates and periods. Not responsible for the words of an error: a form either fits or does not.

use jiff::civil::{self, Date};

use super::{Span, Time, When, Zone};

pub(super) fn when(text: &str, zone: &Zone) -> Option<When> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() != 8 {
        return epoch(text).map(When::Instant);
    }
    if let Some(at) = with_offset(text) {
        return Some(When::Instant(at));
    }
    let between = |c: char| c == 'T' || c == 't' || c == ',' || c.is_whitespace();
    match text.split_once(between) {
        None => date(text).and_then(|date| zone.day(date)).map(When::Day),
        Some((day, rest)) => {
            let local = date(day)?.to_datetime(clock(rest.trim())?);
            zone.instant(local).map(When::Instant)
        }
    }
}

/// The number of digits tells the unit: seconds have ten from 2001 to 2286, milliseconds thirteen.
fn epoch(digits: &str) -> Option<Time> {
    let micros = match digits.len() {
        9 | 10 => 1_000_000,
        12..=14 => 1_000,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(micros).map(Time)
}

fn with_offset(text: &str) -> Option<Time> {
    let parse = |text: &str| Some(Time(text.parse::<jiff::Timestamp>().ok()?.as_microsecond()));
    if let Some(at) = parse(text) {
        return Some(at);
    }
    // `2026-03-31 09:30:00 UTC` and `2026-03-31 09:30:00 +0200`
    let (local, offset) = text.rsplit_once(' ')?;
    match offset {
        "UTC" | "GMT" | "Z" => parse(&format!("{}Z", local.trim_end())),
        _ if offset.starts_with(['+', '-']) => parse(&format!("{}{offset}", local.trim_end())),
        _ => None,
    }
}

fn date(text: &str) -> Option<Date> {
    let (year, month, day) = if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        (&text[..4], &text[4..6], &text[6..])
    } else if let Some((year, month, day)) = three(text, '-') {
        (year, month, day)
    } else if let Some((day, month, year)) = three(text, '.') {
        (year, month, day)
    } else {
        let (month, day, year) = three(text, '/')?;
        (year, month, day)
    };
    if year.len() != 4 {
        return None;
    }
    Date::new(number(year, 4)?, number(month, 2)? as i8, number(day, 2)? as i8).ok()
}

fn three(text: &str, mark: char) -> Option<(&str, &str, &str)> {
    let (first, rest) = text.split_once(mark)?;
    let (second, third) = rest.split_once(mark)?;
    Some((first, second, third))
}

/// `9:30`, `09:30:00`, `09:30:00.123` or `9:30 PM`.
fn clock(text: &str) -> Option<civil::Time> {
    let (text, half) = match text.char_indices().nth_back(1) {
        Some((at, _)) if text[at..].eq_ignore_ascii_case("am") => (text[..at].trim_end(), Some(0)),
        Some((at, _)) if text[at..].eq_ignore_ascii_case("pm") => (text[..at].trim_end(), Some(12)),
        _ => (text, None),
    };
    let mut parts = text.split(':');
    let hour = number(parts.next()?, 2)?;
    let minute = number(parts.next()?, 2)?;
    let (second, nanosecond) = match parts.next() {
        None => (0, 0),
        Some(second) => match second.split_once('.') {
            None => (number(second, 2)?, 0),
            Some((second, fraction)) => (number(second, 2)?, nanoseconds(fraction)?),
        },
    };
    if parts.next().is_some() {
        return None;
    }
    let hour = match half {
        None => hour,
        Some(noon) if (1..=12).contains(&hour) => hour % 12 + noon,
        Some(_) => return None,
    };
    // A leap second is the last of its minute, as it is with an offset.
    let second = if second == 60 { 59 } else { second };
    civil::Time::new(hour as i8, minute as i8, second as i8, nanosecond).ok()
}

fn nanoseconds(fraction: &str) -> Option<i32> {
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<9}").parse().ok()
}

/// A number of one to `most` ASCII digits, without sign.
fn number(text: &str, most: usize) -> Option<i16> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

pub(super) fn period(text: &str, zone: &Zone) -> Option<Span> {
    let (year, part) = text.split_once('-').map_or((text, None), |(year, part)| (year, Some(part)));
    if year.len() != 4 {
        return None;
    }
    let year = number(year, 4)?;
    let months = |first: i16, count: i16| {
        let first = Date::new(year, i8::try_from(first).ok()?, 1).ok()?;
        let after = first.checked_add(jiff::Span::new().months(count)).ok()?;
        zone.days(first, after)
    };
    let Some(part) = part else { return months(1, 12) };
    match part.as_bytes() {
        [b'H' | b'h', half @ b'1'..=b'2'] => months(i16::from(half - b'1') * 6 + 1, 6),
        [b'Q' | b'q', quarter @ b'1'..=b'4'] => months(i16::from(quarter - b'1') * 3 + 1, 3),
        [_, _] => months(number(part, 2)?, 1),
        _ => zone.day(date(text)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Zone {
        Zone::parse("Europe/Berlin").unwrap()
    }

    fn check(text: &str, expected: &str) {
        let found = match When::parse(text, &berlin()) {
            Ok(When::Instant(at)) => at.to_string(),
            Ok(When::Day(day)) => format!("{}..{}", day.from, day.until),
            Err(_) => "refused".to_owned(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_time_with_an_offset_needs_no_zone() {
        for text in [
            "2026-03-31T09:30:00Z",
            "2026-03-31t09:30:00z",
            "2026-03-31T11:30:00+02:00",
            "2026-03-31 11:30:00+02:00",
            "2026-03-31T09:30:00.000+0000",
            "2026-03-31T04:30:00.000000-0500",
            "2026-03-31T09:30:00-00:00",
            "2026-03-31T09:30Z",
            "2026-03-31 09:30:00 UTC",
            "2026-03-31 11:30:00 +0200",
            "  2026-03-31T09:30:00Z\n",
            "1774949400",
            "1774949400000",
        ] {
            check(text, "2026-03-31T09:30:00Z");
        }
        check("2026-03-31T09:30:00.123456789Z", "2026-03-31T09:30:00.123456Z");
        check("946684800", "2000-01-01T00:00:00Z");
        check("946684800000", "2000-01-01T00:00:00Z");
    }

    #[test]
    fn a_time_without_an_offset_is_in_the_zone() {
        for text in [
            "2026-03-31 11:30",
            "2026-03-31T11:30",
            "2026-03-31 11:30:00",
            "2026-03-31T11:30:00.000",
            "20260331T11:30:00",
            "31.03.2026 11:30",
            "31.3.2026, 11:30:00",
            "3/31/2026 11:30",
            "3/31/2026 11:30:00 AM",
            "03/31/2026, 11:30\u{202f}am",
        ] {
            check(text, "2026-03-31T09:30:00Z");
        }
        check("3/31/2026 9:30:00 PM", "2026-03-31T19:30:00Z");
        check("3/31/2026 12:05:00 AM", "2026-03-30T22:05:00Z");
        check("3/31/2026 12:05 PM", "2026-03-31T10:05:00Z");
        check("2026-03-31 11:30:00.5", "2026-03-31T09:30:00.5Z");
        check("2026-03-31 11:30:60", "2026-03-31T09:30:59Z");
    }

    #[test]
    fn a_skipped_time_moves_forward_and_a_repeated_one_is_the_earlier() {
        check("2026-03-29 02:30", "2026-03-29T01:30:00Z");
        check("2026-10-25 02:30", "2026-10-25T00:30:00Z");
    }

    #[test]
    fn a_date_covers_the_local_day() {
        for text in ["2026-03-31", "20260331", "31.03.2026", "31.3.2026", "3/31/2026", "03/31/2026"] {
            check(text, "2026-03-30T22:00:00Z..2026-03-31T22:00:00Z");
        }
        // 23 and 25 hours
        check("2026-03-29", "2026-03-28T23:00:00Z..2026-03-29T22:00:00Z");
        check("2026-10-25", "2026-10-24T22:00:00Z..2026-10-25T23:00:00Z");
        let day = When::from_date(2026, 3, 31, &berlin()).unwrap();
        assert_eq!(Ok(day), When::parse("2026-03-31", &berlin()));
        assert_eq!(day.end().to_string(), "2026-03-31T21:59:59.999999Z");
        assert_eq!(Time::parse("2026-03-31", &berlin()), Ok(day.start()));
        let refused = When::from_date(2026, 2, 30, &berlin()).unwrap_err().to_string();
        assert!(refused.starts_with("`2026-02-30` is not a time (expected"), "{refused}");
    }

    #[test]
    fn what_could_mean_two_things_or_nothing_is_refused() {
        for text in [
            "",
            " ",
            "soon",
            "2026",
            "2026-03",
            "31/03/2026",
            "3/31/26",
            "31.03.26",
            "2026-02-30",
            "20260230",
            "12345678",
            "1234567",
            "12345678901",
            "123456789012345",
            "-1774949400",
            "2026-03-31 25:00",
            "2026-03-31 11",
            "2026-03-31 11:30:00:00",
            "2026-03-31 11:30:00.",
            "2026-03-31 13:30 PM",
            "2026-03-31 0:30 AM",
            "2026-03-31 11:30 Uhr",
            "2026-+3-31",
            "2026-03-31T",
            "2026-03-31T09:30:00+99:00",
            "٢٠٢٦-٠٣-٣١",
            "9999-12-31T23:59:59-12:00",
        ] {
            check(text, "refused");
        }
    }

    #[test]
    fn a_period_begins_and_ends_at_local_midnight() {
        let check = |text: &str, expected: &str| {
            let found = match Span::parse_period(text, &berlin()) {
                Ok(span) => format!("{}..{}", span.from, span.until),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{text}");
        };
        check("2026", "2025-12-31T23:00:00Z..2026-12-31T23:00:00Z");
        check("2026-H2", "2026-06-30T22:00:00Z..2026-12-31T23:00:00Z");
        check("2026-Q1", "2025-12-31T23:00:00Z..2026-03-31T22:00:00Z");
        check(" 2026-q4 ", "2026-09-30T22:00:00Z..2026-12-31T23:00:00Z");
        check("2026-03", "2026-02-28T23:00:00Z..2026-03-31T22:00:00Z");
        check("2026-12", "2026-11-30T23:00:00Z..2026-12-31T23:00:00Z");
        check("2026-03-31", "2026-03-30T22:00:00Z..2026-03-31T22:00:00Z");
        for text in
            ["", "26", "2026-Q5", "2026-H0", "2026-13", "2026-00", "2026-3-", "20260331", "2026-W14", "é"]
        {
            check(
                text,
                &format!("`{text}` is not a period (expected 2026, 2026-H1, 2026-Q1, 2026-03 or 2026-03-31)"),
            );
        }
    }

    #[test]
    fn a_day_holds_its_first_instant_and_not_the_one_after() {
        let zone = berlin();
        let day = zone.day_of(Time::parse("2026-03-29T12:00:00Z", &zone).unwrap());
        assert_eq!((day.until.0 - day.from.0) / 3_600_000_000, 23);
        assert!(day.contains(day.from) && !day.contains(day.until));
        assert_eq!(zone.day_of(day.from), day);
        assert_eq!(zone.day_of(day.until).from, day.until);
        // Clocks went back over midnight, from 00:01 to 23:01.
        let zone = Zone::parse("America/St_Johns").unwrap();
        let at = Time::parse("2006-10-29T02:45:00Z", &zone).unwrap();
        assert_eq!(at.date_in(&zone), "2006-10-28");
        assert!(zone.day_of(at).contains(at));
        for at in [Time::MIN, Time::MAX] {
            zone.day_of(at);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(micros in -60_000_000_000_000_000_i64..200_000_000_000_000_000) {
            let at = Time(micros);
            proptest::prop_assert_eq!(When::parse(&at.to_string(), &berlin()), Ok(When::Instant(at)));
        }

        #[test]
        fn any_instant_is_within_its_day(micros in proptest::num::i64::ANY, seconds in -4_000_000_000_i64..8_000_000_000, zone in 0..4_usize) {
            let zone = Zone::parse(["UTC", "America/St_Johns", "Pacific/Apia", "America/Sao_Paulo"][zone]).unwrap();
            for at in [Time(micros), Time::from_seconds(seconds)] {
                let day = zone.day_of(at);
                proptest::prop_assert!(day.contains(at) || day.until == Time::MAX || day.from == Time::MIN, "{at} {day:?}");
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", like in "[0-9]{1,4}[-./T: ,]{0,2}[0-9]{0,4}[-./T: +]{0,2}[0-9]{0,4}[T ]?[0-9:.]{0,12} ?[APMapmZé+-]{0,3}[0-9]{0,4}") {
            for text in [text, like] {
                if let Ok(When::Day(day)) = When::parse(&text, &berlin()) {
                    proptest::prop_assert!(day.from < day.until);
                }
                let _ = Span::parse_period(&text, &berlin());
            }
        }
    }
}
