//! Time: microseconds UTC, and the one place where dates are read.
//!
//! Nothing here reads a clock. Vendors write dates in a handful of forms; [`When::parse`] reads them all, so
//! that no connector brings a parser of its own.

mod parse;

use std::fmt;

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// An instant in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub i64);

/// Half-open: from the first instant to the first instant after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first instant.
    pub from: Time,
    /// The first instant after.
    pub until: Time,
}

/// An IANA time zone such as `Europe/Berlin`; `UTC` unless a configuration says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// What a text said: an instant, or only a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// An instant.
    Instant(Time),
    /// A day, which covers these instants in the zone it was read in.
    Day(Span),
}

/// Why a text is not a time. Fragments that fit after "failed to read the time: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Neither an instant nor a day.
    #[error(
        "`{0}` is not a time (expected RFC 3339 such as 2026-03-31T09:30:00Z, or a date such as 2026-03-31)"
    )]
    Time(String),
    /// Not a calendar period.
    #[error("`{0}` is not a period (expected 2026, 2026-H1, 2026-Q1, 2026-03 or 2026-03-31)")]
    Period(String),
}

impl Time {
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant.
    pub const MAX: Self = Self(i64::MAX);

    /// So many seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// So many days later (earlier, if negative), of 24 hours each.
    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY_MICROS)))
    }

    /// Days from `earlier` to this, with fraction.
    pub fn days_since(self, earlier: Self) -> f64 {
        (self.0.saturating_sub(earlier.0)) as f64 / DAY_MICROS as f64
    }

    /// The day in `zone` that holds this instant, as `YYYY-MM-DD`.
    pub fn date_in(self, zone: &Zone) -> String {
        self.timestamp().map_or_else(|| self.to_string(), |at| zone.0.to_datetime(at).date().to_string())
    }

    fn timestamp(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_microsecond(self.0).ok()
    }
}

/// Microseconds in 24 hours.
pub const DAY_MICROS: i64 = 86_400_000_000;

impl fmt::Display for Time {
    /// RFC 3339 in UTC, without trailing zeros: `2026-03-31T09:30:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(at) => write!(f, "{at}"),
            None => write!(f, "{} µs", self.0),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// Looks up an IANA name.
    pub fn parse(name: &str) -> Option<Self> {
        TimeZone::get(name.trim()).ok().map(Self)
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What a clock on the wall shows at an instant, written as if it were UTC.
    pub fn wall_clock(&self, at: Time) -> Time {
        let shown = at.timestamp().and_then(|at| TimeZone::UTC.to_timestamp(self.0.to_datetime(at)).ok());
        shown.map_or(at, |shown| Time(shown.as_microsecond()))
    }

    /// The instant at which a clock on the wall shows this: the first of two, or, where clocks are set forward over it,
    /// as much later as they are.
    pub fn at_wall_clock(&self, shown: Time) -> Time {
        let local = shown.timestamp().map(|shown| TimeZone::UTC.to_datetime(shown));
        local.and_then(|local| self.instant(local)).unwrap_or(shown)
    }

    /// The day that holds an instant: 23 to 25 hours of it where clocks change.
    ///
    /// The days of a zone leave no gap and do not overlap. Beyond the year 9999, days are those of UTC.
    pub fn day_of(&self, at: Time) -> Span {
        self.calendar_day_of(at).unwrap_or_else(|| {
            let from = Time(at.0.div_euclid(DAY_MICROS).saturating_mul(DAY_MICROS));
            Span { from, until: from.plus_days(1) }
        })
    }

    fn calendar_day_of(&self, at: Time) -> Option<Span> {
        let date = self.0.to_datetime(at.timestamp()?).date();
        let day = self.day(date)?;
        // Clocks set back over midnight show yesterday's date again, in what is already today.
        if at < day.from {
            self.day(date.yesterday().ok()?)
        } else if at >= day.until {
            self.day(date.tomorrow().ok()?)
        } else {
            Some(day)
        }
    }

    fn day(&self, date: civil::Date) -> Option<Span> {
        self.days(date, date.tomorrow().ok()?)
    }

    fn days(&self, first: civil::Date, after: civil::Date) -> Option<Span> {
        Some(Span { from: self.midnight(first)?, until: self.midnight(after)? })
    }

    fn midnight(&self, date: civil::Date) -> Option<Time> {
        self.instant(date.at(0, 0, 0, 0))
    }

    fn instant(&self, local: civil::DateTime) -> Option<Time> {
        let at = self.0.to_ambiguous_timestamp(local).compatible().ok()?;
        Some(Time(at.as_microsecond()))
    }
}

impl Span {
    /// Whether the instant is within.
    pub fn contains(self, at: Time) -> bool {
        self.from <= at && at < self.until
    }

