//! The replay store of one process, which refuses when full and never evicts.

mod caps;
mod expiry;
#[cfg(feature = "metrics")]
mod live_gauge;
mod sharded;
mod table;

use std::fmt;

use parking_lot::Mutex;

#[cfg(feature = "metrics")]
use self::live_gauge::LiveGauge;
use self::{
    caps::Caps,
    sharded::Sharded,
    table::{Lookup, Misplaced, Table},
};
use super::{InsertOutcome, ReplayEntry, ReplayKey, ReplayStore, StoreError, identity::Identities};
use crate::{answer::Answer, clock::UnixSeconds};

const SHARDS: usize = 256;

/// A replay store in process memory, for a verifier that runs as one process.
///
/// A fleet needs a shared store: a nonce that one process has seen is unknown to the next.
///
/// Entries are known by a 128-bit SipHash-1-3 of key and nonce under a random key of the store, so
/// no text is kept and nobody outside can aim at a collision. The key is drawn from the
/// operating system on first use; while that gives no randomness, each call answers
/// [`StoreError::NoRandomness`]. Both caps are exact under concurrency and count live entries only.
///
/// An entry costs at most 64 bytes (`docs/performance.md` has the measured figures), and a key
/// with live entries up to 200 and 8 for each second in which one of them ends. Memory of expired
/// entries is reused, and given back by [`purge`](Self::purge).
///
/// ```
/// use adcp_signing_core::{
///     UnixSeconds,
///     replay::{InMemoryReplayStore, InsertOutcome, ReplayKey},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = InMemoryReplayStore::new();
/// let now = UnixSeconds::new(1_776_520_800);
/// let expires_at = now.plus(300 + 60);
/// let (key, nonce) = (ReplayKey::new("buyer-2026", &[7; 32]), "KXYnfEfJ0PBRZXQyVXfVQA");
/// assert_eq!(store.preload(key, nonce, expires_at, now)?, InsertOutcome::Inserted);
/// assert_eq!(store.preload(key, nonce, expires_at, now)?, InsertOutcome::Replayed);
/// # Ok(())
/// # }
/// ```
pub struct InMemoryReplayStore {
    identities: Identities,
    /// The entries, by hash.
    shards: Sharded<Mutex<Table>, SHARDS>,
    caps: Caps,
    #[cfg(feature = "metrics")]
    gauge: LiveGauge,
}

impl InMemoryReplayStore {
    /// The aggregate cap that the standard recommends: 10,000,000 live entries.
    pub const DEFAULT_AGGREGATE_CAP: u64 = 10_000_000;

    /// An empty store with the recommended aggregate cap.
    pub fn new() -> Self {
        Self::with_aggregate_cap(Self::DEFAULT_AGGREGATE_CAP)
    }

    /// An empty store that holds at most `cap` live entries. Choose `min(memory / 64 bytes,
    /// 10,000,000)`.
    pub fn with_aggregate_cap(cap: u64) -> Self {
        Self {
            identities: Identities::default(),
            shards: Sharded::default(),
            caps: Caps::new(cap),
            #[cfg(feature = "metrics")]
            gauge: LiveGauge::default(),
        }
    }

