//! How the daemon keeps to limits, and what it costs: one JSON line a figure. `cargo xtask bench` runs it; a second
//! argument, such as `idle`, measures one of [`FIGURES`] alone.
//!
//! Everything measured is the real binary. Vendors are simulated, on loopback, in a process of their own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;
use tributary_core::Time;
use tributary_hubspot::SimulatedHubSpot;
use tributary_sandbox::simulator::{Habits, serve};
use tributary_sandbox::{Plan, build};
use tributary_source::ExposeSecret;
use tributary_store::{Store, testkit};

/// What is measured, unless one is named.
const FIGURES: [&str; 3] = ["limit", "idle", "three"];

/// Requests a second that HubSpot allows its smallest plan, in rolling windows of ten seconds.
const PER_SECOND: f64 = 19.0;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(at) = arguments.iter().position(|argument| argument == "serve") {
        return runtime.block_on(answer(&arguments[at + 1..]));
    }
    let is_named = |figure: &&str| arguments.iter().any(|argument| argument == figure);
    let named: Vec<&str> = FIGURES.into_iter().filter(is_named).collect();
    for figure in if named.is_empty() { FIGURES.to_vec() } else { named } {
        match figure {
            "limit" => limit()?,
            "idle" => runtime.block_on(idle())?,
            _ => runtime.block_on(three())?,
        }
    }
    Ok(())
}

/// Is a vendor until somebody ends it: one that keeps its limits, or one of so many contacts that answers late.
async fn answer(arguments: &[String]) -> Result<(), Failed> {
    let vendor = if let [contacts, latency_ms] = arguments {
        let vendor = SimulatedHubSpot::of_contacts(contacts.parse()?, Arc::new(now));
        let latency = Duration::from_millis(latency_ms.parse()?);
        vendor.kit().behave(Habits { latency, ..Habits::default() });
        vendor
    } else {
        SimulatedHubSpot::new(&build(&Plan::with_accounts(120)), Arc::new(now))
    };
    let served = serve(vendor.kit(), 0).await?;
    println!("{}", served.url());
    served.forever().await;
    Ok(())
}

/// A process that ends with this value.
struct Process(Child);

impl Process {
    fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whether it ended already does not matter.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A vendor in a process of its own, and its address.
fn vendor(arguments: &[&str]) -> Result<(Process, String), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut vendor = Process(command.arg("serve").args(arguments).stdout(Stdio::piped()).spawn()?);
    let mut url = String::new();
    BufReader::new(vendor.0.stdout.take().ok_or("a child has a stdout")?).read_line(&mut url)?;
    Ok((vendor, url.trim().to_owned()))
}

/// A folder with a configuration of so many sources at one address.
fn configured(store: &str, url: &str, sources: usize, more: &str) -> Result<TempDir, Failed> {
    let folder = tempfile::tempdir()?;
    let source = |at: usize| {
        format!(
            "[[source]]\nid = \"crm{at}\"\nconnector = \"hubspot\"\nurl = \"{url}\"\nevery = \"1h\"\n\
             token = {{ env = \"HUBSPOT_TOKEN\" }}\n{more}\n"
        )
    };
    let sources: String = (0..sources).map(source).collect();
    let text = format!("[store]\nurl = \"{store}\"\n[daemon]\nat_once = 2\n{sources}");
    std::fs::write(folder.path().join("tributary.toml"), text)?;
    Ok(folder)
}

fn tributary(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    command.env("HUBSPOT_TOKEN", SimulatedHubSpot::secrets()["token"].expose_secret());
    command.env_remove("TRIBUTARY_LOG").stderr(Stdio::null());
    command
}

