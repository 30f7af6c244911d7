//! When sources are pulled: `every`, `cron`, `window` and their like in a `[[source]]`, and `[daemon]`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use toml::de::DeTable;
use tributary_core::time::Zone;
use tributary_sync::{Cadence, Cron, Schedule, Window};

use super::diagnostic::{Diagnostic, Text};
use super::file::Value;
use super::suggest;

/// The keys of a `[[source]]` that say when it is pulled.
pub(super) const KEYS: [&str; 8] =
    ["every", "cron", "jitter", "window", "sweep_every", "quota_share", "requests_per_day", "streams"];

/// When the daemon pulls a source.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Timing {
    /// How often the daemon syncs it: a number and s, m, h or d. Default: only by hand.
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9]+[smhd]$"))]
    every: Option<Spanned<String>>,
    /// Instead of `every`: minute, hour, day of month, month and day of week, as cron has it, in the source's time zone.
    #[schemars(with = "Option<String>")]
    cron: Option<Spanned<String>>,
    /// The most that a sync is put off, so that not all begin at one instant. Default: 0s.
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9]+[smhd]$"))]
    jitter: Option<Spanned<String>>,
    /// The hours in which the daemon syncs it, such as `20:00-06:00` in the source's time zone. Default: all.
    #[schemars(with = "Option<String>")]
    window: Option<Spanned<String>>,
    /// How much time goes by between two walks over all ids, which find what was deleted. Default: 1d.
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9]+[smhd]$"))]
    sweep_every: Option<Spanned<String>>,
    /// The part of the vendor's daily quota that is ours, more than 0 and at most 1. Default: 0.25, since other tools
    /// need it too.
    #[schemars(with = "Option<f64>", extend("exclusiveMinimum" = 0, "maximum" = 1))]
    quota_share: Option<Spanned<f64>>,
    /// Requests a day that the vendor allows the account, where that is not what the connector knows.
    requests_per_day: Option<u64>,
    /// Streams that have a schedule of their own.
    #[schemars(with = "BTreeMap<String, StreamTiming>")]
    streams: BTreeMap<Spanned<String>, StreamTiming>,
}

/// When the daemon pulls one stream.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct StreamTiming {
    /// How often: a number and s, m, h or d.
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9]+[smhd]$"))]
    every: Option<Spanned<String>>,
    /// Instead of `every`: five fields, as cron has it.
    #[schemars(with = "Option<String>")]
    cron: Option<Spanned<String>>,
}

/// What a source's timing comes to.
#[derive(Clone, Debug)]
pub(crate) struct SourceTiming {
    /// When it is pulled; only when somebody asks without.
    pub(crate) schedule: Option<Schedule>,
    /// When streams are pulled that have a schedule of their own.
    pub(crate) streams: BTreeMap<&'static str, Schedule>,
    /// Time between two walks over all ids.
    pub(crate) sweep_every: Duration,
    /// The part of the vendor's daily quota that is ours.
    pub(crate) quota_share: f64,
    /// What the vendor allows in a day, where the configuration says.
    pub(crate) requests_per_day: Option<u64>,
}

impl Default for SourceTiming {
    fn default() -> Self {
        let (schedule, streams) = (None, BTreeMap::new());
        Self { schedule, streams, sweep_every: DAY, quota_share: 0.25, requests_per_day: None }
    }
}

const DAY: Duration = Duration::from_hours(24);

/// `[daemon]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Daemon {
    /// How many sources are synced at a time. Default: 8.
    #[schemars(with = "Option<usize>", range(min = 1))]
    at_once: Option<Spanned<usize>>,
    /// How long first reads of streams may go on before what changed in the others is synced again. Default: 10m.
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9]+[smhd]$"))]
    backfill: Option<Spanned<String>>,
    /// How long, on Postgres, what a daemon has in hand stays so when it does not answer. Default: 30s.
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9]+[smhd]$"))]
    lease: Option<Spanned<String>>,
    /// Where the daemon answers over HTTP, such as `127.0.0.1:7420`. Default: nowhere.
    #[schemars(with = "Option<String>")]
    listen: Option<Spanned<String>>,
    /// The environment variable that holds the token of the API: `{ env = "NAME" }`. Without one, nothing but the
    /// daemon's health is told.
    #[schemars(with = "Option<Variable>")]
    token: Option<Spanned<Value>>,
    /// Who may read metrics: `token` (whoever brings the token) or `open` (whoever reaches the door). Default: token.
    metrics: Metrics,
}

/// `{ env = "NAME" }`
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it only describes a schema")]
struct Variable {
    env: String,
}

/// Who may read metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Metrics {
    /// Whoever brings the token.
    #[default]
    Token,
    /// Whoever reaches the door.
    Open,
}

/// What `[daemon]` comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DaemonConfig {
    /// Where the daemon answers over HTTP.
    pub(crate) listen: Option<SocketAddr>,
    /// The environment variable that holds the token of the API.
    pub(crate) token: Option<String>,
    /// Who may read metrics.
    pub(crate) metrics: Metrics,
    /// How many sources are pulled at a time.
    pub(crate) at_once: usize,
    /// How long first reads may go on at a time.
    pub(crate) backfill: Duration,
    /// How long a lease lasts.
    pub(crate) lease: Duration,
}

