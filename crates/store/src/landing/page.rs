//! How one page lands.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use tributary_core::Time;
use tributary_core::id::Hash;

use super::{Incoming, Landing, Said, dirty, encode, pack, quarantine};
use crate::db::{Insert, Tx, Value, storable};
use crate::{Store, StoreError};

/// What became of a page: `fetched` = `added` + `unchanged` + `superseded` + `rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Landed {
    /// Records and rejects in the page.
    pub fetched: u64,
    /// New current versions.
    pub added: u64,
    /// Equal to the current version.
    pub unchanged: u64,
    /// Older than the current version: kept, not current.
    pub superseded: u64,
    /// Not even records: kept in quarantine.
    pub rejected: u64,
    /// Records with a problem, which are in quarantine too.
    pub problems: u64,
    /// Deleted because the completed span did not see them.
    pub deleted: u64,
}

impl std::ops::AddAssign for Landed {
    fn add_assign(&mut self, other: Self) {
        self.fetched += other.fetched;
        self.added += other.added;
        self.unchanged += other.unchanged;
        self.superseded += other.superseded;
        self.rejected += other.rejected;
        self.problems += other.problems;
        self.deleted += other.deleted;
    }
}

/// A record as the store knows it while a page lands.
#[derive(Clone, Copy)]
struct Head {
    record: i64,
    rank: Rank,
}

/// What a page must know of the store before it lands.
#[derive(Default)]
struct Before<'a> {
    /// The records that it names.
    heads: HashMap<Id<'a>, Head>,
    /// The first unused ids of records, versions and frames.
    next: [i64; 3],
    /// Whether the source has anything in quarantine.
    has_faults: bool,
}

/// Which version of a record is current: the one with the highest stamp, else the latest observed; in a tie a
/// deletion, else by hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) stamp: Option<Time>,
    pub(crate) observed_at: Time,
    pub(crate) is_deletion: bool,
    pub(crate) hash: Hash,
}

impl Rank {
    fn of(record: &Incoming<'_>, observed_at: Time) -> Self {
        let hash = record.body.map_or_else(deletion, Hash::of_bytes);
        Self { stamp: record.stamp, observed_at, is_deletion: record.body.is_none(), hash }
    }

    /// Whether this says nothing that `head`, the current version, does not say.
    fn is_known_as(&self, head: &Self) -> bool {
        self.hash == head.hash && (self.stamp.is_none() || self.stamp == head.stamp)
    }
}

/// What stands for a deletion's content.
pub(super) fn deletion() -> Hash {
    Hash::of("deleted", &[])
}

/// Rows on their way into the tables of landing.
#[derive(Default)]
pub(super) struct Writes {
    pub(super) versions: Vec<Vec<Value>>,
    frames: Vec<Vec<Value>>,
    /// New heads, by record: stream, part, native id, version.
    pub(super) heads: BTreeMap<i64, (String, String, String, i64)>,
}

