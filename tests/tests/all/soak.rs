//! A week of everything that goes wrong, in a minute: the store ends as it does when nothing does.
//!
//! The daemon pulls three simulated vendors in this process, on a clock that jumps from one event to the next. Records
//! are made, changed, deleted, merged and restored by a seed, the same in both weeks. In one of them replies fail,
//! connections break, pages are cut, vendors are silent for an hour, and the daemon dies in the middle or is stopped.
//!
//! `cargo xtask soak --seed N --weeks W` runs more of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tributary_core::Time;
use tributary_core::dice::Dice;
use tributary_core::id::Hash;
use tributary_derive::update::{DeriveError, Summary};
use tributary_google_ads::{GoogleAds, SimulatedGoogleAds};
use tributary_hubspot::{HubSpot, SimulatedHubSpot};
use tributary_matomo::{Matomo, SimulatedMatomo};
use tributary_sandbox::simulator::{Fault, Habits, Simulator, When};
use tributary_sandbox::{Plan as WorldPlan, World, build};
use tributary_source::environment::Vendor;
use tributary_source::testkit::{Change, Simulated};
use tributary_source::{Connector, Environment, Error, Normalized, Record, Settings, Source, Spec, Stream};
use tributary_store::Store;
use tributary_store::testkit::{sqlite, stand_still};
use tributary_store::work::Planned;
use tributary_sync::{
    Cadence, Event, Observer, Options, Outcome, Plan, Schedule, ScheduledSource, SourceReport, SourceRun,
    Watcher, serve,
};

const HOUR: Duration = Duration::from_hours(1);

type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// A connector whose vendor answers in this process.
struct InProcess {
    connector: Arc<dyn Connector>,
    vendor: Arc<dyn Vendor>,
}

impl Connector for InProcess {
    fn name(&self) -> &'static str {
        self.connector.name()
    }

    fn about(&self) -> &'static str {
        self.connector.about()
    }

    fn spec(&self) -> Spec {
        self.connector.spec()
    }

    fn normalizer_version(&self) -> u32 {
        self.connector.normalizer_version()
    }

    fn streams(&self) -> &'static [Stream] {
        self.connector.streams()
    }

    fn connect(&self, settings: &Settings, environment: &Environment) -> Result<Box<dyn Source>, Error> {
        let vendor = Some(Arc::clone(&self.vendor));
        self.connector.connect(settings, &Environment { vendor, ..environment.clone() })
    }

    fn normalize(&self, settings: &Settings, record: &Record) -> Normalized {
        self.connector.normalize(settings, record)
    }
}

/// A vendor under change and under fire.
struct Patient {
    id: &'static str,
    connector: Arc<dyn Connector>,
    vendor: Arc<dyn Simulated>,
    kit: Arc<Simulator>,
    deleted: BTreeMap<&'static str, Vec<String>>,
}

impl Patient {
    fn all(world: &World, clock: &Clock) -> Vec<Self> {
        let hubspot = Arc::new(SimulatedHubSpot::new(world, Arc::clone(clock)));
        let matomo = Arc::new(SimulatedMatomo::new(world, Arc::clone(clock)));
        let ads = Arc::new(SimulatedGoogleAds::new(world, Arc::clone(clock)));
        let (crm, web, spend) = (hubspot.kit(), matomo.kit(), ads.kit());
        vec![
            Self::new("crm", Arc::new(HubSpot), hubspot, crm),
            Self::new("web", Arc::new(Matomo), matomo, web),
            Self::new("ads", Arc::new(GoogleAds), ads, spend),
        ]
    }

    fn new(
        id: &'static str,
        connector: Arc<dyn Connector>,
        vendor: Arc<dyn Simulated>,
        kit: Arc<Simulator>,
    ) -> Self {
        Self { id, connector, vendor, kit, deleted: BTreeMap::new() }
    }

    fn scheduled(&self) -> ScheduledSource {
        let vendor: Arc<dyn Vendor> = Arc::<dyn Simulated>::clone(&self.vendor);
        let connector = Arc::new(InProcess { connector: Arc::clone(&self.connector), vendor });
        let settings = Settings { source: self.id.to_owned(), ..self.vendor.settings() };
        let schedule = Schedule {
            cadence: Cadence::Every(Duration::from_mins(30)),
            jitter: Duration::from_mins(2),
            window: None,
            zone: settings.zone.clone(),
        };
        ScheduledSource {
            run: SourceRun::new(self.id.to_owned(), connector, settings),
            schedule: Some(schedule),
            streams: BTreeMap::new(),
            sweep_every: HOUR * 12,
        }
    }

