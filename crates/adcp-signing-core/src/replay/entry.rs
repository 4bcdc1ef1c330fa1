//! What a replay store remembers: a nonce of a resolved key.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::clock::UnixSeconds;

/// The key whose nonces are remembered and counted: the `keyid` and the RFC 7638 thumbprint of the
/// public key that it was resolved to.
///
/// AdCP calls the replay identity `(keyid, nonce)`. A `keyid` is unique within one agent only, so
/// the public key is a part of it here:
///
/// - Two agents whose keys have the same name share neither nonces nor caps: one of them can
///   neither burn the other's nonces nor fill its cap.
/// - The same public key under two agents **does** share them, since no agent is a part of the
///   identity. Otherwise an agent that publishes another's public key as its own would open a
///   replay: a signature that was accepted as the first agent's would be new as the second's.
///
/// The `keyid` stays a part because the signature covers it, so no message can move from one name
/// of a key to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayKey<'a> {
    keyid: &'a str,
    thumbprint: &'a [u8; 32],
}

/// One nonce to remember: what step 13 inserts.
///
/// The verifier makes one only after the signature and the digest have verified, so nothing without
/// the private key can fill the store.
#[derive(Clone, Copy)]
pub struct ReplayEntry<'a> {
    key: ReplayKey<'a>,
    nonce: &'a str,
    expires_at: UnixSeconds,
    cap: u64,
}

impl<'a> ReplayKey<'a> {
    /// The `keyid` of a signature and the thumbprint of the key it resolved to.
    pub fn new(keyid: &'a str, thumbprint: &'a [u8; 32]) -> Self {
        Self { keyid, thumbprint }
    }

    /// The `keyid` of the signature.
    pub fn keyid(&self) -> &'a str {
        self.keyid
    }

    /// The SHA-256 JWK thumbprint of the public key (RFC 7638 §3).
    pub fn thumbprint(&self) -> &'a [u8; 32] {
        self.thumbprint
    }

    /// A storage key for stores that count by key: SHA-256 over the `keyid` and the thumbprint,
    /// each after its length in bytes as 8 bytes, big-endian.
    ///
    /// It is the same in every process and in every version of this crate.
    ///
    /// ```
    /// use adcp_signing_core::replay::ReplayKey;
    ///
    /// let key = ReplayKey::new("buyer-2026", &[7; 32]);
    /// assert_ne!(key.digest(), ReplayKey::new("buyer-2026", &[8; 32]).digest());
    /// ```
    pub fn digest(&self) -> [u8; 32] {
        self.hasher().finalize().into()
    }

    fn hasher(&self) -> Sha256 {
        Sha256::new()
            .chain_update((self.keyid.len() as u64).to_be_bytes())
            .chain_update(self.keyid)
            .chain_update((self.thumbprint.len() as u64).to_be_bytes())
            .chain_update(self.thumbprint)
    }
}

impl<'a> ReplayEntry<'a> {
    /// An entry of a message whose signature and digest have verified. `expires_at` is the
    /// signature's `expires` plus the 60 s of skew; `cap` is the profile's cap per key.
    pub(crate) fn new(
        key: ReplayKey<'a>,
        nonce: &'a str,
        expires_at: UnixSeconds,
        cap: u64,
    ) -> Self {
        Self { key, nonce, expires_at, cap }
    }

    /// An entry that was verified before: to move the content of one store to another, or to test a
    /// store. Pass `u64::MAX` where no cap applies.
    ///
    /// ```
    /// use adcp_signing_core::{
    ///     UnixSeconds,
    ///     replay::{InMemoryReplayStore, InsertOutcome, ReplayEntry, ReplayKey, ReplayStore as _},
    /// };
    ///
    /// # futures_executor::block_on(async {
    /// let store = InMemoryReplayStore::new();
    /// let now = UnixSeconds::new(1_776_520_800);
    /// let key = ReplayKey::new("buyer-2026", &[7; 32]);
    /// let entry = ReplayEntry::restore(key, "KXYnfEfJ0PBRZXQyVXfVQA", now.plus(360), u64::MAX);
    /// assert_eq!(store.insert(entry, now).await?, InsertOutcome::Inserted);
    /// assert_eq!(store.insert(entry, now).await?, InsertOutcome::Replayed);
    /// # Ok::<(), adcp_signing_core::replay::StoreError>(())
    /// # }).unwrap();
    /// ```
    pub fn restore(key: ReplayKey<'a>, nonce: &'a str, expires_at: UnixSeconds, cap: u64) -> Self {
        Self::new(key, nonce, expires_at, cap)
    }

