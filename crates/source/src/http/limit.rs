//! Never over the vendor's limit: a documented rate, the vendor's own headers, one gate for all.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Rate, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// A documented limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Requests a second, on average.
    pub per_second: f64,
    /// Requests that may come at once.
    pub burst: u32,
    /// Requests on their way at the same time.
    pub concurrent: usize,
    /// Requests a day that the vendor allows all tools of the account together, where it says. A source sends only
    /// its share of them.
    pub daily: Option<u64>,
}

impl Default for Limit {
    /// Ten a second, four at a time.
    fn default() -> Self {
        Self { per_second: 10.0, burst: 10, concurrent: 4, daily: None }
    }
}

/// What the vendor says is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// Requests left …
    pub remaining: u64,
    /// … until this much time has passed.
    pub reset: Duration,
}

/// governor's clock over tokio's, which tests pause.
#[derive(Clone, Debug, Default)]
struct TokioClock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Instant);

impl Clock for TokioClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(Instant::now())
    }
}

impl std::ops::Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0 + Duration::from_nanos(other.as_u64()))
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(Duration::from_nanos(duration.as_u64())).unwrap_or(self.0))
    }
}

type Direct = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Moment>>;

/// The limits of one account.
pub(super) struct Limiter {
    rate: Direct,
    places: Arc<Semaphore>,
    /// Nobody asks before.
    closed_until: Mutex<Option<Instant>>,
}

impl Limiter {
    pub(super) fn new(limit: &Limit) -> Self {
        let period = Duration::from_secs_f64(1.0 / limit.per_second.max(1e-6));
        let burst = NonZeroU32::new(limit.burst).unwrap_or(NonZeroU32::MIN);
        let rate = Rate::with_period(period).unwrap_or(Rate::per_second(NonZeroU32::MIN)).allow_burst(burst);
        Self {
            rate: RateLimiter::direct_with_clock(rate, TokioClock),
            places: Arc::new(Semaphore::new(limit.concurrent.max(1))),
            closed_until: Mutex::new(None),
        }
    }

    /// One of the places for requests on their way, held until it is dropped.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Waits until a request may go; if that is longer than `patience`, says at once how long.
    pub(super) async fn admit(&self, patience: Duration) -> Result<(), Duration> {
        loop {
            let closed = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if let Some(until) = closed.filter(|until| *until > now) {
                if until - now > patience {
                    return Err(until - now);
                }
                sleep_until(until).await;
                continue;
            }
            match self.rate.check() {
                Ok(()) => return Ok(()),
                Err(early) => {
                    let wait = early.wait_time_from(TokioClock.now());
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Closes the gate for everybody.
    pub(super) fn close(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |old| old.max(until)));
    }

    /// Spreads what is left over the time until more is given.
    pub(super) fn pace(&self, quota: Quota) {
        let spacing = match u32::try_from(quota.remaining) {
            Ok(0) => quota.reset,
            Ok(remaining) => quota.reset / remaining,
            Err(_) => return,
        };
        if spacing > Duration::from_millis(1) {
            self.close(spacing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_never_pass_the_documented_rate() {
        let limiter = Limiter::new(&Limit { per_second: 2.0, burst: 2, concurrent: 4, daily: None });
        let started = Instant::now();
        for _ in 0..42 {
            limiter.admit(Duration::MAX).await.unwrap();
        }
        let seconds = started.elapsed().as_secs_f64();
        assert!((19.9..20.2).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_vendor_says_is_left_is_spread_over_its_time() {
        let limiter = Limiter::new(&Limit { per_second: 1000.0, burst: 1000, concurrent: 4, daily: None });
        let started = Instant::now();
        for remaining in (0..5).rev() {
            limiter.admit(Duration::MAX).await.unwrap();
            limiter.pace(Quota { remaining, reset: Duration::from_secs(2) });
        }
        limiter.admit(Duration::MAX).await.unwrap();
        let seconds = started.elapsed().as_secs_f64();
        assert!((6.1..6.3).contains(&seconds), "2/4 + 2/3 + 2/2 + 2/1 + 2 seconds: {seconds}");
    }
}
