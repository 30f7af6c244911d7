//! The daemon: pulls every source when it is due, for years, and has what came worked out.
//!
//! All that must outlive the process is in the store: cursors, leases, pauses, requests, rests after failures. The
//! loop looks at it, begins what is due, and waits for the next event. Any number of daemons may look at one Postgres:
//! a source is pulled by the one that holds its lease.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tributary_core::Time;
use tributary_core::id::Hash;
use tributary_core::time::DAY_MICROS;
use tributary_derive::rules::Rules;
use tributary_derive::update::{self, DeriveError};
use tributary_source::NextStep;
use tributary_store::work::{Planned, Standing, StreamStanding, Taken};
use tributary_store::{Store, StoreError};

use crate::pass::{Options, SourceRun, run_one};
use crate::report::{Observer, Outcome, SourceReport};
use crate::schedule::{Schedule, rest};

/// How long the daemon waits for a store that does not answer.
const STORE_REST: Duration = Duration::from_secs(5);
/// How old what is known of the sources may be while none is due. Of hundreds it is the most that an idle daemon does.
const KNOWN_FOR: Duration = Duration::from_secs(15);
/// How often what came is worked out while sources are still being read.
const DERIVE_EVERY: Duration = Duration::from_mins(1);
/// How long work in hand may take once somebody stops the daemon; what lasts longer is begun again later.
const GRACE: Duration = Duration::from_secs(8);
/// The longest that a source rests, whatever its vendor asks for, in microseconds.
const LONGEST_REST: i64 = DAY_MICROS;
/// How far the clocks of two daemons may differ, in microseconds. What was done later than that from now was done
/// before the clock was set back.
const CLOCKS_DIFFER: i64 = 300_000_000;

/// What the daemon is to do.
#[derive(Clone)]
pub struct Plan {
    /// The sources, those without a schedule too: somebody may ask for a run.
    pub sources: Vec<ScheduledSource>,
    /// How facts become people, accounts, touches and deals.
    pub rules: Rules,
    /// How many sources are pulled at a time.
    pub at_once: usize,
    /// How often requests, pauses and other daemons are looked for.
    pub look_every: Duration,
    /// How a pass runs.
    pub options: Options,
}

/// A source and when to pull it.
#[derive(Clone)]
pub struct ScheduledSource {
    /// The source.
    pub run: SourceRun,
    /// When; only when somebody asks without.
    pub schedule: Option<Schedule>,
    /// When to pull streams that have a schedule of their own.
    pub streams: BTreeMap<&'static str, Schedule>,
    /// How much time goes by between two walks over all ids.
    pub sweep_every: Duration,
}

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The file has a daemon already.
    #[error("{by} already serves this store: a SQLite file has one daemon (Postgres takes any number)")]
    Served {
        /// Which, in words.
        by: String,
    },
    /// The store failed before anything began.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Hears what the daemon does. Must not block.
pub trait Watcher: Observer {
    /// A pass of a source ended; `planned` is what is planned of it now.
    fn ended(&self, report: &SourceReport, planned: &Planned);
    /// The loop goes round.
    fn looked(&self) {}
    /// Working out what came begins.
    fn deriving(&self) {}
    /// What came was worked out, or was not.
    fn derived(&self, outcome: &Result<update::Summary, DeriveError>);
}

impl ScheduledSource {
    /// When a stream is due, and when the daemon should look again if it is not.
    fn due(&self, stream: &'static str, standing: Option<&Standing>, now: Time) -> Option<Time> {
        let schedule = self.streams.get(stream).or(self.schedule.as_ref())?;
        let known = standing.and_then(|standing| standing.streams.get(stream)).copied();
        // Of a stream without any part nothing is noted: it was tried when the others were.
        let others = || standing?.streams.values().filter_map(|it| it.tried_at).max();
        let StreamStanding { tried_at, is_incomplete, .. } =
            known.unwrap_or_else(|| StreamStanding { tried_at: others(), ..StreamStanding::default() });
        // A run that was cut off goes on; one that failed, or left a stream out, waits for its time.
        let was_cut_off =
            standing.is_some_and(|it| matches!(it.outcome.as_str(), "partly" | "interrupted" | "running"));
        let last = tried_at.filter(|at| !(is_incomplete && was_cut_off) && at.0 <= now.0 + CLOCKS_DIFFER);
        let name = format!("{}/{stream}", self.run.id);
        let due =
            schedule.due(if self.streams.contains_key(stream) { &name } else { &self.run.id }, last, now)?;
        // What was missed waits for the hours in which pulls may begin.
        Some(if due < now && !schedule.is_open(now) { schedule.open(now) } else { due })
    }

