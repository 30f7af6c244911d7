//! The daemon, on a clock that jumps to whatever comes next.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tributary_core::Time;
use tributary_core::time::Zone;
use tributary_derive::rules::Rules;
use tributary_derive::update::{DeriveError, Summary};
use tributary_source::NextStep;
use tributary_store::Store;
use tributary_store::testkit::{postgres, sqlite, stand_still, stores};
use tributary_store::work::Planned;
use tributary_sync::{
    Cadence, Event, Observer, Options, Outcome, Plan, Schedule, ScheduledSource, ServeError, SourceReport,
    Watcher, Window, serve,
};

use crate::vendor::{COMPANIES, OWNERS, Vendor, count, digest};

/// A Monday at midnight, UTC.
const MONDAY: i64 = 1_790_553_600_000_000;

const MINUTE: Duration = Duration::from_mins(1);

/// A clock that follows tokio's, from Monday on.
fn clock() -> Arc<dyn Fn() -> Time + Send + Sync> {
    stand_still();
    let started = Instant::now();
    Arc::new(move || Time(MONDAY + started.elapsed().as_micros() as i64))
}

fn every(minutes: u64) -> Schedule {
    Schedule {
        cadence: Cadence::Every(MINUTE * minutes as u32),
        jitter: Duration::ZERO,
        window: None,
        zone: Zone::default(),
    }
}

fn scheduled(vendor: &Vendor, id: &str, schedule: Option<Schedule>) -> ScheduledSource {
    let streams = BTreeMap::new();
    ScheduledSource { run: vendor.source(id), schedule, streams, sweep_every: Duration::from_hours(24) }
}

fn plan(clock: &Arc<dyn Fn() -> Time + Send + Sync>, sources: Vec<ScheduledSource>) -> Plan {
    let options = Options { backfill: Some(MINUTE * 10), ..Options::new(Arc::clone(clock)) };
    Plan { sources, rules: Rules::default(), at_once: 4, look_every: Duration::from_secs(30), options }
}

/// Remembers how passes ended.
#[derive(Default)]
struct Seen {
    ended: Mutex<Vec<(String, Outcome)>>,
    derived: Mutex<u64>,
}

impl Observer for Seen {
    fn event(&self, _: &str, _: Event) {}
}

impl Watcher for Seen {
    fn ended(&self, report: &SourceReport, _: &Planned) {
        self.ended.lock().unwrap().push((report.source.clone(), report.outcome.clone()));
    }

    fn derived(&self, outcome: &Result<Summary, DeriveError>) {
        *self.derived.lock().unwrap() += outcome.as_ref().map_or(0, |summary| summary.records);
    }
}

impl Seen {
    fn count(&self, source: &str) -> usize {
        self.ended.lock().unwrap().iter().filter(|(ended, _)| ended == source).count()
    }
}

