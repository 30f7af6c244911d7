//! Sign-ins in the store: tokens sealed, one process at a time.
//!
//! The key is asked for only where there is a token to open or to seal. Not responsible for where it comes from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use tributary_core::Time;
use tributary_source::{Error, ExposeSecret, Kept, NextStep, SecretString, TokenStore};
use tributary_store::credentials::{Credential, SealKey, Sealed};
use tributary_store::{Store, StoreError};

/// How long a turn lasts unless its holder, being alive, makes it longer.
const TURN: Duration = Duration::from_secs(30);
/// How long to wait for somebody else's turn to end.
const PATIENCE: Duration = Duration::from_mins(5);
/// How often to look whether it has ended.
const LOOK: Duration = Duration::from_millis(200);

/// Where the key comes from. Asked each time: a new key takes effect in a running daemon.
pub trait Keys: Send + Sync {
    /// The keys that may open a token, first the one that seals; none if there is no key yet.
    fn known(&self) -> Result<Vec<SealKey>, Error>;
    /// Makes the first key, where none was ever needed.
    fn make(&self) -> Result<SealKey, Error>;
}

/// Sign-ins in a store.
pub struct SealedTokens {
    store: Store,
    keys: Arc<dyn Keys>,
    now: Arc<dyn Fn() -> Time + Send + Sync>,
    turns: Mutex<BTreeMap<String, Turn>>,
    /// What the store failed to keep: the vendor accepts nothing older.
    unkept: Mutex<BTreeMap<String, Kept>>,
}

/// A turn to renew, which is made longer in the background.
struct Turn {
    holder: String,
    beat: AbortHandle,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.beat.abort();
    }
}

impl SealedTokens {
    /// Sign-ins in a store, sealed with whatever key there is.
    pub fn new(store: Store, keys: Arc<dyn Keys>, now: Arc<dyn Fn() -> Time + Send + Sync>) -> Self {
        Self { store, keys, now, turns: Mutex::default(), unkept: Mutex::default() }
    }

    /// The key that seals: made if it is the first that is needed.
    pub async fn key(&self) -> Result<SealKey, Error> {
        if let Some(key) = self.keys.known()?.into_iter().next() {
            return Ok(key);
        }
        // A new key beside tokens that it does not open would hide that the old one is gone.
        let kept = self.store.credentials().await.map_err(failed)?;
        match kept.into_iter().find(|(_, kept)| kept.sealed.is_some()) {
            Some((source, _)) => Err(failed(StoreError::Sealed(source))),
            None => self.keys.make(),
        }
    }

    async fn turn(&self, source: &str) -> Result<(), Error> {
        let holder = format!("{:032x}", u128::from_le_bytes(random()?));
        let began = Instant::now();
        while !take(&self.store, source, &holder, (self.now)()).await? {
            if began.elapsed() > PATIENCE {
                let message = format!("another process has been signing in for `{source}` for minutes");
                return Err(Error::new(NextStep::Retry, message));
            }
            sleep(LOOK).await;
        }
        let beat = {
            let (store, now) = (self.store.clone(), Arc::clone(&self.now));
            let (source, holder) = (source.to_owned(), holder.clone());
            tokio::spawn(async move {
                loop {
                    sleep(TURN / 3).await;
                    if !matches!(take(&store, &source, &holder, now()).await, Ok(true)) {
                        return;
                    }
                }
            })
        };
        self.turns().insert(source.to_owned(), Turn { holder, beat: beat.abort_handle() });
        Ok(())
    }

    fn unkept(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turns(&self) -> MutexGuard<'_, BTreeMap<String, Turn>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, source: &str, kept: Credential) -> Result<Kept, Error> {
        let open = |sealed: Sealed| {
            let token = sealed.open(&self.keys.known()?, source).map_err(failed)?;
            let token =
                String::from_utf8(token).map_err(|_| failed(StoreError::Sealed(source.to_owned())))?;
            Ok::<_, Error>(SecretString::from(token))
        };
        Ok(Kept {
            origin: kept.origin,
            refresh_token: kept.sealed.map(open).transpose()?,
            scopes: kept.scopes,
            access_until: kept.access_until,
            until: kept.until,
            refused: kept.refused,
        })
    }