    /// The name of this store in the metric `adcp_replay_live`, in place of `default`. Give each
    /// store of a process its own, such as `requests` and `webhooks`. Without the feature `metrics`
    /// it means nothing.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        #[cfg(feature = "metrics")]
        return Self { gauge: self.gauge.named(name), ..self };
        #[cfg(not(feature = "metrics"))]
        {
            let _ = name;
            self
        }
    }

    /// Remembers a nonce without a verification, to restore a saved cache or to set up a test. No
    /// cap per key applies; the aggregate cap does. It is the same path as
    /// [`ReplayStore::insert`], without the future.
    ///
    /// # Errors
    /// As [`ReplayStore::insert`].
    pub fn preload(
        &self,
        key: ReplayKey<'_>,
        nonce: &str,
        expires_at: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<InsertOutcome, StoreError> {
        self.insert_now(ReplayEntry::restore(key, nonce, expires_at, u64::MAX), now)
    }

    /// How many entries are live.
    pub fn len(&self, now: UnixSeconds) -> u64 {
        self.caps.live(clamped(now))
    }

    /// Whether no entry is live.
    pub fn is_empty(&self, now: UnixSeconds) -> bool {
        self.len(now) == 0
    }

    /// The most live entries the store holds.
    pub fn aggregate_cap(&self) -> u64 {
        self.caps.aggregate()
    }

    /// The memory the store holds, in bytes: tables at their capacity and all.
    pub fn memory_bytes(&self) -> usize {
        let entries: usize = self.shards.iter().map(|shard| shard.lock().heap_bytes()).sum();
        size_of::<Self>() + self.shards.heap_bytes() + entries + self.caps.heap_bytes()
    }

    /// Removes what has ended and gives its memory back. Inserts reuse that memory by themselves,
    /// so this is for the quiet time after a peak. Each shard is locked for the length of its own
    /// scan.
    pub fn purge(&self, now: UnixSeconds) {
        let now = clamped(now);
        self.shards.iter().for_each(|shard| shard.lock().purge(now));
        self.caps.purge(now);
    }

    fn insert_now(
        &self,
        entry: ReplayEntry<'_>,
        now: UnixSeconds,
    ) -> Result<InsertOutcome, StoreError> {
        let end = end_of(entry.expires_at())?;
        let second = exact(now)?;
        let forgotten = || StoreError::Forgotten { expires_at: entry.expires_at(), now };
        if end <= second {
            return Err(forgotten());
        }
        let (key, id) = self.identities.entry(&entry)?;
        // The entry's shard stays locked until the outcome is known; inside it one lock of the caps
        // is held at a time.
        let mut shard = self.shards.of(id.shard_hash()).lock();
        let place = match shard.look_up(id, second) {
            Lookup::Known => return Ok(InsertOutcome::Replayed),
            Lookup::Vacant(_) if shard.has_forgotten(end) => return Err(forgotten()),
            Lookup::Vacant(place) => place,
        };
        if let Err(refusal) = self.caps.reserve(key, end, entry.cap(), second) {
            return Ok(refusal);
        }
        shard.put(&place, id, end).map_err(|Misplaced| StoreError::Unavailable {
            message: "the table of live nonces lost the place of an entry, which is a bug".into(),
            source: None,
        })?;
        #[cfg(feature = "metrics")]
        {
            drop(shard);
            self.gauge.record(second, || self.caps.live(second));
        }
        Ok(InsertOutcome::Inserted)
    }

    fn cap_reached_now(
        &self,
        key: ReplayKey<'_>,
        cap: u64,
        now: UnixSeconds,
    ) -> Result<bool, StoreError> {
        let now = exact(now)?;
        Ok(self.caps.reached(self.identities.key(key)?, cap, now))
    }
}

impl Default for InMemoryReplayStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InMemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryReplayStore")
            .field("aggregate_cap", &self.caps.aggregate())
            .field("counted", &self.caps.counted())
            .finish_non_exhaustive()
    }
}

impl ReplayStore for InMemoryReplayStore {
    fn insert<'a>(
        &'a self,
        entry: ReplayEntry<'a>,
        now: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError> {
        Answer::now(self.insert_now(entry, now))
    }

    fn cap_reached<'a>(
        &'a self,
        key: ReplayKey<'a>,
        cap: u64,
        now: UnixSeconds,
    ) -> Answer<'a, bool, StoreError> {
        Answer::now(self.cap_reached_now(key, cap, now))
    }
}

/// The first second in which an entry has ended whose last one is `last`.
fn end_of(last: UnixSeconds) -> Result<u32, StoreError> {
    exact(last)?.checked_add(1).ok_or(StoreError::TimeOutOfRange { time: last })
}

/// A time that is stored must be exact: entries hold 32 bits of unix seconds, which end in 2106.
fn exact(time: UnixSeconds) -> Result<u32, StoreError> {
    u32::try_from(time.as_i64()).map_err(|_| StoreError::TimeOutOfRange { time })
}

/// A time that is only compared may be clamped to the range.
fn clamped(time: UnixSeconds) -> u32 {
    u32::try_from(time.as_i64().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
