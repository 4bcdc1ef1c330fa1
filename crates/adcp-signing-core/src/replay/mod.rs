//! Replay dedup: the cache of `(keyid, nonce)` that steps 9a, 12 and 13 of the verifier checklists
//! read and write.

mod admission;
mod identity;
mod memory;

use std::{borrow::Cow, error::Error as StdError, fmt};

use async_trait::async_trait;

pub use admission::{AdmissionClause, AdmissionEvent, AdmissionThresholds, AdmissionTracked};
pub use memory::InMemoryReplayStore;

use crate::clock::UnixSeconds;

/// One nonce to remember: what step 13 inserts.
///
/// Only a verification that has passed the crypto and the digest can make one, so nothing without
/// the private key can fill the store.
#[derive(Clone, Copy)]
pub struct ReplayEntry<'a> {
    keyid: &'a str,
    nonce: &'a str,
    expires_at: UnixSeconds,
    cap: u64,
}

impl<'a> ReplayEntry<'a> {
    /// `expires_at` is the signature's `expires` plus the 60 s of skew; `cap` is the profile's cap
    /// per keyid.
    pub(crate) fn new(keyid: &'a str, nonce: &'a str, expires_at: UnixSeconds, cap: u64) -> Self {
        Self { keyid, nonce, expires_at, cap }
    }

    /// The `keyid` of the signature.
    pub fn keyid(&self) -> &'a str {
        self.keyid
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

    /// How many live entries this keyid may have: 1,000,000 for requests and 100,000 for webhooks
    /// unless configured.
    pub fn cap(&self) -> u64 {
        self.cap
    }
}

impl fmt::Debug for ReplayEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayEntry")
            .field("keyid", &self.keyid)
            .field("expires_at", &self.expires_at)
            .field("cap", &self.cap)
            .finish_non_exhaustive()
    }
}

/// What came of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "anything but `Inserted` is a refusal"]
pub enum InsertOutcome {
    /// The nonce was new and is now remembered.
    Inserted,
    /// The nonce is remembered already: `*_signature_replayed`.
    Replayed,
    /// The keyid has as many live entries as it may have: `*_signature_rate_abuse`. Nothing was
    /// inserted.
    KeyCapReached,
    /// The store as a whole is full: `*_signature_rate_abuse`. Nothing was inserted and nothing
    /// evicted.
    AggregateCapReached,
}

/// Why a store could not answer. The verifier refuses: a message that cannot be checked for replay
/// is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store could not be reached or failed.
    #[error("the replay store is unavailable: {message}; check its connection and health")]
    Unavailable {
        /// What failed; holds no credential.
        message: Cow<'static, str>,
        /// The cause.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync + 'static>>,
    },
    /// The entry lies in a time whose nonces may be forgotten already, so a replay could not be
    /// told from a first use. Seen only where the clock went back.
    #[error(
        "the store no longer knows the nonces of signatures that end at {expires_at} (it is {now}); \
         check that the clock does not jump"
    )]
    Forgotten {
        /// The last second of the refused entry.
        expires_at: UnixSeconds,
        /// The time given with the insert.
        now: UnixSeconds,
    },
    /// The operating system gave no randomness, without which an attacker could aim at collisions.
    /// The next call tries again.
    #[error(
        "the operating system gave no randomness to key the replay store; nothing is accepted until it does"
    )]
    NoRandomness,
    /// A time outside what the store can hold.
    #[error("the replay store cannot hold the time {time}; check the clock")]
    TimeOutOfRange {
        /// The offending time.
        time: UnixSeconds,
    },
}

impl StoreError {
    /// An [`StoreError::Unavailable`] with a cause. Neither may hold a credential.
    pub fn unavailable(
        message: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Self {
        Self::Unavailable { message: message.into(), source: Some(source.into()) }
    }
}

/// A cache of nonces, shared by every endpoint that one signer can reach.
///
/// A store never forgets an entry before its time, whatever its load: eviction opens a replay
/// window exactly when the verifier is under attack. It refuses instead. The identity of an entry
/// is `(keyid, nonce)` and nothing else, so a varying URL evades neither the dedup nor the cap.
#[async_trait]
pub trait ReplayStore: Send + Sync + fmt::Debug {
    /// Step 9a: whether `keyid` has `cap` live entries or more, or the store is full. Reads only;
    /// it spares the crypto and decides nothing that [`ReplayStore::insert`] does not decide again.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot answer; the verifier then refuses.
    async fn cap_reached(
        &self,
        keyid: &str,
        cap: u64,
        now: UnixSeconds,
    ) -> Result<bool, StoreError>;

    /// Steps 12 and 13 in one atomic step: refuse a nonce that is known, then a cap that is
    /// reached, else remember the nonce until `entry.expires_at()` has passed.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot answer; the verifier then refuses.
    async fn insert(
        &self,
        entry: ReplayEntry<'_>,
        now: UnixSeconds,
    ) -> Result<InsertOutcome, StoreError>;
}
