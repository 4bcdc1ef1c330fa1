//! How many entries are live, counted by the second in which they end.

use std::collections::VecDeque;

/// Live entries by last second, in ascending order of it.
///
/// A signature lives at most seven minutes, so there are a few hundred buckets at most, one for a keyid with one entry,
/// and a new entry nearly always lands at or next to the back.
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

    /// Counts an entry that lives up to and with the second `last`.
    pub(super) fn add(&mut self, last: u32) {
        self.live += 1;
        let at = self.buckets.iter().rposition(|(second, _)| *second <= last);
        match at.and_then(|at| self.buckets.get_mut(at)) {
            Some((second, count)) if *second == last => *count = count.saturating_add(1),
            _ => self.buckets.insert(at.map_or(0, |at| at + 1), (last, 1)),
        }
    }

    /// Drops what ended before `now`; answers how many entries that were.
    pub(super) fn drop_before(&mut self, now: u32) -> u64 {
        let mut dropped = 0;
        while let Some((second, count)) = self.buckets.front().copied() {
            if second >= now {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_dropped_only_after_their_last_second() {
        let mut counts = ExpiryCounts::default();
        for last in [30, 10, 20, 10, 30, 5] {
            counts.add(last);
        }
        assert_eq!(counts.live(), 6);
        let dropped: Vec<u64> = [5, 6, 10, 11, 30, 31].iter().map(|now| counts.drop_before(*now)).collect();
        assert_eq!(dropped, [0, 1, 0, 2, 1, 2]);
        assert_eq!(counts.live(), 0);
    }

    #[test]
    fn a_clock_that_went_back_drops_nothing() {
        let mut counts = ExpiryCounts::default();
        counts.add(10);
        counts.drop_before(9);
        assert_eq!(counts.drop_before(3), 0);
        assert_eq!(counts.live(), 1);
    }
}
