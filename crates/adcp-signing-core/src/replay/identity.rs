//! Which key and which entry: 128-bit hashes under a random key, so that no text is kept.

use std::{hash::Hasher as _, sync::OnceLock};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::{ReplayEntry, ReplayKey, StoreError};

/// The random key, drawn from the operating system on first use. A failed draw is not kept: the
/// next call tries again.
#[derive(Default)]
pub(super) struct Identities(OnceLock<SipHasher13>);

/// The 128-bit hash of a key, or of a key and a nonce. Nobody outside can aim at one, nor at a
/// part of its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Id(u128);

impl Identities {
    /// # Errors
    /// [`StoreError::NoRandomness`].
    pub(super) fn key(&self, key: ReplayKey<'_>) -> Result<Id, StoreError> {
        Ok(Id::of(&after_key(*self.hasher(getrandom::fill)?, key)))
    }

    /// The identity of the entry's key, and that of the entry.
    ///
    /// # Errors
    /// [`StoreError::NoRandomness`].
    pub(super) fn entry(&self, entry: &ReplayEntry<'_>) -> Result<(Id, Id), StoreError> {
        let mut hasher = after_key(*self.hasher(getrandom::fill)?, entry.key());
        let key = Id::of(&hasher);
        hasher.write(entry.nonce().as_bytes());
        Ok((key, Id::of(&hasher)))
    }

    fn hasher(
        &self,
        draw: impl FnOnce(&mut [u8]) -> Result<(), getrandom::Error>,
    ) -> Result<&SipHasher13, StoreError> {
        if let Some(hasher) = self.0.get() {
            return Ok(hasher);
        }
        let mut key = [0; 16];
        draw(&mut key).map_err(|_| StoreError::NoRandomness)?;
        Ok(self.0.get_or_init(|| SipHasher13::new_with_key(&key)))
    }
}

/// Half of the thumbprint tells keys apart as well as an identity of 128 bits can: another key with
/// the same half takes 2^128 attempts. No text holds the byte 0xff, so no other split of keyid and
/// nonce hashes alike.
fn after_key(mut hasher: SipHasher13, key: ReplayKey<'_>) -> SipHasher13 {
    let (words, _) = key.thumbprint().as_chunks();
    words.iter().take(2).for_each(|word| hasher.write_u64(u64::from_le_bytes(*word)));
    hasher.write(key.keyid().as_bytes());
    hasher.write_u8(0xff);
    hasher
}

impl Id {
    fn of(hasher: &SipHasher13) -> Self {
        Self(hasher.finish128().into())
    }

    /// 64 bits to place by.
    pub(super) fn hash(self) -> u64 {
        self.0 as u64
    }

    /// 64 other bits, to choose a shard by.
    pub(super) fn shard_hash(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

#[cfg(test)]
impl From<u128> for Id {
    fn from(bits: u128) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixSeconds;

    #[test]
    fn without_randomness_nothing_is_identified_until_there_is_some() {
        let identities = Identities::default();
        let failed = identities.hasher(|_| Err(getrandom::Error::UNSUPPORTED));
        assert!(matches!(failed, Err(StoreError::NoRandomness)));
        let key = ReplayKey::new("key", &[0; 32]);
        let id = identities.key(key).unwrap();
        assert_eq!(identities.key(key).unwrap(), id, "the hash key is drawn once");
        let entry = ReplayEntry::restore(key, "nonce", UnixSeconds::new(0), 1);
        assert_eq!(identities.entry(&entry).unwrap().0, id);
    }

    #[test]
    fn each_store_has_a_key_of_its_own() {
        let of = || Identities::default().key(ReplayKey::new("key", &[0; 32])).unwrap();
        assert_ne!(of(), of());
    }
}
