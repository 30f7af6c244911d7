//! Secrets and tokens at rest: XChaCha20-Poly1305, a random nonce first, bound to source and name.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use crate::{Store, StoreError};

/// The key that seals secrets. Debug shows nothing of it.
#[derive(Clone)]
pub struct SealKey([u8; 32]);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(…)")
    }
}

impl SealKey {
    /// Makes a key of any passphrase or random text.
    pub fn of(text: &str) -> Self {
        Self(blake3::derive_key("tributary secrets at rest", text.as_bytes()))
    }
}

impl Store {
    /// Keeps a secret, sealed. `nonce` must be random and is the caller's: nothing here draws random numbers.
    pub async fn seal(
        &self,
        key: &SealKey,
        nonce: [u8; 24],
        source: &str,
        name: &str,
        secret: &[u8],
    ) -> Result<(), StoreError> {
        let bound = format!("{source}\0{name}");
        let payload = Payload { msg: secret, aad: bound.as_bytes() };
        let cipher = XChaCha20Poly1305::new(&key.0.into());
        let body = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| StoreError::Sealed(source.to_owned()))?;
        let sealed = [nonce.as_slice(), &body].concat();
        let sql = "insert into secret (source, name, sealed) values ($1, $2, $3) \
            on conflict (source, name) do update set sealed = excluded.sealed";
        let mut tx = self.begin().await?;
        tx.execute(sql, &[source.into(), name.into(), sealed.into()]).await?;
        tx.commit().await
    }

    /// Reads a secret back.
    pub async fn unseal(
        &self,
        key: &SealKey,
        source: &str,
        name: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "select sealed from secret where source = $1 and name = $2";
        let rows = self.read().await?.fetch(sql, &[source.into(), name.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let sealed = row.bytes(0)?;
        let refused = || StoreError::Sealed(source.to_owned());
        let (nonce, body) = sealed.split_first_chunk::<24>().ok_or_else(refused)?;
        let bound = format!("{source}\0{name}");
        let payload = Payload { msg: body, aad: bound.as_bytes() };
        let cipher = XChaCha20Poly1305::new(&key.0.into());
        cipher.decrypt(&XNonce::from(*nonce), payload).map(Some).map_err(|_| refused())
    }
}
