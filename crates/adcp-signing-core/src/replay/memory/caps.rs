//! How many entries are live, of each key and in all, and the caps on both.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use hashbrown::{HashTable, hash_table::Entry};
use parking_lot::Mutex;

use super::{
    super::{InsertOutcome, identity::Id},
    expiry::ExpiryCounts,
    sharded::Sharded,
};

const SHARDS: usize = 64;

/// Counts without the entries: what has ended leaves a count by itself, second by second. Times are
/// as in the table.
pub(super) struct Caps {
    shards: Sharded<Mutex<Shard>, SHARDS>,
    aggregate: u64,
    /// Entries counted by the shards; some may have ended since the shard was last asked.
    counted: AtomicU64,
    /// The second at which every shard last dropped what had ended, so that a full store sweeps
    /// once a second at most. Zero where an entry that ends before it was added since, which a
    /// clock that went back can do: then the next sweep is due.
    swept_at: AtomicU32,
    /// Held by the one who sweeps.
    sweeping: Mutex<()>,
}

/// A part of the keys, by hash, and the entries of all of them.
#[derive(Default)]
#[repr(align(64))]
struct Shard {
    keys: HashTable<Key>,
    counts: ExpiryCounts,
}

struct Key {
    id: Id,
    counts: ExpiryCounts,
}

impl Caps {
    pub(super) fn new(aggregate: u64) -> Self {
        Self {
            shards: Sharded::default(),
            aggregate,
            counted: AtomicU64::new(0),
            swept_at: AtomicU32::new(0),
            sweeping: Mutex::new(()),
        }
    }

    pub(super) fn aggregate(&self) -> u64 {
        self.aggregate
    }

    pub(super) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Takes one place of the key's cap and one of the aggregate's until `end`, or neither.
    ///
    /// # Errors
    /// The cap that is reached.
    pub(super) fn reserve(
        &self,
        key: Id,
        end: u32,
        cap: u64,
        now: u32,
    ) -> Result<(), InsertOutcome> {
        match self.try_reserve(key, end, cap, now) {
            Err(InsertOutcome::AggregateCapReached) => {
                self.sweep(now);
                self.try_reserve(key, end, cap, now)
            }
            reserved => reserved,
        }
    }

    /// Whether the key has `cap` live entries, or the store is full.
    pub(super) fn reached(&self, key: Id, cap: u64, now: u32) -> bool {
        if self.counted() >= self.aggregate {
            self.sweep(now);
            if self.counted() >= self.aggregate {
                return true;
            }
        }
        let mut shard = self.shard(key).lock();
        let known = shard.keys.find_mut(key.hash(), |known| known.id == key);
        let live = known.map_or(0, |known| {
            known.counts.drop_ended(now);
            known.counts.live()
        });
        live >= cap
    }

    /// How many entries are live.
    pub(super) fn live(&self, now: u32) -> u64 {
        self.shards.iter().map(|shard| self.drop_ended(&mut shard.lock().counts, now)).sum()
    }

    /// Forgets keys without a live entry and gives their memory back.
    pub(super) fn purge(&self, now: u32) {
        for shard in self.shards.iter() {
            let mut shard = shard.lock();
            self.drop_ended(&mut shard.counts, now);
            shard.counts.shrink();
            shard.remove_idle_keys(now);
            shard.keys.iter_mut().for_each(|key| key.counts.shrink());
            shard.keys.shrink_to_fit(Key::hash);
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let of_shard = |shard: &Mutex<Shard>| {
            let shard = shard.lock();
            let keys: usize = shard.keys.iter().map(|key| key.counts.heap_bytes()).sum();
            shard.keys.allocation_size() + keys + shard.counts.heap_bytes()
        };
        self.shards.heap_bytes() + self.shards.iter().map(of_shard).sum::<usize>()
    }

    fn try_reserve(&self, key: Id, end: u32, cap: u64, now: u32) -> Result<(), InsertOutcome> {
        let mut shard = self.shard(key).lock();
        self.drop_ended(&mut shard.counts, now);
        shard.make_room(now);
        let Shard { keys, counts: all } = &mut *shard;
        let mut known = match keys.entry(key.hash(), |known| known.id == key, Key::hash) {
            Entry::Occupied(known) => known,
            Entry::Vacant(_) if cap == 0 => return Err(InsertOutcome::KeyCapReached),
            Entry::Vacant(new) => new.insert(Key { id: key, counts: ExpiryCounts::default() }),
        };
        let counts = &mut known.get_mut().counts;
        counts.drop_ended(now);
        if counts.live() >= cap {
            return Err(InsertOutcome::KeyCapReached);
        }
        let reserve = |counted: u64| (counted < self.aggregate).then_some(counted + 1);
        if self.counted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).is_err() {
            return Err(InsertOutcome::AggregateCapReached);
        }
        counts.add(end);
        all.add(end);
        // Under the shard's lock: a sweep that is under way either has passed this shard, and its
        // second is seen here, or drops the entry itself.
        if end <= self.swept_at.load(Ordering::Relaxed) {
            self.swept_at.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes what has ended out of the aggregate count. The counts are per second, so this touches
    /// no entry.
    fn sweep(&self, now: u32) {
        let _alone = self.sweeping.lock();
        if now != self.swept_at.load(Ordering::Relaxed) {
            self.swept_at.store(now, Ordering::Relaxed);
            self.live(now);
        }
    }

    fn drop_ended(&self, counts: &mut ExpiryCounts, now: u32) -> u64 {
        let ended = counts.drop_ended(now);
        if ended > 0 {
            self.counted.fetch_sub(ended, Ordering::Relaxed);
        }
        counts.live()
    }

    fn shard(&self, key: Id) -> &Mutex<Shard> {
        self.shards.of(key.shard_hash())
    }
}

impl Shard {
    /// Once the table of keys is full, those without a live entry leave it, and a quarter is to
    /// spare.
    fn make_room(&mut self, now: u32) {
        if self.keys.len() == self.keys.capacity() {
            self.remove_idle_keys(now);
            self.keys.reserve(self.keys.len() / 4 + 1, Key::hash);
        }
    }

    fn remove_idle_keys(&mut self, now: u32) {
        self.keys.retain(|key| {
            key.counts.drop_ended(now);
            key.counts.live() > 0
        });
    }
}

impl Key {
    fn hash(&self) -> u64 {
        self.id.hash()
    }
}
