//! What becomes of a page: it lands, is accounted for, and shows what records of its stream look like.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use tributary_core::Time;
use tributary_source::{
    Counted, Covers, Error, Finding, Next, NextStep, Page, Reach, Record, Shape, Span, Task,
};
use tributary_store::StoreError;
use tributary_store::landing::{self, Deletes, Incoming, Landed, Landing, Said};

use super::{Halt, Pass};

/// Records of a page whose shape is looked at.
const LOOKED_AT: usize = 10;
/// Records of one stream and run that may go to quarantine before it is given up …
const BAD_RECORDS: u64 = 100;
/// … unless they are fewer than one in so many.
const BAD_SHARE: u64 = 100;

impl Pass<'_> {
    /// Says anew what landed records mean, by another version of the connector or other settings.
    pub(super) async fn renormalize(&mut self, normalizer: &str) -> Result<(), StoreError> {
        let streams = self.run.connector.streams();
        let normalize = |stream: &str, id: &str, stamp: Option<Time>, body: &[u8]| {
            let Some(stream) = streams.iter().find(|known| known.name == stream) else {
                return Said::default();
            };
            let body = Some(body.to_vec().into_boxed_slice());
            self.said(&Record { stream: stream.name, id: id.to_owned(), stamp, body, origin: None })
        };
        let changed = self.store.renormalize(self.key, normalizer, &normalize).await?;
        self.report.renormalized = changed;
        Ok(())
    }

    /// Looks at some records of a page that brought something new.
    pub(super) fn look(&self, page: &Page) {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        for record in page.records.iter().take(LOOKED_AT) {
            if let Some(body) = &record.body {
                shapes.entry(record.stream).or_default().observe(body);
            }
        }
    }

    /// Says which fields of records are new, or hold what they never held.
    pub(super) async fn learn(&mut self) -> Result<(), StoreError> {
        for (stream, later) in std::mem::take(self.shapes.get_mut().unwrap_or_else(PoisonError::into_inner)) {
            let kept = self.store.shape(self.key, stream).await?;
            let mut shape: Shape =
                kept.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            for news in shape.learn(&later) {
                let message = format!("{stream}: {news}");
                self.report.findings.push(Finding { code: "shape-changed".to_owned(), message });
            }
            let text = serde_json::to_string(&shape).map_err(|error| {
                StoreError::Damaged(format!("cannot write the shape of {stream}: {error}"))
            })?;
            self.store.keep_shape(self.key, stream, &text).await?;
        }
        Ok(())
    }

    /// What a record says. One that breaks the connector goes to quarantine like any other bad record.
    fn said(&self, record: &Record) -> Said {
        let normalize = || self.run.connector.normalize(&self.run.settings, record);
        let Ok(normalized) = catch_unwind(AssertUnwindSafe(normalize)) else {
            let reason = "the connector broke on this record: this is our own mistake, please report it";
            return Said { facts: Vec::new(), problems: vec![(String::new(), reason.to_owned())] };
        };
        let problems = normalized.problems.into_iter();
        Said {
            facts: normalized.facts,
            problems: problems.map(|problem| (problem.field, problem.reason)).collect(),
        }
    }

    /// Lands a page. Where its deletions must be asked about first, lands the rest, keeps the cursor, and says so:
    /// the next run walks again. So it does where the vendor counts other than came.
    pub(super) async fn land(
        &self,
        task: &Task,
        span: &'static str,
        page: &Page,
    ) -> Result<(Landed, Option<StoreError>), StoreError> {
        let records: Vec<Incoming<'_>> = page
            .records
            .iter()
            .map(|record| Incoming {
                stream: record.stream,
                id: &record.id,
                stamp: record.stamp,
                body: record.body.as_deref(),
                origin: record.origin.as_deref(),
            })
            .collect();
        let rejects: Vec<landing::Reject<'_>> = page
            .rejects
            .iter()
            .map(|reject| landing::Reject {
                stream: reject.stream,
                origin: &reject.origin,
                field: &reject.problem.field,
                reason: &reject.problem.reason,
                body: &reject.body,
            })
            .collect();
        let deletes = match (page.covers, &task.span) {
            (Covers::Upsert, Span::Since(_) | Span::Window(_)) => Deletes::Nothing,
            _ if self.options.allow_mass_delete => Deletes::UnseenHoweverMany,
            _ => Deletes::Unseen,
        };
        let is_short = page.counted.is_some_and(Counted::is_short);
        let deletes = if is_short { Deletes::Nothing } else { deletes };
        let next = match (&page.next, &task.span) {
            _ if is_short => landing::Next::Done { cursor: None },
            (Next::More(resume), _) => landing::Next::More { span, resume: &resume.0 },
            (Next::Done(_), Span::Sweep) => landing::Next::Done { cursor: None },
            (Next::Done(cursor), _) => landing::Next::Done { cursor: Some(&cursor.0) },
        };
        let page_in = Landing {
            source: self.key,
            stream: task.stream,
            part: &task.part.0,
            after: task.resume.as_ref().map(|resume| resume.0.as_str()),
            observed_at: (self.options.now)(),
            records: &records,
            rejects: &rejects,
            seen: &page.seen,
            next,
            deletes,
            reach: match page.reach {
                Reach::Everything => landing::Reach::Everything,
                Reach::Since(at) => landing::Reach::Since(at),
                Reach::Labels(at) => landing::Reach::Labels(at),
                Reach::Itself => landing::Reach::Itself,
            },
            progress: page.progress,
        };
        let said = |index: usize| self.said(&page.records[index]);
        let (landed, asks) = match self.store.land(&page_in, &said).await {
            Err(error @ StoreError::MassDelete { .. }) => {
                let next = landing::Next::Done { cursor: None };
                let kept = Landing { deletes: Deletes::Nothing, next, ..page_in };
                (self.store.land(&kept, &said).await?, Some(error))
            }
            landed => (landed?, None),
        };
        // What comes in must come out: a difference is a mistake of ours that must not pass unseen.
        let accounted = landed.added + landed.unchanged + landed.superseded + landed.rejected;
        debug_assert_eq!(landed.fetched, accounted);
        if landed.fetched != accounted {
            return Err(StoreError::Damaged(format!("{} came, {accounted} landed", landed.fetched)));
        }
        Ok((landed, asks))
    }
}

