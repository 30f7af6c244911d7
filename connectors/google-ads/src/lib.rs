#![doc = include_str!("../README.md")]

mod api;
mod config;
mod normalize;
mod pull;
#[cfg(feature = "simulator")]
mod simulator;

use async_trait::async_trait;
use tributary_core::time::{When, Zone};
use tributary_source::http::OAuth;
use tributary_source::{
    Connector, Environment, Error, Finding, Mode, Normalized, Page, Part, Record, Settings, Source, Spec,
    Stream, Task, VersionEnd,
};

use api::Ads;
use config::Config;
#[cfg(feature = "simulator")]
pub use simulator::SimulatedGoogleAds;

/// The connector for Google Ads.
#[derive(Clone, Copy, Debug, Default)]
pub struct GoogleAds;

static STREAMS: [Stream; 4] = [
    Stream { name: "campaigns", mode: Mode::Snapshot, sweeps: false },
    Stream { name: "ad_groups", mode: Mode::Snapshot, sweeps: false },
    Stream { name: "spend", mode: Mode::Windows, sweeps: false },
    Stream { name: "clicks", mode: Mode::Keyset, sweeps: false },
];

/// When Google ends the versions of its API, as far as it has said: the first day of the month.
const VERSION_ENDS: [(&str, &str); 5] = [
    ("v22", "2026-10-07"),
    ("v23", "2027-02-01"),
    ("v24", "2027-05-01"),
    ("v25", "2027-08-01"),
    ("v26", "2027-11-01"),
];

impl Connector for GoogleAds {
    fn name(&self) -> &'static str {
        "google-ads"
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

    fn version_end(&self, settings: &Settings) -> Option<VersionEnd> {
        let version = Config::read(settings).ok()?.version;
        let (_, day) = VERSION_ENDS.iter().find(|(known, _)| *known == version)?;
        Some(VersionEnd { version, at: When::parse(day, &Zone::default()).ok()?.start() })
    }

    fn connect(&self, settings: &Settings, environment: &Environment) -> Result<Box<dyn Source>, Error> {
        let config = Config::read(settings)?;
        let ads = Ads::new(settings, &config, environment)?;
        Ok(Box::new(Connection { ads, config }))
    }

    fn oauth(&self, settings: &Settings) -> Result<Option<OAuth>, Error> {
        Config::read(settings)?.oauth(settings).map(Some)
    }

    fn normalize(&self, _: &Settings, record: &Record) -> Normalized {
        normalize::normalize(record)
    }
}

/// A connection with one grant.
struct Connection {
    ads: Ads,
    config: Config,
}

#[async_trait]
impl Source for Connection {
    async fn check(&self) -> Result<Vec<Finding>, Error> {
        pull::check(&self.ads, &self.config).await
    }

    /// Ads accounts; for spend, each month of them.
    async fn parts(&self, stream: &Stream) -> Result<Vec<Part>, Error> {
        pull::parts(&self.ads, &self.config, stream.name).await
    }

    async fn pull(&self, task: &Task) -> Result<Page, Error> {
        pull::pull(&self.ads, &self.config, task).await
    }
}
