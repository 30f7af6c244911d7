//! Matomo's reporting API: addresses, and what its replies mean.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use tributary_core::Time;
use tributary_source::http::{Api, Http, Limit, Request, Response, Verdict, classify};
use tributary_source::{Environment, Error, ExposeSecret, NextStep, SecretString, Settings};

use crate::config::Config;

/// One object as Matomo sends it.
pub(crate) type Row = Map<String, Value>;

/// Rows of one request.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    pub(crate) server_time: Option<Time>,
}

/// One Matomo server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    http: Http,
    token: SecretString,
}

/// Matomo's way to say that something went wrong, with status 200.
#[derive(Deserialize)]
struct Fault {
    result: String,
    #[serde(default)]
    message: String,
}

impl Server {
    pub(crate) fn new(
        settings: &Settings,
        config: &Config,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let api = Api {
            // Matomo has no limit: its database answers one question at a time well.
            limit: Limit { per_second: 20.0, burst: 5, concurrent: 1, daily: None },
            classify: meaning,
            ..Api::new(config.url.clone())
        };
        Ok(Self { http: Http::new(api, environment)?, token: settings.secret("token")?.clone() })
    }

    /// The first visits of a site whose last action is at or after an instant, by last action upwards.
    ///
    /// There is no offset: over a range of several days Matomo counts it wrongly and leaves visits out.
    pub(crate) async fn visits(
        &self,
        site: &str,
        range: &str,
        from_seconds: i64,
        limit: usize,
    ) -> Result<Rows, Error> {
        // Matomo leaves out the least time itself.
        let (after, limit) = ((from_seconds - 1).max(0).to_string(), limit.to_string());
        let fields = [
            ("idSite", site),
            ("period", "range"),
            ("date", range),
            ("minTimestamp", &after),
            ("filter_sort_order", "asc"),
            ("filter_limit", &limit),
        ];
        self.call("Live.getLastVisitsDetails", &fields).await.map_err(|error| of_site(site, error))
    }

    /// The goals of a site.
    pub(crate) async fn goals(&self, site: &str) -> Result<Rows, Error> {
        self.call("Goals.getGoals", &[("idSite", site)]).await.map_err(|error| of_site(site, error))
    }

    /// Every site that the token may see.
    pub(crate) async fn sites(&self) -> Result<Rows, Error> {
        self.call("SitesManager.getSitesWithAtLeastViewAccess", &[("filter_limit", "-1")]).await
    }

    async fn call(&self, method: &str, fields: &[(&str, &str)]) -> Result<Rows, Error> {
        // The token never stands in an address: those are logged everywhere.
        // And errors come in English, since nothing but their words tells them apart.
        let mut form = vec![("token_auth", self.token.expose_secret()), ("language", "en")];
        form.extend(fields);
        let request = Request::post_form("index.php", &form)
            .query("module", "API")
            .query("method", method)
            .query("format", "json");
        let response = self.http.send(&request).await?;
        // An array whose keys do not count from 0 is an object to PHP: the goals 2 and 3, for example.
        let rows = if response.body.trim_ascii_start().starts_with(b"{") {
            response.json::<BTreeMap<String, Row>>()?.into_values().collect()
        } else {
            response.json()?
        };
        Ok(Rows { rows, server_time: response.server_time() })
    }
}

/// Names the site in an error.
fn of_site(site: &str, error: Error) -> Error {
    Error { message: format!("site {site}: {}", error.message), ..error }
}

/// The error that a body tells, also where several calls were made in one.
fn fault(body: &[u8]) -> Option<Fault> {
    let one = serde_json::from_slice::<Fault>(body).ok();
    let one = one.or_else(|| serde_json::from_slice::<Vec<Fault>>(body).ok()?.into_iter().next());
    one.filter(|fault| fault.result == "error")
}

/// The one place that says what a reply of Matomo means. Its messages are not shown: some quote what was asked.
///
/// The words come first: with status 200 by custom, and with 401 where anything, a single site even, may not be seen.
fn meaning(response: &Response, now: Time) -> Verdict {
    let message = fault(&response.body).map(|fault| fault.message.to_lowercase()).unwrap_or_default();
    let says = |part: &str| message.contains(part);
    let refused = "Matomo does not accept the token: make a new one under Personal, Security";
    if says("authenticate") || says("token_auth") {
        Verdict::ReauthNeeded(refused.to_owned())
    } else if says("at least one website") {
        Verdict::Config("the token's user may not view any site: give them view access".to_owned())
    } else if says("'view' access") || says("view access") || says("couldn't be found") {
        Verdict::SkipPart("the token's user may not view it: give them view access".to_owned())
    } else if says("visits log is deactivated") {
        Verdict::Config(
            "Matomo's visits log is off: turn it on in the general settings, or in the website's own"
                .to_owned(),
        )
    } else if says("run the query in time") || says("max_execution_time") || says("max_statement_time") {
        Verdict::WindowTooBig("Matomo's database has too little time for so many visits".to_owned())
    } else {
        match response.status {
            200..=299 if !message.is_empty() => {
                Verdict::Transient("Matomo answered with an error; its log says why".to_owned())
            }
            401 => Verdict::ReauthNeeded(refused.to_owned()),
            403 => Verdict::Config(
                "something before Matomo refuses us (status 403): is it a firewall?".to_owned(),
            ),
            _ => classify(response, now),
        }
    }
}

/// A whole number, which Matomo sends as such or as a text.
pub(crate) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A text, or a number as one.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A field that every row must have.
pub(crate) fn needed(row: &Row, field: &str) -> Result<i64, Error> {
    row.get(field).and_then(number).ok_or_else(|| {
        Error::new(
            NextStep::Retry,
            format!("the reply has a row without `{field}`; the API may have changed"),
        )
    })
}
