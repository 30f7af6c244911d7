//! A vendor in memory: pages by id, cursors by stamp, faults on demand, and a book of every call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tributary_core::fact::{Account, Fact};
use tributary_core::{Time, id::Hash};
use tributary_source::{
    Connector, Counted, Covers, Cursor, Environment, Error, Finding, Mode, Next, NextStep, Normalized, Page,
    Part, Problem, Reach, Record, Reject, Resume, Settings, Source, Span, Spec, Stream, Task,
};
use tributary_store::Store;
use tributary_sync::{Event, Observer, Options, Outcome, Report, Silent, SourceReport, SourceRun, run};

pub(crate) const COMPANIES: &str = "companies";
pub(crate) const OWNERS: &str = "owners";

const STREAMS: &[Stream] = &[
    Stream { name: COMPANIES, mode: Mode::Keyset, sweeps: true },
    Stream { name: OWNERS, mode: Mode::Snapshot, sweeps: false },
];

/// A record at the vendor: its stamp and its name.
pub(crate) type Row = (i64, String);

#[derive(Default)]
pub(crate) struct World {
    pub(crate) companies: BTreeMap<String, Row>,
    pub(crate) owners: BTreeMap<String, Row>,
    /// Every call, in words: `companies since 7 after 3`.
    pub(crate) calls: Vec<String>,
    /// What the call of that number, from 0, answers instead.
    pub(crate) faults: BTreeMap<usize, NextStep>,
    /// Calls that contain these words answer so.
    pub(crate) broken: Option<(&'static str, NextStep)>,
    /// Leads back to the first page for ever.
    pub(crate) loops: bool,
    pub(crate) rejects: Vec<Reject>,
    /// Records that the vendor counts and does not give.
    pub(crate) ungiven: u64,
    /// Records that the vendor counts at the end of a span only.
    pub(crate) newcomers: u64,
    /// How far back it tells.
    pub(crate) reach: Reach,
    /// Records a page; a few if it is 0.
    pub(crate) page: usize,
    /// How long a page takes …
    pub(crate) latency: Duration,
    /// … but for a stream that takes no time.
    pub(crate) fast: Option<&'static str>,
    /// A stream of which it has no part.
    pub(crate) partless: Option<&'static str>,
    /// Streams that may be read side by side; one if it is 0.
    pub(crate) at_once: usize,
    /// Calls on their way, and the most that ever were.
    pub(crate) on_their_way: usize,
    pub(crate) most_at_once: usize,
}

/// The vendor; clones share one world.
#[derive(Clone, Default)]
pub(crate) struct Vendor {
    world: Arc<Mutex<World>>,
    pub(crate) normalizer: Arc<AtomicU32>,
}

/// Records a page.
const PAGE: usize = 2;

impl Vendor {
    /// A vendor with so many companies, stamped 1, 2, …, and three owners.
    pub(crate) fn with(companies: i64) -> Self {
        let vendor = Self::default();
        for number in 1..=companies {
            vendor.world().companies.insert(format!("{number:03}"), (number, format!("company {number}")));
        }
        for number in 1..=3 {
            vendor.world().owners.insert(format!("{number}"), (number, format!("owner {number}")));
        }
        vendor
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn calls(&self) -> usize {
        self.world().calls.len()
    }

    pub(crate) fn source(&self, id: &str) -> SourceRun {
        let settings = Settings { source: id.to_owned(), ..Settings::default() };
        SourceRun::new(id.to_owned(), Arc::new(self.clone()), settings)
    }

    /// One pass that is left alone.
    pub(crate) async fn sync(&self, store: &Store) -> SourceReport {
        self.pass(store, &Silent, &CancellationToken::new()).await
    }

    pub(crate) async fn pass(
        &self,
        store: &Store,
        observer: &dyn Observer,
        stop: &CancellationToken,
    ) -> SourceReport {
        let report = run(store, &[self.source("crm")], &options(), observer, stop).await.unwrap();
        report.sources.into_iter().next().unwrap()
    }
}

/// A clock that ticks whenever it is read.
pub(crate) fn options() -> Options {
    static NOW: AtomicI64 = AtomicI64::new(1_000_000);
    Options::new(Arc::new(|| Time(NOW.fetch_add(1, Ordering::Relaxed))))
}

/// What the store holds, without when it came.
pub(crate) async fn digest(store: &Store) -> Hash {
    store.landing_digest().await.unwrap()
}

pub(crate) async fn count(store: &Store, stream: &str) -> u64 {
    let counts = store.stream_counts().await.unwrap();
    counts.get(&("crm".to_owned(), stream.to_owned())).copied().unwrap_or_default()
}

pub(crate) fn is_ok(report: &SourceReport) -> bool {
    report.outcome == Outcome::Ok
}

pub(crate) fn only(report: Report) -> SourceReport {
    report.sources.into_iter().next().unwrap()
}

/// Counts pages and does something at one of them.
pub(crate) struct AtPage<F> {
    pub(crate) page: usize,
    pub(crate) then: F,
    met: Mutex<usize>,
}

impl<F> AtPage<F> {
    pub(crate) fn new(page: usize, then: F) -> Self {
        Self { page, then, met: Mutex::new(0) }
    }
}

impl<F: Fn() + Send + Sync> Observer for AtPage<F> {
    fn event(&self, _: &str, event: Event) {
        if let Event::Page { .. } = event {
            let mut met = self.met.lock().unwrap();
            if *met == self.page {
                (self.then)();
            }
            *met += 1;
        }
    }
}

impl Connector for Vendor {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn about(&self) -> &'static str {
        "a vendor that is none"
    }

