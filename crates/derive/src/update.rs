//! The incremental and the full run over the store, which give the same bytes.
//!
//! Both end in the same step: resolve the clusters of some records, write what of their rows is new, and lay their
//! entries over the others. They differ only in which records those are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tributary_core::Time;
use tributary_core::book::{Book, ChunkError, Translation};
use tributary_core::fact::{Fact, Outcome};
use tributary_core::id::Hash;
use tributary_store::derived::{
    Before, ClaimRow, ClusterRows, Derivation, Loose, NameRow, RateRow, SpendRow,
};
use tributary_store::facts::RecordFacts;
use tributary_store::{Store, StoreError};

use crate::cluster::{self, Named, Names};
use crate::layers::lay;
use crate::rules::Rules;
use crate::{chunks, terms};

/// Records held in memory at a time.
const BATCH: usize = 5_000;

/// Above this share of all records an incremental run costs more than a full one.
const REBUILD_SHARE: f64 = 0.5;

/// Why deriving failed.
#[derive(Debug, thiserror::Error)]
pub enum DeriveError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A chunk can't be read.
    #[error("failed to read the derived journeys ({0}); run `tributary sync --rebuild`")]
    Chunk(#[from] ChunkError),
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Whether everything was computed anew.
    pub rebuilt: bool,
    /// Records whose facts were read.
    pub records: u64,
    /// Clusters computed.
    pub clusters: u64,
    /// Touches written.
    pub touches: u64,
    /// Chunks written.
    pub chunks: u64,
}

/// How far a run is: records done, and in all.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// Brings the derived rows up to date: only what changed, or everything if the rules did.
pub async fn update(store: &Store, rules: &Rules, progress: Progress<'_>) -> Result<Summary, DeriveError> {
    let fingerprint = rules.fingerprint();
    if store.derived_with().await?.as_deref() != Some(&fingerprint) {
        return rebuild(store, rules, progress).await;
    }
    if !store.has_dirty().await? {
        return Ok(Summary::default());
    }
    let records = store.record_count().await?;
    let mut run = store.begin_derivation().await?;
    // Read once nobody else derives: what another process has done meanwhile is not done again.
    let dirty = run.dirty().await?;
    if dirty.is_empty() {
        return Ok(Summary::default());
    }
    if dirty.len() as f64 > records as f64 * REBUILD_SHARE {
        drop(run);
        return rebuild(store, rules, progress).await;
    }
    let mut loose = Loose::default();
    let mut said = BTreeMap::new();
    for batch in dirty.chunks(BATCH) {
        for record in run.facts_of(batch).await? {
            said.insert(record.record, terms::of_facts(&record.source, &record.facts, rules).binding);
            collect_loose(&record, &mut loose);
        }
    }
    let old_names = run.names_of(&dirty).await?;
    let changed_names = differing(&old_names, &loose.names);
    run.replace_loose(&dirty, &loose).await?;

    let parts = parts(&mut run, &said, &changed_names).await?;
    let mut summary = Summary::default();
    let (fresh, gone) = resolve(&mut run, parts, rules, &mut summary, progress).await?;
    summary.chunks = lay(&mut run, &gone, &fresh).await?;
    run.clear_dirty(&dirty).await?;
    run.finish(&fingerprint).await?;
    Ok(summary)
}

