//! Pages in a few words, for the tests.

use tributary_core::fact::{Account, Fact};
use tributary_core::{Time, id::Hash};
use tributary_store::landing::{Deletes, Incoming, Landed, Landing, Next, Reach, Reject, Said, SourceKey};
use tributary_store::{Store, StoreError};

/// One record version: id, stamp, body; no body is a deletion.
pub(crate) type Version = (&'static str, Option<i64>, Option<&'static str>);

/// A page of the stream `companies` that completes its span.
pub(crate) struct Pages<'a> {
    pub(crate) store: &'a Store,
    pub(crate) source: SourceKey,
    pub(crate) part: &'a str,
    pub(crate) after: Option<&'a str>,
    pub(crate) deletes: Deletes,
    pub(crate) next: Next<'a>,
    pub(crate) rejects: &'a [Reject<'a>],
    pub(crate) seen: &'a [String],
    pub(crate) reach: Reach,
}

impl<'a> Pages<'a> {
    pub(crate) async fn new(store: &'a Store) -> Self {
        let (source, _) = store.register_source("crm", "fake", "{}", "1").await.unwrap();
        let next = Next::Done { cursor: Some("c") };
        Self {
            store,
            source,
            part: "",
            after: None,
            deletes: Deletes::Nothing,
            next,
            rejects: &[],
            seen: &[],
            reach: Reach::Everything,
        }
    }

    pub(crate) async fn land(&self, observed_at: i64, versions: &[Version]) -> Landed {
        self.try_land(observed_at, versions).await.unwrap()
    }

    pub(crate) async fn try_land(
        &self,
        observed_at: i64,
        versions: &[Version],
    ) -> Result<Landed, StoreError> {
        let records: Vec<Incoming<'_>> = versions
            .iter()
            .map(|(id, stamp, body)| Incoming {
                stream: "companies",
                id,
                stamp: stamp.map(Time),
                body: body.map(str::as_bytes),
                origin: None,
            })
            .collect();
        self.land_records(observed_at, &records).await
    }

    pub(crate) async fn land_records(&self, at: i64, records: &[Incoming<'_>]) -> Result<Landed, StoreError> {
        let page = Landing {
            source: self.source,
            stream: "companies",
            part: self.part,
            after: self.after,
            observed_at: Time(at),
            records,
            rejects: self.rejects,
            seen: self.seen,
            next: self.next,
            deletes: self.deletes,
            reach: self.reach,
            progress: None,
        };
        self.store
            .land(&page, &|index| said(records[index].id, records[index].body.unwrap_or_default()))
            .await
    }
}

/// A body is a company's name; one with a `?` has a problem too.
pub(crate) fn said(id: &str, body: &[u8]) -> Said {
    let name = String::from_utf8_lossy(body).into_owned();
    let problems =
        if name.contains('?') { vec![("name".to_owned(), "no name".to_owned())] } else { Vec::new() };
    let account = Account { id: id.to_owned(), name: Some(name), ..Account::default() };
    Said { facts: vec![Fact::Account(account)], problems }
}

/// The names that the current versions say, by record.
pub(crate) async fn names(store: &Store) -> Vec<(String, Option<String>)> {
    let mut run = store.begin_derivation().await.unwrap();
    let records = run.facts_after(0, 1_000_000).await.unwrap();
    records
        .into_iter()
        .map(|record| {
            let name = match record.facts.first() {
                Some(Fact::Account(account)) => account.name.clone(),
                _ => None,
            };
            (record.native_id, name)
        })
        .collect()
}

pub(crate) fn name(id: &str, name: &str) -> (String, Option<String>) {
    (id.to_owned(), Some(name.to_owned()))
}

/// The digest, and how many rows were ever written: equal pairs mean that nothing was.
pub(crate) async fn contents(store: &Store) -> (Hash, Option<Time>) {
    (store.landing_digest().await.unwrap(), store.last_observed().await.unwrap())
}
