//! The live entries of one shard: a hash table of cache lines, in which the place of an entry that
//! has ended is free.
//!
//! # Why not a table from a crate
//!
//! An insert is one search for the entry and one write next to where the search began, so it
//! usually touches one cache line. A general table needs a pass to remove what has ended: with
//! `hashbrown`, measured in the same run, an insert among 10^6 live entries took 423 ns where this
//! took 341, at the same memory (`docs/performance.md`). The target is 300 ns on an idle machine.
//!
//! # Layout
//!
//! The table is a circle of buckets. A bucket is one cache line: three slots of an identity (128
//! bits of keyed hash, so an attacker can aim at no bucket) and the second in which the entry ends,
//! and one mark, `passed_to`. All times are the first second in which something is over: an entry
//! that ends at 10 lives at 9 and no longer at 10. An empty slot ended at 0.
//!
//! # The life of an entry
//!
//! 1. **Search.** [`Table::look_up`] starts at the bucket that the hash names, its home, and goes
//!    on bucket by bucket. A live slot with the identity is a replay.
//! 2. **Insert.** Otherwise the entry goes to the first slot on that way that is over, whatever
//!    lay there. Each bucket on the way that had no such slot raises its `passed_to` to the entry's
//!    end: until then somebody who has this bucket on the way may lie behind it.
//! 3. **End.** Nothing happens. Its slot now counts as free, and the marks that it raised are over
//!    in the same second. There is no removal and there are no tombstones.
//! 4. **Growth.** When three quarters of the slots may live, for all that is known since the last
//!    estimate, [`Table::make_room`] estimates how many do. At 55 % it moves them to a table in
//!    which they are 45 %. [`Table::purge`] moves them to one that is a half larger than they need.
//!
//! # Invariants
//!
//! - *I1.* An entry whose slot was not overwritten lies on its way behind buckets whose `passed_to`
//!   is at least its end. Insert makes it so; marks are only ever raised, and a move inserts anew.
//! - *I2.* So a search may stop at a bucket whose mark is over, once it has a free slot: a live
//!   entry behind it would have kept the mark alive.
//! - *I3.* Only slots that are over are overwritten or dropped, and `forgotten_to` is the latest end
//!   among all that ever were. (A move also drops an entry for which it finds no place, which cannot
//!   happen, and then counts it as forgotten.)
//!
//! # Why nothing live can be forgotten
//!
//! Let an entry that ends at *e* have been inserted, and be asked for at *now* < *e*. While its slot
//! is untouched it is found, by I1 and I2. Where it was overwritten or dropped, `forgotten_to` is at
//! least *e* by I3. A signature ends when it ends, so a replay of it asks with the same *e*:
//! [`Table::has_forgotten`] is true of it and the store refuses. As long as time goes forward the
//! second case is only met after the entry has ended, since what was dropped was over at some earlier
//! *now*. The refusal therefore costs no honest message.
//!
//! # What a jump of the clock does
//!
//! - *Forward*, entries end early and their slots are reused. When the clock comes back, those that
//!   were not overwritten live again and are found; for the others the store refuses whatever ends
//!   by `forgotten_to`, until the clock has passed it. Honest new messages that end by then are
//!   refused as well: the store cannot tell them from replays, and fails closed.
//! - *Back*, more slots live than were counted, and possibly all of them. `look_up` then makes a
//!   larger table. Two copies of one entry may live, from before and after a jump; a search stops at
//!   the first live one it meets, and a move keeps both, so the later is never hidden.
//! - The counts of the caps (`caps.rs`) drop what has ended at the latest time they saw and do not
//!   take it back. After a jump back a cap may thus count too few, and admit more, but each message
//!   once.
//!
//! The model tests, here and in `mod.rs`, compare table and store with a `HashMap` that never
//! forgets, while the clock jumps both ways.

use super::super::identity::Id;

/// Three entries of 20 bytes and the mark of 4 fill a cache line.
const SLOTS: usize = 3;

/// How many buckets tell how full a table is. Hashes spread evenly, so these are right to a few
/// percent.
const SAMPLE: usize = 512;

#[derive(Default)]
#[repr(align(64))]
pub(super) struct Table {
    buckets: Box<[Bucket]>,
    /// How many inserts are left until the live entries are estimated again.
    room: usize,
    /// The latest end of an entry that was overwritten or dropped. What ends by then may be a
    /// replay of it.
    forgotten_to: u32,
}

#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Bucket {
    ids: [Id; SLOTS],
    /// When the entry of each slot ends; 0 where there never was one.
    ends: [u32; SLOTS],
    /// The latest end of the entries that found this bucket full and lie behind it.
    passed_to: u32,
}

/// What [`Table::look_up`] found.
pub(super) enum Lookup {
    /// A live entry.
    Known,
    /// No live entry, and where to put one. Good until the table changes.
    Vacant(Place),
}

pub(super) struct Place {
    home: usize,
    /// How many buckets after its home.
    distance: usize,
    slot: usize,
}

/// The place is not one of the table, which takes a bug in it.
#[derive(Debug)]
pub(super) struct Misplaced;

