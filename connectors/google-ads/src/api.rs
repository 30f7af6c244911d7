//! Google Ads' REST API: addresses, queries, and what its errors mean.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_core::Time;
use tributary_source::http::{Api, Auth, Http, Limit, Request, Response, Verdict, classify};
use tributary_source::{Environment, Error, ExposeSecret, NextStep, Settings};

use crate::config::Config;

/// One row as Google sends it: resources in lower camel case, 64-bit numbers as texts.
pub(crate) type Row = Map<String, Value>;

/// One page of a query.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    #[serde(default)]
    results: Vec<Row>,
    next_page_token: Option<String>,
    total_results_count: Option<Value>,
}

/// Rows of one request.
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    pub(crate) next: Option<String>,
    /// How many rows the whole query has; left out where there are none.
    pub(crate) total: Option<u64>,
    pub(crate) server_time: Option<Time>,
}

/// The API with one grant.
#[derive(Clone, Debug)]
pub(crate) struct Ads {
    http: Http,
    version: String,
    login: Option<String>,
    /// The manager accounts through which accounts were found.
    managers: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Ads {
    pub(crate) fn new(
        settings: &Settings,
        config: &Config,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let login = config.oauth(settings)?;
        let developer = settings.secrets.get("developer_token");
        let api = Api {
            hosts: login.host().into_iter().collect(),
            auth: Auth::Login(Arc::new(login)),
            limit: Limit {
                per_second: config.requests_per_second,
                burst: config.requests_per_second.ceil() as u32,
                concurrent: 2,
                // Basic access.
                daily: Some(15_000),
            },
            classify: meaning,
            headers: developer.iter().map(|it| ("developer-token", it.expose_secret().to_owned())).collect(),
            ..Api::new(config.url.clone())
        };
        let http = Http::new(api, environment)?;
        let (version, login) = (config.version.clone(), config.login_customer_id.clone());
        Ok(Self { http, version, login, managers: Arc::default() })
    }

    /// Notes the manager account through which an account was found.
    pub(crate) fn found(&self, customer: &str, manager: &str) {
        let mut managers = self.managers.lock().unwrap_or_else(PoisonError::into_inner);
        managers.insert(customer.to_owned(), manager.to_owned());
    }

    /// The manager account through which an account is seen, if it is not seen directly.
    pub(crate) fn manager(&self, customer: &str) -> Option<String> {
        let managers = self.managers.lock().unwrap_or_else(PoisonError::into_inner);
        self.login.clone().or_else(|| managers.get(customer).cloned())
    }

    /// Asks one page of a query in an account.
    pub(crate) async fn search(
        &self,
        customer: &str,
        query: &str,
        page: Option<&str>,
    ) -> Result<Answer, Error> {
        let path = format!("{}/customers/{customer}/googleAds:search", self.version);
        let mut body = json!({"query": query, "searchSettings": {"returnTotalResultsCount": true}});
        if let Some(page) = page {
            body["pageToken"] = json!(page);
        }
        let mut request = Request::post_json(path, &body)?;
        if let Some(manager) = self.manager(customer) {
            request = request.header("login-customer-id", &manager);
        }
        let response = self.http.send(&request).await?;
        let found: Found = response.json()?;
        let total = found.total_results_count.and_then(|count| count.as_str()?.parse().ok());
        let (rows, next) = (found.results, found.next_page_token);
        Ok(Answer { rows, next, total, server_time: response.server_time() })
    }

    /// The accounts that the grant reaches directly, and the server's time.
    pub(crate) async fn accessible(&self) -> Result<(Vec<String>, Option<Time>), Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Accessible {
            #[serde(default)]
            resource_names: Vec<String>,
        }
        let path = format!("{}/customers:listAccessibleCustomers", self.version);
        let response = self.http.send(&Request::get(path)).await?;
        let names: Accessible = response.json()?;
        let ids = names.resource_names.iter().filter_map(|name| name.strip_prefix("customers/"));
        Ok((ids.map(str::to_owned).collect(), response.server_time()))
    }
}

