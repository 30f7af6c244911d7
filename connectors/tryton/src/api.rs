//! Tryton's REST interface: addresses, domains, wire values, and what its replies mean.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_core::Time;
use tributary_source::http::{Api, Auth, Http, Limit, Request, Response, Verdict, classify};
use tributary_source::{Environment, Error, NextStep, Settings};

use crate::config::Config;

/// Tryton's own answer to an error in words, as far as it may be shown: names of models and fields, no data.
#[derive(Deserialize)]
struct Fault {
    error: Option<Vec<Value>>,
}

/// One row as Tryton sends it.
pub(crate) type Row = Map<String, Value>;

/// Rows of one request.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    pub(crate) server_time: Option<Time>,
}

/// One database behind the REST interface.
#[derive(Clone, Debug)]
pub(crate) struct Tryton {
    http: Http,
    database: String,
}

/// What to search.
pub(crate) struct Search<'a> {
    pub(crate) model: &'a str,
    /// Dotted paths; related records come nested.
    pub(crate) fields: &'a [&'a str],
    /// A Tryton domain.
    pub(crate) domain: Value,
    pub(crate) limit: Option<usize>,
}

impl Tryton {
    pub(crate) fn new(
        settings: &Settings,
        config: &Config,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let api = Api {
            auth: Auth::Bearer(settings.secret("key")?.clone()),
            // Tryton documents no limit; this is what a small server bears beside its users.
            limit: Limit { per_second: 50.0, burst: 50, concurrent: 4, daily: None },
            classify: meaning,
            // Inactive records are history too: replaced parties, old addresses, people who left.
            headers: vec![("x-tryton-context", encoded(&json!({"active_test": false})))],
            ..Api::new(config.url.clone())
        };
        Ok(Self { http: Http::new(api, environment)?, database: config.database.clone() })
    }

    /// Searches by id upwards.
    pub(crate) async fn search(&self, search: Search<'_>) -> Result<Rows, Error> {
        let order = json!([["id", "ASC"]]);
        let mut request = self.get(&search).query("o", encoded(&order));
        if let Some(limit) = search.limit {
            request = request.query("s", limit);
        }
        self.rows(&request).await
    }

    /// Reads one record as it was at a revision of its history.
    pub(crate) async fn read_at(&self, search: &Search<'_>, revision: &Value) -> Result<Option<Row>, Error> {
        let context = json!({"active_test": false, "_datetime": revision});
        let request = self.get(search).header("x-tryton-context", encoded(&context));
        Ok(self.rows(&request).await?.rows.into_iter().next())
    }

    /// When which records changed: pairs of wire datetime and id.
    pub(crate) async fn revisions(&self, model: &str, ids: &[i64]) -> Result<Vec<(Value, i64)>, Error> {
        let path = format!("{}/rest/model/{model}/history_revisions", self.database);
        let response = self.http.send(&Request::post_json(path, &json!({"ids": ids}))?).await?;
        let revisions: Vec<(Value, i64, Value)> = response.json()?;
        Ok(revisions.into_iter().map(|(at, id, _user)| (at, id)).collect())
    }

    /// How many records a domain has.
    pub(crate) async fn count(&self, model: &str, domain: &Value) -> Result<u64, Error> {
        let path = format!("{}/rest/model/{model}/search_count", self.database);
        let response = self.http.send(&Request::post_json(path, &json!({"domain": domain}))?).await?;
        response.json()
    }

    /// The server's series, such as `8.2`. Needs no key.
    pub(crate) async fn version(&self) -> Result<String, Error> {
        let call = json!({"id": 1, "method": "common.server.version", "params": []});
        let response = self.http.send(&Request::post_json("rpc/", &call)?).await?;
        let answer: Value = response.json()?;
        Ok(answer["result"].as_str().unwrap_or_default().to_owned())
    }

    fn get(&self, search: &Search<'_>) -> Request {
        let path = format!("{}/rest/model/{}", self.database, search.model);
        let request = Request::get(path).query("d", encoded(&search.domain));
        search.fields.iter().fold(request, |request, field| request.query("f", field))
    }

    async fn rows(&self, request: &Request) -> Result<Rows, Error> {
        let response = self.http.send(request).await?;
        let rows: Vec<Row> = response.json()?;
        if rows.iter().any(|row| id(row).is_none()) {
            let message = "the reply has a record without id; the API may have changed";
            return Err(Error::new(NextStep::Retry, message));
        }
        Ok(Rows { rows, server_time: response.server_time() })
    }
}

/// JSON as Tryton wants it in addresses and headers.
fn encoded(value: &Value) -> String {
    URL_SAFE.encode(value.to_string())
}

