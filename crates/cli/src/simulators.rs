//! The one list of simulated vendors, beside that of connectors.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde_json::Value;
use tributary_core::Time;
use tributary_google_ads::SimulatedGoogleAds;
use tributary_hubspot::SimulatedHubSpot;
use tributary_matomo::SimulatedMatomo;
use tributary_sandbox::World;
use tributary_sandbox::simulator::{Served, Simulator, serve};
use tributary_source::SecretString;
use tributary_source::testkit::Clock;

/// What a simulated vendor is: the kit that answers, the settings to read it at an address, and its secrets.
type Parts = (Arc<Simulator>, fn(&str) -> Value, BTreeMap<String, SecretString>);

/// Starts a vendor over a world.
type Start = fn(&World, Clock) -> Parts;

/// Every simulated vendor, by the name of its connector.
const ALL: &[(&str, Start)] = &[
    ("google-ads", |world, clock| {
        let vendor = SimulatedGoogleAds::new(world, clock);
        (vendor.kit(), SimulatedGoogleAds::values, SimulatedGoogleAds::secrets())
    }),
    ("hubspot", |world, clock| {
        let mut secrets = SimulatedHubSpot::secrets();
        // A key is enough.
        secrets.retain(|name, _| name == "token");
        (SimulatedHubSpot::new(world, clock).kit(), SimulatedHubSpot::values, secrets)
    }),
    ("matomo", |world, clock| {
        (SimulatedMatomo::new(world, clock).kit(), SimulatedMatomo::values, SimulatedMatomo::secrets())
    }),
];

/// Vendors that can be simulated, by the name of their connector.
pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

/// Hours between the end of a world and the moment at which it is looked at: nobody is in the middle of a visit.
const LATER_HOURS: i64 = 6;

/// A vendor that answers on loopback until this value is dropped.
pub(crate) struct Simulated {
    /// The connector that reads it.
    pub(crate) connector: &'static str,
    /// It.
    pub(crate) served: Served,
    /// The settings to read it.
    pub(crate) values: Value,
    /// Its secrets, by key.
    pub(crate) secrets: BTreeMap<String, SecretString>,
}

/// The clock of a world: it begins when the world ends.
fn clock(world: &World) -> Clock {
    let (begin, end) = (tokio::time::Instant::now(), world.plan.end().0 + LATER_HOURS * 3_600_000_000);
    Arc::new(move || Time(end + begin.elapsed().as_micros() as i64))
}

/// Starts a vendor over a world on a port of loopback; 0 is any free one.
pub(crate) async fn start(connector: &'static str, world: &World, port: u16) -> io::Result<Simulated> {
    let found = ALL.iter().find(|(name, _)| *name == connector);
    let (_, parts) =
        found.ok_or_else(|| io::Error::other(format!("there is no simulator of {connector}")))?;
    let (kit, values, secrets) = parts(world, clock(world));
    let served = serve(kit, port).await?;
    let values = values(&served.url());
    Ok(Simulated { connector, served, values, secrets })
}

impl Simulated {
    /// The name of the environment variable that its configuration takes a secret from.
    pub(crate) fn variable(&self, key: &str) -> String {
        format!("{}_{key}", self.connector).replace('-', "_").to_uppercase()
    }

    /// The `[[source]]` that reads it.
    pub(crate) fn configuration(&self, id: &str) -> String {
        let mut lines = vec!["[[source]]".to_owned(), format!("id = \"{id}\"")];
        lines.push(format!("connector = \"{}\"", self.connector));
        // Texts and numbers are written alike in JSON and TOML.
        let values = self.values.as_object().into_iter().flatten();
        lines.extend(values.map(|(key, value)| format!("{key} = {value}")));
        let secrets =
            self.secrets.keys().map(|key| format!("{key} = {{ env = \"{}\" }}", self.variable(key)));
        lines.extend(secrets);
        lines.join("\n") + "\n"
    }
}
