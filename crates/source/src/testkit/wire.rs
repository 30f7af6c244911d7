//! Between connector and vendor: keeps a journal of what is asked, and breaks replies on demand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tributary_core::Time;

use super::{Clock, Simulated};
use crate::environment::Vendor;
use crate::http::{Response, Sent, Verdict};

/// One request and what came back.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) at: Time,
    pub(super) host: String,
    pub(super) address: String,
    pub(super) body: Vec<u8>,
    /// None if nothing came back.
    pub(super) status: Option<u16>,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    Reply { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    Torn,
    Slow(Duration),
}

impl Fault {
    pub(super) fn status(status: u16) -> Self {
        Self::Reply { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn body(status: u16, body: &[u8]) -> Self {
        Self::Reply { status, headers: Vec::new(), body: body.to_vec() }
    }

    pub(super) fn header(self, name: &str, value: impl ToString) -> Self {
        match self {
            Self::Reply { status, mut headers, body } => {
                headers.push((name.to_owned(), value.to_string()));
                Self::Reply { status, headers, body }
            }
            other => other,
        }
    }
}

#[derive(Default)]
struct Broken {
    fault: Option<Fault>,
    /// Requests that come through before.
    after: usize,
    /// Requests that go wrong.
    times: usize,
}

/// The vendor, listened to.
pub(super) struct Wire {
    pub(super) vendor: Arc<dyn Simulated>,
    clock: Clock,
    journal: Mutex<Vec<Asked>>,
    broken: Mutex<Broken>,
    skew: Mutex<Duration>,
}

impl Wire {
    pub(super) fn new(vendor: Arc<dyn Simulated>, clock: Clock) -> Self {
        Self { vendor, clock, journal: Mutex::default(), broken: Mutex::default(), skew: Mutex::default() }
    }

    /// Breaks so many requests after so many from now.
    pub(super) fn fail(&self, after: usize, times: usize, fault: Fault) {
        *lock(&self.broken) = Broken { fault: Some(fault), after, times };
    }

    pub(super) fn heal(&self) {
        *lock(&self.broken) = Broken::default();
    }

    /// From now on the server says that it is so much later.
    pub(super) fn skew(&self, ahead: Duration) {
        *lock(&self.skew) = ahead;
    }

    pub(super) fn journal(&self) -> Vec<Asked> {
        lock(&self.journal).clone()
    }

    pub(super) fn asked(&self) -> usize {
        lock(&self.journal).len()
    }

    fn fault(&self) -> Option<Fault> {
        let mut broken = lock(&self.broken);
        if broken.after > 0 {
            broken.after -= 1;
            return None;
        }
        broken.times = broken.times.checked_sub(1)?;
        broken.fault.clone()
    }
}

#[async_trait]
impl Vendor for Wire {
    async fn answer(&self, sent: Sent) -> Result<Response, Verdict> {
        let asked = Asked {
            at: (self.clock)(),
            host: sent.url.origin().ascii_serialization(),
            address: format!("{} {}", sent.method, sent.url),
            body: sent.body.to_vec(),
            status: None,
        };
        let number = {
            let mut journal = lock(&self.journal);
            journal.push(asked);
            journal.len() - 1
        };
        let response = match self.fault() {
            Some(Fault::Torn) => Err(Verdict::Transient("the body was cut short".to_owned())),
            Some(Fault::Reply { status, headers, body }) => Ok(Response::new(status, &headers, body)),
            Some(Fault::Slow(time)) => {
                tokio::time::sleep(time).await;
                self.vendor.answer(sent).await
            }
            None => self.vendor.answer(sent).await,
        };
        let skew = *lock(&self.skew);
        let response = response.map(|mut response| {
            if !skew.is_zero()
                && let Some(date) = response.server_time()
            {
                let later = Response::new(200, &[("date".to_owned(), http_date(date, skew))], Vec::new());
                response.headers.extend(later.headers);
            }
            response
        });
        if let Ok(response) = &response {
            lock(&self.journal)[number].status = Some(response.status);
        }
        response
    }
}

/// An instant as HTTP writes it.
pub(super) fn http_date(at: Time, later: Duration) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0 + later.as_micros() as i64).unwrap_or_default();
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
