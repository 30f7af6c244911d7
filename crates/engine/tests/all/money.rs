//! Currencies: rates, rounding, and what no rate converts.

use tributary_core::money::LARGEST_MINOR;
use tributary_core::{Currency, Money, Time};
use tributary_engine::{Attribution, By, Rates, attribute, journeys};

use crate::story::{book, day, model, policy};

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

/// Rates such as `3 EUR USD 1.1`: from day 3 on, a euro is 1.1 dollars.
fn rates(texts: &[&str]) -> Rates {
    let mut rates = Rates::default();
    for text in texts {
        let [at, from, to, rate] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
        rates.add(day(at), currency(from), currency(to), rate.parse().unwrap());
    }
    rates
}

#[track_caller]
fn check(amount: &str, from: &str, to: &str, texts: &[&str], expected: Option<&str>) {
    let amount = Money::parse(amount, currency(from)).unwrap();
    let converted = rates(texts).convert(amount, currency(to), day("9"));
    assert_eq!(
        converted.map(|money| money.to_decimal().to_string()).as_deref(),
        expected,
        "{amount} {texts:?}"
    );
}

fn credit(accounts: &[&str], texts: &[&str]) -> Attribution {
    let book = book(accounts);
    let found = journeys(&book, &policy());
    attribute(&found, &model("linear"), By::Channel, &rates(texts), Currency::USD)
}

#[test]
fn half_a_cent_rounds_to_the_even_cent() {
    let rate = ["1 EUR USD 0.5"];
    for (amount, expected) in
        [("0.01", "0.00"), ("0.03", "0.02"), ("0.05", "0.02"), ("-0.03", "-0.02"), ("-0.05", "-0.02")]
    {
        check(amount, "EUR", "USD", &rate, Some(expected));
    }
}

#[test]
fn the_latest_rate_at_or_before_the_close_counts_whichever_way_it_is_written() {
    check("10", "EUR", "USD", &["1 EUR USD 1.1", "9 EUR USD 1.2", "9.1 EUR USD 1.3"], Some("12.00"));
    check("10", "EUR", "USD", &["9.1 EUR USD 1.3"], None);
    check("12", "USD", "EUR", &["1 EUR USD 1.2"], Some("10.00"));
    check("10", "EUR", "USD", &["1 EUR USD 1.1", "5 USD EUR 0.5"], Some("20.00"));
    check("10", "EUR", "USD", &["5 EUR USD 1.1", "5 USD EUR 0.5"], Some("11.00"));
    check("10", "EUR", "USD", &["1 EUR USD 0", "2 EUR USD -1"], None);
}

#[test]
fn the_opposite_rate_divides_exactly() {
    // 90000000000.06 / 1.2 = 75000000000.05 exactly, and 900000000.09 / 1.2 = 750000000.075, whose even cent is 0.08.
    check("90000000000.06", "USD", "EUR", &["1 EUR USD 1.2"], Some("75000000000.05"));
    check("900000000.09", "USD", "EUR", &["1 EUR USD 1.2"], Some("750000000.08"));
}

#[test]
fn each_currency_has_its_own_minor_unit() {
    check("1500", "JPY", "USD", &["1 JPY USD 0.0067"], Some("10.05"));
    check("10.05", "USD", "JPY", &["1 USD JPY 149.5"], Some("1502"));
    check("1.234", "KWD", "USD", &["1 KWD USD 3.25"], Some("4.01"));
    check("1", "USD", "KWD", &["1 KWD USD 3.25"], Some("0.308"));
}

#[test]
fn what_is_too_large_to_convert_is_unconverted_not_wrong() {
    let largest = Money::new(LARGEST_MINOR, Currency::EUR);
    let converted = |rate| rates(&[rate]).convert(largest, Currency::USD, day("9")).map(|money| money.minor);
    assert_eq!(converted("1 EUR USD 1"), Some(LARGEST_MINOR));
    assert_eq!(converted("1 EUR USD 1.000001"), None);
    assert_eq!(Rates::default().convert(largest, Currency::EUR, Time(0)), Some(largest));
}

#[test]
fn a_deal_without_a_rate_stands_outside_the_total() {
    let accounts = ["a@1 | close=9 usd=10.00 | close=9 eur=7.00 | close=9 jpy=300 | close=9 eur=1.00"];
    let credit = credit(&accounts, &["1 JPY USD 0.01"]);
    assert_eq!((credit.total_minor, credit.deals, credit.rows[0].credit_minor), (1300, 2, 1300));
    let [unconverted] = &credit.unconverted[..] else { panic!("{:?}", credit.unconverted) };
    assert_eq!((unconverted.currency.as_str(), unconverted.amount_minor, unconverted.deals), ("EUR", 800, 2));
}

#[test]
fn a_deal_is_rounded_first_and_then_split() {
    // 1.005 dollars: 1.00, of which every touch has a half. Split first it would be twice 0.5025.
    let credit = credit(&["a@1 b@2 | close=9 eur=2.01"], &["1 EUR USD 0.5"]);
    let credits: Vec<i64> = credit.rows.iter().map(|row| row.credit_minor).collect();
    assert_eq!((credits, credit.total_minor), (vec![50, 50], 100));
}

#[test]
fn negative_deals_take_from_the_credit() {
    let credit = credit(&["a@1 b@2 | close=9 usd=10.00 | close=9 usd=-3.01 | close=9 eur=-2.00"], &[]);
    let told: Vec<(Option<&str>, i64)> =
        credit.rows.iter().map(|row| (row.key.as_deref(), row.credit_minor)).collect();
    assert_eq!(told, [(Some("b"), 350), (Some("a"), 349)]);
    assert_eq!((credit.total_minor, credit.unconverted[0].amount_minor), (699, -200));
}

#[test]
fn a_deal_without_an_amount_is_a_deal_without_money() {
    let credit = credit(&["a@1 | close=9 | close=9 usd=1.00"], &[]);
    assert_eq!((credit.deals, credit.total_minor, credit.rows[0].deals), (2, 100, 2));
    assert_eq!((credit.unattributed_deals, credit.unattributed_minor), (0, 0));
}
