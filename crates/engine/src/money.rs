//! Exchange rates: the latest at or before a deal's close.

use std::collections::BTreeMap;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use tributary_core::money::LARGEST_MINOR;
use tributary_core::{Currency, Money, Time};

/// Exchange rates by pair and time.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    pairs: BTreeMap<(Currency, Currency), BTreeMap<Time, Decimal>>,
}

impl Rates {
    /// From `at` on, one unit of `from` is `rate` units of `to`. Of two rates for one instant the larger stands.
    pub fn add(&mut self, at: Time, from: Currency, to: Currency, rate: Decimal) {
        if rate > Decimal::ZERO {
            let slot = self.pairs.entry((from, to)).or_default().entry(at).or_insert(rate);
            *slot = (*slot).max(rate);
        }
    }

    /// The latest rate of a pair at or before a time.
    fn latest(&self, from: Currency, to: Currency, at: Time) -> Option<(Time, Decimal)> {
        let (since, rate) = self.pairs.get(&(from, to))?.range(..=at).next_back()?;
        Some((*since, *rate))
    }

    /// Converts an amount by the latest rate at or before a time, rounding half to even on the minor unit.
    ///
    /// A rate written the other way round divides; of two equally late ones the direct one counts. `None` without a
    /// rate, or where the result is larger than an amount may be.
    pub fn convert(&self, money: Money, to: Currency, at: Time) -> Option<Money> {
        if money.currency == to {
            return Some(money);
        }
        let direct = self.latest(money.currency, to, at);
        let opposite = self.latest(to, money.currency, at);
        let amount = money.to_decimal();
        let major = match (direct, opposite) {
            (Some((since, rate)), Some((other, _))) if since >= other => amount.checked_mul(rate),
            (Some((_, rate)), None) => amount.checked_mul(rate),
            // Dividing, rather than multiplying by the inverse, keeps what is exactly half a cent.
            (_, Some((_, rate))) => amount.checked_div(rate),
            (None, None) => None,
        }?;
        let rounded = major.round_dp_with_strategy(to.exponent(), RoundingStrategy::MidpointNearestEven);
        let minor = rounded.checked_mul(Decimal::from(10_i64.pow(to.exponent())))?.to_i64()?;
        (minor.abs() <= LARGEST_MINOR).then(|| Money::new(minor, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_rate_at_or_before_the_close_counts() {
        let mut rates = Rates::default();
        rates.add(Time(10), Currency::EUR, Currency::USD, Decimal::new(11, 1));
        rates.add(Time(20), Currency::EUR, Currency::USD, Decimal::new(12, 1));
        let eur = Money::new(1000, Currency::EUR);
        let at = |time| rates.convert(eur, Currency::USD, Time(time)).map(|money| money.minor);
        assert_eq!([at(9), at(10), at(19), at(20)], [None, Some(1100), Some(1100), Some(1200)]);
        let back = rates.convert(Money::new(1200, Currency::USD), Currency::EUR, Time(30));
        assert_eq!(back.map(|money| money.minor), Some(1000));
    }
}
