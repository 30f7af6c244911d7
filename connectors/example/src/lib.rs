#![doc = include_str!("../README.md")]

mod api;
mod config;
mod normalize;
#[cfg(feature = "simulator")]
mod simulator;

use async_trait::async_trait;
use tributary_source::{
    Connector, Environment, Error, Finding, Http, Normalized, Page, Record, Settings, Source, Spec, Stream,
    Task, rest,
};

use config::Config;
#[cfg(feature = "simulator")]
pub use simulator::SimulatedExample;

/// The connector for Example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Example;

static STREAMS: [Stream; 1] = [api::CONTACTS.stream];

impl Connector for Example {
    fn name(&self) -> &'static str {
        "example"
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
        let config: Config = settings.parse()?;
        Ok(Box::new(Connection { http: api::client(settings, &config, environment)? }))
    }

    fn normalize(&self, _: &Settings, record: &Record) -> Normalized {
        normalize::normalize(record)
    }
}

/// A connection to one account.
struct Connection {
    http: Http,
}

#[async_trait]
impl Source for Connection {
    async fn check(&self) -> Result<Vec<Finding>, Error> {
        rest::check(&self.http, &api::ALL).await?;
        Ok(Vec::new())
    }

    async fn pull(&self, task: &Task) -> Result<Page, Error> {
        rest::pull(&self.http, &api::ALL, task).await
    }
}