impl Table {
    pub(super) fn look_up(&mut self, id: Id, now: u32) -> Lookup {
        if self.room == 0 {
            self.make_room(now);
        }
        loop {
            if let Some(found) = self.probe(id, now) {
                return found;
            }
            // Every slot is live, which takes a clock that went back and revived what had ended.
            self.make_room(now);
        }
    }

    /// Whether an entry with this end may have been known and is no longer.
    pub(super) fn has_forgotten(&self, end: u32) -> bool {
        end <= self.forgotten_to
    }

    /// Remembers an entry.
    ///
    /// # Errors
    /// [`Misplaced`], and nothing is remembered.
    pub(super) fn put(&mut self, place: &Place, id: Id, end: u32) -> Result<(), Misplaced> {
        let Place { home, distance, slot } = *place;
        for distance in 0..distance {
            let at = self.behind(home, distance);
            let passed = self.buckets.get_mut(at).ok_or(Misplaced)?;
            passed.passed_to = passed.passed_to.max(end);
        }
        let at = self.behind(home, distance);
        let bucket = self.buckets.get_mut(at).ok_or(Misplaced)?;
        let to_id = bucket.ids.get_mut(slot).ok_or(Misplaced)?;
        let to_end = bucket.ends.get_mut(slot).ok_or(Misplaced)?;
        self.forgotten_to = self.forgotten_to.max(*to_end);
        (*to_id, *to_end) = (id, end);
        self.room = self.room.saturating_sub(1);
        Ok(())
    }

    /// Drops what has ended and gives back the memory that the rest does not need.
    pub(super) fn purge(&mut self, now: u32) {
        let live = live(&self.buckets, now);
        self.rebuild(now, live + live / 2);
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }

    /// `None` where every slot is live, or there is none.
    fn probe(&self, id: Id, now: u32) -> Option<Lookup> {
        let home = self.home(id);
        let mut vacant = None;
        for distance in 0..self.buckets.len() {
            let bucket = self.buckets.get(self.behind(home, distance))?;
            if bucket.holds(id, now) {
                return Some(Lookup::Known);
            }
            if vacant.is_none() {
                vacant = bucket.vacant(now).map(|slot| Place { home, distance, slot });
            }
            if vacant.is_some() && bucket.passed_to <= now {
                break;
            }
        }
        vacant.map(Lookup::Vacant)
    }

    /// The first free place of an entry that the table does not hold.
    fn vacancy(&self, id: Id, now: u32) -> Option<Place> {
        let home = self.home(id);
        (0..self.buckets.len()).find_map(|distance| {
            let slot = self.buckets.get(self.behind(home, distance))?.vacant(now)?;
            Some(Place { home, distance, slot })
        })
    }

    fn home(&self, id: Id) -> usize {
        ((u64::from(id.hash() as u32) * self.buckets.len() as u64) >> 32) as usize
    }

    /// The bucket so many after `home`; the first comes after the last.
    fn behind(&self, home: usize, distance: usize) -> usize {
        let at = home + distance;
        at.checked_sub(self.buckets.len()).unwrap_or(at)
    }

    /// Estimates how much lives, and makes a larger table once that is 55 % of the slots, in which
    /// it is 45 %: a bucket that was full stays passed for as long as an entry lives, so fuller
    /// tables have long searches. An insert pays a constant for both on average.
    fn make_room(&mut self, now: u32) {
        let slots = self.buckets.len() * SLOTS;
        let sample = self.buckets.get(..SAMPLE).unwrap_or(&self.buckets);
        let estimate = live(sample, now) * self.buckets.len() / sample.len().max(1);
        if estimate * 100 >= slots * 55 {
            self.rebuild(now, live(&self.buckets, now) * 100 / 45 + 1);
        } else {
            self.room = most(slots) - estimate;
        }
    }

    /// Moves what lives to a table of so many slots. Homes keep their order, so both tables are
    /// walked from front to back.
    fn rebuild(&mut self, now: u32, slots: usize) {
        let buckets = vec![Bucket::default(); slots.div_ceil(SLOTS)].into();
        let old = std::mem::replace(&mut self.buckets, buckets);
        self.room = most(self.buckets.len() * SLOTS);
        for (id, end) in old.iter().flat_map(Bucket::entries) {
            // Without a look for the same entry: a clock that went back may have revived an older
            // copy of it.
            let place = if end > now { self.vacancy(id, now) } else { None };
            let moved = place.is_some_and(|place| self.put(&place, id, end).is_ok());
            if !moved {
                self.forgotten_to = self.forgotten_to.max(end);
            }
        }
    }
}

fn live(buckets: &[Bucket], now: u32) -> usize {
    buckets.iter().flat_map(|bucket| bucket.ends).filter(|end| *end > now).count()
}

/// How many slots may live before the next estimate, in a store that grows.
fn most(slots: usize) -> usize {
    slots - slots / 4
}

impl Bucket {
    fn holds(&self, id: Id, now: u32) -> bool {
        self.entries().any(|(known, end)| known == id && end > now)
    }

