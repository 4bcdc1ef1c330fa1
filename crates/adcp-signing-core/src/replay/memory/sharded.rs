//! A fixed number of parts, of which each hash has one.

/// `N` parts, so that threads seldom wait for each other. Selecting one cannot fail: the last part
/// lies apart from the others, and there is always a last one.
pub(super) struct Sharded<T, const N: usize> {
    others: Box<[T]>,
    last: T,
}

impl<T: Default, const N: usize> Default for Sharded<T, N> {
    fn default() -> Self {
        const { assert!(N > 0, "a hash needs a part to belong to") };
        Self { others: (1..N).map(|_| T::default()).collect(), last: T::default() }
    }
}

impl<T, const N: usize> Sharded<T, N> {
    /// The part that a hash belongs to. Equal hashes have the same part.
    pub(super) fn of(&self, hash: u64) -> &T {
        self.others.get(hash as usize % N).unwrap_or(&self.last)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.others.iter().chain([&self.last])
    }

    /// Bytes on the heap, without what the parts have there.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.others)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn every_part_is_selected_by_as_many_hashes() {
        let parts = Sharded::<Cell<u32>, 7>::default();
        assert_eq!(parts.iter().count(), 7);
        for hash in (0..70).chain(u64::MAX / 7 * 7 - 70..u64::MAX / 7 * 7) {
            let part = parts.of(hash);
            part.set(part.get() + 1);
        }
        assert!(parts.iter().all(|part| part.get() == 20));
        let one = Sharded::<u8, 1>::default();
        assert!([0, 5, u64::MAX].into_iter().all(|hash| std::ptr::eq(one.of(hash), &one.last)));
    }
}
