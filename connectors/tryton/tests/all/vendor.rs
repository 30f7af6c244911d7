//! A Tryton that answers in this process, from a function of the request.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::SecretString;
use serde_json::{Value, json};
use tributary_core::Time;
use tributary_source::environment::Vendor;
use tributary_source::http::{Response, Sent, Verdict};
use tributary_source::{
    Connector, Covers, Environment, Error, Next, Page, Part, Record, Settings, Source, Span, Task,
};
use tributary_tryton::Tryton;

/// The secret that must never be seen.
pub(crate) const KEY: &str = "canary-3f9c";

/// The server's clock: 2026-11-24T09:00:00Z.
const DATE: &str = "Tue, 24 Nov 2026 09:00:00 GMT";

/// One request as Tryton sees it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The model, or the path of what is no model.
    pub(crate) model: String,
    /// What is done with it; empty for a search.
    pub(crate) action: String,
    /// The decoded domain, or the body.
    pub(crate) domain: Value,
    pub(crate) limit: Option<usize>,
    pub(crate) fields: Vec<String>,
    /// The context's `_datetime`.
    pub(crate) at: Value,
}

type Answer = Result<Response, Verdict>;

pub(crate) struct Fake {
    answer: Box<dyn Fn(&Asked) -> Answer + Send + Sync>,
    pub(crate) asked: Mutex<Vec<Asked>>,
}

impl Fake {
    pub(crate) fn new(answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(move |asked| Ok(answer(asked))), asked: Mutex::default() })
    }

    /// A server that is not there.
    pub(crate) fn absent() -> Arc<Self> {
        let answer = |_: &Asked| Err(Verdict::Transient("cannot connect".to_owned()));
        Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() })
    }
}

fn decoded(text: &str) -> Value {
    serde_json::from_slice(&URL_SAFE.decode(text).unwrap()).unwrap()
}

#[async_trait]
impl Vendor for Fake {
    async fn answer(&self, sent: Sent) -> Answer {
        assert_eq!(sent.headers["authorization"], format!("Bearer {KEY}"));
        assert!(!sent.url.as_str().contains(KEY));
        let path: Vec<&str> = sent.url.path().trim_matches('/').split('/').collect();
        let (model, action) = match path.as_slice() {
            ["crm", "rest", "model", model] => (*model, ""),
            ["crm", "rest", "model", model, action] => (*model, *action),
            _ => ("", *path.last().unwrap()),
        };
        let query: Vec<(String, String)> = sent.url.query_pairs().into_owned().collect();
        let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let asked = Asked {
            model: model.to_owned(),
            action: action.to_owned(),
            domain: value("d").map_or_else(|| serde_json::from_slice(&sent.body).unwrap(), decoded),
            limit: value("s").map(|limit| limit.parse().unwrap()),
            fields: query.iter().filter(|(key, _)| key == "f").map(|(_, value)| value.clone()).collect(),
            at: sent
                .headers
                .get("x-tryton-context")
                .map_or(Value::Null, |context| decoded(context.to_str().unwrap())["_datetime"].clone()),
        };
        self.asked.lock().unwrap().push(asked.clone());
        (self.answer)(&asked)
    }
}

/// A reply with a status.
pub(crate) fn reply(status: u16, body: impl Into<Vec<u8>>) -> Response {
    let headers = HeaderMap::from_iter([(reqwest::header::DATE, HeaderValue::from_static(DATE))]);
    Response { status, headers, body: Bytes::from(body.into()) }
}

/// A reply of JSON.
pub(crate) fn rows(rows: &Value) -> Response {
    reply(200, rows.to_string())
}

pub(crate) fn settings(more: Value) -> Settings {
    let mut values = json!({"url": "https://tryton.example.com", "database": "crm", "page_size": 2});
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let secrets = [("key".to_owned(), SecretString::from(KEY))].into();
    Settings { source: "crm".to_owned(), values, secrets, ..Settings::default() }
}

/// A live connection to a fake.
pub(crate) fn connect(vendor: &Arc<Fake>) -> Box<dyn Source> {
    let vendor: Arc<Fake> = Arc::clone(vendor);
    let environment = Environment { vendor: Some(vendor), ..Environment::new(Arc::new(|| Time(0))) };
    Tryton.connect(&settings(json!({})), &environment).unwrap()
}

pub(crate) fn task(stream: &'static str, span: Span) -> Task {
    Task { stream, part: Part::default(), span, resume: None }
}

/// One page.
pub(crate) async fn pull(vendor: &Arc<Fake>, stream: &'static str) -> Result<Page, Error> {
    connect(vendor).pull(&task(stream, Span::Since(None))).await
}

/// All pages of a span: records, the cursor, and whether what is absent is gone.
pub(crate) async fn walk(
    vendor: &Arc<Fake>,
    stream: &'static str,
    span: Span,
) -> (Vec<Record>, String, Covers) {
    let source = connect(vendor);
    let mut task = task(stream, span);
    let mut records = Vec::new();
    for _ in 0..100 {
        let page = source.pull(&task).await.unwrap();
        records.extend(page.records);
        match page.next {
            Next::More(resume) => task.resume = Some(resume),
            Next::Done(cursor) => return (records, cursor.0, page.covers),
        }
    }
    unreachable!("a walk of a few records ends")
}
