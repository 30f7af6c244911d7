#![doc = include_str!("../README.md")]

mod api;
mod config;
mod normalize;
mod pull;
#[cfg(feature = "simulator")]
mod simulator;

use async_trait::async_trait;
use tributary_source::{
    Connector, Environment, Error, Finding, Mode, Normalized, Page, Part, Record, Settings, Source, Spec,
    Stream, Task,
};

use api::Server;
use config::Config;
#[cfg(feature = "simulator")]
pub use simulator::SimulatedMatomo;

/// The connector for Matomo.
#[derive(Clone, Copy, Debug, Default)]
pub struct Matomo;

static STREAMS: [Stream; 3] = [
    Stream { name: "sites", mode: Mode::Snapshot, sweeps: false },
    Stream { name: "goals", mode: Mode::Snapshot, sweeps: false },
    Stream { name: "visits", mode: Mode::Keyset, sweeps: false },
];

impl Connector for Matomo {
    fn name(&self) -> &'static str {
        "matomo"
    }

    fn about(&self) -> &'static str {
        include_str!("../README.md")
    }

    fn spec(&self) -> Spec {
        Spec::of::<Config>(config::SECRETS)
    }

    fn normalizer_version(&self) -> u32 {
        2
    }

    fn streams(&self) -> &'static [Stream] {
        &STREAMS
    }

    fn connect(&self, settings: &Settings, environment: &Environment) -> Result<Box<dyn Source>, Error> {
        let config = Config::read(settings)?;
        let server = Server::new(settings, &config, environment)?;
        Ok(Box::new(Connection { server, config }))
    }

    fn normalize(&self, _: &Settings, record: &Record) -> Normalized {
        normalize::normalize(record)
    }
}

/// A connection to one server.
struct Connection {
    server: Server,
    config: Config,
}

#[async_trait]
impl Source for Connection {
    async fn check(&self) -> Result<Vec<Finding>, Error> {
        pull::check(&self.server, &self.config).await
    }

    /// Each site has goals and a visits log of its own.
    async fn parts(&self, stream: &Stream) -> Result<Vec<Part>, Error> {
        pull::parts(&self.server, &self.config, stream.name).await
    }

    async fn pull(&self, task: &Task) -> Result<Page, Error> {
        pull::pull(&self.server, &self.config, task).await
    }
}
