//! Matomo's reporting API: addresses, and what its replies mean.

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
            limit: Limit { per_second: 20.0, burst: 5, concurrent: 1 },
            classify: meaning,
            ..Api::new(config.url.clone())
        };
        Ok(Self { http: Http::new(api, environment)?, token: settings.secret("token")?.clone() })
    }

    /// The visits of a site whose last action is at or after an instant, by last action upwards.
    pub(crate) async fn visits(
        &self,
        site: &str,
        range: &str,
        from_seconds: i64,
        offset: u64,
        limit: usize,
    ) -> Result<Rows, Error> {
        let (from, offset, limit) = (from_seconds.to_string(), offset.to_string(), limit.to_string());
        let fields = [
            ("idSite", site),
            ("period", "range"),
            ("date", range),
            ("minTimestamp", &from),
            ("filter_sort_order", "asc"),
            ("filter_offset", &offset),
            ("filter_limit", &limit),
        ];
        self.call("Live.getLastVisitsDetails", &fields).await
    }

    /// Every site that the token may see.
    pub(crate) async fn sites(&self) -> Result<Rows, Error> {
        self.call("SitesManager.getSitesWithAtLeastViewAccess", &[("filter_limit", "-1")]).await
    }

    async fn call(&self, method: &str, fields: &[(&str, &str)]) -> Result<Rows, Error> {
        // The token never stands in an address: those are logged everywhere.
        let mut form = vec![("token_auth", self.token.expose_secret())];
        form.extend(fields);
        let request = Request::post_form("index.php", &form)
            .query("module", "API")
            .query("method", method)
            .query("format", "json");
        let response = self.http.send(&request).await?;
        let rows: Vec<Row> = response.json()?;
        Ok(Rows { rows, server_time: response.server_time() })
    }
}

/// The one place that says what a reply of Matomo means. Its messages are not shown: some quote what was asked.
fn meaning(response: &Response, now: Time) -> Verdict {
    if matches!(response.status, 401 | 403) {
        return Verdict::ReauthNeeded(format!(
            "Matomo does not accept the token (status {}): make a new one under Personal, Security",
            response.status
        ));
    }
    let fault = serde_json::from_slice::<Fault>(&response.body).ok().filter(|fault| fault.result == "error");
    let Some(fault) = fault.filter(|_| (200..300).contains(&response.status)) else {
        return classify(response, now);
    };
    let says = |part: &str| fault.message.to_lowercase().contains(part);
    if says("authenticate") || says("token_auth") {
        Verdict::ReauthNeeded(
            "Matomo does not accept the token: make a new one under Personal, Security".to_owned(),
        )
    } else if says("'view' access") || says("view access") {
        Verdict::SkipPart("the token's user may not view this site: give them view access to it".to_owned())
    } else if says("deactivated") || says("disabled") {
        Verdict::Config("Matomo's visits log is off: turn it on under Privacy, Anonymise data".to_owned())
    } else if says("max_execution_time") || says("too long") || says("timeout") {
        Verdict::Transient("Matomo's database took too long; a smaller `page_size` may help".to_owned())
    } else {
        Verdict::Transient("Matomo answered with an error; its log says why".to_owned())
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
