//! Crediting by many threads.

use tributary_core::Currency;
use tributary_engine::{By, Grouped, Model, Rates, Splits, journeys};

use crate::story::{book, policy};

#[test]
fn credit_is_the_same_to_the_last_bit_by_any_number_of_threads() {
    let channels = ["mail", "ad", "visit", "event", "call", "direct", "chat"];
    let account = |number: usize| {
        let touches = 1 + number % 13;
        let touch = |place: usize| format!("{}@{}", channels[number * place % 7], 1 + place * 3 + number % 5);
        let touches: Vec<String> = (0..touches).map(touch).collect();
        let amount = 1 + number * 7919 % 100_003;
        format!("{} | lead=4 opp=9 close=60 usd={}.{:02}", touches.join(" "), amount, number % 100)
    };
    let texts: Vec<String> = (0..3_200).map(account).collect();
    let book = book(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let found = journeys(&book, &policy());
    let models: Vec<Model> = Model::names().iter().map(|name| Model::builtin(name).unwrap()).collect();
    let models: Vec<Splits<'_>> = models.iter().map(Into::into).collect();
    let credited = |threads: usize| {
        let grouped = Grouped::new(&found, By::Channel).on_threads(threads);
        let bits: Vec<Vec<u64>> = grouped
            .unrounded(&models, &Rates::default(), Currency::USD)
            .into_iter()
            .map(|sums| sums.into_iter().map(f64::to_bits).collect())
            .collect();
        (grouped.attribute(&models, &Rates::default(), Currency::USD), bits)
    };
    let alone = credited(1);
    assert_eq!(alone.0[0].deals, 3_200);
    for threads in [0, 2, 3, 7, 64] {
        assert!(credited(threads) == alone, "by {threads} threads");
    }
}
