//! The replay store of one process: a sharded hash table that refuses when full and never evicts.

use std::{
    fmt,
    hash::Hasher as _,
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use hashbrown::{HashTable, hash_table::Entry};
use parking_lot::Mutex;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::{InsertOutcome, ReplayEntry, ReplayStore, StoreError, expiry::ExpiryCounts};
use crate::clock::UnixSeconds;

const SHARDS: usize = 256;
const KEY_SHARDS: usize = 64;

/// A replay store in process memory, for a verifier that runs as one process.
///
/// A fleet needs a shared store: a nonce that one process has seen is unknown to the next.
///
/// Entries are known by a 128-bit SipHash-1-3 of `(keyid, nonce)` under a random key of the store, so neither text is
/// kept and nobody outside can aim at a collision. Both caps are exact under concurrency and count live entries only.
/// An entry costs at most 64 bytes (`docs/performance.md` has the measured figures); memory of expired entries is
/// reused, and given back by [`purge`](Self::purge).
///
/// ```
/// use adcp_signing_core::{UnixSeconds, replay::{InMemoryReplayStore, InsertOutcome}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = InMemoryReplayStore::new();
/// let now = UnixSeconds::new(1_776_520_800);
/// let expires_at = now.plus(300 + 60);
/// let nonce = "KXYnfEfJ0PBRZXQyVXfVQA";
/// assert_eq!(store.preload("buyer-2026", nonce, expires_at, now)?, InsertOutcome::Inserted);
/// assert_eq!(store.preload("buyer-2026", nonce, expires_at, now)?, InsertOutcome::Replayed);
/// # Ok(())
/// # }
/// ```
pub struct InMemoryReplayStore {
    hasher: SipHasher13,
    shards: Box<[Mutex<Shard>]>,
    keys: Box<[Mutex<HashTable<KeyCount>>]>,
    aggregate_cap: u64,
    /// Entries counted by the shards; some may have ended since the shard was last asked.
    counted: AtomicU64,
    /// The second up to which every shard has dropped what ended, so that a full store sweeps once a second at most.
    swept_to: Mutex<u32>,
}

/// A part of the entries, by hash.
#[derive(Default)]
#[repr(align(64))]
struct Shard {
    entries: HashTable<Slot>,
    counts: ExpiryCounts,
    /// The last second of the youngest entry ever removed. What ends by then may be a replay of it.
    forgotten_to: Option<u32>,
}

/// One remembered nonce, as four words and the last second in which it lives: 20 bytes.
struct Slot {
    id: [u32; 4],
    last: u32,
}

/// The live entries of one keyid, known by its hash.
struct KeyCount {
    id: u128,
    counts: ExpiryCounts,
}

/// The 128-bit hash of a keyid, or of a keyid and a nonce.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Id(u128);

impl InMemoryReplayStore {
    /// The aggregate cap that the standard recommends: 10,000,000 live entries.
    pub const DEFAULT_AGGREGATE_CAP: u64 = 10_000_000;

    /// An empty store with the recommended aggregate cap.
    pub fn new() -> Self {
        Self::with_aggregate_cap(Self::DEFAULT_AGGREGATE_CAP)
    }

    /// An empty store that holds at most `cap` live entries. Choose `min(memory / 64 bytes, 10,000,000)`.
    pub fn with_aggregate_cap(cap: u64) -> Self {
        let mut key = [0; 16];
        rand::Rng::fill_bytes(&mut rand::rng(), &mut key);
        Self {
            hasher: SipHasher13::new_with_key(&key),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            keys: (0..KEY_SHARDS).map(|_| Mutex::new(HashTable::new())).collect(),
            aggregate_cap: cap,
            counted: AtomicU64::new(0),
            swept_to: Mutex::new(0),
        }
    }

    /// Remembers a nonce without a verification, to restore a saved cache or to set up a test. No cap per keyid applies;
    /// the aggregate cap does. It is the same path as [`ReplayStore::insert`], without the future.
    ///
    /// # Errors
    /// As [`ReplayStore::insert`].
    pub fn preload(
        &self,
        keyid: &str,
        nonce: &str,
        expires_at: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<InsertOutcome, StoreError> {
        self.insert_now(ReplayEntry::new(keyid, nonce, expires_at, u64::MAX), now)
    }

    /// How many entries are live.
    pub fn len(&self, now: UnixSeconds) -> u64 {
        let now = clamped(now);
        self.shards.iter().map(|shard| self.drop_ended(&mut shard.lock(), now)).sum()
    }

    /// Whether no entry is live.
    pub fn is_empty(&self, now: UnixSeconds) -> bool {
        self.len(now) == 0
    }

    /// The most live entries the store holds.
    pub fn aggregate_cap(&self) -> u64 {
        self.aggregate_cap
    }

    /// The memory the store holds, in bytes: tables at their capacity and all.
    pub fn memory_bytes(&self) -> usize {
        let shards = self.shards.iter().map(|shard| {
            let shard = shard.lock();
            size_of::<Mutex<Shard>>() + shard.entries.allocation_size() + shard.counts.heap_bytes()
        });
        let keys = self.keys.iter().map(|keys| {
            let keys = keys.lock();
            let buckets: usize = keys.iter().map(|key| key.counts.heap_bytes()).sum();
            size_of::<Mutex<HashTable<KeyCount>>>() + keys.allocation_size() + buckets
        });
        size_of::<Self>() + shards.sum::<usize>() + keys.sum::<usize>()
    }

    /// Removes what has ended and gives its memory back. Inserts reuse that memory by themselves, so this is for the
    /// quiet time after a peak. Each shard is locked for the length of its own scan.
    pub fn purge(&self, now: UnixSeconds) {
        let now = clamped(now);
        for shard in &self.shards {
            let mut shard = shard.lock();
            self.drop_ended(&mut shard, now);
            shard.rebuild(now, 0);
            shard.counts.shrink();
        }
        for keys in &self.keys {
            let mut keys = keys.lock();
            remove_idle_keys(&mut keys, now);
            keys.iter_mut().for_each(|key| key.counts.shrink());
            keys.shrink_to_fit(KeyCount::table_hash);
        }
    }

    fn insert_now(&self, entry: ReplayEntry<'_>, now: UnixSeconds) -> Result<InsertOutcome, StoreError> {
        let last = exact(entry.expires_at())?;
        let second = exact(now)?;
        if last < second {
            return Err(StoreError::Forgotten { expires_at: entry.expires_at(), now });
        }
        let (key, id) = self.ids(entry.keyid(), entry.nonce());
        let insert = || self.try_insert(key, id, last, entry.cap(), second);
        let outcome = match insert() {
            Some(InsertOutcome::AggregateCapReached) => {
                self.sweep(second);
                insert()
            }
            outcome => outcome,
        };
        outcome.ok_or(StoreError::Forgotten { expires_at: entry.expires_at(), now })
    }

    /// Checks and inserts under the entry's shard lock, with the key's lock inside it; nothing else nests. `None` where
    /// the shard has forgotten entries as young as this one.
    fn try_insert(&self, key: Id, id: Id, last: u32, cap: u64, now: u32) -> Option<InsertOutcome> {
        let mut shard = self.shards.get(id.shard(SHARDS))?.lock();
        let shard = &mut *shard;
        shard.make_room(now);
        let words = id.words();
        let entry = shard.entries.entry(id.table_hash(), |slot| slot.id == words, Slot::table_hash);
        if let Entry::Occupied(slot) = &entry
            && slot.get().last >= now
        {
            return Some(InsertOutcome::Replayed);
        }
        if shard.forgotten_to.is_some_and(|forgotten| last <= forgotten) {
            return None;
        }
        if let Some(refusal) = self.reserve(key, last, cap, now) {
            return Some(refusal);
        }
        match entry {
            Entry::Occupied(mut slot) => {
                let ended = std::mem::replace(&mut slot.get_mut().last, last);
                shard.forgotten_to = shard.forgotten_to.max(Some(ended));
            }
            Entry::Vacant(slot) => {
                slot.insert(Slot { id: words, last });
            }
        }
        shard.counts.add(last);
        Some(InsertOutcome::Inserted)
    }

    /// Takes one place of the key's cap and one of the aggregate's, or neither.
    fn reserve(&self, key: Id, last: u32, cap: u64, now: u32) -> Option<InsertOutcome> {
        let mut keys = self.keys.get(key.shard(KEY_SHARDS))?.lock();
        if keys.len() == keys.capacity() {
            remove_idle_keys(&mut keys, now);
            let spare = keys.len() / 4;
            keys.reserve(spare + 1, KeyCount::table_hash);
        }
        let entry = keys.entry(key.table_hash(), |known| known.id == key.0, KeyCount::table_hash);
        let mut known = match entry {
            Entry::Occupied(known) => known,
            Entry::Vacant(_) if cap == 0 => return Some(InsertOutcome::KeyCapReached),
            Entry::Vacant(new) => new.insert(KeyCount { id: key.0, counts: ExpiryCounts::default() }),
        };
        let counts = &mut known.get_mut().counts;
        counts.drop_before(now);
        if counts.live() >= cap {
            return Some(InsertOutcome::KeyCapReached);
        }
        let reserve = |counted: u64| (counted < self.aggregate_cap).then_some(counted + 1);
        if self.counted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).is_err() {
            return Some(InsertOutcome::AggregateCapReached);
        }
        counts.add(last);
        None
    }

    fn cap_reached_now(&self, keyid: &str, cap: u64, now: UnixSeconds) -> Result<bool, StoreError> {
        let now = exact(now)?;
        if self.counted.load(Ordering::Relaxed) >= self.aggregate_cap {
            self.sweep(now);
            if self.counted.load(Ordering::Relaxed) >= self.aggregate_cap {
                return Ok(true);
            }
        }
        let key = self.key_id(keyid);
        let Some(keys) = self.keys.get(key.shard(KEY_SHARDS)) else { return Ok(true) };
        let mut keys = keys.lock();
        let live = keys.find_mut(key.table_hash(), |known| known.id == key.0).map_or(0, |known| {
            known.counts.drop_before(now);
            known.counts.live()
        });
        Ok(live >= cap)
    }

    /// Takes what has ended out of the aggregate count. The counts are per second, so this touches no entry.
    fn sweep(&self, now: u32) {
        let mut swept_to = self.swept_to.lock();
        if now > *swept_to {
            for shard in &self.shards {
                self.drop_ended(&mut shard.lock(), now);
            }
            *swept_to = now;
        }
    }

    fn drop_ended(&self, shard: &mut Shard, now: u32) -> u64 {
        let ended = shard.counts.drop_before(now);
        self.counted.fetch_sub(ended, Ordering::Relaxed);
        shard.counts.live()
    }

    fn key_id(&self, keyid: &str) -> Id {
        let mut hasher = self.hasher;
        hash_keyid(&mut hasher, keyid);
        Id(hasher.finish128().as_u128())
    }

    fn ids(&self, keyid: &str, nonce: &str) -> (Id, Id) {
        let mut hasher = self.hasher;
        hash_keyid(&mut hasher, keyid);
        let key = Id(hasher.finish128().as_u128());
        hasher.write(nonce.as_bytes());
        (key, Id(hasher.finish128().as_u128()))
    }
}

/// The length comes first, so that no other split of the two texts hashes alike.
fn hash_keyid(hasher: &mut SipHasher13, keyid: &str) {
    hasher.write(&(keyid.len() as u64).to_le_bytes());
    hasher.write(keyid.as_bytes());
}

impl Default for InMemoryReplayStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InMemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryReplayStore")
            .field("aggregate_cap", &self.aggregate_cap)
            .field("counted", &self.counted)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ReplayStore for InMemoryReplayStore {
    async fn cap_reached(&self, keyid: &str, cap: u64, now: UnixSeconds) -> Result<bool, StoreError> {
        self.cap_reached_now(keyid, cap, now)
    }

    async fn insert(&self, entry: ReplayEntry<'_>, now: UnixSeconds) -> Result<InsertOutcome, StoreError> {
        self.insert_now(entry, now)
    }
}

impl Shard {
    /// Once the table is full it is built anew from what lives, with a quarter to spare: so a scan costs each insert a
    /// constant on average. Removing in place would leave tombstones, and the table would double to be rid of them.
    fn make_room(&mut self, now: u32) {
        if self.entries.len() == self.entries.capacity() {
            let live = self.entries.iter().filter(|slot| slot.last >= now).count();
            self.rebuild(now, live + live / 4 + 4);
        }
    }

    fn rebuild(&mut self, now: u32, capacity: usize) {
        let old = std::mem::replace(&mut self.entries, HashTable::with_capacity(capacity));
        for slot in old {
            if slot.last >= now {
                self.entries.insert_unique(slot.table_hash(), slot, Slot::table_hash);
            } else {
                self.forgotten_to = self.forgotten_to.max(Some(slot.last));
            }
        }
    }
}

fn remove_idle_keys(keys: &mut HashTable<KeyCount>, now: u32) {
    keys.retain(|key| {
        key.counts.drop_before(now);
        key.counts.live() > 0
    });
}

impl Slot {
    fn table_hash(&self) -> u64 {
        let [low, high, ..] = self.id;
        u64::from(high) << 32 | u64::from(low)
    }
}

impl KeyCount {
    fn table_hash(&self) -> u64 {
        Id(self.id).table_hash()
    }
}

impl Id {
    /// The low half picks the place in a table, the high half the shard.
    fn table_hash(self) -> u64 {
        self.0 as u64
    }

    fn shard(self, shards: usize) -> usize {
        (self.0 >> 64) as usize % shards
    }

    fn words(self) -> [u32; 4] {
        [self.0 as u32, (self.0 >> 32) as u32, (self.0 >> 64) as u32, (self.0 >> 96) as u32]
    }
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
mod tests {
    use std::{collections::HashMap, sync::Arc, thread};

    use InsertOutcome::{AggregateCapReached, Inserted, KeyCapReached, Replayed};
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
    const LAST: UnixSeconds = NOW.plus(360);

    impl InMemoryReplayStore {
        fn put(
            &self,
            keyid: &str,
            nonce: &str,
            last: UnixSeconds,
            cap: u64,
            now: UnixSeconds,
        ) -> InsertOutcome {
            self.insert_now(ReplayEntry::new(keyid, nonce, last, cap), now).unwrap()
        }
    }

    #[test]
    fn a_nonce_is_known_up_to_and_with_its_last_second() {
        for (now, expected) in
            [(NOW, Replayed), (LAST.minus(1), Replayed), (LAST, Replayed), (LAST.plus(1), Inserted)]
        {
            let store = InMemoryReplayStore::new();
            assert_eq!(store.put("key", "nonce", LAST, 10, NOW), Inserted);
            assert_eq!(store.put("key", "nonce", now.plus(360), 10, now), expected, "{now}");
        }
    }

    #[test]
    fn the_identity_is_keyid_and_nonce_and_no_other_split_of_the_two() {
        let store = InMemoryReplayStore::new();
        for (keyid, nonce) in [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", "")] {
            assert_eq!(store.put(keyid, nonce, LAST, 10, NOW), Inserted, "{keyid} {nonce}");
        }
        assert_eq!(store.len(NOW), 4);
    }

    #[test]
    fn a_duplicate_is_replayed_even_where_the_cap_is_reached() {
        let store = InMemoryReplayStore::with_aggregate_cap(1);
        assert_eq!(store.put("key", "nonce", LAST, 1, NOW), Inserted);
        assert_eq!(store.put("key", "nonce", LAST, 1, NOW), Replayed);
        assert_eq!(store.put("key", "other", LAST, 1, NOW), KeyCapReached);
        assert_eq!(store.put("other", "nonce", LAST, 1, NOW), AggregateCapReached);
        assert_eq!(store.put("other", "nonce", LAST, 0, NOW), KeyCapReached);
    }

    #[test]
    fn a_cap_counts_live_entries_only() {
        let store = InMemoryReplayStore::with_aggregate_cap(2);
        assert_eq!(store.put("key", "1", NOW, 1, NOW), Inserted);
        assert_eq!(store.put("other", "1", NOW, 1, NOW), Inserted);
        assert!(store.cap_reached_now("key", 1, NOW).unwrap());
        assert!(store.cap_reached_now("unknown", 1, NOW).unwrap(), "the store is full");
        let later = NOW.plus(1);
        assert!(!store.cap_reached_now("key", 1, later).unwrap());
        assert_eq!(store.put("key", "2", LAST, 1, later), Inserted);
        assert_eq!(store.put("other", "2", LAST, 1, later), Inserted);
        assert_eq!(store.put("third", "2", LAST, 1, later), AggregateCapReached);
        assert_eq!(store.len(later), 2);
    }

    #[test]
    fn the_cap_read_changes_nothing() {
        let store = InMemoryReplayStore::new();
        assert!(!store.cap_reached_now("key", 1, NOW).unwrap());
        assert!(store.cap_reached_now("key", 0, NOW).unwrap());
        assert!(store.is_empty(NOW));
        assert_eq!(store.put("key", "nonce", LAST, 1, NOW), Inserted);
    }

    #[test]
    fn what_may_have_been_forgotten_is_refused_when_the_clock_goes_back() {
        let store = InMemoryReplayStore::new();
        assert_eq!(store.put("key", "nonce", LAST, 10, NOW), Inserted);
        store.purge(LAST.plus(1));
        let again = store.insert_now(ReplayEntry::new("key", "nonce", LAST, 10), NOW);
        assert!(matches!(again, Err(StoreError::Forgotten { expires_at: LAST, now: NOW })), "{again:?}");
    }

    #[test]
    fn times_that_cannot_be_held_are_refused() {
        let store = InMemoryReplayStore::new();
        for (last, now) in [(i64::MAX, 0), (1 << 32, 0), (-1, -2), (10, -1)] {
            let entry = ReplayEntry::new("key", "nonce", UnixSeconds::new(last), 10);
            let outcome = store.insert_now(entry, UnixSeconds::new(now));
            assert!(matches!(outcome, Err(StoreError::TimeOutOfRange { .. })), "{last} {now}: {outcome:?}");
        }
        let ended = store.insert_now(ReplayEntry::new("key", "nonce", NOW, 10), LAST);
        assert!(matches!(ended, Err(StoreError::Forgotten { .. })), "{ended:?}");
        store.purge(UnixSeconds::new(i64::MIN));
        assert_eq!(store.len(UnixSeconds::new(i64::MAX)), 0);
    }

    #[test]
    fn memory_of_ended_entries_is_reused_and_can_be_given_back() {
        let store = InMemoryReplayStore::new();
        let fill = |round: i64| {
            let now = NOW.plus(round * 1000);
            for nonce in 0..20_000 {
                assert_eq!(store.put("key", &nonce.to_string(), now.plus(360), u64::MAX, now), Inserted);
            }
        };
        let empty = store.memory_bytes();
        fill(0);
        let filled = store.memory_bytes();
        (1..6).for_each(fill);
        assert!(store.memory_bytes() < filled * 2, "{} after {filled}", store.memory_bytes());
        store.purge(NOW.plus(100_000));
        assert!(store.memory_bytes() < empty + 1024, "{} from {empty}", store.memory_bytes());
    }

    #[test]
    fn of_many_threads_with_one_nonce_exactly_one_inserts() {
        let store = Arc::new(InMemoryReplayStore::new());
        let insert = |store: Arc<InMemoryReplayStore>| {
            move || {
                (0..200)
                    .filter(|nonce| store.put("key", &nonce.to_string(), LAST, 1000, NOW) == Inserted)
                    .count()
            }
        };
        let threads: Vec<_> = (0..8).map(|_| thread::spawn(insert(Arc::clone(&store)))).collect();
        assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>(), 200);
    }

    #[test]
    fn caps_are_exact_under_many_threads() {
        for (key_cap, aggregate_cap, refusal) in
            [(100, 1000, KeyCapReached), (1000, 100, AggregateCapReached)]
        {
            let store = Arc::new(InMemoryReplayStore::with_aggregate_cap(aggregate_cap));
            let insert = |thread: usize, store: Arc<InMemoryReplayStore>| {
                move || -> Vec<InsertOutcome> {
                    (0..100)
                        .map(|nonce| store.put("key", &format!("{thread} {nonce}"), LAST, key_cap, NOW))
                        .collect()
                }
            };
            let threads: Vec<_> = (0..8).map(|at| thread::spawn(insert(at, Arc::clone(&store)))).collect();
            let outcomes: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            assert_eq!(outcomes.iter().filter(|outcome| **outcome == Inserted).count(), 100);
            assert_eq!(outcomes.iter().filter(|outcome| **outcome == refusal).count(), 700);
        }
    }

    #[tokio::test]
    async fn the_trait_is_the_same_path() {
        let store: Arc<dyn ReplayStore> = Arc::new(InMemoryReplayStore::new());
        let entry = ReplayEntry::new("key", "nonce", LAST, 1);
        assert_eq!(store.insert(entry, NOW).await.unwrap(), Inserted);
        assert_eq!(store.insert(entry, NOW).await.unwrap(), Replayed);
        assert!(store.cap_reached("key", 1, NOW).await.unwrap());
    }

    /// The rules written down without a thought for speed.
    #[derive(Default)]
    struct Model(HashMap<(u8, u8), i64>);

    impl Model {
        fn insert(
            &mut self,
            key: u8,
            nonce: u8,
            last: i64,
            cap: usize,
            total: usize,
            now: i64,
        ) -> InsertOutcome {
            self.0.retain(|_, last| *last >= now);
            if self.0.contains_key(&(key, nonce)) {
                Replayed
            } else if self.0.keys().filter(|(known, _)| *known == key).count() >= cap {
                KeyCapReached
            } else if self.0.len() >= total {
                AggregateCapReached
            } else {
                self.0.insert((key, nonce), last);
                Inserted
            }
        }
    }

    proptest! {
        #[test]
        fn outcomes_are_those_of_the_naive_model(
            steps in prop::collection::vec((0..4_u8, 0..12_u8, 0..20_i64, 0..4_i64, any::<bool>()), 1..200),
            cap in 1..8_usize,
            total in 1..20_usize,
        ) {
            let store = InMemoryReplayStore::with_aggregate_cap(total as u64);
            let mut model = Model::default();
            let mut now = NOW.as_i64();
            for (key, nonce, life, passed, purge) in steps {
                now += passed;
                if purge && passed == 0 {
                    store.purge(UnixSeconds::new(now));
                }
                let expected = model.insert(key, nonce, now + life, cap, total, now);
                let last = UnixSeconds::new(now + life);
                let (key, nonce) = (key.to_string(), nonce.to_string());
                prop_assert_eq!(store.put(&key, &nonce, last, cap as u64, UnixSeconds::new(now)), expected);
                prop_assert_eq!(store.len(UnixSeconds::new(now)), model.0.len() as u64);
            }
        }

        #[test]
        fn no_signature_is_ever_inserted_twice_however_the_clock_jumps(
            steps in prop::collection::vec((0..12_u8, 0..40_i64, any::<bool>()), 1..300),
        ) {
            let store = InMemoryReplayStore::new();
            let mut inserted = HashMap::new();
            for (nonce, at, purge) in steps {
                let now = NOW.plus(at);
                if purge {
                    store.purge(now);
                }
                // Each nonce belongs to one signature, whose last second is therefore always the same.
                let last = NOW.plus(i64::from(nonce) * 3);
                let entry = ReplayEntry::new("key", "nonce", last, u64::MAX);
                let nonce = nonce.to_string();
                if let Ok(Inserted) = store.insert_now(ReplayEntry { nonce: &nonce, ..entry }, now) {
                    prop_assert_eq!(inserted.insert(nonce, last), None);
                }
            }
        }
    }
}
