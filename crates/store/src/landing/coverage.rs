//! Coverage: from when and until when what a stream tells of is complete.

use tributary_core::Time;

use super::{Reach, SourceKey};
use crate::{Store, StoreError};

/// What of a stream is complete, all its parts taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamCoverage {
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// From when; from the beginning without.
    pub since: Option<Time>,
    /// Until when: [`Time::MAX`] for what is complete in itself. It was never read to its end without.
    pub until: Option<Time>,
    /// Whether it only labels what others tell of.
    pub labels: bool,
}

/// From when, if not from the beginning, and until when.
pub(super) type Covered = (Option<Time>, Time);

/// What is covered once a span is complete that began at an instant.
pub(super) fn after(before: Option<Covered>, reach: Reach, began: Time) -> Covered {
    match (reach, before) {
        (Reach::Itself, _) => (None, Time::MAX),
        (Reach::Everything, None) => (None, began),
        (Reach::Everything, Some((since, _))) => (since, began),
        (Reach::Since(at) | Reach::Labels(at), Some((since, until))) if at <= until => {
            (since.map(|since| since.min(at)), began)
        }
        // What lies between was missed.
        (Reach::Since(at) | Reach::Labels(at), _) => (Some(at), began),
    }
}

impl Store {
    /// What of each stream is complete, by source and stream.
    pub async fn coverage(&self) -> Result<Vec<StreamCoverage>, StoreError> {
        let sql = "select s.name, t.stream, max(t.reaches_from), min(t.complete_at), \
            count(*) - count(t.complete_at), max(t.labels) from stream_state t join source s on s.id = t.source \
            group by s.name, t.stream order by s.name, t.stream";
        let rows = self.read().await?.fetch(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                let until = if row.int(4)? > 0 { None } else { row.opt_int(3)?.map(Time) };
                let since = row.opt_int(2)?.map(Time);
                let labels = row.int(5)? > 0;
                Ok(StreamCoverage { source: row.text(0)?, stream: row.text(1)?, since, until, labels })
            })
            .collect()
    }

    /// Notes streams that are to be read, so that one which is never reached is known to be missing.
    pub async fn expect_streams(
        &self,
        source: SourceKey,
        streams: &[&str],
        at: Time,
    ) -> Result<(), StoreError> {
        if streams.is_empty() {
            return Ok(());
        }
        let row = |stream: &&str| vec![source.0.into(), (*stream).into(), "".into(), at.0.into()];
        let rows = streams.iter().map(row).collect();
        let mut tx = self.begin().await?;
        tx.insert_rows("stream_state", &["source", "stream", "part", "updated_at"], rows).await?;
        tx.commit().await
    }

    /// Notes that the vendor has a part no more: what came of it is all there will be.
    pub async fn retire_part(&self, source: SourceKey, stream: &str, part: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "update stream_state set complete_at = $1 where source = $2 and stream = $3 and part = $4";
        tx.execute(sql, &[Time::MAX.0.into(), source.0.into(), stream.into(), part.into()]).await?;
        tx.commit().await
    }
}