    /// When a source is due next, by its schedule and by what is planned of it: in the past if it is late. Never while
    /// it is paused, or without a schedule.
    pub fn next_due(&self, standing: Option<&Standing>, planned: &Planned, now: Time) -> Option<Time> {
        if planned.is_paused {
            return None;
        }
        let streams = self.run.connector.streams().iter();
        let due = streams.filter_map(|stream| self.due(stream.name, standing, now)).min();
        let due = planned.asked_at.or(due)?;
        Some(rested(planned, now).map_or(due, |rested| due.max(rested)))
    }

    /// The streams that are due, and the instant at which the next one is.
    fn look(
        &self,
        standing: Option<&Standing>,
        planned: &Planned,
        now: Time,
    ) -> (BTreeSet<&'static str>, Time) {
        let streams = self.run.connector.streams().iter().map(|stream| stream.name);
        if planned.is_paused {
            return (BTreeSet::new(), Time::MAX);
        }
        if planned.asked_at.is_some() {
            return (streams.collect(), Time::MAX);
        }
        let mut due = BTreeSet::new();
        let mut next = Time::MAX;
        for stream in streams {
            let Some(at) = self.due(stream, standing, now) else { continue };
            let at = rested(planned, now).map_or(at, |rested| at.max(rested));
            if at <= now {
                due.insert(stream);
            } else {
                next = next.min(at);
            }
        }
        (due, next)
    }
}

/// When a source has rested, unless the clock was set back since that was planned.
fn rested(planned: &Planned, now: Time) -> Option<Time> {
    planned.not_before.filter(|at| at.0 <= now.0 + LONGEST_REST + CLOCKS_DIFFER)
}

/// Runs until it is stopped: then the pages in hand land, and what is not done goes on with the next start.
pub async fn serve(
    store: &Store,
    plan: watch::Receiver<Arc<Plan>>,
    watcher: Arc<dyn Watcher>,
    stop: &CancellationToken,
) -> Result<(), ServeError> {
    let lease = match only_one(store).await? {
        Some(Taken::By(by)) => return Err(ServeError::Served { by }),
        Some(Taken::Ours(lease)) => Some(lease),
        None => None,
    };
    let mut daemon = Daemon::new(store.clone(), plan, watcher, stop.clone());
    daemon.run().await;
    daemon.finish().await;
    if let Some(lease) = lease {
        store.release(&lease).await?;
    }
    Ok(())
}

/// The lease that makes a daemon the only one of a file.
async fn only_one(store: &Store) -> Result<Option<Taken>, StoreError> {
    if !store.is_one_file() {
        return Ok(None);
    }
    store.take(DAEMON, Duration::from_mins(1)).await.map(Some)
}

/// The name of that lease.
pub const DAEMON: &str = "daemon";

type Derived = Result<update::Summary, DeriveError>;

/// A pass in hand.
struct InHand {
    stop: CancellationToken,
    /// Whether somebody asked for it: then it ends with no window.
    is_asked_for: bool,
}

/// What the store said of the sources.
struct Known {
    at: Instant,
    /// When the next source is due, unless people want something before.
    next: Time,
    wishes: Vec<(String, bool, Option<Time>)>,
    standings: BTreeMap<String, Standing>,
    planned: BTreeMap<String, Planned>,
}

struct Daemon {
    store: Store,
    plan: watch::Receiver<Arc<Plan>>,
    watcher: Arc<dyn Watcher>,
    stop: CancellationToken,
    /// What tells this daemon from others, so that they begin with different sources.
    name: String,
    passes: JoinSet<(String, Result<SourceReport, StoreError>)>,
    /// The passes in hand, by source.
    in_hand: HashMap<String, InHand>,
    derivation: JoinSet<Derived>,
    /// How the sources stand and what is planned of them, as of some look.
    known: Option<Arc<Known>>,
    /// Whether something came that is not worked out.
    is_stale: bool,
    derive_after: Instant,
    derived_at: Instant,
}