/// The one place that says what a reply of Tryton means.
///
/// Errors of the server come as HTML or JSON by status; those of its remote procedure calls come with status 200.
fn meaning(response: &Response, now: Time) -> Verdict {
    match response.status {
        200..=299 => match serde_json::from_slice::<Fault>(&response.body) {
            Ok(Fault { error: Some(error) }) => fault(&error),
            _ => classify(response, now),
        },
        400 => Verdict::SkipStream(
            "Tryton refused to read this (status 400): may the key's user read it? Give one of their groups access"
                .to_owned(),
        ),
        401 => Verdict::ReauthNeeded(
            "Tryton does not accept the key (status 401): make one for the application `rest` in the preferences of a \
             user, and let the administrator validate it"
                .to_owned(),
        ),
        403 => Verdict::SkipStream("Tryton does not offer this to the key's user (status 403)".to_owned()),
        404 => Verdict::Config("Tryton has no such database (status 404): check `url` and `database`".to_owned()),
        423 => Verdict::Transient("somebody is writing the same records (status 423)".to_owned()),
        500 => match unknown_name(&response.body) {
            // Asking again would only fail again.
            Some(name) => Verdict::SkipStream(format!(
                "Tryton knows no model or field `{name}` (status 500): its module is not active"
            )),
            None => Verdict::Transient("Tryton failed inside (status 500); its log says why".to_owned()),
        },
        _ => classify(response, now),
    }
}

/// What an error in a reply of status 200 means: its first value is the kind.
fn fault(error: &[Value]) -> Verdict {
    let kind = error.first().and_then(Value::as_str).unwrap_or_default();
    match kind {
        "LoginException" => Verdict::ReauthNeeded("Tryton wants another sign-in (LoginException)".to_owned()),
        "ConcurrencyException" => {
            Verdict::Transient("somebody is writing the same records (ConcurrencyException)".to_owned())
        }
        "UserError" | "UserWarning" | "AccessError" => {
            Verdict::SkipStream(format!("Tryton refused to read this ({kind}): may the key's user read it?"))
        }
        _ => Verdict::Transient("Tryton answered with an error; its log says why".to_owned()),
    }
}

/// The name in `<p>&#39;name&#39;</p>`: what Tryton says about a model or field that it lacks.
fn unknown_name(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let name = text.split_once("<p>&#39;")?.1.split_once("&#39;</p>")?.0;
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    is_name.then(|| name.to_owned())
}

/// An instant as Tryton writes it: UTC without saying so.
pub(crate) fn wire_time(at: Time) -> Value {
    let text = at.to_string();
    let numbers: Vec<u64> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map_while(|part| part.parse().ok())
        .collect();
    let part = |index: usize| numbers.get(index).copied().unwrap_or_default();
    json!({
        "__class__": "datetime", "year": part(0), "month": part(1), "day": part(2),
        "hour": part(3), "minute": part(4), "second": part(5), "microsecond": at.0.rem_euclid(1_000_000),
    })
}

/// An instant that Tryton wrote.
pub(crate) fn read_time(value: &Value) -> Option<Time> {
    if value["__class__"] != "datetime" {
        return None;
    }
    let part = |name: &str| value[name].as_u64();
    let text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        part("year")?,
        part("month")?,
        part("day")?,
        part("hour")?,
        part("minute")?,
        part("second")?,
        part("microsecond")?
    );
    Time::parse(&text, &tributary_core::time::Zone::default()).ok()
}

/// The id in a row.
pub(crate) fn id(row: &Row) -> Option<i64> {
    row.get("id").and_then(Value::as_i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_survive_the_wire() {
        for text in ["2026-11-24T03:38:22.963084Z", "2025-01-06T08:00:00Z", "1999-12-31T23:59:59.000001Z"] {
            let at = Time::parse(text, &tributary_core::time::Zone::default()).unwrap();
            assert_eq!(read_time(&wire_time(at)), Some(at), "{text}");
        }
        assert_eq!(read_time(&json!("2026-11-24")), None);
    }

    #[test]
    fn only_a_bare_name_is_shown_of_a_server_error() {
        let page = |text: &str| format!("<!doctype html>\n<title>500</title>\n<p>{text}</p>\n").into_bytes();
        assert_eq!(unknown_name(&page("&#39;party.nope&#39;")), Some("party.nope".to_owned()));
        assert_eq!(unknown_name(&page("no such party: &#39;Ann Lee&#39;")), None);
        assert_eq!(unknown_name(&page("&#39;Ann Lee&#39;")), None);
    }
}
