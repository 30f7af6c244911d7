//! What a stream's records looked like so far, as its reader describes it.

use super::SourceKey;
use crate::{Store, StoreError};

fn key(source: SourceKey, stream: &str) -> String {
    format!("shape of {}/{stream}", source.0)
}

impl Store {
    /// What was kept of a stream's shape; nothing for a stream that was never read.
    pub async fn shape(&self, source: SourceKey, stream: &str) -> Result<Option<String>, StoreError> {
        self.read().await?.meta(&key(source, stream)).await
    }

    /// Keeps a stream's shape.
    pub async fn keep_shape(&self, source: SourceKey, stream: &str, shape: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.set_meta(&key(source, stream), shape).await?;
        tx.commit().await
    }
}