/// What changed records touch, by what hangs together.
async fn parts(
    run: &mut Derivation,
    said: &BTreeMap<i64, Vec<i64>>,
    changed_names: &[i64],
) -> Result<Vec<Part>, DeriveError> {
    let dirty: Vec<i64> = said.keys().copied().collect();
    let terms: Vec<i64> = said.values().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let of_terms = run.clusters_of_terms(&terms).await?;
    let of_records = run.clusters_of_records(&dirty).await?;
    let of_names = run.clusters_depending(changed_names).await?;
    let clusters: BTreeSet<i64> =
        [&of_terms, &of_records, &of_names].into_iter().flatten().map(|(_, cluster)| *cluster).collect();
    let members = run.records_of(&clusters.into_iter().collect::<Vec<_>>()).await?;

    let mut grouping = Grouping::default();
    for (term, cluster) in of_terms {
        grouping.unite([Node::Term(term), Node::Cluster(cluster)]);
    }
    for (record, cluster) in &members {
        grouping.add(*record, [Node::Cluster(*cluster)]);
    }
    let cluster_of: HashMap<i64, i64> = members.into_iter().collect();
    for (record, terms) in said {
        let before = cluster_of.get(record).map(|cluster| Node::Cluster(*cluster));
        grouping.add(*record, terms.iter().map(|term| Node::Term(*term)).chain(before));
    }
    let part = |mut records: Vec<i64>| {
        records.dedup();
        let known = records.iter().filter_map(|record| Some((*record, *cluster_of.get(record)?)));
        Part { clustered: known.collect(), records }
    };
    Ok(grouping.clusters().into_values().map(part).collect())
}

/// Throws the derived rows away and computes everything.
pub async fn rebuild(store: &Store, rules: &Rules, progress: Progress<'_>) -> Result<Summary, DeriveError> {
    let mut run = store.begin_derivation().await?;
    let dirty = run.dirty().await?;
    run.clear().await?;
    let mut grouping = Grouping::default();
    let mut after = 0;
    loop {
        let records = run.facts_after(after, BATCH as i64).await?;
        let Some(last) = records.last() else { break };
        after = last.record;
        let mut loose = Loose::default();
        for record in &records {
            grouping.add(record.record, terms::of_facts(&record.source, &record.facts, rules).binding);
            collect_loose(record, &mut loose);
        }
        run.replace_loose(&[], &loose).await?;
    }
    let parts = grouping.clusters().into_values().map(|records| Part { records, clustered: Vec::new() });
    let mut summary = Summary { rebuilt: true, ..Summary::default() };
    let (fresh, gone) = resolve(&mut run, parts.collect(), rules, &mut summary, progress).await?;
    summary.chunks = lay(&mut run, &gone, &fresh).await?;
    run.clear_dirty(&dirty).await?;
    run.finish(&rules.fingerprint()).await?;
    Ok(summary)
}

/// The book as it was known at a time: the same function over fewer versions, written nowhere.
pub async fn book_as_of(store: &Store, rules: &Rules, at: Time) -> Result<(Book, Vec<RateRow>), DeriveError> {
    let mut grouping = Grouping::default();
    let mut loose = Loose::default();
    let mut known: HashMap<i64, RecordFacts> = HashMap::new();
    let mut after = 0;
    loop {
        let records = store.facts_as_of(at, after, BATCH as i64).await?;
        let Some(last) = records.last() else { break };
        after = last.record;
        for mut record in records {
            record.facts = as_known(std::mem::take(&mut record.facts), at);
            grouping.add(record.record, terms::of_facts(&record.source, &record.facts, rules).binding);
            collect_loose(&record, &mut loose);
            known.insert(record.record, record);
        }
    }
    let names = readable(loose.names);
    let mut book = Book::default();
    for (_, members) in grouping.clusters() {
        let records: Vec<RecordFacts> = members.iter().filter_map(|id| known.remove(id)).collect();
        chunks::append(&mut book, &cluster::resolve(&records, &names, rules));
    }
    loose.rates.sort();
    Ok((sorted(&book), loose.rates))
}

/// What of a record's facts was true at a time: a first sync tells of all history, and of what came after T too.
fn as_known(facts: Vec<Fact>, at: Time) -> Vec<Fact> {
    let by = |time: Option<Time>| time.is_none_or(|time| time <= at);
    let known = facts.into_iter().filter_map(|mut fact| {
        let stands = match &mut fact {
            Fact::Touch(it) => it.occurred_at <= at,
            Fact::Stage(it) => it.entered_at <= at,
            Fact::Rate(it) => it.at <= at,
            Fact::Spend(it) => it.day.from <= at,
            Fact::Claim(it) => it.day.from <= at,
            Fact::Click(it) => by(it.day.map(|day| day.from)),
            Fact::Alias(it) => by(it.at),
            Fact::Membership(it) => by(it.from),
            Fact::Person(it) => {
                it.created_at = it.created_at.filter(|time| *time <= at);
                true
            }
            Fact::Deal(it) => {
                if !by(it.closed_at) {
                    it.closed_at = None;
                    it.outcome = Outcome::Open;
                    it.stage = None;
                }
                by(it.created_at)
            }
            _ => true,
        };
        stands.then_some(fact)
    });
    known.collect()
}

