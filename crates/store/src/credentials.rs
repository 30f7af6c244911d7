//! How each source signs in: tokens at rest, what was granted, and whose turn it is to renew.
//!
//! Tokens come and go sealed; only [`reseal`](Store::reseal) changes them. Not responsible for where keys come from,
//! nor for what a vendor says.

use std::collections::BTreeMap;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use tributary_core::Time;

use crate::db::{Row, Tx};
use crate::{Store, StoreError};

/// The key that seals tokens. Debug shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey([u8; 32]);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// A token at rest: XChaCha20-Poly1305, its random nonce first, bound to its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl SealKey {
    /// Makes a key of any passphrase or random text.
    pub fn of(text: &str) -> Self {
        Self(blake3::derive_key("tributary secrets at rest", text.as_bytes()))
    }

    /// Seals a source's token. `nonce` must be random and is the caller's: nothing here draws random numbers.
    pub fn seal(&self, nonce: [u8; 24], source: &str, token: &[u8]) -> Result<Sealed, StoreError> {
        let payload = Payload { msg: token, aad: source.as_bytes() };
        let cipher = XChaCha20Poly1305::new(&self.0.into());
        let body = cipher.encrypt(&XNonce::from(nonce), payload);
        let body = body.map_err(|_| StoreError::Sealed(source.to_owned()))?;
        Ok(Sealed([nonce.as_slice(), &body].concat()))
    }

    fn open(&self, source: &str, sealed: &Sealed) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.0.split_first_chunk::<24>()?;
        let payload = Payload { msg: body, aad: source.as_bytes() };
        XChaCha20Poly1305::new(&self.0.into()).decrypt(&XNonce::from(*nonce), payload).ok()
    }
}

impl Sealed {
    /// Opens it with whichever of some keys fits.
    pub fn open(&self, keys: &[SealKey], source: &str) -> Result<Vec<u8>, StoreError> {
        let opened = keys.iter().find_map(|key| key.open(source, self));
        opened.ok_or_else(|| StoreError::Sealed(source.to_owned()))
    }
}

/// What is kept of a source's sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// The configured grant that it follows, as a hash: with another one, nothing here holds.
    pub origin: String,
    /// The refresh token, where one is kept.
    pub sealed: Option<Sealed>,
    /// The scopes that were granted, where the vendor says.
    pub scopes: Vec<String>,
    /// When the access token dies.
    pub access_until: Option<Time>,
    /// When the refresh token dies, where that is known.
    pub until: Option<Time>,
    /// Why the vendor renews no more: the source needs re-authorization by a person.
    pub refused: Option<String>,
}

const COLUMNS: &str = "source, origin, sealed, scopes, access_until, until, refused";

impl Store {
    /// What is kept of each source's sign-in, by the source's id.
    pub async fn credentials(&self) -> Result<BTreeMap<String, Credential>, StoreError> {
        self.read().await?.credentials().await
    }

    /// What is kept of one source's sign-in.
    pub async fn credential(&self, source: &str) -> Result<Option<Credential>, StoreError> {
        let sql = format!("select {COLUMNS} from credential where source = $1");
        let rows = self.read().await?.fetch(&sql, &[source.into()]).await?;
        rows.first().map(|row| Ok(read(row)?.1)).transpose()
    }

    /// Takes the turn to renew a source's sign-in until some time, or keeps it for longer; `false` while it is another
    /// holder's.
    pub async fn take_turn(
        &self,
        source: &str,
        holder: &str,
        now: Time,
        until: Time,
    ) -> Result<bool, StoreError> {
        let sql = "insert into credential_turn (source, holder, until) values ($1, $2, $4) \
            on conflict (source) do update set holder = excluded.holder, until = excluded.until \
            where credential_turn.until <= $3 or credential_turn.holder = excluded.holder";
        let mut tx = self.begin().await?;
        let taken = tx.execute(sql, &[source.into(), holder.into(), now.0.into(), until.0.into()]).await?;
        tx.commit().await?;
        Ok(taken > 0)
    }

    /// Ends a holder's turn.
    pub async fn end_turn(&self, source: &str, holder: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.end_turn(source, holder).await?;
        tx.commit().await
    }

    /// Keeps what came of a turn, and ends it. Safe on the disk when this returns: a vendor may accept nothing older.
    pub async fn keep_credential(
        &self,
        source: &str,
        holder: &str,
        kept: &Credential,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_durable().await?;
        if tx.end_turn(source, holder).await? == 0 {
            return Err(StoreError::TurnLost(source.to_owned()));
        }
        let sql = format!(
            "insert into credential ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7) \
            on conflict (source) do update set origin = excluded.origin, sealed = excluded.sealed, \
            scopes = excluded.scopes, access_until = excluded.access_until, until = excluded.until, \
            refused = excluded.refused"
        );
        let values = [
            source.into(),
            kept.origin.as_str().into(),
            kept.sealed.as_ref().map(|sealed| sealed.0.clone()).into(),
            kept.scopes.join(" ").into(),
            kept.access_until.map(|at| at.0).into(),
            kept.until.map(|at| at.0).into(),
            kept.refused.clone().into(),
        ];
        tx.execute(&sql, &values).await?;
        tx.commit().await
    }

    /// Forgets a source's sign-in; `false` if nothing was kept.
    pub async fn forget_credential(&self, source: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin_durable().await?;
        let forgotten = tx.execute("delete from credential where source = $1", &[source.into()]).await?;
        tx.commit().await?;
        Ok(forgotten > 0)
    }

    /// Seals every token anew, all or none; gives how many. Refused while somebody renews one, who would seal it with
    /// the old key.
    pub async fn reseal(
        &self,
        now: Time,
        anew: &(dyn Fn(&str, &Sealed) -> Result<Sealed, StoreError> + Sync),
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin_durable().await?;
        let turn = "select source from credential_turn where until > $1";
        if let Some(row) = tx.fetch(turn, &[now.0.into()]).await?.first() {
            return Err(StoreError::InTurn(row.text(0)?));
        }
        let mut count = 0;
        for (source, kept) in tx.credentials().await? {
            let Some(sealed) = kept.sealed else { continue };
            let sealed = anew(&source, &sealed)?;
            let sql = "update credential set sealed = $2 where source = $1";
            count += tx.execute(sql, &[source.into(), sealed.0.into()]).await?;
        }
        tx.commit().await?;
        Ok(count)
    }
}

impl Tx {
    async fn credentials(&mut self) -> Result<BTreeMap<String, Credential>, StoreError> {
        let rows = self.fetch(&format!("select {COLUMNS} from credential"), &[]).await?;
        rows.iter().map(read).collect()
    }

    async fn end_turn(&mut self, source: &str, holder: &str) -> Result<u64, StoreError> {
        let sql = "delete from credential_turn where source = $1 and holder = $2";
        self.execute(sql, &[source.into(), holder.into()]).await
    }
}

fn read(row: &Row) -> Result<(String, Credential), StoreError> {
    let credential = Credential {
        origin: row.text(1)?,
        sealed: row.opt_bytes(2)?.map(Sealed),
        scopes: row.text(3)?.split_whitespace().map(str::to_owned).collect(),
        access_until: row.opt_int(4)?.map(Time),
        until: row.opt_int(5)?.map(Time),
        refused: row.opt_text(6)?,
    };
    Ok((row.text(0)?, credential))
}