/// Ends the stream where so much of it can't be understood that reading on is pointless: the vendor, or the connector,
/// has changed. What came stays in landing and in quarantine.
pub(super) fn breaker(page: &Page, stream: &str, landed: Landed) -> Result<(), Halt> {
    let bad = landed.rejected + landed.problems;
    // Who wrote a file wants to know of every bad line in it.
    let is_file = page.records.first().is_none_or(|record| record.origin.is_some());
    if is_file || bad <= BAD_RECORDS || bad * BAD_SHARE <= landed.fetched {
        return Ok(());
    }
    let message = format!(
        "{bad} of {} records can't be understood, so {stream} is not read on; what came is kept in quarantine until \
         its reasons are mended",
        landed.fetched
    );
    Err(Halt::Source(Error::new(NextStep::SkipRecord, message)))
}

/// Compares what came with what the vendor counts, where it does. A count that stood still and is another one is a
/// failure; one that moved meanwhile is told, and the next run brings what is new.
pub(super) fn balance(task: &Task, counted: Option<Counted>) -> Result<Option<Finding>, Halt> {
    let Some(counted) = counted.filter(|counted| !counted.balances()) else { return Ok(None) };
    let Counted { came, at_first, at_last } = counted;
    if counted.is_short() {
        let message = format!(
            "the accounts do not balance: the vendor counts {at_last} records, before and after, and {came} came; \
             they are kept, and the next run reads all of them again (if it ends like this too, please report it)"
        );
        return Err(Halt::Source(Error::new(NextStep::Retry, message)));
    }
    let message = format!(
        "{}: {came} records came while the vendor's count went from {at_first} to {at_last}: it is being changed, \
         and the next run reads what is new",
        task.stream
    );
    Ok(Some(Finding { code: "count-moved".to_owned(), message }))
}