impl Daemon {
    pub(super) fn read(self, text: &Text) -> Result<DaemonConfig, Diagnostic> {
        if let Some(at_once) = self.at_once.as_ref().filter(|it| *it.get_ref() == 0) {
            return Err(text.at(at_once.span(), "`at_once` must be at least 1"));
        }
        let lease = duration(text, self.lease.as_ref())?.unwrap_or(Duration::from_secs(30));
        if let Some(short) = self.lease.as_ref().filter(|_| lease < Duration::from_secs(1)) {
            return Err(text.at(short.span(), "`lease` must be at least a second"));
        }
        Ok(DaemonConfig {
            at_once: self.at_once.map_or(8, Spanned::into_inner),
            backfill: duration(text, self.backfill.as_ref())?.unwrap_or(Duration::from_mins(10)),
            lease,
            listen: self.listen.as_ref().map(|listen| address(text, listen)).transpose()?,
            token: self.token.map(|token| variable(text, token)).transpose()?,
            metrics: self.metrics,
        })
    }
}

fn address(text: &Text, listen: &Spanned<String>) -> Result<SocketAddr, Diagnostic> {
    listen.get_ref().parse().map_err(|_| {
        text.at(listen.span(), format!("`{}` is no address to listen at", listen.get_ref()))
            .hint("expected an IP address and a port, such as 127.0.0.1:7420")
    })
}

/// The variable's name: a token does not belong into a file.
fn variable(text: &Text, token: Spanned<Value>) -> Result<String, Diagnostic> {
    let span = token.span();
    match token.into_inner() {
        Value::Env { env } => Ok(env),
        Value::Text(_) => Err(text
            .at(span, "`token` is a secret, which does not belong into a file")
            .hint("write token = { env = \"NAME\" }, and put it into the environment variable NAME")),
    }
}

/// Reads the keys that were taken out of a `[[source]]`.
pub(super) fn read(
    text: &Text,
    table: Spanned<DeTable<'_>>,
    zone: &Zone,
    streams: &[&'static str],
) -> Result<SourceTiming, Diagnostic> {
    let timing = Timing::deserialize(toml::Deserializer::from(table)).map_err(|error| text.toml(&error))?;
    let window = match &timing.window {
        None => None,
        Some(window) => Some(Window::parse(window.get_ref()).ok_or_else(|| {
            text.at(window.span(), format!("`{}` is no part of a day", window.get_ref()))
                .hint("expected two times such as 20:00-06:00")
        })?),
    };
    let base = |cadence| -> Result<Schedule, Diagnostic> {
        let jitter = duration(text, timing.jitter.as_ref())?.unwrap_or_default();
        Ok(Schedule { cadence, jitter, window, zone: zone.clone() })
    };
    let schedule = match cadence(text, timing.every.as_ref(), timing.cron.as_ref(), zone)? {
        Some(cadence) => Some(base(cadence)?),
        None => None,
    };
    let mut own = BTreeMap::new();
    for (name, timing) in &timing.streams {
        let known = streams.iter().find(|known| *known == name.get_ref()).ok_or_else(|| {
            let message = format!("the connector has no stream `{}`", name.get_ref());
            text.at(name.span(), message).hint(suggest::hint(name.get_ref(), streams))
        })?;
        let cadence = cadence(text, timing.every.as_ref(), timing.cron.as_ref(), zone)?
            .ok_or_else(|| text.at(name.span(), "this stream's schedule lacks `every` or `cron`"))?;
        own.insert(*known, base(cadence)?);
    }
    let quota_share = match &timing.quota_share {
        None => SourceTiming::default().quota_share,
        Some(share) if *share.get_ref() > 0.0 && *share.get_ref() <= 1.0 => *share.get_ref(),
        Some(share) => {
            return Err(text.at(share.span(), "`quota_share` must be more than 0 and at most 1"));
        }
    };
    Ok(SourceTiming {
        schedule,
        streams: own,
        sweep_every: duration(text, timing.sweep_every.as_ref())?.unwrap_or(DAY),
        quota_share,
        requests_per_day: timing.requests_per_day,
    })
}

fn cadence(
    text: &Text,
    every: Option<&Spanned<String>>,
    cron: Option<&Spanned<String>>,
    zone: &Zone,
) -> Result<Option<Cadence>, Diagnostic> {
    match (every, cron) {
        (Some(_), Some(cron)) => Err(text.at(cron.span(), "either `every` or `cron`, not both")),
        (None, None) => Ok(None),
        (Some(_), None) => Ok(duration(text, every)?.map(Cadence::Every)),
        (None, Some(cron)) => {
            let parsed = Cron::parse(cron.get_ref(), zone).map_err(|error| {
                text.at(cron.span(), format!("`{}` can't be read: {error}", cron.get_ref()))
                    .hint("such as \"0 6 * * 1-5\": at six on workdays")
            })?;
            Ok(Some(Cadence::Cron(Box::new(parsed))))
        }
    }
}

pub(super) fn duration(text: &Text, value: Option<&Spanned<String>>) -> Result<Option<Duration>, Diagnostic> {
    let Some(value) = value else { return Ok(None) };
    match seconds(value.get_ref()) {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Err(text
            .at(value.span(), format!("`{}` is not a duration", value.get_ref()))
            .hint("expected a number and a unit, such as 15m, 6h or 1d")),
    }
}

/// `90s`, `15m`, `6h`, `1d`.
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text[..text.len() - 1].trim().parse().ok()?;
    number.checked_mul(factor).filter(|seconds| *seconds > 0)
}
