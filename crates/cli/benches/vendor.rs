//! How fast a vendor's records become facts: contacts of a simulated HubSpot, over HTTP on loopback. `cargo xtask bench`
//! runs it; `CONTACTS` says how many.
//!
//! The simulator runs in a process of its own, so that memory and processor time are those of the sync alone. It keeps
//! no limits here: a real HubSpot gives 1,900 records a second at best.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tributary_core::Time;
use tributary_hubspot::{HubSpot, SimulatedHubSpot};
use tributary_sandbox::simulator::serve;
use tributary_source::{Connector, Normalized, Record, Settings};
use tributary_store::landing::Said;
use tributary_store::{Store, testkit};
use tributary_sync::{Options, Silent, SourceRun};

/// Contacts, unless told otherwise.
const CONTACTS: u64 = 100_000;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let contacts = std::env::var("CONTACTS").ok().and_then(|text| text.parse().ok()).unwrap_or(CONTACTS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if std::env::args().any(|argument| argument == "serve") {
        return runtime.block_on(answer(contacts));
    }
    runtime.block_on(measure(contacts))
}

/// Is the vendor until somebody ends it.
async fn answer(contacts: u64) -> Result<(), Failed> {
    let vendor = SimulatedHubSpot::of_contacts(contacts, Arc::new(now));
    let served = serve(vendor.kit(), 0).await?;
    println!("{}", served.url());
    served.forever().await;
    Ok(())
}

struct Vendor(Child);

impl Drop for Vendor {
    fn drop(&mut self) {
        // Whether it ended already does not matter.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn measure(contacts: u64) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tributary.db");
    let addresses = [("sqlite", format!("sqlite:{}", file.display())), ("postgres", testkit::postgres_url())];
    for (kind, address) in addresses {
        let mut child = Command::new(std::env::current_exe()?);
        let child = child.arg("serve").env("CONTACTS", contacts.to_string());
        let mut vendor = Vendor(child.stdout(Stdio::piped()).spawn()?);
        let mut url = String::new();
        BufReader::new(vendor.0.stdout.take().ok_or("a child has a stdout")?).read_line(&mut url)?;
        let store = Store::open(&address).await?;
        let (seconds, cpu, fetched) = sync(&store, url.trim()).await?;
        let detail = json!({ "store": kind, "contacts": contacts });
        say("contacts into the store", fetched as f64 / seconds, "records/s", &detail);
        say("processor time of 100,000 contacts", cpu * 1e5 / fetched as f64, "s", &detail);
        let (seconds, _, again) = sync(&store, url.trim()).await?;
        say("an unchanged second sync", seconds, "s", &json!({ "store": kind, "records": again }));
        let (seconds, cpu) = replay(&store, url.trim()).await?;
        say("contacts normalised again", contacts as f64 / seconds, "records/s", &detail);
        say("contacts normalised again, a core", contacts as f64 / cpu, "records/s", &detail);
        let json_bytes = store.body(1).await?.map_or(0, |body| body.len()) as f64;
        store.close().await;
        if kind == "sqlite" {
            say("peak memory of a sync", peak_mebibytes(), "MiB", &detail);
            let bytes = std::fs::metadata(&file)?.len() as f64;
            say("store for a contact", bytes / contacts as f64, "bytes", &detail);
            say("store for a byte of JSON", bytes / contacts as f64 / json_bytes, "bytes", &detail);
        }
    }
    Ok(())
}

/// One pass: seconds, processor seconds and records fetched.
async fn sync(store: &Store, url: &str) -> Result<(f64, f64, u64), Failed> {
    let mut values = SimulatedHubSpot::values(url);
    values["requests_per_second"] = json!(100_000.0);
    let secrets = SimulatedHubSpot::secrets();
    let settings = Settings { source: "crm".to_owned(), values, secrets, ..Settings::default() };
    let run = SourceRun::new("crm".to_owned(), Arc::new(HubSpot), settings);
    let options = Options::new(Arc::new(now));
    let (start, before) = (Instant::now(), processor_seconds());
    let report = tributary_sync::run(store, &[run], &options, &Silent, &CancellationToken::new()).await?;
    Ok((start.elapsed().as_secs_f64(), processor_seconds() - before, report.landed().fetched))
}

/// Normalises everything that landed anew, as another version of the connector would: seconds and processor seconds.
async fn replay(store: &Store, url: &str) -> Result<(f64, f64), Failed> {
    let settings =
        Settings { source: "crm".to_owned(), values: SimulatedHubSpot::values(url), ..Settings::default() };
    let (key, _) = store.register_source("crm", HubSpot.name(), "{}", "another").await?;
    let (start, before) = (Instant::now(), processor_seconds());
    let said = |stream: &str, id: &str, stamp, body: &[u8]| {
        let stream = HubSpot.streams().iter().find(|it| it.name == stream).map_or("", |it| it.name);
        let body = Some(body.into());
        let record = Record { stream, id: id.to_owned(), stamp, body, origin: None };
        let Normalized { facts, problems } = HubSpot.normalize(&settings, &record);
        Said { facts, problems: problems.into_iter().map(|it| (it.field, it.reason)).collect() }
    };
    store.renormalize(key, "another", &said).await?;
    Ok((start.elapsed().as_secs_f64(), processor_seconds() - before))
}

fn say(figure: &str, value: f64, unit: &str, detail: &Value) {
    let value = (value * 100.0).round() / 100.0;
    println!("{}", json!({ "figure": figure, "value": value, "unit": unit, "detail": detail }));
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Processor time that this process used, as Linux counts it in hundredths; 0 where it does not.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The most memory that this process ever held, as Linux counts it; 0 where it does not.
fn peak_mebibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kibibytes: f64 = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    kibibytes / 1024.0
}
