#![doc = include_str!("../README.md")]

mod api;
mod config;
mod normalize;
mod pull;
#[cfg(feature = "simulator")]
mod simulator;

use async_trait::async_trait;
use tributary_source::http::OAuth;
use tributary_source::{
    Connector, Environment, Error, Finding, Mode, Normalized, Page, Record, Settings, Source, Spec, Stream,
    Task,
};

use api::Crm;
use config::Config;
#[cfg(feature = "simulator")]
pub use simulator::SimulatedHubSpot;

/// The connector for HubSpot.
#[derive(Clone, Copy, Debug, Default)]
pub struct HubSpot;

/// What is pulled, what others refer to first.
static STREAMS: [Stream; 8] = [
    Stream { name: "owners", mode: Mode::Snapshot, sweeps: false },
    Stream { name: "pipelines", mode: Mode::Snapshot, sweeps: false },
    Stream { name: "companies", mode: Mode::Keyset, sweeps: false },
    Stream { name: "contacts", mode: Mode::Keyset, sweeps: false },
    Stream { name: "deals", mode: Mode::Keyset, sweeps: false },
    Stream { name: "calls", mode: Mode::Keyset, sweeps: false },
    Stream { name: "emails", mode: Mode::Keyset, sweeps: false },
    Stream { name: "meetings", mode: Mode::Keyset, sweeps: false },
];

impl Connector for HubSpot {
    fn name(&self) -> &'static str {
        "hubspot"
    }

    fn about(&self) -> &'static str {
        include_str!("../README.md")
    }

    fn spec(&self) -> Spec {
        Spec::of::<Config>(config::SECRETS)
    }

    fn normalizer_version(&self) -> u32 {
        1
    }

    fn streams(&self) -> &'static [Stream] {
        &STREAMS
    }

    fn connect(&self, settings: &Settings, environment: &Environment) -> Result<Box<dyn Source>, Error> {
        let config = Config::read(settings)?;
        let crm = Crm::new(settings, &config, environment)?;
        Ok(Box::new(Connection { crm, config }))
    }

    fn oauth(&self, settings: &Settings) -> Result<Option<OAuth>, Error> {
        Config::read(settings)?.oauth(settings)
    }

    fn normalize(&self, settings: &Settings, record: &Record) -> Normalized {
        normalize::normalize(settings, record)
    }
}

/// A connection to one account.
struct Connection {
    crm: Crm,
    config: Config,
}

#[async_trait]
impl Source for Connection {
    async fn check(&self) -> Result<Vec<Finding>, Error> {
        pull::check(&self.crm).await
    }

    fn at_once(&self) -> usize {
        api::CONCURRENT
    }

    async fn pull(&self, task: &Task) -> Result<Page, Error> {
        pull::pull(&self.crm, &self.config, task).await
    }
}