    /// Reads a year, half, quarter, month or day: `2026`, `2026-H1`, `2026-Q1`, `2026-03` or `2026-03-31`.
    pub fn parse_period(text: &str, zone: &Zone) -> Result<Self, TimeError> {
        parse::period(text.trim(), zone).ok_or_else(|| TimeError::Period(text.to_owned()))
    }
}

impl When {
    /// Reads any of the forms that vendors and spreadsheets write; a time without zone is in `zone`.
    ///
    /// | form | example | read as |
    /// |---|---|---|
    /// | RFC 3339, any offset, `T` or blank | `2026-03-31T09:30:00.5+02:00` | instant |
    /// | offset without colon, as Salesforce writes it | `2026-03-31T09:30:00.000+0000` | instant |
    /// | blank before the offset or `UTC` | `2026-03-31 09:30:00 UTC` | instant |
    /// | date and time without offset | `2026-03-31 09:30`, `20260331T09:30:00` | instant in `zone` |
    /// | German date and time | `31.03.2026 9:30` | instant in `zone` |
    /// | US date and time | `3/31/2026 9:30:00 AM` | instant in `zone` |
    /// | 9 or 10 digits | `1774949400` | seconds since 1970 |
    /// | 12 to 14 digits | `1774949400000` | milliseconds since 1970 |
    /// | 8 digits | `20260331` | day |
    /// | a date alone | `2026-03-31`, `31.03.2026`, `3/31/2026` | day |
    ///
    /// Slashes always mean month first, and years always have four digits: what could be meant in two ways is
    /// refused, and so is any other number of digits. A local time that the clocks skipped moves forward by the
    /// gap, one that happened twice is the earlier. What is finer than a microsecond is cut off.
    pub fn parse(text: &str, zone: &Zone) -> Result<Self, TimeError> {
        parse::when(text.trim(), zone).ok_or_else(|| TimeError::Time(text.to_owned()))
    }

    /// A day of the Gregorian calendar, as the instants it covers in `zone`.
    pub fn from_date(year: i16, month: i8, day: i8, zone: &Zone) -> Result<Self, TimeError> {
        let date = civil::Date::new(year, month, day).ok();
        let span = date.and_then(|date| zone.day(date));
        span.map(Self::Day).ok_or_else(|| TimeError::Time(format!("{year:04}-{month:02}-{day:02}")))
    }

    /// The instant itself, or the first of the day: when something began.
    pub fn start(self) -> Time {
        match self {
            Self::Instant(at) => at,
            Self::Day(day) => day.from,
        }
    }

    /// The instant itself, or the last microsecond of the day: when something closed.
    pub fn end(self) -> Time {
        match self {
            Self::Instant(at) => at,
            Self::Day(day) => Time(day.until.0 - 1),
        }
    }
}

impl Time {
    /// Reads any of the forms of [`When::parse`]; a day is its first instant.
    pub fn parse(text: &str, zone: &Zone) -> Result<Self, TimeError> {
        When::parse(text, zone).map(When::start)
    }
}