impl Writes {
    fn inserts(self, page: &Landing<'_>) -> Vec<Insert<'static>> {
        if self.versions.is_empty() {
            return Vec::new();
        }
        let changed: Vec<i64> = self.heads.keys().copied().collect();
        let heads = self.heads.into_iter().map(|(record, (stream, part, id, version))| {
            vec![record.into(), page.source.0.into(), stream.into(), part.into(), id.into(), version.into()]
        });
        let insert = |table, columns, rows, conflict| Insert { table, columns, rows, conflict };
        vec![
            insert(
                "meta",
                &["name", "value"],
                vec![vec!["last_observed".into(), page.observed_at.0.to_string().into()]],
                "on conflict (name) do update set value = case when \
                cast(excluded.value as bigint) > cast(meta.value as bigint) then excluded.value else meta.value end",
            ),
            insert("frame", &["id", "source", "stream", "observed_at", "body"], self.frames, ""),
            insert(
                "version",
                &["id", "record", "stamp", "observed_at", "hash", "frame", "start", "length", "facts"],
                self.versions,
                "",
            ),
            insert(
                "record",
                &["id", "source", "stream", "part", "native_id", "head"],
                heads.collect(),
                "on conflict (id) do update set head = excluded.head, part = excluded.part",
            ),
            dirty(changed.into_iter()),
        ]
    }
}

/// A version that the page brings, before its body has a place.
pub(super) fn version_row(
    version: i64,
    record: i64,
    rank: &Rank,
    place: Option<(i64, i64, i64)>,
    facts: Option<Vec<u8>>,
) -> Vec<Value> {
    let (frame, start, length) =
        place.map_or((None, 0, 0), |(frame, start, length)| (Some(frame), start, length));
    vec![
        version.into(),
        record.into(),
        rank.stamp.map(|stamp| stamp.0).into(),
        rank.observed_at.0.into(),
        rank.hash.into(),
        Value::Int(frame),
        start.into(),
        length.into(),
        Value::Bytes(facts),
    ]
}

type Id<'a> = (&'a str, &'a str);

impl Store {
    /// Lands a page. `normalize` is asked, by place in `records`, about new versions only.
    pub async fn land(
        &self,
        page: &Landing<'_>,
        normalize: &(dyn Fn(usize) -> Said + Sync),
    ) -> Result<Landed, StoreError> {
        let ranks: Vec<Rank> = page.records.iter().map(|record| Rank::of(record, page.observed_at)).collect();
        let mut tx = self.begin().await?;
        tx.continues(page).await?;
        let mut landed = Landed {
            fetched: (page.records.len() + page.rejects.len()) as u64,
            rejected: page.rejects.len() as u64,
            ..Landed::default()
        };
        let Before { mut heads, next: [mut next_record, mut next_version, mut next_frame], has_faults } =
            tx.before(page).await?;
        let order = order(page, &ranks);
        let mut older = tx.older_versions(page, &ranks, &order, &heads).await?;
        let mut writes = Writes::default();
        let mut bodies: BTreeMap<&str, (i64, Vec<u8>)> = BTreeMap::new();
        let mut faults = Vec::new();
        let mut mended: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for index in order {
            let (record, mut rank) = (&page.records[index], ranks[index]);
            let id = (record.stream, record.id);
            let known = heads.get_mut(&id);
            if known.is_none() && rank.is_deletion {
                landed.unchanged += 1;
                continue;
            }
            if let Some(head) = &known {
                // A deletion without a stamp of its own follows what it deletes.
                if rank.is_deletion {
                    rank.stamp = rank.stamp.max(head.rank.stamp);
                }
            }
            let is_current = match known {
                Some(head) if rank.is_known_as(&head.rank) => {
                    head.rank.observed_at = head.rank.observed_at.max(page.observed_at);
                    landed.unchanged += 1;
                    continue;
                }
                Some(head) => {
                    let versions = older.entry(head.record).or_default();
                    let is_current = rank > head.rank;
                    if !is_current && versions.contains(&(rank.stamp, rank.hash)) {
                        landed.unchanged += 1;
                        continue;
                    }
                    if is_current {
                        head.rank = rank;
                    }
                    versions.insert((rank.stamp, rank.hash));
                    is_current
                }
                None => {
                    heads.insert(id, Head { record: next_record, rank });
                    older.entry(next_record).or_default().insert((rank.stamp, rank.hash));
                    next_record += 1;
                    true
                }
            };
            let record_id = heads[&id].record;
            let version = next_version;
            next_version += 1;
            let (mut place, mut facts) = (None, None);
            if let Some(body) = record.body {
                let (frame, bytes) = bodies.entry(record.stream).or_insert_with(|| {
                    next_frame += 1;
                    (next_frame - 1, Vec::new())
                });
                place = Some((*frame, bytes.len() as i64, body.len() as i64));
                bytes.extend_from_slice(body);
                let said = normalize(index);
                facts = encode(&said.facts)?;
                if is_current {
                    landed.problems += u64::from(!said.problems.is_empty());
                    faults.extend(said.problems.into_iter().map(|problem| (index, problem)));
                }
            }
            writes.versions.push(version_row(version, record_id, &rank, place, facts));
            if is_current {
                landed.added += 1;
                mended.entry(record.stream).or_default().push(record.id);
                let part = if record.stream == page.stream { page.part } else { "" };
                let head = (record.stream.to_owned(), part.to_owned(), record.id.to_owned(), version);
                writes.heads.insert(record_id, head);
            } else {
                landed.superseded += 1;
            }
        }
        for (stream, (id, bytes)) in bodies {
            let (source, observed) = (page.source.0.into(), page.observed_at.0.into());
            writes.frames.push(vec![id.into(), source, stream.into(), observed, pack(&bytes)?.into()]);
        }
        let mut inserts = writes.inserts(page);
        // In the middle of a span the page and the point where it goes on are one statement.
        inserts.extend(tx.further(page).await?);
        tx.insert(inserts).await?;
        if has_faults {
            tx.resolve_faults(page, &mended).await?;
        }
        tx.write_faults(page, &faults).await?;
        landed.deleted = tx.complete(page).await?;
        tx.commit().await?;
        Ok(landed)
    }
}

/// The order in which a page's records are taken: as they came, but of one record's versions the highest first,
/// so that a page that says two things of one record says the same two things when it comes again.
fn order(page: &Landing<'_>, ranks: &[Rank]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ranks.len()).collect();
    let ids: BTreeSet<Id<'_>> = page.records.iter().map(|record| (record.stream, record.id)).collect();
    if ids.len() < ranks.len() {
        order.sort_by(|a, b| ranks[*b].cmp(&ranks[*a]));
    }
    order
}

impl Tx {
    /// The current versions of the records that a page names, and what else it must know, in one question a stream.
    async fn before<'a>(&mut self, page: &Landing<'a>) -> Result<Before<'a>, StoreError> {
        let mut wanted: BTreeMap<&'a str, BTreeMap<Cow<'a, str>, &'a str>> = BTreeMap::new();
        for record in page.records {
            wanted.entry(record.stream).or_default().insert(storable(record.id), record.id);
        }
        // The record is a question within: no statistics, which a new table lacks, have its index half used.
        let sql = "with n as (select (select coalesce(max(id), 0) + 1 from record) as record, \
            (select coalesce(max(id), 0) + 1 from version) as version, \
            (select coalesce(max(id), 0) + 1 from frame) as frame, \
            (select count(*) from (select 1 from quarantine where source = $1 and resolved_at is null limit 1) q) \
            as faults) select n.record, n.version, n.frame, n.faults, k.value, v.record, v.stamp, v.observed_at, \
            v.hash, v.frame from n cross join {keys} left join version v on v.id = (select r.head from record r \
            where r.source = $1 and r.stream = $2 and r.native_id = k.value)";
        let mut before = Before { heads: HashMap::with_capacity(page.records.len()), ..Before::default() };
        for (stream, ids) in wanted {
            let keys: Vec<&str> = ids.values().copied().collect();
            for row in self.fetch_in_text(sql, &[page.source.0.into(), stream.into()], &keys).await? {
                before.next = [row.int(0)?, row.int(1)?, row.int(2)?];
                before.has_faults = row.int(3)? > 0;
                let Some(record) = row.opt_int(5)? else { continue };
                let Some(id) = ids.get(row.text(4)?.as_str()) else { continue };
                let rank = Rank {
                    stamp: row.opt_int(6)?.map(Time),
                    observed_at: Time(row.int(7)?),
                    is_deletion: row.opt_int(9)?.is_none(),
                    hash: row.hash(8)?,
                };
                before.heads.insert((stream, *id), Head { record, rank });
            }
        }
        Ok(before)
    }

    /// The versions of those records of which the page may bring one that is kept already, but not current.
    async fn older_versions(
        &mut self,
        page: &Landing<'_>,
        ranks: &[Rank],
        order: &[usize],
        heads: &HashMap<Id<'_>, Head>,
    ) -> Result<HashMap<i64, BTreeSet<(Option<Time>, Hash)>>, StoreError> {
        let mut met = BTreeSet::new();
        let mut records = BTreeSet::new();
        for index in order {
            let record = &page.records[*index];
            let again = !met.insert((record.stream, record.id));
            if let Some(head) = heads.get(&(record.stream, record.id))
                && (again || ranks[*index] < head.rank)
            {
                records.insert(head.record);
            }
        }
        let records: Vec<i64> = records.into_iter().collect();
        let mut older: HashMap<i64, BTreeSet<(Option<Time>, Hash)>> = HashMap::new();
        for row in self.fetch_in("select record, stamp, hash from version where record", &records).await? {
            older.entry(row.int(0)?).or_default().insert((row.opt_int(1)?.map(Time), row.hash(2)?));
        }
        Ok(older)
    }

    pub(super) async fn write(&mut self, page: &Landing<'_>, writes: Writes) -> Result<(), StoreError> {
        self.insert(writes.inserts(page)).await
    }

    /// Writes what is in quarantine because of this page.
    async fn write_faults(
        &mut self,
        page: &Landing<'_>,
        faults: &[(usize, (String, String))],
    ) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for (index, (field, reason)) in faults {
            let record = &page.records[*index];
            rows.push(quarantine::Fault {
                stream: record.stream,
                native_id: Some(record.id),
                origin: record.origin,
                field,
                reason,
                body: None,
            });
        }
        rows.extend(page.rejects.iter().map(|reject| quarantine::Fault {
            stream: reject.stream,
            native_id: None,
            origin: Some(reject.origin),
            field: reject.field,
            reason: reject.reason,
            body: Some(reject.body),
        }));
        self.quarantine(page, rows).await
    }
}