    fn spec(&self) -> Spec {
        Spec::of::<()>(&[])
    }

    fn normalizer_version(&self) -> u32 {
        self.normalizer.load(Ordering::Relaxed)
    }

    fn streams(&self) -> &'static [Stream] {
        STREAMS
    }

    fn connect(&self, settings: &Settings, _: &Environment) -> Result<Box<dyn Source>, Error> {
        if settings.source == "misconfigured" {
            return Err(Error::new(NextStep::FixConfig, "unknown field `colour`"));
        }
        Ok(Box::new(self.clone()))
    }

    fn normalize(&self, _: &Settings, record: &Record) -> Normalized {
        let name = String::from_utf8_lossy(record.body.as_deref().unwrap_or_default()).into_owned();
        assert!(name != "breaks", "a mistake in the connector");
        let is_bad = name == "bad" || name == "bad until 2" && self.normalizer_version() < 2;
        let problems = if is_bad {
            vec![Problem { field: "name".to_owned(), reason: "is bad".to_owned() }]
        } else {
            Vec::new()
        };
        let name = format!("{name} v{}", self.normalizer_version());
        let account = Account { id: record.id.clone(), name: Some(name), ..Account::default() };
        Normalized { facts: vec![Fact::Account(account)], problems }
    }
}

#[async_trait]
impl Source for Vendor {
    async fn check(&self) -> Result<Vec<Finding>, Error> {
        Ok(Vec::new())
    }

    async fn parts(&self, stream: &Stream) -> Result<Vec<Part>, Error> {
        let has_none = self.world().partless == Some(stream.name);
        Ok(if has_none { Vec::new() } else { vec![Part::default()] })
    }

    fn at_once(&self) -> usize {
        self.world().at_once.max(1)
    }

    async fn pull(&self, task: &Task) -> Result<Page, Error> {
        let latency = {
            let mut world = self.world();
            world.on_their_way += 1;
            world.most_at_once = world.most_at_once.max(world.on_their_way);
            if world.fast == Some(task.stream) { Duration::ZERO } else { world.latency }
        };
        tokio::time::sleep(latency).await;
        let mut world = self.world();
        world.on_their_way -= 1;
        let call = world.calls.len();
        let after = task.resume.as_ref().map_or("", |resume| resume.0.as_str()).to_owned();
        let span = match &task.span {
            Span::Since(cursor) => {
                format!("since {}", cursor.as_ref().map_or("0", |cursor| cursor.0.as_str()))
            }
            Span::Sweep => "sweep".to_owned(),
            Span::Window(_) => panic!("nobody asks for windows"),
        };
        let words = format!("{} {span} after {after}", task.stream);
        world.calls.push(words.clone());
        if let Some(next) = world.faults.get(&call) {
            return Err(Error::new(*next, "a fault on demand"));
        }
        if let Some((part, next)) = world.broken
            && words.contains(part)
        {
            return Err(Error::new(next, "broken for good"));
        }
        assert_eq!(task.part, Part::default());
        let rows = if task.stream == COMPANIES { &world.companies } else { &world.owners };
        let from: i64 = match &task.span {
            Span::Since(Some(cursor)) => cursor.0.parse().unwrap(),
            _ => 0,
        };
        let later: Vec<(&String, &Row)> =
            rows.iter().filter(|(id, row)| **id > after && row.0 >= from).collect();
        let earlier = rows.iter().filter(|(id, row)| **id <= after && row.0 >= from).count();
        let size = if world.page == 0 { PAGE } else { world.page };
        let page = &later[..later.len().min(size)];
        let next = if world.loops {
            Next::More(Resume(String::new()))
        } else if later.len() > size {
            Next::More(Resume(page[size - 1].0.clone()))
        } else {
            Next::Done(Cursor(rows.values().map(|row| row.0).max().unwrap_or(0).to_string()))
        };
        let is_sweep = task.span == Span::Sweep;
        let record = |(id, row): &(&String, &Row)| Record {
            stream: task.stream,
            id: (*id).clone(),
            stamp: Some(Time(row.0)),
            body: Some(row.1.as_bytes().into()),
            origin: None,
        };
        let seen = if is_sweep { page.iter().map(|(id, _)| (*id).clone()).collect() } else { Vec::new() };
        Ok(Page {
            records: if is_sweep { Vec::new() } else { page.iter().map(record).collect() },
            rejects: if call == 0 { world.rejects.clone() } else { Vec::new() },
            seen,
            next,
            covers: if task.stream == OWNERS { Covers::Replace } else { Covers::Upsert },
            server_time: None,
            progress: Some(((earlier + page.len()) as u64, (earlier + later.len()) as u64)),
            reach: world.reach,
            counted: (later.len() <= size).then(|| Counted {
                came: (earlier + page.len()) as u64,
                at_first: (earlier + later.len()) as u64 + world.ungiven,
                at_last: (earlier + later.len()) as u64 + world.ungiven + world.newcomers,
            }),
        })
    }
}
