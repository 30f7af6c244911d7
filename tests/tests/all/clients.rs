//! Vendors' own clients as judges: what they read from a simulator is what the connector landed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tributary_derive::{Rules, update};
use tributary_hubspot::{HubSpot, SimulatedHubSpot};
use tributary_sandbox::simulator::serve;
use tributary_sandbox::{Plan, build};
use tributary_source::{ExposeSecret, Settings};
use tributary_store::{Store, testkit};
use tributary_sync::{Options, Outcome, Silent, SourceRun};

use crate::now;

/// HubSpot's own client, from npm.
const CLIENT: &str = "@hubspot/api-client@13.5.0";

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
    let run = SourceRun { id: "crm".to_owned(), connector: Arc::new(HubSpot), settings };
    let options = Options { allow_mass_delete: false, now: Arc::new(now) };
    let report =
        tributary_sync::run(&store, &[run], &options, &Silent, &CancellationToken::new()).await.unwrap();
    assert_eq!(report.sources[0].outcome, Outcome::Ok);
    update::update(&store, &Rules::default(), &mut |_, _| {}).await.unwrap();

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

/// What HubSpot's own client says, as JSON.
fn read(address: &str) -> Value {
    let folder = client();
    let script = folder.join("hubspot.mjs");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/hubspot.mjs"), &script).unwrap();
    let secrets = SimulatedHubSpot::secrets();
    let token = secrets["token"].expose_secret();
    let output = Command::new("node").arg(&script).args([address, token]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The folder in which the client is installed; installs it if it is not there.
fn client() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("clients");
    if !folder.join("node_modules/@hubspot/api-client/package.json").exists() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), "{\"private\": true}\n").unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", CLIENT]).current_dir(&folder);
        let output = npm.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    folder
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