/// Waits until all sources were pulled to their end.
async fn pulled(store: &Store, sources: usize) -> Result<(), Failed> {
    loop {
        let standings = store.standings().await?;
        if standings.values().filter(|standing| standing.outcome == "ok").count() == sources {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// A first read at a vendor that publishes its budget: how near to what it allows, and how often it is refused.
fn limit() -> Result<(), Failed> {
    let (_vendor, url) = vendor(&[])?;
    let folder = configured("sqlite:tributary.db", &url, 1, "page_size = 5")?;
    let start = Instant::now();
    let output = tributary(folder.path(), &["sync"])
        .env("TRIBUTARY_LOG", "tributary_source=debug")
        .stderr(Stdio::piped())
        .output()?;
    let seconds = start.elapsed().as_secs_f64();
    let log = String::from_utf8_lossy(&output.stderr);
    let asked: Vec<&str> = log.lines().filter(|line| line.contains("asked the vendor")).collect();
    let refused = asked.iter().filter(|line| line.contains("status=429")).count();
    let detail = json!({ "requests": asked.len(), "seconds": seconds, "per_second": PER_SECOND });
    say(
        "time against what the vendor's limit allows",
        seconds * PER_SECOND / asked.len() as f64,
        "times",
        &detail,
    );
    say("replies that say too many requests", refused as f64, "replies", &detail);
    Ok(())
}

/// What 200 sources cost a daemon that has nothing to do but to wait for them.
async fn idle() -> Result<(), Failed> {
    const SOURCES: usize = 200;
    let idle = Duration::from_mins(1);
    let (_vendor, url) = vendor(&["100", "0"])?;
    let file = tempfile::tempdir()?;
    let address = format!("sqlite:{}", file.path().join("tributary.db").display());
    let folder = configured(&address, &url, SOURCES, "requests_per_second = 1000.0")?;
    // As the systemd unit has it.
    let daemon = Process(tributary(folder.path(), &["serve"]).env("MALLOC_ARENA_MAX", "1").spawn()?);
    // The daemon makes the store.
    sleep(Duration::from_secs(2)).await;
    let store = Store::open(&address).await?;
    let start = Instant::now();
    pulled(&store, SOURCES).await?;
    let detail = json!({ "sources": SOURCES, "seconds_of_first_reads": start.elapsed().as_secs_f64() });
    store.close().await;
    // What came is worked out.
    sleep(Duration::from_secs(5)).await;
    let before = processor_seconds(daemon.id());
    sleep(idle).await;
    let share = (processor_seconds(daemon.id()) - before) / idle.as_secs_f64();
    say("peak memory of a daemon", peak_mebibytes(daemon.id()), "MiB", &detail);
    say("share of a core when idle", share * 100.0, "%", &detail);
    Ok(())
}

/// How much sooner three daemons on one Postgres have read 30 sources than one has, where the vendor takes its time.
/// Each pulls two at once: with eight, 24 of 30 equal sources go first and six after them, which halves the gain.
async fn three() -> Result<(), Failed> {
    const SOURCES: usize = 30;
    let mut took = Vec::new();
    for daemons in [1, 3] {
        let (_vendor, url) = vendor(&["1000", "200"])?;
        let address = testkit::postgres_url();
        let folder = configured(&address, &url, SOURCES, "requests_per_second = 1000.0")?;
        let store = Store::open(&address).await?;
        let start = Instant::now();
        let running: Result<Vec<Process>, Failed> =
            (0..daemons).map(|_| Ok(Process(tributary(folder.path(), &["serve"]).spawn()?))).collect();
        pulled(&store, SOURCES).await?;
        let seconds = start.elapsed().as_secs_f64();
        drop(running?);
        store.close().await;
        say("sources read by daemons", seconds, "s", &json!({ "sources": SOURCES, "daemons": daemons }));
        took.push(seconds);
    }
    say("three daemons against one", took[0] / took[1], "times", &json!({ "sources": SOURCES }));
    Ok(())
}

fn say(figure: &str, value: f64, unit: &str, detail: &Value) {
    let value = (value * 1000.0).round() / 1000.0;
    println!("{}", json!({ "figure": figure, "value": value, "unit": unit, "detail": detail }));
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Processor time that a process used, as Linux counts it in hundredths; 0 where it does not.
fn processor_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The most memory that a process ever held, as Linux counts it; 0 where it does not.
fn peak_mebibytes(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kibibytes: f64 = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    kibibytes / 1024.0
}
