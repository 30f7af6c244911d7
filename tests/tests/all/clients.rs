//! Vendors' own clients as judges: what they read from a simulator is what the connector landed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tributary_core::Time;
use tributary_derive::{Rules, update};
use tributary_google_ads::{GoogleAds, SimulatedGoogleAds};
use tributary_hubspot::{HubSpot, SimulatedHubSpot};
use tributary_matomo::{Matomo, SimulatedMatomo};
use tributary_sandbox::simulator::serve;
use tributary_sandbox::{Plan, build};
use tributary_source::{ExposeSecret, Settings};
use tributary_store::{Store, testkit};
use tributary_sync::{Outcome, Silent, SourceRun};

use crate::options;

/// HubSpot's own client and Matomo's tracker, from npm.
const CLIENTS: [&str; 2] = ["@hubspot/api-client@13.5.0", "matomo-tracker@2.2.4"];
/// Google's own types, from PyPI.
const GOOGLE_TYPES: &str = "google-ads==34.0.0";

#[tokio::test(flavor = "multi_thread")]
async fn hubspots_own_client_reads_what_the_connector_landed() {
    let world = build(&Plan::with_accounts(40));
    let end = world.plan.end();
    let vendor = SimulatedHubSpot::new(&world, Arc::new(move || end));
    // Time stands still there: limits would never end.
    let served = serve(vendor.kit(), 0).await.unwrap();
    let said = tokio::task::block_in_place(|| read(&served.url()));

    let store = testkit::sqlite().await;
    let mut values = SimulatedHubSpot::values(&served.url());
    values["requests_per_second"] = json!(1000.0);
    let secrets = SimulatedHubSpot::secrets();
    let settings = Settings { source: "crm".to_owned(), values, secrets, ..Settings::default() };
    let run = SourceRun::new("crm".to_owned(), Arc::new(HubSpot), settings);
    sync(&store, run).await;

    let rows = rows(&store).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let each = |about: &str, line: &dyn Fn(&str, &Value) -> String| -> Vec<String> {
        let mut lines: Vec<String> =
            said[about].as_object().unwrap().iter().map(|(id, it)| line(id, it)).collect();
        lines.sort();
        lines
    };
    let ours = |table: &str, line: &dyn Fn(&Row) -> String| -> Vec<String> {
        let mut lines: Vec<String> = rows[table].iter().map(line).collect();
        lines.sort();
        lines
    };
    assert_eq!(
        ours("accounts", &|row| format!("{} {} {}", row["id"], row["name"], row["domain"])),
        each("companies", &|id, it| format!("{id} {} {}", text(&it["name"]), text(&it["domain"])))
    );
    let owner = |id: &Value| text(&said["owners"][text(id)]);
    assert_eq!(
        ours("deals", &|row| format!(
            "{} {} {} {} {}",
            row["id"], row["name"], row["amount"], row["currency"], row["owner"]
        )),
        each("deals", &|id, it| format!(
            "{id} {} {} {} {}",
            text(&it["dealname"]),
            text(&it["amount"]),
            text(&it["deal_currency_code"]),
            owner(&it["hubspot_owner_id"])
        ))
    );
    let won = rows["deals"].iter().filter(|row| row["outcome"] == "won").count();
    assert_eq!(json!(won), said["won"]);
    let addresses: Vec<&Value> =
        said["contacts"].as_object().unwrap().values().map(|it| &it["email"]).collect();
    for address in addresses {
        // In the form in which addresses are compared: small letters, no tag.
        let Some(address) = tributary_core::contact::email(&text(address)) else { continue };
        let is_ours = |row: &Row| row["kind"] == "email" && row["value"] == address;
        assert!(rows["identifiers"].iter().any(is_ours), "{address}");
    }
    for (deal, stages) in said["stages"].as_object().unwrap() {
        let theirs = stages.as_array().unwrap().len();
        let ours = rows["stages"].iter().filter(|row| row["deal"] == *deal).count();
        assert_eq!(ours, theirs, "{deal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_matomos_tracker_tells_comes_back_as_visits() {
    let world = build(&Plan::with_accounts(12));
    let time = Arc::new(AtomicI64::new(world.plan.end().0));
    let clock = Arc::clone(&time);
    let vendor = SimulatedMatomo::new(&world, Arc::new(move || Time(clock.load(Ordering::SeqCst))));
    let served = serve(vendor.kit(), 0).await.unwrap();
    let pages = ["/", "/pricing?utm_source=linkedin&gclid=Cj0tracked", "/demo"];
    let told = pages.map(|page| format!("https://www.us.example{page}"));
    tokio::task::block_in_place(|| {
        run_client(
            "matomo.mjs",
            &[&[served.url().as_str(), "bo@cust.example"], told.each_ref().map(String::as_str).as_slice()]
                .concat(),
        )
    });
    // Until nobody can be in the middle of a visit.
    time.fetch_add(2 * 3_600_000_000, Ordering::SeqCst);

    let store = testkit::sqlite().await;
    let (values, secrets) = (SimulatedMatomo::values(&served.url()), SimulatedMatomo::secrets());
    let settings = Settings { source: "web".to_owned(), values, secrets, ..Settings::default() };
    let run = SourceRun::new("web".to_owned(), Arc::new(Matomo), settings);
    sync(&store, run).await;
    let rows = rows(&store).await;
    let visit: Vec<&Row> =
        rows["touches"].iter().filter(|row| row["occurred_at"] == world.plan.end().to_string()).collect();
    assert_eq!(visit.len(), 1, "{visit:?}");
    assert_eq!((visit[0]["kind"].as_str(), visit[0]["content"].as_str()), ("visit", "/"));
    assert!(rows["identifiers"].iter().any(|row| row["value"] == "bo@cust.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn google_ads_fields_and_answers_are_googles_own() {
    let world = build(&Plan::with_accounts(40));
    let end = world.plan.end();
    let vendor = SimulatedGoogleAds::new(&world, Arc::new(move || end));
    let served = serve(vendor.kit(), 0).await.unwrap();
    let store = testkit::sqlite().await;
    let (values, secrets) = (SimulatedGoogleAds::values(&served.url()), SimulatedGoogleAds::secrets());
    let settings = Settings { source: "ads".to_owned(), values, secrets, ..Settings::default() };
    let run = SourceRun::new("ads".to_owned(), Arc::new(GoogleAds), settings);
    sync(&store, run).await;
    // The same questions again, asked for the judge.
    let questions: Vec<Value> = vendor
        .kit()
        .journal()
        .iter()
        .filter(|call| call.path.ends_with("googleAds:search"))
        .map(|call| {
            json!({"path": call.path, "token": call.header("authorization"),
                "login": call.header("login-customer-id"), "body": String::from_utf8_lossy(&call.body)})
        })
        .collect();
    let judged = tokio::task::block_in_place(|| judge(&served.url(), &json!(questions)));
    assert!(questions.len() > 50 && judged > 500, "{} questions, {judged} rows", questions.len());
}

/// How many rows Google's own types accept.
fn judge(address: &str, questions: &Value) -> usize {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("clients/python");
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let python = folder.join("bin/python");
    if !folder.join("ready").exists() {
        run(Path::new("python3"), &["-m", "venv", folder.to_str().unwrap()]);
        run(&python, &["-m", "pip", "install", "--quiet", GOOGLE_TYPES]);
        std::fs::write(folder.join("ready"), "").unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/google_ads.py");
    let mut judge = Command::new(python);
    let mut judge = judge
        .arg(script)
        .args([address, "v25"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    judge.stdin.take().unwrap().write_all(questions.to_string().as_bytes()).unwrap();
    let output = judge.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// What HubSpot's own client says, as JSON.
fn read(address: &str) -> Value {
    let secrets = SimulatedHubSpot::secrets();
    let token = secrets["token"].expose_secret();
    serde_json::from_slice(&run_client("hubspot.mjs", &[address, token])).unwrap()
}

/// Runs a script beside the clients that it uses.
fn run_client(name: &str, arguments: &[&str]) -> Vec<u8> {
    let folder = clients();
    let script = folder.join(name);
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name), &script).unwrap();
    let output = Command::new("node").arg(&script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The folder in which the clients are installed; installs them if they are not there.
fn clients() -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    // Whoever failed before has said why.
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("clients");
    let is_there = |name: &str| folder.join("node_modules").join(name).join("package.json").exists();
    if !is_there("@hubspot/api-client") || !is_there("matomo-tracker") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), "{\"private\": true}\n").unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund"]).args(CLIENTS).current_dir(&folder);
        let output = npm.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    folder
}

/// Pulls once and works out what came.
async fn sync(store: &Store, run: SourceRun) {
    let options = options();
    let report =
        tributary_sync::run(store, &[run], &options, &Silent, &CancellationToken::new()).await.unwrap();
    assert_eq!(report.sources[0].outcome, Outcome::Ok);
    update::update(store, &Rules::default(), &mut |_, _| {}).await.unwrap();
}

type Row = BTreeMap<&'static str, String>;

async fn rows(store: &Store) -> BTreeMap<&'static str, Vec<Row>> {
    let tables = store.export().await.unwrap().into_iter().map(|table| {
        let rows = table.rows.into_iter().map(|row| {
            let cells = row.into_iter().map(Option::unwrap_or_default);
            table.columns.iter().copied().zip(cells).collect()
        });
        (table.name, rows.collect())
    });
    tables.collect()
}
