//! Replay dedup: the cache of nonces that steps 9a, 12 and 13 of the verifier checklists read and
//! write.

mod admission;
mod entry;
mod identity;
mod memory;
mod per_endpoint;

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

pub use self::{
    admission::{AdmissionClause, AdmissionEvent, AdmissionThresholds, AdmissionTracked},
    entry::{ReplayEntry, ReplayKey},
    memory::InMemoryReplayStore,
    per_endpoint::PerEndpoint,
};

use crate::{answer::Answer, clock::UnixSeconds};

/// What came of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "anything but `Inserted` is a refusal"]
pub enum InsertOutcome {
    /// The nonce was new and is now remembered.
    Inserted,
    /// The nonce is remembered already: `*_signature_replayed`.
    Replayed,
    /// The key has as many live entries as it may have: `*_signature_rate_abuse`. Nothing was
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
/// is its [`ReplayKey`] and its nonce and nothing else, so a varying URL evades neither the dedup
/// nor the cap.
pub trait ReplayStore: Send + Sync + fmt::Debug {
    /// Steps 12 and 13 in one atomic step: refuse a nonce that is known, then a cap that is
    /// reached, else remember the nonce until `entry.expires_at()` has passed.
    ///
    /// Of any number of concurrent calls with one nonce exactly one is answered
    /// [`InsertOutcome::Inserted`], and the cap is exact.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot answer; the verifier then refuses.
    fn insert<'a>(
        &'a self,
        entry: ReplayEntry<'a>,
        now: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError>;

    /// Step 9a: whether the key has `cap` live entries or more, or the store is full.
    ///
    /// An early look, which spares the cryptography and decides nothing that
    /// [`ReplayStore::insert`] does not decide again. A store may answer from an estimate, and
    /// `false` where the answer would cost a round trip, as it does unless implemented. It changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot answer; the verifier then refuses.
    fn cap_reached<'a>(
        &'a self,
        key: ReplayKey<'a>,
        cap: u64,
        now: UnixSeconds,
    ) -> Answer<'a, bool, StoreError> {
        let _ = (key, cap, now);
        Answer::now(Ok(false))
    }
}

impl<T: ReplayStore + ?Sized> ReplayStore for Arc<T> {
    fn insert<'a>(
        &'a self,
        entry: ReplayEntry<'a>,
        now: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError> {
        T::insert(self, entry, now)
    }

    fn cap_reached<'a>(
        &'a self,
        key: ReplayKey<'a>,
        cap: u64,
        now: UnixSeconds,
    ) -> Answer<'a, bool, StoreError> {
        T::cap_reached(self, key, cap, now)
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

    /// A store that cannot look at its caps early.
    #[derive(Debug)]
    struct InsertOnly;

    impl ReplayStore for InsertOnly {
        fn insert<'a>(
            &'a self,
            _: ReplayEntry<'a>,
            _: UnixSeconds,
        ) -> Answer<'a, InsertOutcome, StoreError> {
            Answer::now(Ok(InsertOutcome::KeyCapReached))
        }
    }

    #[test]
    fn a_store_need_not_look_at_its_caps_early() {
        let key = ReplayKey::new("key", &[0; 32]);
        assert!(!block_on(InsertOnly.cap_reached(key, 0, NOW)).unwrap());
    }

    #[test]
    fn a_shared_store_is_the_same_store() {
        let key = ReplayKey::new("key", &[0; 32]);
        let entry = ReplayEntry::restore(key, "nonce", NOW.plus(360), 1);
        let store = Arc::new(InMemoryReplayStore::new());
        let shared: Arc<dyn ReplayStore> = store.clone();
        let stores = [&store as &dyn ReplayStore, &shared];
        let inserts = stores.map(|store| block_on(store.insert(entry, NOW)).unwrap());
        assert_eq!(inserts, [InsertOutcome::Inserted, InsertOutcome::Replayed]);
        for store in stores {
            assert!(block_on(store.cap_reached(key, 1, NOW)).unwrap(), "not the default");
        }
    }
}
