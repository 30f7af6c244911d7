//! A vendor that answers in this process, while the clock is paused.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tributary_core::Time;
use tributary_source::Environment;
use tributary_source::environment::Vendor;
use tributary_source::http::{Response, Sent, Verdict};

/// A reply.
pub(crate) fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    Response { status, headers: map, body: Bytes::from(body.to_owned()) }
}

/// One request as the vendor saw it: path and credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) credential: String,
    pub(crate) body: String,
}

type Answers = dyn Fn(&Seen, usize) -> Response + Send + Sync;

/// Answers by a function of the request and how many came before.
pub(crate) struct Fake {
    answers: Box<Answers>,
    pub(crate) seen: Mutex<Vec<Seen>>,
}

impl Fake {
    pub(crate) fn new(answers: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answers: Box::new(answers), seen: Mutex::new(Vec::new()) })
    }

    /// Answers in order, then `200 {}`.
    pub(crate) fn script(answers: impl IntoIterator<Item = Response>) -> Arc<Self> {
        let answers: Mutex<VecDeque<Response>> = Mutex::new(answers.into_iter().collect());
        Self::new(move |_, _| answers.lock().unwrap().pop_front().unwrap_or_else(|| reply(200, &[], "{}")))
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.path == path).count()
    }
}

#[async_trait]
impl Vendor for Fake {
    async fn answer(&self, request: Sent) -> Result<Response, Verdict> {
        let credential = request.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let seen = Seen {
            path: request.url.path().to_owned(),
            credential: credential.unwrap_or_default(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
        };
        tokio::task::yield_now().await;
        let before = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        Ok((self.answers)(&seen, before))
    }
}

/// 2026-11-24T09:00:00Z plus what the paused clock says has passed.
pub(crate) fn environment(vendor: Arc<Fake>) -> Environment {
    let started = tokio::time::Instant::now();
    let now = move || Time(1_795_510_800_000_000 + started.elapsed().as_micros() as i64);
    Environment { vendor: Some(vendor), ..Environment::new(Arc::new(now)) }
}
