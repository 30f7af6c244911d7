//! `tributary key rotate`: every token sealed anew under a new key.

use std::sync::Arc;

use super::{Context, sync};
use crate::failure::{Failure, Outcome};
use crate::key::{self, KeyPlace};
use tributary_source::{Error, SecretString};
use tributary_store::credentials::SealKey;
use tributary_sync::{Keys, reseal};

/// The variable that holds the key to come.
const NEW: &str = "TRIBUTARY_NEW_KEY";

/// Seals everything anew. The old key opens everything until the new one does.
pub(super) async fn rotate(context: &Context) -> Result<Outcome, Failure> {
    let failed = |error: Error| Failure::failed(format!("failed to change the key: {error}"));
    let place = KeyPlace::find(&context.config.folder);
    let known = place.known().map_err(failed)?;
    let given = std::env::var(NEW).ok().map(SecretString::from);
    let change = match (&place, &given) {
        (_, Some(given)) => Change::Given(key::of_variable(NEW, given).map_err(failed)?),
        (KeyPlace::File(path), None) if !known.is_empty() => {
            Change::Made(key::begin_change(path).map_err(failed)?)
        }
        (KeyPlace::File(_), None) => {
            return Err(Failure::usage("there is no key yet: no token was ever sealed"));
        }
        (KeyPlace::Variable(_), None) => {
            return Err(Failure::usage(format!("the key comes from {}", key::VARIABLE)).hint(format!(
                "put the new one into {NEW}, run this again, then put it into {} everywhere",
                key::VARIABLE
            )));
        }
    };
    let new: &SealKey = match &change {
        Change::Given(new) => new,
        Change::Made(made) => &made.key,
    };
    let store = sync::open(context).await?;
    let opening: Vec<SealKey> = std::iter::once(new).chain(&known).cloned().collect();
    let count = reseal(&store, &opening, Arc::new(sync::now)).await.map_err(failed)?;
    store.close().await;
    let next = match (change, place) {
        (Change::Made(made), _) => {
            made.end().map_err(failed)?;
            String::new()
        }
        (Change::Given(_), KeyPlace::Variable(_)) => {
            format!("; put the new key into {} wherever Tributary runs", key::VARIABLE)
        }
        (Change::Given(_), KeyPlace::File(path)) => format!(
            "; put the new key into {} wherever Tributary runs, and remove {}",
            key::VARIABLE,
            path.display()
        ),
    };
    let tokens = if count == 1 { "token" } else { "tokens" };
    context.progress.say(&format!("sealed {count} {tokens} under the new key{next}"));
    Ok(Outcome::Done)
}

/// Where the new key comes from.
enum Change {
    Given(SealKey),
    Made(key::Changing),
}
