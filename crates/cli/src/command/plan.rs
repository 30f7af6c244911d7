//! `tributary pause` and `tributary resume`: what the daemon is to leave alone.

use tributary_answers::AnswerError;
use tributary_store::Store;

use super::{Context, sync};
use crate::failure::{Failure, Outcome};

/// Keeps the daemon from syncing sources.
pub(super) async fn pause(context: &Context, ids: &[String]) -> Result<Outcome, Failure> {
    let (store, ids) = known(context, ids).await?;
    for id in ids {
        store.pause(id).await.map_err(AnswerError::from)?;
        context.progress.say(&format!("{id}: paused, until `tributary resume {id}`"));
    }
    store.close().await;
    Ok(Outcome::Done)
}

/// Has the daemon sync them again.
pub(super) async fn resume(context: &Context, ids: &[String]) -> Result<Outcome, Failure> {
    let (store, ids) = known(context, ids).await?;
    for id in ids {
        store.resume(id).await.map_err(AnswerError::from)?;
        context.progress.say(&format!("{id}: resumed"));
    }
    store.close().await;
    Ok(Outcome::Done)
}

/// The store, and ids that the configuration knows.
async fn known<'a>(context: &'a Context, ids: &[String]) -> Result<(Store, Vec<&'a str>), Failure> {
    let ids = context.sources(ids)?.into_iter().map(|source| source.id.as_str()).collect();
    Ok((sync::open(context).await?, ids))
}
