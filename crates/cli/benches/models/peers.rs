//! Writes the book and our own answers down, so that other programs can answer the same questions.
//!
//! Peers are spared what takes us the most: they get the touches of closed deals' journeys in order, keys as small
//! numbers and values in cents, and are measured from there. So are we: from found journeys to sums by key.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tributary_core::book::Term;
use tributary_core::{Book, Currency, Time};
use tributary_engine::credit::{Worth, worth};
use tributary_engine::journey::{Goal, Journeys};
use tributary_engine::learn::markov::Markov;
use tributary_engine::learn::shapley::Shapley;
use tributary_engine::learn::{Credit, LearnError, Learned};
use tributary_engine::paths::Paths;
use tributary_engine::{By, Grouped, Model, Policy, Rates, journeys};

use crate::{Cost, Failed, bandwidth, best, process};

/// Rule models whose definition a peer can be given.
const RULES: [&str; 5] = ["first", "last", "linear", "position", "time_decay"];

/// Fits a model that learns.
type Fit<'a> = &'a dyn Fn(&Paths) -> Result<Box<dyn Learned>, String>;

/// Numbers the keys of a dimension as they are met.
#[derive(Default)]
struct Numbers(BTreeMap<Term, u16>);

impl Numbers {
    fn of(&mut self, term: Term) -> u16 {
        let next = self.0.len() as u16;
        *self.0.entry(term).or_insert(next)
    }
}

/// Writes everything into a folder.
pub(crate) fn write(book: &Book, as_of: Time, folder: &Path) -> Result<(), Failed> {
    let policy = Policy::new(as_of);
    let rates = Rates::default();
    let won = journeys(book, &policy);
    let lost = journeys(book, &Policy { goal: Goal::Lost, ..policy });
    let (mut channels, mut campaigns) = (Numbers::default(), Numbers::default());
    let mut columns: [(&str, Vec<u8>); 6] =
        ["journey", "at", "channel", "campaign", "won", "value"].map(|name| (name, Vec::new()));
    let mut number = 0_u32;
    for (found, is_won) in [(&won, 1_u8), (&lost, 0)] {
        for journey in &found.list {
            let value = match worth(journey, &rates, Currency::USD) {
                Worth::Minor(minor) => minor,
                Worth::Unconverted(_) => 0,
            };
            for row in found.touches(journey).iter() {
                let touches = &book.touches;
                columns[0].1.extend(number.to_le_bytes());
                columns[1].1.extend(touches.at[row].0.to_le_bytes());
                columns[2].1.extend(channels.of(touches.channel[row]).to_le_bytes());
                columns[3].1.extend(campaigns.of(touches.campaign[row]).to_le_bytes());
                columns[4].1.push(is_won);
                columns[5].1.extend(value.to_le_bytes());
            }
            number += 1;
        }
    }
    for (name, bytes) in &columns {
        fs::write(folder.join(format!("{name}.bin")), bytes)?;
    }
    let facts = json!({
        "touches_in_book": book.touches.len(), "touches": columns[4].1.len(), "touches_won": won.touch_count(),
        "deals": won.list.len() + lost.list.len(), "won": won.list.len(), "bandwidth_gb_s": bandwidth::read() / 1e9,
    });
    fs::write(folder.join("facts.json"), facts.to_string())?;
    let answers = answers(book, &won, &channels, &campaigns)?;
    let lines: Vec<String> = answers.iter().map(Value::to_string).collect();
    fs::write(folder.join("ours.jsonl"), lines.join("\n"))?;
    Ok(())
}

/// What we answer, and what it took.
fn answers(
    book: &Book,
    won: &Journeys<'_>,
    channels: &Numbers,
    campaigns: &Numbers,
) -> Result<Vec<Value>, Failed> {
    let rates = Rates::default();
    let number = |key: Option<&str>, by: By| {
        let term = key.and_then(|key| book.terms.find(key)).unwrap_or(Term::NONE);
        let numbers = if by == By::Channel { channels } else { campaigns };
        numbers.0.get(&term).copied().unwrap_or(u16::MAX)
    };
    let answer = |model: &str, by: By, cost: Cost, bytes: Option<usize>, credit: Vec<(u16, f64)>| {
        let credit: BTreeMap<String, f64> =
            credit.into_iter().map(|(key, credit)| (key.to_string(), credit)).collect();
        json!({ "peer": "Tributary", "model": model, "by": format!("{by:?}").to_lowercase(), "cpu_s": cost.cpu.as_secs_f64(),
            "peak_mib": process::peak_mebibytes("self"), "bytes": bytes, "credit": credit })
    };
    let mut out = Vec::new();
    for name in RULES {
        let model = Model::builtin(name)?;
        let ((grouped, sums), cost) = best(|| {
            let grouped = Grouped::new(won, By::Channel).on_threads(1);
            let sums = grouped.unrounded(&[(&model).into()], &rates, Currency::USD).remove(0);
            (grouped, sums)
        });
        let credit = sums.iter().enumerate();
        let credit = credit.map(|(group, sum)| (number(grouped.name(group).0.as_deref(), By::Channel), *sum));
        // A group of four bytes a touch, and eight of its time.
        let bytes = won.touch_count() * if name == "time_decay" { 12 } else { 4 };
        out.push(answer(name, By::Channel, cost, Some(bytes), credit.collect()));
    }
    let learned = |model: &str, by: By, fit: Fit<'_>| {
        let paths = Paths::of_journeys(won, by, &rates, Currency::USD);
        let (fitted, cost) = best(|| fit(&paths));
        let fitted = fitted?;
        let keys = paths.walked.keys.iter().zip(fitted.credit());
        // Removal effects on value and on conversions differ; peers are asked for the latter.
        let of = |it: &Credit| if model == "markov" { it.conversions } else { it.value };
        let credit = keys.map(|(key, credit)| (number(key.as_deref(), by), of(credit)));
        let bytes = Some(paths.walked.steps.len() * 4);
        Ok::<Value, Failed>(answer(model, by, cost, bytes, credit.collect()))
    };
    let fitted = |fitted: Result<_, LearnError>| fitted.map_err(|error| error.to_string());
    out.push(learned("shapley_sum", By::Channel, &|paths| fitted(Shapley::fit(paths).map(boxed)))?);
    for by in [By::Channel, By::Campaign] {
        out.push(learned("markov", by, &|paths| fitted(Markov::of_order(1).fit(paths).map(boxed)))?);
    }
    Ok(out)
}

fn boxed(fitted: impl Learned + 'static) -> Box<dyn Learned> {
    Box::new(fitted)
}
