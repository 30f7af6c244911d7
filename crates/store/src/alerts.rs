//! What receivers of alerts were told, so that they are told once.

use tributary_core::Time;

use crate::{Store, StoreError};

/// A problem that a receiver was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The source.
    pub source: String,
    /// The problem's code.
    pub code: String,
    /// What was said.
    pub message: String,
    /// When it began.
    pub since: Time,
    /// When it was told last.
    pub told_at: Time,
}

impl Store {
    /// What a receiver was told of, and is not over yet as far as it knows.
    pub async fn told(&self, receiver: &str) -> Result<Vec<Told>, StoreError> {
        let sql = "select source, code, message, since, told_at from alert where receiver = $1 order by source, code";
        let rows = self.read().await?.fetch(sql, &[receiver.into()]).await?;
        rows.iter()
            .map(|row| {
                Ok(Told {
                    source: row.text(0)?,
                    code: row.text(1)?,
                    message: row.text(2)?,
                    since: Time(row.int(3)?),
                    told_at: Time(row.int(4)?),
                })
            })
            .collect()
    }

    /// Notes that a receiver was told of a problem.
    pub async fn tell(&self, receiver: &str, told: &Told) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "insert into alert (receiver, source, code, message, since, told_at) \
            values ($1, $2, $3, $4, $5, $6) on conflict (receiver, source, code) \
            do update set message = excluded.message, told_at = excluded.told_at";
        let values = [
            receiver.into(),
            told.source.as_str().into(),
            told.code.as_str().into(),
            told.message.as_str().into(),
            told.since.0.into(),
            told.told_at.0.into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// Notes that a receiver was told that a problem is over.
    pub async fn untell(&self, receiver: &str, source: &str, code: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "delete from alert where receiver = $1 and source = $2 and code = $3";
        tx.execute(sql, &[receiver.into(), source.into(), code.into()]).await?;
        tx.commit().await
    }
}
