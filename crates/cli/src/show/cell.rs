//! One value of a table: readable for people, exact for programs.

use tributary_core::money::{Currency, Money};
use tributary_core::time::Time;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Nothing is known.
    Nothing,
    /// A text.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A real number.
    Real(f64),
    /// A part of one.
    Share(f64),
    /// Money in a currency that the column's name says.
    Money(i64, Currency),
    /// A difference of money, shown with its sign.
    Change(i64, Currency),
    /// An instant.
    Time(Time),
    /// So many seconds.
    Lasting(f64),
}

impl Cell {
    /// A text, or nothing.
    pub(crate) fn option(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(text.into()))
    }

    /// Whether it is aligned to the right.
    pub(super) fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Count(_)
                | Self::Real(_)
                | Self::Share(_)
                | Self::Money(..)
                | Self::Change(..)
                | Self::Lasting(_)
        )
    }

    /// For people: thousands apart, shares in per cent.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Nothing => "–".to_owned(),
            Self::Text(text) => printable(text),
            Self::Count(count) => grouped(&count.to_string()),
            Self::Real(value) => grouped(&format!("{value:.2}")),
            Self::Share(share) => format!("{:.1} %", share * 100.0),
            Self::Change(0, _) => "·".to_owned(),
            Self::Change(minor, currency) if *minor > 0 => format!("+{}", money(*minor, *currency)),
            Self::Money(minor, currency) | Self::Change(minor, currency) => money(*minor, *currency),
            Self::Time(at) => at
                .to_string()
                .replace('T', " ")
                .trim_end_matches('Z')
                .split('.')
                .next()
                .unwrap_or("")
                .to_owned(),
            Self::Lasting(seconds) => lasting(*seconds),
        }
    }

    /// For programs: plain and exact, nothing for what is unknown.
    pub(super) fn exact(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Real(value) | Self::Share(value) | Self::Lasting(value) => value.to_string(),
            Self::Money(minor, currency) | Self::Change(minor, currency) => {
                Money::new(*minor, *currency).to_decimal().to_string()
            }
            Self::Time(at) => at.to_string(),
        }
    }
}

/// An amount with its thousands apart, without its currency.
pub(crate) fn money(minor: i64, currency: Currency) -> String {
    grouped(&Money::new(minor, currency).to_decimal().to_string())
}

/// The two largest units of a while: `3 h 20 min`.
fn lasting(seconds: f64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds as u64;
    let Some(first) = UNITS.iter().position(|(unit, _)| whole >= *unit) else { return "0 s".to_owned() };
    let mut left = whole;
    let mut words = Vec::new();
    for (unit, name) in UNITS.iter().skip(first).take(2) {
        if left / unit > 0 {
            words.push(format!("{} {name}", left / unit));
        }
        left %= unit;
    }
    words.join(" ")
}

/// What comes from outside may hold control characters, which a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Puts commas between groups of three digits before the point.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let mut out = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_thousands_and_programs_see_numbers() {
        let yen = Currency::parse("JPY").unwrap();
        for (cell, shown, exact) in [
            (Cell::Money(123_456_789, Currency::USD), "1,234,567.89", "1234567.89"),
            (Cell::Money(-100, Currency::USD), "-1.00", "-1.00"),
            (Cell::Money(1_000, yen), "1,000", "1000"),
            (Cell::Change(250, Currency::USD), "+2.50", "2.50"),
            (Cell::Count(999), "999", "999"),
            (Cell::Share(0.1234), "12.3 %", "0.1234"),
            (Cell::Time(Time::from_seconds(0)), "1970-01-01 00:00:00", "1970-01-01T00:00:00Z"),
            (Cell::Lasting(1.25), "1.2 s", "1.25"),
            (Cell::Lasting(59.9), "59 s", "59.9"),
            (Cell::Lasting(3_600.0), "1 h", "3600"),
            (Cell::Lasting(93_784.0), "1 d 2 h", "93784"),
            (Cell::Nothing, "–", ""),
        ] {
            assert_eq!((cell.shown().as_str(), cell.exact().as_str()), (shown, exact));
        }
    }

    #[test]
    fn a_terminal_is_never_told_what_to_do() {
        assert_eq!(Cell::Text("Evil\u{1b}[2J".to_owned()).shown(), "Evil [2J");
    }
}