/// The same entries in the order of their keys.
fn sorted(book: &Book) -> Book {
    let mut order: Vec<(Hash, usize)> =
        book.accounts.iter().enumerate().map(|(row, account)| (book.entry(account), row)).collect();
    order.sort_unstable();
    let mut out = Book::default();
    let mut translation = Translation::of(&book.terms);
    for (_, row) in order {
        out.append(book, row..row + 1, &mut translation);
    }
    out
}

/// Records that hang together: with those of other clusters than theirs they have nothing to do.
struct Part {
    records: Vec<i64>,
    /// Those that were in a cluster before, each with it.
    clustered: Vec<(i64, i64)>,
}

/// Finds the clusters of every part and writes their rows. Returns their entries, and the keys of those before.
///
/// While one batch is worked out, the store reads the next.
async fn resolve(
    run: &mut Derivation,
    parts: Vec<Part>,
    rules: &Rules,
    summary: &mut Summary,
    progress: Progress<'_>,
) -> Result<(Book, BTreeSet<Hash>), DeriveError> {
    let given = Arc::new((readable(run.names().await?), rules.clone()));
    let total: u64 = parts.iter().map(|part| part.records.len() as u64).sum();
    let (mut fresh, mut gone) = (Book::default(), BTreeSet::new());
    let mut unused = run.unused_keys().await?;
    let mut batches = batches(parts).into_iter();
    let mut next = read(run, batches.next()).await?;
    while let Some((facts, before)) = next {
        let given = Arc::clone(&given);
        summary.records += facts.len() as u64;
        gone.extend(before.entries());
        let work = spawn_blocking(move || {
            let rows = work_out(facts, &given.0, &given.1);
            for rows in &rows {
                chunks::append(&mut fresh, rows);
            }
            let counts = [rows.len(), rows.iter().map(|rows| rows.touches.len()).sum::<usize>()];
            (counts, before.changes(rows, &mut unused), fresh, unused)
        });
        next = read(run, batches.next()).await?;
        let worked_out = work.await.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        let ([clusters, touches], changes, book, keys) = worked_out;
        (fresh, unused) = (book, keys);
        summary.clusters += clusters as u64;
        summary.touches += touches as u64;
        run.write(changes).await?;
        progress(summary.records, total);
    }
    Ok((fresh, gone))
}

/// Parts that are worked out together.
fn batches(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    for part in parts {
        match out.last_mut() {
            Some(last) if last.records.len() < BATCH => {
                last.records.extend(part.records);
                last.clustered.extend(part.clustered);
            }
            _ => out.push(part),
        }
    }
    out
}

/// What a batch's records say, and its rows as they were.
async fn read(
    run: &mut Derivation,
    batch: Option<Part>,
) -> Result<Option<(Vec<RecordFacts>, Before)>, DeriveError> {
    let Some(batch) = batch else { return Ok(None) };
    Ok(Some((run.facts_of(&batch.records).await?, run.before(&batch.clustered).await?)))
}

/// The rows of the clusters of some records.
fn work_out(records: Vec<RecordFacts>, names: &Names, rules: &Rules) -> Vec<ClusterRows> {
    let mut grouping = Grouping::default();
    let mut facts = HashMap::new();
    for record in records {
        grouping.add(record.record, terms::of_facts(&record.source, &record.facts, rules).binding);
        facts.insert(record.record, record);
    }
    let groups = grouping.clusters().into_values();
    let members = groups.map(|ids| ids.iter().filter_map(|id| facts.remove(id)).collect::<Vec<_>>());
    members.map(|records| cluster::resolve(&records, names, rules)).collect()
}

