//! HubSpot's CRM API: addresses, objects on the wire, and what its errors mean.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tributary_core::Time;
use tributary_core::time::{DAY_MICROS, Zone};
use tributary_source::http::{Api, Auth, Http, Limit, Quota, Request, Response, Verdict, classify};
use tributary_source::{Borrowed, Environment, Error, NextStep, Settings};

use crate::config::Config;

/// Ids of one batch with history; HubSpot takes more without.
pub(crate) const BATCH: usize = 50;
/// Ids of one question for associations.
pub(crate) const ASSOCIATIONS: usize = 1000;
/// Results of one search.
const SEARCHED: usize = 100;

/// Requests on their way at once.
pub(crate) const CONCURRENT: usize = 4;

/// One page of a list or search.
#[derive(Debug, Deserialize)]
struct Listed<T> {
    results: Vec<T>,
    paging: Option<Paging>,
    total: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Paging {
    next: Option<Cursor>,
}

#[derive(Debug, Deserialize)]
struct Cursor {
    after: String,
}

/// Rows of one reply, which may borrow from it.
pub(crate) struct Answer<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next: Option<String>,
    /// How many there are in all; only searches say so.
    pub(crate) total: Option<u64>,
    pub(crate) server_time: Option<Time>,
}

/// A reply to a question for rows.
pub(crate) struct Reply(Response);

impl Reply {
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<Answer<T>, Error> {
        let Listed { results: rows, paging, total } = self.0.json()?;
        let next = paging.and_then(|paging| paging.next).map(|next| next.after);
        Ok(Answer { rows, next, total, server_time: self.0.server_time() })
    }
}

/// One HubSpot account.
#[derive(Clone, Debug)]
pub(crate) struct Crm {
    http: Http,
    search: Http,
    version: String,
    page_size: usize,
}

impl Crm {
    pub(crate) fn new(
        settings: &Settings,
        config: &Config,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let (auth, host) = match config.oauth(settings)? {
            None => (Auth::Bearer(settings.secret("token")?.clone()), None),
            Some(login) => {
                let host = login.host();
                (Auth::Login(Arc::new(login)), host)
            }
        };
        let per_second = config.requests_per_second;
        // A little below the limit, so that a few that come at once, or late, still fit into its window.
        let (paced, burst) = (per_second * 0.975, (per_second / 10.0).ceil() as u32);
        let api = Api {
            hosts: host.into_iter().collect(),
            auth,
            // The smallest plan's day; the others allow up to a million.
            limit: Limit { per_second: paced, burst, concurrent: CONCURRENT, daily: Some(250_000) },
            quota,
            classify: meaning,
            ..Api::new(config.url.clone())
        };
        let http = Http::new(api, environment)?;
        // Searches have a limit of five a second of their own, which other tools of the account share.
        let searches = per_second.min(4.0);
        let search =
            http.narrowed(&Limit { per_second: searches, burst: 1, concurrent: CONCURRENT, daily: None });
        Ok(Self { http, search, version: config.version.clone(), page_size: config.page_size })
    }

    /// One page of the objects of a type, those that are archived or those that are not.
    pub(crate) async fn list(
        &self,
        kind: &str,
        properties: &[&str],
        archived: Archived,
        after: Option<&str>,
    ) -> Result<Reply, Error> {
        let request = Request::get(format!("crm/objects/{}/{kind}", self.version))
            .query("limit", self.page_size)
            .query("archived", archived == Archived::Yes)
            .query("properties", properties.join(","));
        self.answer(
            &self.http,
            &after.into_iter().fold(request, |request, after| request.query("after", after)),
        )
        .await
    }

    /// Objects that fit all filters, by id upwards, from the one after `after` on.
    ///
    /// Pages are new questions, each from the last id on: a question gives at most 10,000 results.
    pub(crate) async fn search(
        &self,
        kind: &str,
        properties: &[&str],
        filter: &Value,
        after: u64,
    ) -> Result<Reply, Error> {
        let beyond = json!({"propertyName": "hs_object_id", "operator": "GT", "value": after.to_string()});
        let body = json!({
            "filterGroups": [{"filters": [filter, beyond]}],
            "sorts": ["hs_object_id"],
            "properties": properties,
            "limit": self.page_size.min(SEARCHED),
        });
        let path = format!("crm/objects/{}/{kind}/search", self.version);
        self.answer(&self.search, &Request::post_json(path, &body)?).await
    }

    /// The history of a property of some objects.
    pub(crate) async fn history(
        &self,
        kind: &str,
        ids: &[String],
        property: &str,
    ) -> Result<Vec<Value>, Error> {
        let mut out = Vec::new();
        for ids in ids.chunks(BATCH) {
            let inputs: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
            let body = json!({"inputs": inputs, "properties": [], "propertiesWithHistory": [property]});
            let path = format!("crm/objects/{}/{kind}/batch/read", self.version);
            out.extend(self.answer(&self.http, &Request::post_json(path, &body)?).await?.read()?.rows);
        }
        Ok(out)
    }

