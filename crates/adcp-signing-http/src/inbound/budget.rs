//! `BodyBudget`: how many bytes of bodies a server holds at once, over all its connections.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// How many bytes of bodies may be held, where nothing else is set.
const DEFAULT_BYTES: usize = 256 * 1024 * 1024;

/// A bound on the bytes that are held at once. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct BodyBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    limit: usize,
    held: AtomicUsize,
}

impl BodyBudget {
    pub(crate) fn of(limit: usize) -> Self {
        Self(Arc::new(Budget { limit, held: AtomicUsize::new(0) }))
    }

    /// The most bytes that one body can have.
    pub(crate) fn limit(&self) -> usize {
        self.0.limit
    }

    /// The account of one body, which has no bytes yet.
    pub(crate) fn open(&self) -> Held {
        Held { budget: Arc::clone(&self.0), bytes: 0 }
    }
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::of(DEFAULT_BYTES)
    }
}

/// The bytes that one body takes of a budget. Dropped, it gives them back.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    /// Takes as many bytes more. Returns whether the budget had them.
    #[must_use]
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let Budget { limit, held } = &*self.budget;
        let taken = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|sum| sum <= limit)
        });
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_a_budget_and_give_back_what_they_took() {
        let budget = BodyBudget::of(10);
        let (mut first, mut second) = (budget.open(), budget.clone().open());
        assert!(first.take(6) && second.take(4));
        assert!(!first.take(1), "a budget that is used up");
        assert!(first.take(0));
        drop(second);
        assert!(!first.take(5), "more than is left");
        assert!(first.take(4));
        drop(first);
        assert!(!budget.open().take(11), "more than the whole budget");
        assert!(!budget.open().take(usize::MAX));
        assert!(budget.open().take(10));
    }
}
