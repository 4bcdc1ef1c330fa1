//! How many entries are live, counted by the second in which they end.

use std::collections::VecDeque;

/// Live entries by the first second in which they have ended, in ascending order of it.
///
/// A signature lives at most seven minutes, so there are a few hundred buckets at most, one for a
/// keyid with one entry, and a new entry nearly always lands at or next to the back.
#[derive(Debug, Default)]
pub(super) struct ExpiryCounts {
    buckets: VecDeque<(u32, u32)>,
    live: u64,
}

impl ExpiryCounts {
    /// Entries counted and not yet dropped.
    pub(super) fn live(&self) -> u64 {
        self.live
    }

    /// Counts an entry that ends at `end`.
    pub(super) fn add(&mut self, end: u32) {
        self.live += 1;
        // Signers that give their signatures the same life end them in the order in which they send
        // them.
        match self.buckets.back_mut() {
            Some((second, count)) if *second == end => *count = count.saturating_add(1),
            Some((second, _)) if *second > end => self.add_before_back(end),
            _ => self.buckets.push_back((end, 1)),
        }
    }

    /// Drops what has ended at `now`; answers how many entries that were.
    pub(super) fn drop_ended(&mut self, now: u32) -> u64 {
        let mut dropped = 0;
        while let Some((second, count)) = self.buckets.front().copied() {
            if second > now {
                break;
            }
            self.buckets.pop_front();
            dropped += u64::from(count);
        }
        self.live -= dropped;
        dropped
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<(u32, u32)>()
    }

    /// Gives back unused memory.
    pub(super) fn shrink(&mut self) {
        self.buckets.shrink_to_fit();
    }

    fn add_before_back(&mut self, end: u32) {
        match self.buckets.binary_search_by_key(&end, |(second, _)| *second) {
            Ok(at) => {
                if let Some((_, count)) = self.buckets.get_mut(at) {
                    *count = count.saturating_add(1);
                }
            }
            Err(at) => self.buckets.insert(at, (end, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_dropped_when_they_end_and_not_before() {
        let mut counts = ExpiryCounts::default();
        for end in [30, 10, 20, 10, 30, 5] {
            counts.add(end);
        }
        assert_eq!(counts.live(), 6);
        let dropped: Vec<u64> =
            [4, 5, 9, 10, 29, 30].iter().map(|now| counts.drop_ended(*now)).collect();
        assert_eq!(dropped, [0, 1, 0, 2, 1, 2]);
        assert_eq!(counts.live(), 0);
    }

    #[test]
    fn a_clock_that_went_back_drops_nothing() {
        let mut counts = ExpiryCounts::default();
        counts.add(10);
        counts.drop_ended(9);
        assert_eq!(counts.drop_ended(3), 0);
        assert_eq!(counts.live(), 1);
    }
}
