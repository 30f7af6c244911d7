//! How fast Tributary is: one JSON line a figure. `cargo xtask bench` runs it.
//!
//! The company is the sandbox's, of about as many touches as the first argument says.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tributary_answers::load;
use tributary_core::book::Columns;
use tributary_core::{Currency, Time};
use tributary_derive::{Rules, update};
use tributary_engine::{By, Model, Policy, attribute, columns, journeys};
use tributary_sandbox::{OWN_DOMAIN, Plan};
use tributary_source::Settings;
use tributary_store::{Store, testkit};
use tributary_sync::{Options, Silent, SourceRun};

/// Each model's best of so many runs.
const RUNS: usize = 5;

/// Touches that come in later, and the file that they come in.
const CHANGED: usize = 1_000;
const DELTA: &str = "touches-delta.csv";

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let touches = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(200_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(touches))
}

async fn measure(touches: u64) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let files = folder.path().join("files");
    let start = Instant::now();
    let world = tributary_sandbox::build(&Plan::for_touches(touches));
    tributary_sandbox::write_csv(&world, &files, &mut |_, _, _| {})?;
    say(
        "make a company",
        world.touches.len() as f64 / start.elapsed().as_secs_f64(),
        "touches/s",
        &json!({}),
    );
    drop(world);

    let rules = Rules { own_domains: vec![OWN_DOMAIN.to_owned()], ..Rules::default() };
    let sqlite = format!("sqlite:{}", folder.path().join("tributary.db").display());
    let (store, run) = import("sqlite", &sqlite, &files, &rules).await?;
    delta("sqlite", &store, run, &files, &rules).await?;
    let start = Instant::now();
    let data = load(&store, &rules, None, Columns::ALL).await?;
    let book_touches = data.book.touches.len();
    say(
        "load the book",
        book_touches as f64 / start.elapsed().as_secs_f64() / 1e6,
        "million touches/s",
        &json!({}),
    );
    store.close().await;

    let policy = Policy::new(data.as_of);
    let start = Instant::now();
    let found = journeys(&data.book, &policy);
    let rows = found.touch_count();
    let seconds = start.elapsed().as_secs_f64();
    say(
        "find journeys",
        book_touches as f64 / seconds / 1e6,
        "million touches/s",
        &json!({ "deals": found.list.len() }),
    );
    for name in Model::names() {
        let model = Model::builtin(&name)?;
        let best = (0..RUNS)
            .map(|_| {
                let start = Instant::now();
                black_box(attribute(&found, &model, By::Channel, &data.rates, Currency::USD));
                start.elapsed()
            })
            .min()
            .unwrap_or_default();
        let speed = rows as f64 / best.as_secs_f64() / 1e6;
        say("rule model", speed, "million touches/s", &json!({ "model": name, "touches": rows }));
    }

    std::fs::remove_file(files.join(DELTA))?;
    let (store, run) = import("postgres", &testkit::postgres_url(), &files, &rules).await?;
    delta("postgres", &store, run, &files, &rules).await?;
    store.close().await;
    say("peak memory", peak_mebibytes(), "MiB", &json!({ "touches": book_touches }));
    Ok(())
}

/// Imports the files into an empty store and works them out.
async fn import(kind: &str, url: &str, files: &Path, rules: &Rules) -> Result<(Store, SourceRun), Failed> {
    let store = Store::open(url).await?;
    let settings = Settings {
        source: "files".to_owned(),
        values: json!({ "paths": ["."] }),
        folder: files.to_owned(),
        ..Settings::default()
    };
    let run = SourceRun::new("files".to_owned(), Arc::new(tributary_files::Files), settings);
    let options = Options::new(Arc::new(now));
    let start = Instant::now();
    let report =
        tributary_sync::run(&store, std::slice::from_ref(&run), &options, &Silent, &CancellationToken::new())
            .await?;
    let landed = start.elapsed().as_secs_f64();
    let rows = report.landed().fetched as f64;
    say("CSV rows into the store", rows / landed, "rows/s", &json!({ "store": kind, "rows": rows }));
    let summary = update::update(&store, rules, &mut |_, _| {}).await?;
    let all = start.elapsed().as_secs_f64();
    say(
        "records worked out",
        summary.records as f64 / (all - landed),
        "records/s",
        &json!({ "store": kind }),
    );
    say("from file to journeys", rows / all, "records/s", &json!({ "store": kind }));
    Ok((store, run))
}

/// The latest thousand touches once more, as others: from the rows to the credit of everything anew.
async fn delta(kind: &str, store: &Store, run: SourceRun, files: &Path, rules: &Rules) -> Result<(), Failed> {
    let known = std::fs::read_to_string(files.join("touches.csv"))?;
    let (mut text, rows) =
        known.split_once('\n').map(|(header, rows)| (header.to_owned(), rows)).ok_or("a header")?;
    let mut rows: Vec<&str> =
        rows.lines().filter_map(|row| row.split_once(',')).map(|(_, cells)| cells).collect();
    // A touch's time comes first behind its id.
    rows.sort_unstable();
    for (number, cells) in rows.iter().rev().take(CHANGED).enumerate() {
        text.extend(["\ndelta-", &number.to_string(), ",", cells]);
    }
    std::fs::write(files.join(DELTA), text)?;
    let options = Options::new(Arc::new(now));
    let start = Instant::now();
    let report = tributary_sync::run(store, &[run], &options, &Silent, &CancellationToken::new()).await?;
    let landed = start.elapsed().as_secs_f64();
    let anew = update::update(store, rules, &mut |_, _| {}).await?;
    let worked_out = start.elapsed().as_secs_f64();
    let model = Model::builtin("w")?;
    let columns = columns(&Policy::new(now()), &[model.columns()], By::Channel);
    let data = load(store, rules, None, columns).await?;
    let found = journeys(&data.book, &Policy::new(data.as_of));
    black_box(attribute(&found, &model, By::Channel, &data.rates, Currency::USD));
    let seconds = start.elapsed().as_secs_f64();
    let (added, touches) = (report.landed().added, data.book.touches.len());
    let detail = json!({
        "store": kind, "added": added, "touches": touches, "landed": landed, "worked_out": worked_out,
        "accounts": anew.clusters, "records": anew.records, "chunks": anew.chunks,
    });
    say("from a thousand new touches to refreshed credit", seconds, "s", &detail);
    Ok(())
}

fn say(figure: &str, value: f64, unit: &str, detail: &serde_json::Value) {
    let value = (value * 100.0).round() / 100.0;
    println!("{}", json!({ "figure": figure, "value": value, "unit": unit, "detail": detail }));
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The most memory that this process ever held, as Linux counts it; 0 where it does not.
fn peak_mebibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kibibytes: f64 = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    kibibytes / 1024.0
}