    fn vacant(&self, now: u32) -> Option<usize> {
        self.ends.iter().position(|end| *end <= now)
    }

    fn entries(&self) -> impl Iterator<Item = (Id, u32)> {
        std::iter::zip(self.ids, self.ends)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Identities of three homes only, the last bucket among them.
    fn crowded(number: u32) -> Id {
        let home = [0, u128::from(u32::MAX), u128::from(u32::MAX / 2)];
        Id::from(u128::from(number) << 64 | home[number as usize % home.len()])
    }

    /// Whether the entry was new.
    fn insert(table: &mut Table, id: Id, end: u32, now: u32) -> bool {
        match table.look_up(id, now) {
            Lookup::Known => false,
            Lookup::Vacant(place) => {
                table.put(&place, id, end).unwrap();
                true
            }
        }
    }

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!((size_of::<Bucket>(), align_of::<Bucket>()), (64, 64));
    }

    #[test]
    fn the_place_of_what_has_ended_is_taken_again_even_behind_its_home() {
        let mut table = Table::default();
        for now in 0..1000 {
            assert!((0..30).all(|number| insert(
                &mut table,
                crowded(now * 30 + number),
                now + 2,
                now
            )));
            assert!((0..30).all(|number| !insert(
                &mut table,
                crowded(now * 30 + number),
                now + 2,
                now
            )));
        }
        assert!(table.buckets.len() <= 60, "{} buckets for 60 live entries", table.buckets.len());
    }

    #[test]
    fn a_clock_that_goes_back_revives_what_was_not_overwritten_and_finds_room_beside_it() {
        let mut table = Table::default();
        for number in 0..1000 {
            assert!(insert(&mut table, crowded(number), number + 1, number));
        }
        let live = |table: &mut Table| {
            (0..1000)
                .filter(|number| matches!(table.look_up(crowded(*number), 0), Lookup::Known))
                .count()
        };
        let revived = live(&mut table);
        assert!(revived > 0);
        for number in 1000..2000 {
            assert!(insert(&mut table, crowded(number), 5000, 0));
        }
        assert_eq!(live(&mut table), revived);
    }

    #[test]
    fn of_two_copies_that_a_clock_jump_revives_none_hides_the_later() {
        let mut table = Table::default();
        table.rebuild(0, 3 * SLOTS);
        let at_last_bucket = |number: u32| crowded(3 * number + 1);
        assert!((0..3).all(|number| insert(&mut table, at_last_bucket(number), 10, 0)));
        let twice = at_last_bucket(3);
        assert!(insert(&mut table, twice, 10, 0), "in the first bucket, behind the last");
        assert!(insert(&mut table, twice, 40, 20), "in the last bucket");
        table.purge(5);
        assert!(matches!(table.look_up(twice, 30), Lookup::Known));
    }

    #[test]
    fn a_purge_drops_what_has_ended_and_keeps_the_rest() {
        let mut table = Table::default();
        for number in 0..100 {
            assert!(insert(&mut table, crowded(number), if number < 90 { 10 } else { 20 }, 0));
        }
        let filled = table.heap_bytes();
        table.purge(10);
        assert!(table.heap_bytes() < filled / 5);
        assert!(
            (90..100).all(|number| matches!(table.look_up(crowded(number), 10), Lookup::Known))
        );
        assert!(table.has_forgotten(10) && !table.has_forgotten(11));
        table.purge(20);
        assert_eq!(table.heap_bytes(), 0);
    }

    proptest! {
        #[test]
        fn what_lives_is_found_or_known_to_be_forgotten_however_the_clock_jumps(
            steps in prop::collection::vec((0..60_u32, 0..100_u32, 1..40_u32, 0..50_u8), 1..400),
        ) {
            let mut table = Table::default();
            let mut ends = HashMap::new();
            for (number, now, life, purge) in steps {
                if purge == 0 {
                    table.purge(now);
                }
                let id = crowded(number);
                let known = ends.get(&number).copied().filter(|end| *end > now);
                match table.look_up(id, now) {
                    Lookup::Known => prop_assert!(known.is_some()),
                    Lookup::Vacant(place) => {
                        if let Some(end) = known {
                            prop_assert!(table.has_forgotten(end));
                        }
                        let end = now + life;
                        if !table.has_forgotten(end) {
                            table.put(&place, id, end).unwrap();
                            ends.insert(number, end);
                        }
                    }
                }
            }
        }

        #[test]
        fn where_the_clock_moves_on_only_what_lives_is_found(
            steps in prop::collection::vec((0..60_u32, 0..3_u32, 1..40_u32), 1..400),
        ) {
            let mut table = Table::default();
            let mut ends = HashMap::new();
            let mut now = 0;
            for (number, passed, life) in steps {
                now += passed;
                let is_new = ends.get(&number).is_none_or(|end| *end <= now);
                prop_assert_eq!(insert(&mut table, crowded(number), now + life, now), is_new);
                if is_new {
                    ends.insert(number, now + life);
                }
            }
        }
    }
}
