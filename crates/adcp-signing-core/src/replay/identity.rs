//! Which keyid and which entry: 128-bit hashes under a random key, so that neither text is kept.

use std::{hash::Hasher as _, sync::OnceLock};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::StoreError;

/// The random key, drawn from the operating system on first use. A failed draw is not kept: the
/// next call tries again.
#[derive(Default)]
pub(super) struct Identities(OnceLock<SipHasher13>);

/// The 128-bit hash of a keyid, or of a keyid and a nonce. Nobody outside can aim at one, nor at a
/// part of its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Id(u128);

impl Identities {
    /// # Errors
    /// [`StoreError::NoRandomness`].
    pub(super) fn keyid(&self, keyid: &str) -> Result<Id, StoreError> {
        Ok(Id::of(&after_keyid(*self.hasher(getrandom::fill)?, keyid)))
    }

    /// The identity of `keyid`, and that of the entry.
    ///
    /// # Errors
    /// [`StoreError::NoRandomness`].
    pub(super) fn entry(&self, keyid: &str, nonce: &str) -> Result<(Id, Id), StoreError> {
        let mut hasher = after_keyid(*self.hasher(getrandom::fill)?, keyid);
        let key = Id::of(&hasher);
        hasher.write(nonce.as_bytes());
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

/// The length comes first, so that no other split of the two texts hashes alike.
fn after_keyid(mut hasher: SipHasher13, keyid: &str) -> SipHasher13 {
    hasher.write_u64(keyid.len() as u64);
    hasher.write(keyid.as_bytes());
    hasher
}

impl Id {
    fn of(hasher: &SipHasher13) -> Self {
        Self(hasher.finish128().into())
    }

    /// 64 bits to place by. [`Id::shard`] takes others.
    pub(super) fn hash(self) -> u64 {
        self.0 as u64
    }

    /// Which of `shards` it belongs to.
    pub(super) fn shard(self, shards: usize) -> usize {
        (self.0 >> 64) as usize % shards
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

    #[test]
    fn without_randomness_nothing_is_identified_until_there_is_some() {
        let identities = Identities::default();
        let failed = identities.hasher(|_| Err(getrandom::Error::UNSUPPORTED));
        assert!(matches!(failed, Err(StoreError::NoRandomness)));
        let key = identities.keyid("key").unwrap();
        assert_eq!(identities.keyid("key").unwrap(), key, "the key is drawn once");
        assert_eq!(identities.entry("key", "nonce").unwrap().0, key);
    }

    #[test]
    fn each_store_has_a_key_of_its_own() {
        let of = || Identities::default().entry("key", "nonce").unwrap();
        assert_ne!(of(), of());
    }
}