/// The error inside a reply, alone or in a list.
fn codes(body: &[u8]) -> Option<Vec<(String, String, Option<i64>)>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error").or_else(|| body.as_array()?.iter().find_map(|it| it.get("error")))?;
    let details = error["details"].as_array().into_iter().flatten();
    let errors = details.flat_map(|detail| detail["errors"].as_array().into_iter().flatten());
    let code = |error: &Value| {
        let (kind, code) = error["errorCode"].as_object()?.iter().next()?;
        let delay = error.pointer("/details/quotaErrorDetails/retryDelay").and_then(Value::as_str);
        let seconds = delay.and_then(|delay| delay.trim_end_matches('s').parse().ok());
        Some((kind.clone(), code.as_str()?.to_owned(), seconds))
    };
    Some(errors.filter_map(code).collect())
}

/// The one place that says what a reply of Google Ads means: by its error code, never by its text.
fn meaning(response: &Response, now: Time) -> Verdict {
    let usual = || classify(response, now);
    if response.status < 400 && !response.body.trim_ascii_start().starts_with(b"[") {
        return usual();
    }
    let Some(codes) = codes(&response.body) else { return usual() };
    let Some((kind, code, delay)) = codes.first() else { return usual() };
    let status = response.status;
    let told = |what: &str| format!("Google Ads {what} ({code}, status {status})");
    let later = |seconds: i64| Some(Time(now.0 + seconds * 1_000_000));
    match code.as_str() {
        "OAUTH_TOKEN_EXPIRED" | "OAUTH_TOKEN_INVALID" => {
            Verdict::AuthExpired(told("does not accept the token"))
        }
        "RESOURCE_EXHAUSTED" => {
            let reason = told("has no operations left today");
            Verdict::Throttled { until: later(delay.unwrap_or(24 * 60 * 60)), reason }
        }
        "RESOURCE_TEMPORARILY_EXHAUSTED" | "EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION" => {
            Verdict::Throttled { until: delay.and_then(later), reason: told("is asked too often") }
        }
        "EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION" => {
            Verdict::Throttled { until: later(delay.unwrap_or(60 * 60)), reason: told("was asked too much") }
        }
        "CUSTOMER_NOT_ENABLED" | "CUSTOMER_NOT_FOUND" => {
            Verdict::SkipPart(told("has this account no more: it is cancelled or was never finished"))
        }
        "USER_PERMISSION_DENIED" => Verdict::SkipPart(told(
            "does not show this account: give the user access to it, or set `login_customer_id` to its manager account",
        )),
        "UNSUPPORTED_VERSION" => {
            Verdict::Config(told("has switched this version off: set `version` to a newer one"))
        }
        "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION" | "DEVELOPER_TOKEN_NOT_APPROVED" => {
            Verdict::Config(told("lets this Cloud project read test accounts only: apply for access"))
        }
        "INVALID_PAGE_TOKEN" | "EXPIRED_PAGE_TOKEN" => Verdict::CursorLost(told("forgot where we were")),
        _ if kind == "authenticationError" => {
            Verdict::ReauthNeeded(told("does not accept the grant: give a new refresh token"))
        }
        _ if kind == "authorizationError" => Verdict::Config(told("does not allow this")),
        _ if status >= 500 => usual(),
        _ => Verdict::Wrong(told("refused the request")),
    }
}

/// A value at a dotted path in lower camel case.
pub(crate) fn at<'a>(row: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(row, |value, field| &value[field])
}

/// A text at a path, or a number as one; what Google leaves out is nothing.
pub(crate) fn text(row: &Value, path: &str) -> Option<String> {
    match at(row, path) {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A text that every row must have.
pub(crate) fn needed(row: &Row, path: &str) -> Result<String, Error> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    row.get(first).and_then(|value| text(value, rest)).ok_or_else(|| {
        Error::new(NextStep::Retry, format!("the reply has a row without `{path}`; the API may have changed"))
    })
}
