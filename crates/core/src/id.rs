//! Deterministic 128-bit ids.
//!
//! An id is a hash of what makes the thing itself, so that pulling the same record twice, in any order, on
//! any machine, writes the same row. Not responsible for deciding *which* identifiers belong together: that
//! is identity, in `engine`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The first 128 bits of a BLAKE3 hash.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash(pub [u8; 16]);

impl Hash {
    /// Hashes `parts` under a `domain`; each part is length-prefixed, so `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of(domain: &str, parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in std::iter::once(&domain).chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self::truncated(hasher)
    }

    /// Hashes bytes as they are.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(bytes);
        Self::truncated(hasher)
    }

    fn truncated(hasher: blake3::Hasher) -> Self {
        let mut out = [0; 16];
        hasher.finalize_xof().fill(&mut out);
        Self(out)
    }

    /// The first eight bytes as a signed integer, for index columns. A collision only costs work, never identity.
    pub fn short(self) -> i64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[..8]);
        i64::from_be_bytes(bytes)
    }

    /// Reads the 16 bytes that a store column holds.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut out = [0; 16];
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(out))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub Hash);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

typed! {
    /// A buying company: the smallest identifier hash of its component.
    AccountId
    /// One human: the smallest identifier hash of the component.
    PersonId
    /// One event × one external person.
    TouchId
    /// A deal (CRM: opportunity).
    DealId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(Hash::of("x", &["ab", "c"]), Hash::of("x", &["a", "bc"]));
        assert_ne!(Hash::of("x", &["a"]), Hash::of("y", &["a"]));
    }

    #[test]
    fn a_hash_reads_back_from_its_text() {
        let hash = Hash::of("person", &["p1"]);
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        assert_eq!(Hash::parse("xyz"), None);
    }
}