    /// What some objects are associated with, of one type.
    pub(crate) async fn associations(
        &self,
        from: &str,
        to: &str,
        ids: &[String],
    ) -> Result<Vec<Value>, Error> {
        let path = format!("crm/associations/{}/{from}/{to}/batch/read", self.version);
        let mut out = Vec::new();
        for ids in ids.chunks(ASSOCIATIONS) {
            let mut inputs: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
            while !inputs.is_empty() {
                let request = Request::post_json(path.clone(), &json!({"inputs": inputs}))?;
                let rows = self.answer(&self.http, &request).await?.read::<Value>()?.rows;
                // An object with many associations has further pages of its own.
                let further = |row: &Value| {
                    let after = row.pointer("/paging/next/after")?;
                    Some(json!({"id": row["from"]["id"], "after": after}))
                };
                inputs = rows.iter().filter_map(further).collect();
                out.extend(rows);
            }
        }
        Ok(out)
    }

    /// One page of the account's owners, those who left or those who did not.
    pub(crate) async fn owners(&self, archived: Archived, after: Option<&str>) -> Result<Reply, Error> {
        let request = Request::get(format!("crm/owners/{}", self.version))
            .query("limit", self.page_size)
            .query("archived", archived == Archived::Yes);
        self.answer(
            &self.http,
            &after.into_iter().fold(request, |request, after| request.query("after", after)),
        )
        .await
    }

    /// The pipelines of deals.
    pub(crate) async fn pipelines(&self) -> Result<Reply, Error> {
        self.answer(&self.http, &Request::get(format!("crm/pipelines/{}/deals", self.version))).await
    }

    async fn answer(&self, http: &Http, request: &Request) -> Result<Reply, Error> {
        http.send(request).await.map(Reply)
    }
}

/// Which records a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Archived {
    Yes,
    #[default]
    No,
}

/// HubSpot's own headers, which may be missing on any reply.
fn quota(headers: &tributary_source::http::Headers) -> Option<Quota> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let remaining = number("x-hubspot-ratelimit-remaining")?;
    let reset = Duration::from_millis(number("x-hubspot-ratelimit-interval-milliseconds")?);
    // Only where others use up what is left: our own rate leaves three or so of the rolling window.
    (remaining < 2).then_some(Quota { remaining, reset })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fault {
    #[serde(default)]
    category: String,
    #[serde(default)]
    policy_name: String,
    #[serde(default)]
    errors: Vec<FaultDetail>,
}

#[derive(Deserialize)]
struct FaultDetail {
    context: Option<Value>,
}

/// The one place that says what a reply of HubSpot means. Its messages are not shown: some quote what was asked.
fn meaning(response: &Response, now: Time) -> Verdict {
    let fault = || serde_json::from_slice::<Fault>(&response.body).ok();
    let status = response.status;
    match status {
        401 => {
            Verdict::AuthExpired("HubSpot does not accept the token (status 401): make a new key".to_owned())
        }
        403 => match fault().filter(|fault| fault.category == "MISSING_SCOPES") {
            Some(fault) => Verdict::SkipStream(format!(
                "the key lacks {} (status 403): add it to the key's scopes",
                scopes(&fault).unwrap_or_else(|| "a scope".to_owned())
            )),
            None => Verdict::Config("HubSpot does not allow this to the key (status 403)".to_owned()),
        },
        429 => {
            let policy = fault().map(|fault| fault.policy_name).unwrap_or_default();
            let reason =
                format!("too many requests ({}, status 429)", if policy.is_empty() { "?" } else { &policy });
            let usual = match classify(response, now) {
                Verdict::Throttled { until, .. } => until,
                _ => None,
            };
            let until = match policy.as_str() {
                "DAILY" => Some(Zone::default().day_of(now).until),
                "SECONDLY" => usual.or(Some(Time(now.0 + 1_000_000))),
                "TEN_SECONDLY_ROLLING" => usual.or(Some(Time(now.0 + 10_000_000))),
                _ => usual,
            };
            Verdict::Throttled { until, reason }
        }
        404 => Verdict::Config(
            "HubSpot knows no such address (status 404): check `version` and `url`".to_owned(),
        ),
        423 => Verdict::Transient("HubSpot has locked the records for a moment (status 423)".to_owned()),
        477 => {
            let reason = "HubSpot is moving the account (status 477)".to_owned();
            match classify(response, now) {
                Verdict::Throttled { until: Some(until), .. } => {
                    Verdict::Throttled { until: Some(until), reason }
                }
                _ => Verdict::Throttled { until: Some(Time(now.0 + DAY_MICROS / 24)), reason },
            }
        }
        530 => Verdict::Config("the token is not one of HubSpot's (status 530): copy it again".to_owned()),
        _ => classify(response, now),
    }
}

/// The scopes that an error names; names of scopes only.
fn scopes(fault: &Fault) -> Option<String> {
    let context = fault.errors.iter().find_map(|error| error.context.as_ref())?;
    let names = context.as_object()?.values().flat_map(|value| value.as_array().into_iter().flatten());
    let is_scope =
        |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let names: Vec<&str> = names.filter_map(Value::as_str).filter(is_scope).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The id of an object, which some versions send as a number.
pub(crate) fn id(value: &Borrowed<'_>) -> Option<String> {
    match value {
        Borrowed::Str(id) => Some(id.trim().to_owned()).filter(|id| !id.is_empty()),
        Borrowed::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// The id that every object must have.
pub(crate) fn needed_id(row: &Borrowed<'_>) -> Result<String, Error> {
    let message = "the reply has an object without id; the API may have changed";
    id(row.get("id")).ok_or_else(|| Error::new(NextStep::Retry, message))
}