    async fn seal(&self, source: &str, kept: Kept) -> Result<Credential, Error> {
        let sealed = match &kept.refresh_token {
            None => None,
            Some(token) => {
                let key = self.key().await?;
                Some(key.seal(random()?, source, token.expose_secret().as_bytes()).map_err(failed)?)
            }
        };
        Ok(Credential {
            origin: kept.origin,
            sealed,
            scopes: kept.scopes,
            access_until: kept.access_until,
            until: kept.until,
            refused: kept.refused,
        })
    }
}

#[async_trait]
impl TokenStore for SealedTokens {
    async fn take(&self, source: &str) -> Result<Option<Kept>, Error> {
        self.turn(source).await?;
        if let Some(kept) = self.unkept().get(source) {
            return Ok(Some(kept.clone()));
        }
        let kept = match self.store.credential(source).await {
            Ok(kept) => kept.map(|kept| self.open(source, kept)).transpose(),
            Err(error) => Err(failed(error)),
        };
        if kept.is_err() {
            self.leave(source).await?;
        }
        kept
    }

    async fn keep(&self, source: &str, kept: Kept) -> Result<(), Error> {
        let sealed = match self.seal(source, kept.clone()).await {
            Ok(sealed) => sealed,
            Err(error) => {
                self.unkept().insert(source.to_owned(), kept);
                self.leave(source).await?;
                return Err(error);
            }
        };
        let turn = self.turns().remove(source);
        let holder = turn.as_ref().map_or("", |turn| turn.holder.as_str());
        let outcome = self.store.keep_credential(source, holder, &sealed).await;
        match outcome {
            Ok(()) => drop(self.unkept().remove(source)),
            // Whoever took over has what is newer.
            Err(StoreError::TurnLost(_)) => {}
            Err(_) => drop(self.unkept().insert(source.to_owned(), kept)),
        }
        outcome.map_err(failed)
    }

    async fn leave(&self, source: &str) -> Result<(), Error> {
        let Some(turn) = self.turns().remove(source) else { return Ok(()) };
        self.store.end_turn(source, &turn.holder).await.map_err(failed)
    }

    async fn replace(&self, source: &str, kept: Kept) -> Result<(), Error> {
        self.turn(source).await?;
        self.keep(source, kept).await
    }
}

/// Seals every token anew under the first of some keys, all or none, once nobody renews one; gives how many.
pub async fn reseal(
    store: &Store,
    keys: &[SealKey],
    now: Arc<dyn Fn() -> Time + Send + Sync>,
) -> Result<u64, Error> {
    let Some(new) = keys.first() else { return Ok(0) };
    let anew = |source: &str, sealed: &Sealed| {
        let nonce = random().map_err(|error| StoreError::Damaged(error.message))?;
        new.seal(nonce, source, &sealed.open(keys, source)?)
    };
    let began = Instant::now();
    loop {
        match store.reseal(now(), &anew).await {
            Err(StoreError::InTurn(_)) if began.elapsed() < PATIENCE => sleep(LOOK).await,
            outcome => return outcome.map_err(failed),
        }
    }
}

async fn take(store: &Store, source: &str, holder: &str, now: Time) -> Result<bool, Error> {
    let until = Time(now.0 + TURN.as_micros() as i64);
    store.take_turn(source, holder, now, until).await.map_err(failed)
}

fn failed(error: StoreError) -> Error {
    let next = match error {
        StoreError::Sealed(_) => NextStep::FixConfig,
        _ => NextStep::Retry,
    };
    Error::new(next, error.to_string())
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|_| Error::new(NextStep::Retry, "the system gives no random numbers"))?;
    Ok(bytes)
}