impl Daemon {
    fn new(
        store: Store,
        plan: watch::Receiver<Arc<Plan>>,
        watcher: Arc<dyn Watcher>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            plan,
            watcher,
            stop,
            name: std::process::id().to_string(),
            passes: JoinSet::new(),
            in_hand: HashMap::new(),
            derivation: JoinSet::new(),
            known: None,
            // Rules may have changed, or an earlier process may have died before it worked things out.
            is_stale: true,
            derive_after: Instant::now(),
            derived_at: Instant::now(),
        }
    }

    async fn run(&mut self) {
        while !self.stop.is_cancelled() {
            let plan = Arc::clone(&self.plan.borrow_and_update());
            let next = match self.begin_due(&plan).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "failed to look at the store: trying again");
                    Instant::now() + STORE_REST
                }
            };
            self.derive(&plan);
            self.watcher.looked();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {}
                Some(ended) = self.passes.join_next() => self.pass_ended(&plan, ended).await,
                Some(derived) = self.derivation.join_next() => self.derivation_ended(derived),
                changed = self.plan.changed() => match changed {
                    Ok(()) => self.known = None,
                    Err(_) => return,
                },
                () = sleep_until(next) => {}
            }
        }
    }

    /// Begins what is due, and says when to look again.
    async fn begin_due(&mut self, plan: &Plan) -> Result<Instant, StoreError> {
        let now = (plan.options.now)();
        let (known, is_new) = self.know(plan, now).await?;
        let Known { standings, planned, .. } = known.as_ref();
        let look = Time(now.0 + plan.look_every.as_micros() as i64);
        // Nothing is due and nothing in hand: there is nothing to go through.
        let rests = !is_new && self.in_hand.is_empty();
        let mut next = if rests { look.min(known.next) } else { look };
        let mut sources: Vec<&ScheduledSource> = plan.sources.iter().filter(|_| !rests).collect();
        sources.sort_by_key(|source| Hash::of("turn", &[&self.name, &source.run.id]));
        for source in sources {
            let id = source.run.id.as_str();
            let planned = planned.get(id).cloned().unwrap_or_default();
            if let Some(pass) = self.in_hand.get(id) {
                let closed = source.schedule.as_ref().is_some_and(|schedule| !schedule.is_open(now));
                if planned.is_paused || closed && !pass.is_asked_for {
                    pass.stop.cancel();
                }
                continue;
            }
            let standing = standings.get(id);
            let (due, at) = source.look(standing, &planned, now);
            next = next.min(at);
            let is_held = standing.is_some_and(|standing| standing.holder.is_some());
            if due.is_empty() || is_held || self.in_hand.len() >= plan.at_once {
                continue;
            }
            if planned.asked_at.is_some() {
                self.store.answer(id).await?;
            }
            let stop = self.stop.child_token();
            let pass = InHand { stop: stop.clone(), is_asked_for: planned.asked_at.is_some() };
            self.in_hand.insert(id.to_owned(), pass);
            self.begin(plan, source, due, stop);
        }
        if !self.is_stale && self.derived_at.elapsed() > DERIVE_EVERY {
            // Pages of a long read, or what a process left behind that died.
            self.derived_at = Instant::now();
            self.is_stale = self.store.has_dirty().await?;
        }
        let known: BTreeSet<&str> = plan.sources.iter().map(|source| source.run.id.as_str()).collect();
        for (_, pass) in self.in_hand.iter().filter(|(id, _)| !known.contains(id.as_str())) {
            pass.stop.cancel();
        }
        let wait = Duration::from_micros(next.0.saturating_sub(now.0).max(0) as u64);
        Ok(Instant::now() + wait.max(Duration::from_millis(1)))
    }

    /// What the store says of the sources, and whether it said so just now: it is asked if one is due, or if people want
    /// something else than they did.
    async fn know(&mut self, plan: &Plan, now: Time) -> Result<(Arc<Known>, bool), StoreError> {
        let wishes = self.store.wishes().await?;
        if let Some(known) = &self.known
            && known.at.elapsed() < KNOWN_FOR
            && known.wishes == wishes
            && now < known.next
        {
            return Ok((Arc::clone(known), false));
        }
        let (standings, planned) = (self.store.standings().await?, self.store.planned().await?);
        let nothing = Planned::default();
        let due = plan.sources.iter().map(|source| {
            let id = &source.run.id;
            let (due, next) = source.look(standings.get(id), planned.get(id).unwrap_or(&nothing), now);
            if due.is_empty() { next } else { now }
        });
        let next = due.min().unwrap_or(Time::MAX);
        let known = Arc::new(Known { at: Instant::now(), next, wishes, standings, planned });
        Ok((Arc::clone(self.known.insert(known)), true))
    }

    /// Begins a pass of some streams.
    fn begin(
        &mut self,
        plan: &Plan,
        source: &ScheduledSource,
        streams: BTreeSet<&'static str>,
        stop: CancellationToken,
    ) {
        let run = source.run.only(streams);
        let options = Options { sweep_every: source.sweep_every, ..plan.options.clone() };
        let (store, watcher) = (self.store.clone(), Arc::clone(&self.watcher));
        self.passes.spawn(async move {
            let observer: &dyn Observer = watcher.as_ref();
            let report = run_one(&store, &run, &options, observer, &stop).await;
            (run.id, report)
        });
    }

    /// Plans what follows from how a pass ended.
    async fn pass_ended(
        &mut self,
        plan: &Plan,
        ended: Result<(String, Result<SourceReport, StoreError>), tokio::task::JoinError>,
    ) {
        let Ok((source, report)) = ended else {
            // Which one is not known: all that are no more must be let go.
            tracing::error!("a pass broke off: this is our own mistake, please report it");
            self.in_hand.clear();
            return;
        };
        self.in_hand.remove(&source);
        self.known = None;
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                let message = error.to_string();
                SourceReport::ended(&source, Outcome::Failed { next: NextStep::Retry, message })
            }
        };
        let landed = report.landed();
        self.is_stale |= landed.added + landed.deleted + report.renormalized > 0;
        match self.replan(plan, &report).await {
            Ok(planned) => self.watcher.ended(&report, &planned),
            Err(error) => {
                tracing::warn!(%error, source, "failed to note how a pass ended");
                self.watcher.ended(&report, &Planned::default());
            }
        }
    }

    async fn replan(&self, plan: &Plan, report: &SourceReport) -> Result<Planned, StoreError> {
        let (source, now) = (report.source.as_str(), (plan.options.now)());
        let longest = Time(now.0 + LONGEST_REST);
        match &report.outcome {
            Outcome::Ok | Outcome::Partly { .. } => self.store.succeed(source, None).await?,
            Outcome::Paused { until, .. } => self.store.succeed(source, Some(*until.min(&longest))).await?,
            Outcome::Failed { next, .. } => {
                let failures = self.store.planned().await?.get(source).map_or(0, |it| it.failures);
                let rested = Time(now.0 + rest(failures + 1).as_micros() as i64);
                let not_before = if let NextStep::Wait(until) = next { rested.max(*until) } else { rested };
                self.store.fail(source, not_before.min(longest)).await?;
            }
            Outcome::Busy { .. } | Outcome::Lost { .. } | Outcome::Interrupted { .. } => {}
        }
        Ok(self.store.planned().await?.remove(source).unwrap_or_default())
    }

    /// Has what came worked out, one run at a time.
    fn derive(&mut self, plan: &Plan) {
        if !self.is_stale || !self.derivation.is_empty() || Instant::now() < self.derive_after {
            return;
        }
        self.is_stale = false;
        self.derived_at = Instant::now();
        self.watcher.deriving();
        let (store, rules) = (self.store.clone(), plan.rules.clone());
        self.derivation.spawn(async move { update::update(&store, &rules, &mut |_, _| ()).await });
    }

    fn derivation_ended(&mut self, derived: Result<Derived, tokio::task::JoinError>) {
        let Ok(derived) = derived else {
            tracing::error!("working things out broke off: this is our own mistake, please report it");
            self.derive_after = Instant::now() + Duration::from_mins(5);
            self.is_stale = true;
            return;
        };
        if derived.is_err() {
            self.is_stale = true;
            self.derive_after = Instant::now() + STORE_REST;
        }
        self.watcher.derived(&derived);
    }

    /// Waits for what is in hand, as long as that is bearable.
    async fn finish(&mut self) {
        let plan = Arc::clone(&self.plan.borrow());
        let ended = timeout(GRACE, async {
            while let Some(ended) = self.passes.join_next().await {
                self.pass_ended(&plan, ended).await;
            }
            self.derive(&plan);
            while let Some(derived) = self.derivation.join_next().await {
                self.derivation_ended(derived);
            }
        });
        if ended.await.is_err() {
            tracing::info!("what is still in hand goes on with the next start");
        }
        self.passes.shutdown().await;
        self.derivation.shutdown().await;
    }
}
