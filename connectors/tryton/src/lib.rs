#![doc = include_str!("../README.md")]

mod api;
mod config;
mod normalize;
mod pull;

use async_trait::async_trait;
use tributary_source::{
    Connector, Environment, Error, Finding, Mode, Normalized, Page, Record, Settings, Source, Spec, Stream,
    Task,
};

use api::Tryton as Server;
use config::Config;

/// The connector for Tryton.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tryton;

/// What is pulled, what others refer to first.
static STREAMS: [Stream; 6] = [
    Stream { name: "employees", mode: Mode::Snapshot, sweeps: false },
    Stream { name: "campaigns", mode: Mode::Snapshot, sweeps: false },
    Stream { name: "parties", mode: Mode::Keyset, sweeps: true },
    Stream { name: "opportunities", mode: Mode::Keyset, sweeps: true },
    Stream { name: "stages", mode: Mode::Keyset, sweeps: false },
    Stream { name: "accesses", mode: Mode::Keyset, sweeps: false },
];

impl Connector for Tryton {
    fn name(&self) -> &'static str {
        "tryton"
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
        let server = Server::new(settings, &config, environment)?;
        Ok(Box::new(Connection { server, config }))
    }

    fn normalize(&self, settings: &Settings, record: &Record) -> Normalized {
        normalize::normalize(settings, record)
    }
}

/// A connection to one database.
struct Connection {
    server: Server,
    config: Config,
}

#[async_trait]
impl Source for Connection {
    async fn check(&self) -> Result<Vec<Finding>, Error> {
        pull::check(&self.server, &self.config).await
    }

    async fn pull(&self, task: &Task) -> Result<Page, Error> {
        pull::pull(&self.server, &self.config, task).await
    }
}
