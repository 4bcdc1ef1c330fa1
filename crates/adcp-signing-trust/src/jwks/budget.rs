//! Which keys are held, over all sets: how many, and whose a `kid` is.

use std::{
    collections::{BTreeMap, HashMap, hash_map::RandomState},
    hash::BuildHasher as _,
    sync::{Arc, atomic::Ordering},
};

use parking_lot::RwLock;

use super::source::JwksSource;

/// The most keys of one set that core reads.
const MAX_KEYS_OF_A_SET: usize = 1000;

/// Counts the keys of all sets, and drops the sets that were fetched first where there are too
/// many. A set that is dropped is fetched again when it is needed, so nothing is lost but time.
pub(crate) struct Budget {
    max: usize,
    held: RwLock<Held>,
    hasher: RandomState,
}

#[derive(Default)]
struct Held {
    keys: usize,
    next: u64,
    /// The sets in the order in which they were fetched.
    order: BTreeMap<u64, (Arc<JwksSource>, usize)>,
    /// Whose sets have a `kid` with this hash.
    by_kid: HashMap<u64, Vec<Arc<JwksSource>>>,
}

/// Whose sets have a key of one name.
pub(super) enum Holders {
    Nobody,
    One(Arc<JwksSource>),
    Several,
}

impl Budget {
    pub(crate) const MAX_KEYS: usize = 1_000_000;
    /// What a source has that is not in the order.
    pub(super) const NO_TICKET: u64 = u64::MAX;
    /// What a source has whose keys are not wanted any more.
    const RETIRED: u64 = u64::MAX - 1;

    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(MAX_KEYS_OF_A_SET),
            held: RwLock::default(),
            hasher: RandomState::new(),
        }
    }

    /// How many keys are held.
    pub(super) fn keys(&self) -> usize {
        self.held.read().keys
    }

    /// How many sets are held.
    pub(super) fn sets(&self) -> usize {
        self.held.read().order.len()
    }

    /// Whose sets, as they were seen last, have a key of this name.
    pub(super) fn holders(&self, kid: &str) -> Holders {
        let held = self.held.read();
        let named = held.by_kid.get(&self.hasher.hash_one(kid));
        let mut named = named.into_iter().flatten().filter(|source| source.has(kid));
        match (named.next(), named.next()) {
            (None, _) => Holders::Nobody,
            (Some(one), None) => Holders::One(Arc::clone(one)),
            (Some(_), Some(_)) => Holders::Several,
        }
    }

    /// Counts a set that was just fetched and is put in its place by `settle`, and drops others
    /// until there is room.
    pub(super) fn hold(&self, source: &Arc<JwksSource>, keys: usize, settle: impl FnOnce()) {
        let mut dropped = Vec::new();
        let mut held = self.held.write();
        let ticket = source.ticket();
        let is_retired = ticket.load(Ordering::Relaxed) == Self::RETIRED;
        held.remove(source, &self.hasher);
        settle();
        if is_retired {
            dropped.push(source.take_keys());
        } else {
            source.for_each_kid(|kid| {
                let named = held.by_kid.entry(self.hasher.hash_one(kid)).or_default();
                named.push(Arc::clone(source));
            });
            ticket.store(held.next, Ordering::Relaxed);
            let ticket = held.next;
            held.order.insert(ticket, (Arc::clone(source), keys));
            held.next += 1;
            held.keys += keys;
        }
        while held.keys > self.max {
            let Some((_, (first, _))) = held.order.first_key_value() else { break };
            let first = Arc::clone(first);
            held.remove(&first, &self.hasher);
            first.ticket().store(Self::NO_TICKET, Ordering::Relaxed);
            dropped.push(first.take_keys());
        }
        // Many keys take a while to drop.
        drop(held);
        drop(dropped);
    }

    /// Counts a set no longer, nor one that is still being fetched for this source.
    pub(super) fn retire(&self, source: &JwksSource) {
        let mut held = self.held.write();
        held.remove(source, &self.hasher);
        source.ticket().store(Self::RETIRED, Ordering::Relaxed);
    }
}

impl Held {
    /// Takes a set out of the count, before its keys are.
    fn remove(&mut self, source: &JwksSource, hasher: &RandomState) {
        let ticket = source.ticket().load(Ordering::Relaxed);
        let Some((_, keys)) = self.order.remove(&ticket) else { return };
        self.keys = self.keys.saturating_sub(keys);
        source.for_each_kid(|kid| {
            let hash = hasher.hash_one(kid);
            if let Some(named) = self.by_kid.get_mut(&hash) {
                named.retain(|other| !std::ptr::eq(&**other, source));
                if named.is_empty() {
                    self.by_kid.remove(&hash);
                }
            }
        });
    }
}
