//! Money: integer minor units and an ISO 4217 currency, and the split that loses no cent.
//!
//! Not responsible for exchange rates (`engine`) or for what a deal is worth (`derive`).

mod split;

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

pub use split::{Even, MostlyEven, Splitter, split, total_weight};

/// A currency: three upper-case letters of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Active ISO 4217 currencies whose minor unit is not a hundredth.
const EXPONENTS: &[(&[&str], u32)] = &[
    (
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
            "XAF", "XOF", "XPF",
        ],
        0,
    ),
    (&["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    (&["CLF", "UYW"], 4),
];

/// Active ISO 4217 currencies with two decimal places.
const TWO_DECIMALS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN \
    BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD \
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK \
    MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR \
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS \
    VED VES WST XCD XCG YER ZAR ZMW ZWG BGN ANG HRK";

impl Currency {
    /// United States dollar.
    pub const USD: Self = Self(*b"USD");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");

    /// Reads a code; lower case and surrounding blanks are forgiven, an unknown code is not.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let code = text.trim().to_ascii_uppercase();
        let known = EXPONENTS.iter().any(|(codes, _)| codes.contains(&code.as_str()))
            || (code.len() == 3 && TWO_DECIMALS.split_ascii_whitespace().any(|known| known == code));
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(bytes) if known => Ok(Self(bytes)),
            _ => Err(MoneyError::UnknownCurrency(text.trim().to_owned())),
        }
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Decimal places of the minor unit: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        EXPONENTS.iter().find(|(codes, _)| codes.contains(&self.code())).map_or(2, |(_, exponent)| *exponent)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        Self::parse(&text)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// Why a text is not money. Fragments that fit after "cannot read the amount: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code.
    #[error("unknown currency `{0}` (expected an ISO 4217 code such as USD)")]
    UnknownCurrency(String),
    /// Not a number.
    #[error("`{0}` is not a decimal number")]
    NotANumber(String),
    /// More decimals than the currency has.
    #[error("`{text}` has more decimals than {currency} has ({exponent})")]
    TooPrecise {
        /// The text as written.
        text: String,
        /// Its currency.
        currency: Currency,
        /// The decimals that it may have.
        exponent: u32,
    },
    /// Beyond 64 bits of minor units.
    #[error("`{0}` is too large: is it in another unit?")]
    TooLarge(String),
}

/// The largest amount, in minor units: ten trillion dollars. Thousands of such amounts still add up in an `i64`.
pub const LARGEST_MINOR: i64 = 1_000_000_000_000_000;

/// An amount in integer minor units of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: cents for USD, yen for JPY, fils for KWD.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// So many minor units of a currency.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads a decimal such as `1234.5`, `1,234.50`, `1.234,50`, `1 234,50`, `(12.00)` or `-3`, exactly.
    ///
    /// One separator followed by exactly three digits is ambiguous (`1,234`); a comma is then read as a
    /// thousands separator and a point as a decimal point, so `1.234` KWD is 1234 fils.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        Self::from_decimal(parse_decimal(text)?, currency)
    }

    /// Converts a decimal number of major units, refusing to round.
    pub fn from_decimal(value: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let exponent = currency.exponent();
        let normal = value.normalize();
        if normal.scale() > exponent {
            return Err(MoneyError::TooPrecise { text: value.to_string(), currency, exponent });
        }
        let factor = Decimal::from(10_i64.pow(exponent));
        let minor = normal.checked_mul(factor).and_then(|minor| minor.to_i64());
        let minor = minor.filter(|minor| (-LARGEST_MINOR..=LARGEST_MINOR).contains(minor));
        minor.map(|minor| Self { minor, currency }).ok_or_else(|| MoneyError::TooLarge(value.to_string()))
    }

    /// Converts a decimal number of major units, rounding half to even on the minor unit: for vendors that count in
    /// smaller parts.
    pub fn rounded(value: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let strategy = rust_decimal::RoundingStrategy::MidpointNearestEven;
        Self::from_decimal(value.round_dp_with_strategy(currency.exponent(), strategy), currency)
    }

    /// The amount as a decimal number of major units.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.exponent())
    }
}

