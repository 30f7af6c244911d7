//! A kit for simulated vendor APIs: what every simulator needs beside what its vendor says.
//!
//! A simulator is an [`Api`]: a function from a call to a reply, in the vendor's words. The kit around it keeps a
//! journal of all calls, breaks replies on demand, tells a skewed time, and answers in this process or on loopback.
//! [`Tokens`], [`Windows`] and [`Habits`] are parts that an `Api` puts together in its vendor's own forms.
//!
//! Not responsible for what any vendor says: that is each connector's simulator.

mod call;
mod fault;
mod serve;
mod token;
mod window;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tributary_core::Time;
use tributary_source::environment::Vendor;
use tributary_source::http::{Response, Sent, Verdict};
use tributary_source::testkit::Trouble;

pub use call::{Call, Reply};
pub use fault::{Fault, When};
pub use serve::{Served, serve};
pub use token::{Token, Tokens};
pub use window::{Left, Over, Window, Windows};

use fault::Faults;

/// A vendor's API over some data.
pub trait Api: Send + Sync {
    /// Answers one call at an instant.
    fn answer(&self, call: &Call, now: Time, habits: &Habits) -> Reply;
}

/// How a vendor behaves on a bad day; by default it is a good one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// How long each reply takes.
    pub latency: Duration,
    /// How far the server's clock is ahead of ours, in microseconds.
    pub clock_skew_micros: i64,
    /// How long a change stays out of searches and incremental reads.
    pub lag: Duration,
    /// How long a page token lives.
    pub cursor_life: Option<Duration>,
    /// How many results a question has at most: refused or left out in silence beyond that, as is the vendor's custom.
    pub truncate_at: Option<usize>,
    /// Whether figures of past days still change.
    pub restates: bool,
    /// Versions of the API that are switched off.
    pub sunset: Vec<String>,
}

type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// A vendor's API with everything around it.
pub struct Simulator {
    api: Arc<dyn Api>,
    clock: Clock,
    habits: Mutex<Habits>,
    faults: Mutex<Faults>,
    journal: Mutex<Vec<Call>>,
}

/// What becomes of a call.
enum Answer {
    Whole(Reply),
    /// Announced whole, cut in the middle.
    Torn(Reply),
    /// The connection ends without a word.
    Nothing,
}

impl Simulator {
    /// An API that tells the time by this clock.
    pub fn new(api: Arc<dyn Api>, clock: Clock) -> Self {
        Self { api, clock, habits: Mutex::default(), faults: Mutex::default(), journal: Mutex::default() }
    }

    /// Changes how the vendor behaves from now on.
    pub fn behave(&self, habits: Habits) {
        *lock(&self.habits) = habits;
    }

    /// How the vendor behaves.
    pub fn habits(&self) -> Habits {
        lock(&self.habits).clone()
    }

    /// Takes on a trouble that the conformance suite makes, beside the other habits.
    pub fn trouble(&self, trouble: Trouble) {
        let mut habits = lock(&self.habits);
        match trouble {
            Trouble::Lag(lag) => habits.lag = lag,
            Trouble::Cap(results) => habits.truncate_at = Some(results),
            Trouble::TokenLife(life) => habits.cursor_life = Some(life),
        }
    }

    /// Breaks every reply that fits.
    pub fn fail(&self, when: When, fault: Fault) {
        lock(&self.faults).add(when, fault, usize::MAX);
    }

    /// Breaks the next replies that fit, so many of them.
    pub fn fail_times(&self, times: usize, when: When, fault: Fault) {
        lock(&self.faults).add(when, fault, times);
    }

    /// Breaks nothing any more.
    pub fn heal(&self) {
        *lock(&self.faults) = Faults::default();
    }

    /// Every call so far.
    pub fn journal(&self) -> Vec<Call> {
        lock(&self.journal).clone()
    }

    /// How many calls there were so far.
    pub fn calls(&self) -> usize {
        lock(&self.journal).len()
    }

    async fn handle(&self, mut call: Call) -> Answer {
        let habits = self.habits();
        call.at = (self.clock)();
        {
            let mut journal = lock(&self.journal);
            call.number = journal.len();
            journal.push(call.clone());
        }
        let fault = lock(&self.faults).of(&call);
        let patience = match &fault {
            Some(Fault::Slow(time)) => habits.latency + *time,
            _ => habits.latency,
        };
        if !patience.is_zero() {
            tokio::time::sleep(patience).await;
        }
        let reply = || {
            let now = Time(call.at.0 + habits.clock_skew_micros);
            self.api.answer(&call, now, &habits).dated(now)
        };
        match fault {
            None | Some(Fault::Slow(_)) => Answer::Whole(reply()),
            Some(Fault::Torn) => Answer::Torn(reply()),
            Some(Fault::NoAnswer) => Answer::Nothing,
            Some(Fault::Reply(reply)) => Answer::Whole(reply),
            Some(Fault::Status(status)) => Answer::Whole(Reply::text(status, "")),
            Some(Fault::Html(status)) => Answer::Whole(Reply::html(status)),
            Some(Fault::Empty) => Answer::Whole(Reply::text(200, "")),
            Some(Fault::Garbage) => Answer::Whole(Reply::text(200, "\u{0}{\"half\": [\u{fffd}")),
        }
    }
}

#[async_trait]
impl Vendor for Simulator {
    async fn answer(&self, sent: Sent) -> Result<Response, Verdict> {
        match self.handle(Call::of(&sent)).await {
            Answer::Whole(reply) => Ok(Response::new(reply.status, &reply.headers, reply.body)),
            Answer::Torn(_) => Err(Verdict::Transient("the body was cut short".to_owned())),
            Answer::Nothing => Err(Verdict::Transient("the connection was closed".to_owned())),
        }
    }
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Simulator({} calls)", self.calls())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