    /// Makes, changes, deletes, restores or merges a record of some stream.
    fn change(&mut self, dice: &mut Dice) {
        let stream = dice.pick(self.connector.streams()).name;
        let ids: Vec<String> = self.vendor.ids(stream).into_iter().collect();
        let (kind, first, second) = (dice.below(8), dice.unit(), dice.unit());
        let pick = |unit: f64| ids.get((unit * ids.len() as f64) as usize);
        let gone = self.deleted.entry(stream).or_default();
        match (kind, pick(first), pick(second)) {
            (0 | 1, ..) => drop(self.vendor.change(stream, Change::Create)),
            (2..=4, Some(id), _) => drop(self.vendor.change(stream, Change::Update(id))),
            // A few at most: a vendor that loses much of itself is asked about.
            (5, Some(id), _) if gone.len() < 3 => {
                gone.extend(self.vendor.change(stream, Change::Delete(id)));
            }
            (6, ..) if !gone.is_empty() => {
                let id = gone.remove(0);
                self.vendor.change(stream, Change::Restore(&id));
            }
            (7, Some(loser), Some(winner)) if loser != winner => {
                self.vendor.change(stream, Change::Merge { loser, winner });
            }
            _ => {}
        }
    }

    /// Has an hour of some trouble, or of none.
    fn suffer(&self, dice: &mut Dice) {
        self.kit.heal();
        let when = When::Chance { seed: dice.next(), per_mille: 20 + dice.below(300) as u64 };
        let latency = Duration::from_millis(dice.below(2_000) as u64);
        let clock_skew_micros = (dice.between(-60.0, 60.0) * 1e6) as i64;
        self.kit.behave(Habits { latency, clock_skew_micros, ..Habits::default() });
        match dice.below(14) {
            0 => self.kit.fail(when, Fault::Status(500)),
            1 => self.kit.fail(when, Fault::Status(503)),
            2 => self.kit.fail(when, Fault::Status(429)),
            3 => self.kit.fail(when, Fault::Html(200)),
            4 => self.kit.fail(when, Fault::Html(502)),
            5 => self.kit.fail(when, Fault::Torn),
            6 => self.kit.fail(when, Fault::Slow(Duration::from_secs(90))),
            7 => self.kit.fail(when, Fault::NoAnswer),
            8 => self.kit.fail(when, Fault::Empty),
            9 => self.kit.fail(when, Fault::Garbage),
            10 => self.kit.fail(When::Always, Fault::NoAnswer),
            _ => {}
        }
    }
}

/// Counts how passes ended, and hears when one begins.
#[derive(Default)]
struct Tally {
    ended: Mutex<BTreeMap<&'static str, usize>>,
    begun: Notify,
}

impl Observer for Tally {
    fn event(&self, _: &str, event: Event) {
        if event == Event::Started {
            self.begun.notify_waiters();
        }
    }
}

impl Watcher for Tally {
    fn ended(&self, report: &SourceReport, _: &Planned) {
        let word = match &report.outcome {
            Outcome::Ok => "ok",
            Outcome::Failed { .. } => "failed",
            Outcome::Interrupted { .. } => "interrupted",
            _ => "other",
        };
        *self.ended.lock().unwrap().entry(word).or_default() += 1;
    }

    fn derived(&self, outcome: &Result<Summary, DeriveError>) {
        assert!(outcome.is_ok(), "{outcome:?}");
    }
}

/// A daemon that can be stopped, or die.
struct Daemon {
    task: JoinHandle<()>,
    stop: CancellationToken,
    // Kept: without it the plan would be gone.
    _plan: watch::Sender<Arc<Plan>>,
}

impl Daemon {
    fn start(store: &Store, plan: &Plan, tally: &Arc<Tally>) -> Self {
        let (sender, receiver) = watch::channel(Arc::new(plan.clone()));
        let stop = CancellationToken::new();
        let (store, token, watcher) = (store.clone(), stop.clone(), Arc::clone(tally));
        let task = tokio::spawn(async move { serve(&store, receiver, watcher, &token).await.unwrap() });
        Self { task, stop, _plan: sender }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    async fn die(self) {
        self.task.abort();
        assert!(self.task.await.is_err());
    }
}

/// Whether things go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Week {
    Calm,
    Wild,
}

