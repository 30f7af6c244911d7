//! How fast credit is: one JSON line a figure, on a make-believe book written straight into a store's chunks.
//! `cargo xtask bench` runs it; the first argument says of about how many touches.
//!
//! Speeds are per processor second of the least of several runs, because other programs may share the machine.

mod bandwidth;
mod learned;
mod peers;
mod process;
mod stored;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tributary_answers::load;
use tributary_core::Currency;
use tributary_core::book::{Column, Columns};
use tributary_derive::Rules;
use tributary_engine::journey::Journeys;
use tributary_engine::{By, Grouped, Model, Policy, Rates, Splits, attribute_all, journeys};
use tributary_store::Store;

/// Each figure's least of so many runs.
const RUNS: usize = 5;

/// A run goes on for so long.
const ENOUGH: Duration = Duration::from_millis(300);

pub(crate) type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let touches = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(10_000_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(place) = arguments.iter().position(|argument| argument == "peers") {
        let folder = arguments.get(place + 1).ok_or("say into which folder the book for the peers goes")?;
        return runtime.block_on(async {
            let book = stored::write(touches).await?;
            let store = Store::open(&book.url).await?;
            let data = load(&store, &Rules::default(), None, columns()).await?;
            store.close().await;
            peers::write(&data.book, data.as_of, Path::new(folder))
        });
    }
    runtime.block_on(measure(touches))
}

async fn measure(touches: u64) -> Result<(), Failed> {
    say("memory bandwidth", bandwidth::read() / 1e9, "GB/s", &json!({ "what": "one core adds numbers up" }));
    let half = stored::write(touches / 2).await?;
    let book = stored::write(touches).await?;
    say(
        "write chunks",
        book.touches as f64 / book.cost.cpu.as_secs_f64() / 1e6,
        "million touches/CPU-s",
        &json!({ "touches": book.touches, "bytes a touch": rounded(book.bytes as f64 / book.touches as f64) }),
    );
    let smaller = half.attribute()?;
    let larger = book.attribute()?;
    let detail = |cost: &process::Whole, book: &stored::Stored| {
        json!({ "touches": book.touches, "accounts": book.accounts, "CPU-s": cost.cpu_s, "peak MiB": cost.peak_mib,
            "peak MiB allowed": rounded(book.touches as f64 * 16.0 / 1_048_576.0 + 200.0) })
    };
    say("tributary attribute, half the touches", smaller.wall_s, "s", &detail(&smaller, &half));
    say("tributary attribute", larger.wall_s, "s", &detail(&larger, &book));
    let ratio = (larger.cpu_s / smaller.cpu_s) / (book.touches as f64 / half.touches as f64) * 2.0;
    say("twice the touches", ratio, "times the CPU time", &json!({}));
    drop(half);
    let store = Store::open(&book.url).await?;
    let (wall, cpu) = (Instant::now(), process::cpu_of_threads());
    let data = load(&store, &Rules::default(), None, columns()).await?;
    let wall = wall.elapsed().as_secs_f64();
    let loaded = data.book.touches.len();
    let detail = json!({ "touches": loaded, "wall s": wall,
        "CPU-s of all threads": process::cpu_of_threads().saturating_sub(cpu).as_secs_f64() });
    store.close().await;
    say("load the book", loaded as f64 / wall / 1e6, "million touches/s", &detail);

    let policy = Policy::new(data.as_of);
    let (found, cost) = best(|| journeys(&data.book, &policy));
    let rows = found.touch_count();
    speed("find journeys", loaded, cost, json!({ "deals": found.list.len(), "touches on them": rows }));
    models(&found, &data.rates)?;
    learned::measure(&data.book, data.as_of)
}

/// Credit by channel under every built-in model, per touch on a journey: from grouped touches to sums.
fn models(found: &Journeys<'_>, rates: &Rates) -> Result<(), Failed> {
    let rows = found.touch_count();
    let all = Model::names().iter().map(|name| Model::builtin(name)).collect::<Result<Vec<_>, _>>()?;
    let (grouped, cost) = best(|| Grouped::new(found, By::Channel).on_threads(1));
    speed("group touches by channel", rows, cost, json!({ "groups": grouped.len() }));
    let unrounded = |models: &[Splits<'_>]| best(|| grouped.unrounded(models, rates, Currency::USD)).1;
    let cents = |models: &[Splits<'_>]| best(|| grouped.attribute(models, rates, Currency::USD)).1;
    let splits: Vec<Splits<'_>> = all.iter().map(Into::into).collect();
    for model in splits.chunks(1) {
        let name = model[0].name();
        speed("rule model", rows, unrounded(model), json!({ "model": name, "rounding": "none" }));
        speed("rule model", rows, cents(model), json!({ "model": name, "rounding": "exact cents" }));
    }
    let detail = |rounding: &str| json!({ "models": all.len(), "rounding": rounding });
    speed("all rule models in one pass", rows, unrounded(&splits), detail("none"));
    speed("all rule models in one pass", rows, cents(&splits), detail("exact cents"));
    let (_, cost) = best(|| {
        let grouped = Grouped::new(found, By::Channel).on_threads(1);
        grouped.attribute(&splits, rates, Currency::USD)
    });
    speed("all rule models from journeys to reports", rows, cost, detail("exact cents"));
    let (_, cost) = best(|| attribute_all(found, &all, By::Channel, rates, Currency::USD));
    let (speed, detail) = (rows as f64 / cost.wall.as_secs_f64() / 1e6, detail("exact cents"));
    say("all rule models from journeys to reports, every core", speed, "million touches/s", &detail);
    Ok(())
}

/// The columns of journeys, channels and campaigns.
fn columns() -> Columns {
    Columns::BASE.with([Column::Channel, Column::Campaign])
}

/// What something took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Cost {
    pub(crate) fn since(wall: Instant, cpu: Duration) -> Self {
        Self { cpu: process::cpu().saturating_sub(cpu), wall: wall.elapsed() }
    }
}

/// What some work gives, and the least it took on average of many in a row: Linux tells processor time in ticks.
pub(crate) fn best<T>(work: impl Fn() -> T) -> (T, Cost) {
    let run = || {
        let (wall, cpu) = (Instant::now(), process::cpu());
        let mut times = 0;
        loop {
            let out = black_box(work());
            times += 1;
            let cost = Cost::since(wall, cpu);
            if cost.wall >= ENOUGH {
                return (out, Cost { cpu: cost.cpu / times, wall: cost.wall / times });
            }
        }
    };
    let mut least = run();
    for _ in 1..RUNS {
        let next = run();
        if next.1.cpu < least.1.cpu {
            least = next;
        }
    }
    least
}

/// One figure of so many touches.
pub(crate) fn speed(figure: &str, touches: usize, cost: Cost, mut detail: Value) {
    if let Some(detail) = detail.as_object_mut() {
        detail.insert("wall s".to_owned(), json!(cost.wall.as_secs_f64()));
        detail.insert("CPU-s".to_owned(), json!(cost.cpu.as_secs_f64()));
    }
    say(figure, touches as f64 / cost.cpu.as_secs_f64() / 1e6, "million touches/CPU-s", &detail);
}

pub(crate) fn say(figure: &str, value: f64, unit: &str, detail: &Value) {
    println!("{}", json!({ "figure": figure, "value": rounded(value), "unit": unit, "detail": detail }));
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