impl fmt::Display for Money {
    /// `1234.50 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

/// Reads a number as people and spreadsheets write it. See [`Money::parse`].
pub fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    let bad = || MoneyError::NotANumber(text.trim().to_owned());
    let mut body: String = text.chars().filter(|c| !c.is_whitespace() && *c != '\'' && *c != '’').collect();
    let mut negative = false;
    if let Some(inner) = body.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        negative = true;
        body = inner.to_owned();
    }
    if let Some(rest) = body.strip_prefix(['-', '\u{2212}']) {
        negative = !negative;
        body = rest.to_owned();
    } else if let Some(rest) = body.strip_prefix('+') {
        body = rest.to_owned();
    }
    if body.is_empty() || !body.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',') {
        return Err(bad());
    }
    let (points, commas) = (body.matches('.').count(), body.matches(',').count());
    let decimal = match (points, commas) {
        (0, 0) => None,
        (_, 0) if points == 1 => Some('.'),
        (0, 1)
            if body.len() - body.find(',').unwrap_or(0) != 4
                || body.starts_with(',')
                || body.starts_with("0,") =>
        {
            Some(',')
        }
        (0, _) | (_, 0) => None,
        (_, 1) if body.rfind(',') > body.rfind('.') => Some(','),
        (1, _) if body.rfind('.') > body.rfind(',') => Some('.'),
        _ => return Err(bad()),
    };
    let (whole, fraction) = match decimal.and_then(|mark| body.rsplit_once(mark)) {
        Some((whole, fraction)) => (whole, fraction),
        None => (body.as_str(), ""),
    };
    // Thousands separators must stand between groups of three.
    let groups: Vec<&str> = whole.split(['.', ',']).collect();
    let grouped = groups.len() == 1
        || (!groups[0].is_empty()
            && groups[0].len() <= 3
            && groups[1..].iter().all(|group| group.len() == 3));
    if !grouped || (whole.is_empty() && fraction.is_empty()) {
        return Err(bad());
    }
    let sign = if negative { "-" } else { "" };
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    let digits = format!("{sign}0{}.{fraction}", groups.concat());
    Decimal::from_str_exact(&digits).map_err(|_| MoneyError::TooLarge(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Result<i64, MoneyError> {
        Money::parse(text, Currency::USD).map(|money| money.minor)
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, minor) in [
            ("1234.50", 123_450),
            ("1,234.50", 123_450),
            ("1.234,50", 123_450),
            ("1 234,5", 123_450),
            ("1'234.5", 123_450),
            ("12,5", 1250),
            ("1,234", 123_400),
            ("1,234,567", 123_456_700),
            ("1.234.567", 123_456_700),
            ("0,125e", 0),
            ("-3", -300),
            ("(3.10)", -310),
            (".5", 50),
            ("5.", 500),
        ] {
            if text == "0,125e" {
                assert!(usd(text).is_err());
            } else {
                assert_eq!(usd(text), Ok(minor), "{text}");
            }
        }
        for text in ["", "-", "1.2.3,4,5", "12,34.5", "abc", "1.005", "NaN", "."] {
            assert!(usd(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_so_large_that_they_would_not_add_up_are_refused() {
        assert_eq!(usd("10000000000000.00"), Ok(LARGEST_MINOR));
        assert_eq!(usd("-10000000000000.00"), Ok(-LARGEST_MINOR));
        for text in ["10000000000000.01", "-10000000000000.01", "92233720368547758.07", "1e30"] {
            assert!(usd(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_currency_has_its_own_minor_unit() {
        let parse = |text, code| Money::parse(text, Currency::parse(code).unwrap()).map(|money| money.minor);
        assert_eq!(parse("1500", "JPY"), Ok(1500));
        assert!(matches!(parse("1500.5", "JPY"), Err(MoneyError::TooPrecise { .. })));
        assert_eq!(parse("1.234", "KWD"), Ok(1234));
        assert!(matches!(Currency::parse("XYZ"), Err(MoneyError::UnknownCurrency(_))));
        assert!(matches!(Currency::parse("ÄÖÜ"), Err(MoneyError::UnknownCurrency(_))));
        assert_eq!(Currency::parse(" eur ").unwrap(), Currency::EUR);
    }
}