/// Lives through some weeks, and gives a hash of what the store then says.
async fn live(week: Week, seed: u64, weeks: u32) -> (Hash, BTreeMap<&'static str, usize>) {
    // Rests between tries are drawn from it.
    fastrand::seed(seed);
    let world = build(&WorldPlan::with_accounts(15));
    let (began, end) = (Instant::now(), world.plan.end());
    let clock: Clock = Arc::new(move || Time(end.0 + began.elapsed().as_micros() as i64));
    let mut patients = Patient::all(&world, &clock);
    let store = sqlite().await;
    let options = Options { backfill: Some(Duration::from_mins(10)), ..Options::new(Arc::clone(&clock)) };
    let sources = patients.iter().map(Patient::scheduled).collect();
    let plan = Plan {
        sources,
        rules: tributary_derive::Rules::default(),
        at_once: 3,
        look_every: Duration::from_mins(5),
        options,
    };
    let tally = Arc::new(Tally::default());
    let (mut changes, mut faults) = (Dice::new(seed, "changes", 0), Dice::new(seed, "faults", 0));
    let mut daemon = Daemon::start(&store, &plan, &tally);
    let hours = weeks * 7 * 24;
    for hour in 0..hours {
        for patient in &mut patients {
            for _ in 0..changes.below(4) {
                patient.change(&mut changes);
            }
            if week == Week::Wild {
                patient.suffer(&mut faults);
            }
        }
        let next = began + HOUR * (hour + 1);
        if week == Week::Wild && faults.chance(0.2) {
            // In the middle of some pass.
            sleep(Duration::from_secs_f64(faults.between(0.0, 1_500.0))).await;
            tally.begun.notified().await;
            sleep(Duration::from_secs_f64(faults.between(0.0, 8.0))).await;
            if faults.chance(0.5) {
                daemon.die().await;
            } else {
                daemon.stop().await;
            }
            daemon = Daemon::start(&store, &plan, &tally);
        }
        sleep_until(next).await;
    }
    // A calm day after it, so that all walks over ids have been made.
    for patient in &patients {
        patient.kit.heal();
        patient.kit.behave(Habits::default());
    }
    sleep_until(began + HOUR * (hours + 26)).await;
    daemon.stop().await;
    let counts = tally.ended.lock().unwrap().clone();
    (store.derived_digest().await.unwrap(), counts)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(start_paused = true)]
async fn a_week_of_every_fault_ends_as_a_week_without() {
    stand_still();
    let (seed, weeks) = (number("SOAK_SEED", 1), number("SOAK_WEEKS", 1) as u32);
    let (calm, quiet) = live(Week::Calm, seed, weeks).await;
    let (wild, counts) = live(Week::Wild, seed, weeks).await;
    println!("seed {seed}, {weeks} weeks: without faults {quiet:?}, with faults {counts:?}");
    let few =
        |word: &str, least: usize| counts.get(word).copied().unwrap_or_default() < least * weeks as usize;
    assert!(!few("failed", 50) && !few("interrupted", 1) && !few("ok", 500), "{counts:?}");
    assert_eq!(wild, calm, "seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_answers_nothing_for_an_hour_is_asked_little_and_holds_up_no_other() {
    stand_still();
    let mut digests = Vec::new();
    for is_silent in [false, true] {
        let world = build(&WorldPlan::with_accounts(15));
        let (began, end) = (Instant::now(), world.plan.end());
        let clock: Clock = Arc::new(move || Time(end.0 + began.elapsed().as_micros() as i64));
        let patients = Patient::all(&world, &clock);
        let store = sqlite().await;
        let plan = Plan {
            sources: patients.iter().map(Patient::scheduled).collect(),
            rules: tributary_derive::Rules::default(),
            // Less than there are sources: who waits for its vendor must not keep the others waiting.
            at_once: 2,
            look_every: Duration::from_mins(5),
            options: Options::new(clock),
        };
        let daemon = Daemon::start(&store, &plan, &Arc::new(Tally::default()));
        sleep(HOUR).await;
        let (crm, web) = (&patients[0], &patients[1]);
        crm.vendor.change("contacts", Change::Create);
        web.vendor.change("visits", Change::Create);
        let calls = || [crm, web].map(|patient| patient.kit.calls());
        let before = calls();
        if is_silent {
            crm.kit.fail(When::Always, Fault::Slow(HOUR * 2));
        }
        sleep(HOUR).await;
        let after = calls();
        if is_silent {
            // Five tries for the first stream, one for each further one, and between passes ever longer rests.
            assert!((5..30).contains(&(after[0] - before[0])), "{before:?} {after:?}");
            assert!(store.planned().await.unwrap()["crm"].failures >= 2);
        }
        assert!(after[1] > before[1], "{before:?} {after:?}");
        crm.kit.heal();
        sleep(HOUR).await;
        assert_eq!(store.planned().await.unwrap()["crm"].failures, 0);
        daemon.stop().await;
        digests.push(store.derived_digest().await.unwrap());
    }
    assert_eq!(digests[0], digests[1]);
}
