//! The figures of models that learn: from paths to credit.

use serde_json::json;
use tributary_core::dice::Dice;
use tributary_core::{Book, Currency, Time};
use tributary_engine::learn::markov::Markov;
use tributary_engine::learn::shapley::Shapley;
use tributary_engine::paths::Paths;
use tributary_engine::{By, Policy, Rates, journeys};
use tributary_sandbox::Crowd;

use crate::{Failed, best, say, speed};

/// Touches of the smaller book.
const FEWER: u64 = 1_000_000;

/// Resamplings.
const REPLICATES: usize = 200;

/// Measures on the book, and on one of a million touches.
pub(crate) fn measure(book: &Book, as_of: Time) -> Result<(), Failed> {
    let paths = paths(book, as_of, By::Channel);
    let steps = paths.walked.steps.len();
    let (fitted, cost) = best(|| Markov::of_order(2).fit(&paths));
    fitted?;
    speed("Markov order 2 by channel", steps, cost, json!({ "touches on paths": steps }));
    let (fitted, cost) = best(|| Shapley::fit(&paths));
    fitted?;
    speed("Shapley sum game by channel", steps, cost, json!({ "touches on paths": steps }));

    let crowd = Crowd::for_touches(FEWER);
    let mut fewer = Book::default();
    for number in 0..crowd.accounts {
        crowd.append(number, &mut fewer);
    }
    let campaigns = self::paths(&fewer, Crowd::end(), By::Campaign);
    let steps = campaigns.walked.steps.len();
    let (fitted, cost) = best(|| Markov::of_order(1).fit(&campaigns));
    fitted?;
    let detail = json!({ "touches": fewer.touches.len(), "touches on paths": steps });
    say("Markov order 1 by campaign, a million touches", cost.cpu.as_secs_f64(), "CPU-s", &detail);
    let channels = self::paths(&fewer, Crowd::end(), By::Channel);
    let (fitted, cost) = best(|| {
        (0..REPLICATES).try_for_each(|replicate| {
            let mut dice = Dice::new(1, "bench", replicate);
            let times: Vec<f64> = (0..channels.len()).map(|_| poisson(&mut dice)).collect();
            Markov::of_order(1).fit(&channels.weighted(|path| times[path])).map(drop)
        })
    });
    fitted?;
    let detail = json!({ "replicates": REPLICATES, "touches": fewer.touches.len() });
    say("resampled Markov order 1 by channel, a million touches", cost.cpu.as_secs_f64(), "CPU-s", &detail);
    Ok(())
}

fn paths(book: &Book, as_of: Time, by: By) -> Paths {
    let found = journeys(book, &Policy::new(as_of));
    Paths::of_journeys(&found, by, &Rates::default(), Currency::USD)
}

/// How often a path is drawn: Poisson of mean 1.
fn poisson(dice: &mut Dice) -> f64 {
    let (mut product, mut times) = (dice.unit(), 0.0);
    while product > (-1.0_f64).exp() {
        product *= dice.unit();
        times += 1.0;
    }
    times
}