/// A daemon in this process.
struct Daemon {
    plan: watch::Sender<Arc<Plan>>,
    seen: Arc<Seen>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Daemon {
    fn start(store: &Store, plan: Plan) -> Self {
        let (plan, receiver) = watch::channel(Arc::new(plan));
        let (seen, stop) = (Arc::new(Seen::default()), CancellationToken::new());
        let (store, watcher, token) = (store.clone(), Arc::clone(&seen), stop.clone());
        let task = tokio::spawn(async move { serve(&store, receiver, watcher, &token).await });
        Self { plan, seen, stop, task }
    }

    async fn stop(self) -> Arc<Seen> {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.seen
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_is_pulled_at_once_then_whenever_it_is_due() {
    let clock = clock();
    for store in stores().await {
        let vendor = Vendor::with(3);
        let daemon = Daemon::start(&store, plan(&clock, vec![scheduled(&vendor, "crm", Some(every(15)))]));
        sleep(MINUTE * 61).await;
        let seen = daemon.stop().await;
        // At 0, 15, 30, 45 and 60 minutes, each a look later than planned at most.
        assert_eq!(seen.count("crm"), 5, "{}: {:?}", store.kind, seen.ended.lock().unwrap());
        assert_eq!(count(&store, COMPANIES).await, 3);
        // What lands while the rest is on its way may be worked out twice.
        assert!(*seen.derived.lock().unwrap() >= 6, "{}", store.kind);
        assert!(!store.has_dirty().await.unwrap(), "{}", store.kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_which_there_is_nothing_is_tried_with_the_others() {
    let clock = clock();
    let (store, vendor) = (sqlite().await, Vendor::with(3));
    vendor.world().partless = Some(OWNERS);
    let daemon = Daemon::start(&store, plan(&clock, vec![scheduled(&vendor, "crm", Some(every(15)))]));
    sleep(MINUTE * 61).await;
    assert_eq!(daemon.seen.count("crm"), 5);
    vendor.world().partless = None;
    sleep(MINUTE * 16).await;
    daemon.stop().await;
    assert_eq!(count(&store, OWNERS).await, 3);
}

#[tokio::test(start_paused = true)]
async fn after_a_downtime_of_days_a_source_is_pulled_once() {
    let clock = clock();
    let (store, vendor) = (sqlite().await, Vendor::with(3));
    let plan = plan(&clock, vec![scheduled(&vendor, "crm", Some(every(15)))]);
    let daemon = Daemon::start(&store, plan.clone());
    sleep(MINUTE).await;
    assert_eq!(daemon.stop().await.count("crm"), 1);
    sleep(MINUTE * 60 * 72).await;
    let daemon = Daemon::start(&store, plan);
    sleep(MINUTE).await;
    assert_eq!(daemon.stop().await.count("crm"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_ahead_or_back_costs_one_pull_at_most_and_no_record() {
    const HOUR: i64 = 3_600_000_000;
    let still = clock();
    for store in stores().await {
        let ahead = Arc::new(AtomicI64::new(0));
        let jumping: Arc<dyn Fn() -> Time + Send + Sync> = {
            let (still, ahead) = (Arc::clone(&still), Arc::clone(&ahead));
            Arc::new(move || Time(still().0 + ahead.load(Ordering::Relaxed)))
        };
        let vendor = Vendor::with(3);
        let daemon = Daemon::start(&store, plan(&jumping, vec![scheduled(&vendor, "crm", Some(every(15)))]));
        sleep(MINUTE * 7).await;
        for (round, hours) in [1, -1, 0, 24 * 365, 0].into_iter().enumerate() {
            ahead.store(hours * HOUR, Ordering::Relaxed);
            let stamp = 10 + round as i64;
            vendor.world().companies.insert(format!("new {round}"), (stamp, "new".to_owned()));
            let before = daemon.seen.count("crm");
            sleep(MINUTE * 30).await;
            let pulls = daemon.seen.count("crm") - before;
            assert!((2..=3).contains(&pulls), "{} {hours} hours: {pulls} pulls", store.kind);
            assert_eq!(count(&store, COMPANIES).await, 4 + round as u64, "{} {hours} hours", store.kind);
        }
        // What rests after a failure does not rest until a time that was never to be.
        ahead.store(24 * 365 * HOUR, Ordering::Relaxed);
        vendor.world().broken = Some((COMPANIES, NextStep::Retry));
        sleep(MINUTE * 20).await;
        vendor.world().broken = None;
        ahead.store(0, Ordering::Relaxed);
        let before = daemon.seen.count("crm");
        sleep(MINUTE * 5).await;
        assert!(daemon.stop().await.count("crm") > before, "{}", store.kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_source_rests_and_one_that_is_asked_for_is_pulled_at_once() {
    let clock = clock();
    let (store, vendor) = (sqlite().await, Vendor::with(3));
    store.pause("crm").await.unwrap();
    let sources = vec![scheduled(&vendor, "crm", Some(every(15))), scheduled(&vendor, "by hand", None)];
    let daemon = Daemon::start(&store, plan(&clock, sources));
    sleep(MINUTE * 60).await;
    assert_eq!((daemon.seen.count("crm"), daemon.seen.count("by hand")), (0, 0));
    store.ask("by hand", clock()).await.unwrap();
    sleep(MINUTE).await;
    assert_eq!((daemon.seen.count("crm"), daemon.seen.count("by hand")), (0, 1));
    store.resume("crm").await.unwrap();
    sleep(MINUTE).await;
    assert_eq!(daemon.stop().await.count("crm"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_rests_longer_each_time_and_the_others_go_on() {
    let clock = clock();
    let (store, good, bad) = (sqlite().await, Vendor::with(3), Vendor::with(3));
    bad.world().broken = Some((COMPANIES, NextStep::Retry));
    let sources = vec![scheduled(&good, "good", Some(every(10))), scheduled(&bad, "bad", Some(every(1)))];
    let daemon = Daemon::start(&store, plan(&clock, sources));
    sleep(MINUTE * 60).await;
    // After rests of 1, 2, 4, 8, 16 minutes; the next is 32.
    assert_eq!((daemon.seen.count("good"), daemon.seen.count("bad")), (6, 6));
    assert_eq!(store.planned().await.unwrap()["bad"].failures, 6);
    bad.world().broken = None;
    store.ask("bad", clock()).await.unwrap();
    sleep(MINUTE * 10).await;
    assert!(daemon.stop().await.count("bad") >= 15, "it is pulled every minute again");
    assert_eq!(store.planned().await.unwrap()["bad"].failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_file_has_one_daemon_until_that_one_ends() {
    let clock = clock();
    let (store, vendor) = (sqlite().await, Vendor::with(3));
    let plan = plan(&clock, vec![scheduled(&vendor, "crm", Some(every(15)))]);
    let first = Daemon::start(&store, plan.clone());
    sleep(MINUTE).await;
    let second = Daemon::start(&store, plan.clone());
    let refused = second.task.await.unwrap();
    assert!(matches!(refused, Err(ServeError::Served { .. })), "{refused:?}");
    first.stop().await;
    let third = Daemon::start(&store, plan);
    sleep(MINUTE).await;
    third.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_plan_holds_without_a_new_start() {
    let clock = clock();
    let (store, old, new) = (sqlite().await, Vendor::with(3), Vendor::with(3));
    let daemon = Daemon::start(&store, plan(&clock, vec![scheduled(&old, "old", Some(every(15)))]));
    sleep(MINUTE).await;
    daemon.plan.send_replace(Arc::new(plan(&clock, vec![scheduled(&new, "new", Some(every(15)))])));
    sleep(MINUTE * 60).await;
    let seen = daemon.stop().await;
    assert_eq!((seen.count("old"), seen.count("new")), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_have_a_schedule_of_its_own() {
    let clock = clock();
    let (store, vendor) = (sqlite().await, Vendor::with(3));
    let mut source = scheduled(&vendor, "crm", Some(every(60)));
    source.streams = BTreeMap::from([(COMPANIES, every(10))]);
    let daemon = Daemon::start(&store, plan(&clock, vec![source]));
    sleep(MINUTE * 59).await;
    daemon.stop().await;
    let calls = |stream: &str| vendor.world().calls.iter().filter(|call| call.starts_with(stream)).count();
    // Six pulls, of which the first takes two pages; one pull of two pages.
    assert_eq!((calls(COMPANIES), calls(OWNERS)), (7, 2));
}

#[tokio::test(start_paused = true)]
async fn what_changed_is_pulled_before_a_first_read_goes_on() {
    let clock = clock();
    let (store, vendor) = (sqlite().await, Vendor::with(100));
    // Two companies a page, a minute each: the first read takes 50 minutes, in slices of ten.
    vendor.world().latency = MINUTE;
    vendor.world().fast = Some(OWNERS);
    let daemon = Daemon::start(&store, plan(&clock, vec![scheduled(&vendor, "crm", Some(every(5)))]));
    sleep(MINUTE * 59).await;
    let seen = daemon.stop().await;
    let calls = vendor.world().calls.clone();
    assert_eq!(count(&store, COMPANIES).await, 100);
    let since_beginning = calls.iter().filter(|call| call.starts_with("companies since 0")).count();
    assert_eq!(since_beginning, 50, "no page is asked for twice");
    let owners: Vec<usize> = (0..calls.len()).filter(|at| calls[*at] == "owners since 0 after ").collect();
    assert!(owners.len() >= 5, "owners wait for no first read: {owners:?}");
    let partly = |(_, outcome): &&(String, Outcome)| matches!(outcome, Outcome::Partly { .. });
    assert!(seen.ended.lock().unwrap().iter().filter(partly).count() >= 4);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_stopped_lands_the_page_in_hand_and_the_next_goes_on_there() {
    let clock = clock();
    let whole = sqlite().await;
    Vendor::with(20).sync(&whole).await;
    let expected = digest(&whole).await;
    let (store, vendor) = (sqlite().await, Vendor::with(20));
    vendor.world().latency = Duration::from_secs(3);
    let plan = plan(&clock, vec![scheduled(&vendor, "crm", Some(every(60)))]);
    for _ in 0..6 {
        let daemon = Daemon::start(&store, plan.clone());
        sleep(Duration::from_secs(7)).await;
        let before = Instant::now();
        daemon.stop().await;
        assert!(before.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(digest(&store).await, expected);
    let calls = vendor.world().calls.clone();
    assert_eq!(calls.iter().filter(|call| call.starts_with("companies since 0")).count(), 10, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_is_pulled_in_its_hours_alone() {
    let clock = clock();
    let (store, vendor) = (sqlite().await, Vendor::with(3));
    let window = Window::parse("22:00-02:00");
    let schedule = Schedule { window, ..every(60) };
    let daemon = Daemon::start(&store, plan(&clock, vec![scheduled(&vendor, "crm", Some(schedule))]));
    // From midnight: two hours are open, then twenty are not.
    sleep(MINUTE * 60 * 22).await;
    assert_eq!(daemon.seen.count("crm"), 2);
    sleep(MINUTE * 90).await;
    assert_eq!(daemon.stop().await.count("crm"), 4);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_asks_for_out_of_hours_is_pulled_to_its_end() {
    let clock = clock();
    let (store, vendor) = (sqlite().await, Vendor::with(10));
    vendor.world().latency = MINUTE;
    let schedule = Schedule { window: Window::parse("22:00-02:00"), ..every(60) };
    let daemon = Daemon::start(&store, plan(&clock, vec![scheduled(&vendor, "crm", Some(schedule))]));
    sleep(MINUTE * 60 * 12).await;
    let before = daemon.seen.count("crm");
    vendor.world().companies.insert("new".to_owned(), (99, "new".to_owned()));
    store.ask("crm", clock()).await.unwrap();
    sleep(MINUTE * 30).await;
    let seen = daemon.stop().await;
    let ended = seen.ended.lock().unwrap().clone();
    assert_eq!((ended.len(), &ended.last().unwrap().1), (before + 1, &Outcome::Ok));
    assert_eq!(count(&store, COMPANIES).await, 11);
}

#[tokio::test(start_paused = true)]
async fn daemons_that_share_a_store_never_pull_a_source_at_once() {
    let clock = clock();
    let store = postgres().await;
    let vendors: Vec<Vendor> = (0..12).map(|_| Vendor::with(5)).collect();
    for vendor in &vendors {
        vendor.world().latency = Duration::from_secs(2);
    }
    let sources = |vendors: &[Vendor]| {
        vendors
            .iter()
            .enumerate()
            .map(|(at, vendor)| scheduled(vendor, &format!("s{at}"), Some(every(5))))
            .collect()
    };
    let mut daemons = Vec::new();
    for _ in 0..3 {
        let own = Store::open(&store.url).await.unwrap();
        daemons.push(Daemon::start(&own, plan(&clock, sources(&vendors))));
    }
    sleep(MINUTE * 29).await;
    let mut passes = 0;
    for daemon in daemons {
        let seen = daemon.stop().await;
        let ended = seen.ended.lock().unwrap();
        passes += ended.iter().filter(|(_, outcome)| *outcome == Outcome::Ok).count();
    }
    for (at, vendor) in vendors.iter().enumerate() {
        assert_eq!(vendor.world().most_at_once, 1, "s{at}");
    }
    // Six times within 29 minutes, each source, whoever does it.
    assert_eq!(passes, 12 * 6);
}