    /// The key that signed.
    pub fn key(&self) -> ReplayKey<'a> {
        self.key
    }

    /// The `nonce` of the signature, as received.
    pub fn nonce(&self) -> &'a str {
        self.nonce
    }

    /// The last second at which the entry must still be known: `expires` + 60. A signature is
    /// accepted up to and with that second, so the entry may be forgotten only after it.
    pub fn expires_at(&self) -> UnixSeconds {
        self.expires_at
    }

    /// How many live entries this key may have: 1,000,000 for requests and 100,000 for webhooks
    /// unless configured.
    pub fn cap(&self) -> u64 {
        self.cap
    }

    /// A storage key for the entry: SHA-256 over what [`ReplayKey::digest`] hashes and then the
    /// nonce, after its length in bytes as 8 bytes, big-endian.
    ///
    /// It is the same in every process and in every version of this crate.
    pub fn digest(&self) -> [u8; 32] {
        self.key
            .hasher()
            .chain_update((self.nonce.len() as u64).to_be_bytes())
            .chain_update(self.nonce)
            .finalize()
            .into()
    }
}

impl fmt::Debug for ReplayKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayKey").field("keyid", &self.keyid).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReplayEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayEntry")
            .field("keyid", &self.key.keyid)
            .field("expires_at", &self.expires_at)
            .field("cap", &self.cap)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const AT: UnixSeconds = UnixSeconds::new(1_776_520_800);

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn storage_keys_are_what_the_documentation_says() {
        let key = ReplayKey::new("buyer", &[7; 32]);
        let mut hashed = Vec::new();
        hashed.extend([0, 0, 0, 0, 0, 0, 0, 5]);
        hashed.extend(b"buyer");
        hashed.extend([0, 0, 0, 0, 0, 0, 0, 32]);
        hashed.extend([7; 32]);
        assert_eq!(key.digest(), <[u8; 32]>::from(Sha256::digest(&hashed)));
        hashed.extend([0, 0, 0, 0, 0, 0, 0, 5]);
        hashed.extend(b"nonce");
        let entry = ReplayEntry::restore(key, "nonce", AT, 1);
        assert_eq!(entry.digest(), <[u8; 32]>::from(Sha256::digest(&hashed)));
        // Published: a store that is on disk must find its entries again.
        assert_eq!(hex(&key.digest()), KEY_DIGEST);
        assert_eq!(hex(&entry.digest()), ENTRY_DIGEST);
    }

    const KEY_DIGEST: &str = "0571d3e6d3fe4059582ed50671b3e047de3253933c7fc57ca868602aeec0f2de";
    const ENTRY_DIGEST: &str = "838f5a810d2f5a99755560c9488f5fea6033caccec60409c6b814987c5c9d6be";

    #[test]
    fn no_two_entries_have_one_storage_key() {
        let mut seen = HashSet::new();
        for (keyid, thumbprint, nonce) in [
            ("ab", [0; 32], "c"),
            ("a", [0; 32], "bc"),
            ("", [0; 32], "abc"),
            ("abc", [0; 32], ""),
            ("ab", [1; 32], "c"),
        ] {
            let key = ReplayKey::new(keyid, &thumbprint);
            assert!(seen.insert(key.digest()), "{keyid}");
            assert!(seen.insert(ReplayEntry::restore(key, nonce, AT, 1).digest()), "{keyid}");
        }
    }

    #[test]
    fn a_restored_entry_is_the_one_that_was_made() {
        let key = ReplayKey::new("buyer", &[7; 32]);
        let made = ReplayEntry::new(key, "nonce", AT, 9);
        let restored = ReplayEntry::restore(
            ReplayKey::new(made.key().keyid(), made.key().thumbprint()),
            made.nonce(),
            made.expires_at(),
            made.cap(),
        );
        assert_eq!(restored.digest(), made.digest());
        assert_eq!((restored.key(), restored.nonce()), (key, "nonce"));
        assert_eq!((restored.expires_at(), restored.cap()), (AT, 9));
    }

    #[test]
    fn debug_shows_no_nonce() {
        let entry = ReplayEntry::restore(ReplayKey::new("buyer", &[7; 32]), "secret", AT, 9);
        assert!(!format!("{entry:?} {:?}", entry.key()).contains("secret"));
    }
}