/// What links records.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    /// A binding term that both say.
    Term(i64),
    /// A cluster that they were in.
    Cluster(i64),
}

/// Groups records by what they share.
struct Grouping<K> {
    node_of: HashMap<K, u32>,
    parent: Vec<u32>,
    records: Vec<(i64, u32)>,
}

impl<K> Default for Grouping<K> {
    fn default() -> Self {
        Self { node_of: HashMap::new(), parent: Vec::new(), records: Vec::new() }
    }
}

impl<K: Eq + std::hash::Hash> Grouping<K> {
    /// Notes a record that shares some things with others; of one that shares nothing, nothing.
    fn add(&mut self, record: i64, shared: impl IntoIterator<Item = K>) {
        let node = self.unite(shared);
        self.records.extend(node.map(|node| (record, node)));
    }

    /// Notes that some things belong together. Returns the first of them.
    fn unite(&mut self, shared: impl IntoIterator<Item = K>) -> Option<u32> {
        let mut first = None;
        for key in shared {
            let next = self.parent.len() as u32;
            let node = *self.node_of.entry(key).or_insert(next);
            if node == next {
                self.parent.push(next);
            }
            match first {
                None => first = Some(node),
                Some(first) => {
                    let (a, b) = (self.root(first), self.root(node));
                    self.parent[b as usize] = a;
                }
            }
        }
        first
    }

    fn root(&mut self, mut at: u32) -> u32 {
        while self.parent[at as usize] != at {
            let above = self.parent[self.parent[at as usize] as usize];
            self.parent[at as usize] = above;
            at = above;
        }
        at
    }

    /// The records of each cluster in order, by the smallest.
    fn clusters(mut self) -> BTreeMap<i64, Vec<i64>> {
        let mut by_root: HashMap<u32, Vec<i64>> = HashMap::new();
        for (record, node) in std::mem::take(&mut self.records) {
            by_root.entry(self.root(node)).or_default().push(record);
        }
        by_root
            .into_values()
            .map(|mut members| {
                members.sort_unstable();
                (members[0], members)
            })
            .collect()
    }
}

fn collect_loose(record: &RecordFacts, loose: &mut Loose) {
    for fact in &record.facts {
        match fact {
            Fact::Name(it) => loose.names.push(NameRow {
                record: record.record,
                source: record.source.to_string(),
                of: it.of,
                id: it.id.clone(),
                name: it.name.clone(),
                team: it.team.clone(),
            }),
            Fact::Spend(it) => loose.spend.push(SpendRow {
                record: record.record,
                day: it.day,
                channel: it.channel.clone(),
                campaign: it.campaign.clone(),
                amount: it.amount,
            }),
            Fact::Claim(it) => loose.claims.push(ClaimRow {
                record: record.record,
                day: it.day,
                channel: it.channel.clone(),
                campaign: it.campaign.clone(),
                impressions: it.impressions,
                clicks: it.clicks,
                conversions: it.conversions.normalize().to_string(),
                value: it.value,
            }),
            Fact::Rate(it) => loose.rates.push(RateRow {
                record: record.record,
                at: it.at,
                from: it.from,
                to: it.to,
                rate: it.rate.to_string(),
            }),
            _ => {}
        }
    }
}

/// One name an id; of several, the smallest.
fn readable(mut rows: Vec<NameRow>) -> Names {
    rows.sort_by(|a, b| {
        (&a.source, a.of, &a.id, &a.name, &a.team).cmp(&(&b.source, b.of, &b.id, &b.name, &b.team))
    });
    let mut names = Names::new();
    for row in rows {
        names.entry((row.source, row.of, row.id)).or_insert(Named { name: row.name, team: row.team });
    }
    names
}

/// The terms of names that are not the same before and after.
fn differing(before: &[NameRow], after: &[NameRow]) -> Vec<i64> {
    let set = |rows: &[NameRow]| rows.iter().cloned().collect::<BTreeSet<_>>();
    let (before, after) = (set(before), set(after));
    before.symmetric_difference(&after).map(|row| terms::name(&row.source, row.of, &row.id).short()).collect()
}
