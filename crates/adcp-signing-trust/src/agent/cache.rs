//! What was fetched, by name: one flight for each, held within bounds, failures for a short while.

use std::{collections::HashMap, sync::Arc};

use adcp_signing_core::UnixSeconds;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Mutex as Flight;

use super::error::DiscoveryError;
use crate::jwks::within;

/// How long a failure is remembered, in seconds. The specification allows 60.
const FAILED_FOR: i64 = 30;

pub(super) type Outcome<T> = Result<Arc<T>, Arc<DiscoveryError>>;

/// What came of a fetch: the value, and for how many seconds it is fresh.
pub(super) struct Fetched<T> {
    pub(super) value: Arc<T>,
    pub(super) fresh_for: i64,
}

/// What is held, and when it was fetched.
#[derive(Debug, Clone)]
pub(super) struct Known<T> {
    pub(super) outcome: Outcome<T>,
    pub(super) at: UnixSeconds,
    /// Nothing was fetched for this answer.
    pub(super) is_held: bool,
}

pub(super) struct Cache<T> {
    slots: Mutex<HashMap<String, Arc<Slot<T>>>>,
    max: usize,
    /// How long a value is held at most, in seconds.
    max_age: i64,
}

struct Slot<T> {
    /// Held by whoever fetches.
    flight: Flight<()>,
    state: RwLock<State<T>>,
}

struct State<T> {
    held: Option<Held<T>>,
    failed: Option<(UnixSeconds, Arc<DiscoveryError>)>,
}

struct Held<T> {
    value: Arc<T>,
    at: UnixSeconds,
    fresh_for: i64,
}

impl<T> Cache<T> {
    pub(super) fn new(max: usize, max_age: i64) -> Self {
        Self { slots: Mutex::default(), max: max.max(1), max_age }
    }

    pub(super) fn max_age(&self) -> i64 {
        self.max_age
    }

    /// The answer, where it is known without a fetch.
    pub(super) fn look(&self, name: &str, now: UnixSeconds) -> Option<Known<T>> {
        let slot = Arc::clone(self.slots.lock().get(name)?);
        let state = slot.state.read();
        state.look(now, self.max_age)
    }

    /// The answer, which this or another call fetches. `fetch` gets what is held of before, to ask
    /// whether it is still the same. A fetch that is dropped leaves no trace.
    pub(super) async fn get(
        &self,
        name: &str,
        clock: impl Fn() -> UnixSeconds,
        fetch: impl AsyncFnOnce(Option<Arc<T>>) -> Result<Fetched<T>, DiscoveryError>,
    ) -> Known<T> {
        let slot = self.slot(name, clock());
        if let Some(known) = slot.state.read().look(clock(), self.max_age) {
            return known;
        }
        let _flight = slot.flight.lock().await;
        if let Some(known) = slot.state.read().look(clock(), self.max_age) {
            return known;
        }
        let before = slot.state.read().held.as_ref().map(|held| Arc::clone(&held.value));
        let fetched = fetch(before).await;
        let now = clock();
        let outcome = slot.state.write().settle(fetched, now, self.max_age);
        Known { outcome, at: now, is_held: false }
    }

    fn slot(&self, name: &str, now: UnixSeconds) -> Arc<Slot<T>> {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get(name) {
            return Arc::clone(slot);
        }
        if slots.len() >= self.max {
            slots.retain(|_, slot| slot.is_in_use(now, self.max_age));
        }
        if slots.len() >= self.max {
            // The one that was fetched first, of those that nobody waits for.
            let oldest = slots
                .iter()
                .filter(|(_, slot)| Arc::strong_count(slot) == 1)
                .min_by_key(|(_, slot)| slot.state.read().at().map(UnixSeconds::as_i64))
                .map(|(name, _)| name.clone());
            oldest.and_then(|name| slots.remove(&name));
        }
        let slot = Arc::new(Slot {
            flight: Flight::default(),
            state: RwLock::new(State { held: None, failed: None }),
        });
        slots.insert(name.to_owned(), Arc::clone(&slot));
        slot
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.slots.lock().len()
    }
}

impl<T> Slot<T> {
    fn is_in_use(self: &Arc<Self>, now: UnixSeconds, max_age: i64) -> bool {
        Arc::strong_count(self) > 1 || self.state.read().look(now, max_age).is_some()
    }
}

impl<T> State<T> {
    fn look(&self, now: UnixSeconds, max_age: i64) -> Option<Known<T>> {
        let held = self.held.as_ref().filter(|held| within(held.at, max_age, now));
        let failed = self.failed.as_ref().filter(|(at, _)| within(*at, FAILED_FOR, now));
        match (held, failed) {
            // What cannot be reached for a while is still what it was, within the bound. A document
            // that is wrong has replaced it.
            (Some(held), Some(_)) => Some(held.known()),
            (_, Some((at, failed))) => {
                Some(Known { outcome: Err(Arc::clone(failed)), at: *at, is_held: true })
            }
            (Some(held), None) if within(held.at, held.fresh_for, now) => Some(held.known()),
            _ => None,
        }
    }

    /// Takes what came of a fetch, and answers with what counts now.
    fn settle(
        &mut self,
        fetched: Result<Fetched<T>, DiscoveryError>,
        now: UnixSeconds,
        max_age: i64,
    ) -> Outcome<T> {
        match fetched {
            Ok(Fetched { value, fresh_for }) => {
                self.held = Some(Held { value: Arc::clone(&value), at: now, fresh_for });
                self.failed = None;
                Ok(value)
            }
            Err(error) => {
                // A document that is wrong now replaces what it was; one that is late does not.
                let is_late = error.is_transient();
                self.held.take_if(|held| !is_late || !within(held.at, max_age, now));
                let error = Arc::new(error);
                self.failed = Some((now, Arc::clone(&error)));
                self.held.as_ref().map(|held| Arc::clone(&held.value)).ok_or(error)
            }
        }
    }

    fn at(&self) -> Option<UnixSeconds> {
        let held = self.held.as_ref().map(|held| held.at);
        held.or_else(|| self.failed.as_ref().map(|(at, _)| *at))
    }
}

impl<T> Held<T> {
    fn known(&self) -> Known<T> {
        Known { outcome: Ok(Arc::clone(&self.value)), at: self.at, is_held: true }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::agent::FetchFailure;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

    fn late() -> DiscoveryError {
        DiscoveryError::CapabilitiesUnreachable {
            agent_url: "https://x.example/".parse().unwrap(),
            cause: FetchFailure::other("late".to_owned(), NOW).into(),
        }
    }

    fn wrong() -> DiscoveryError {
        DiscoveryError::BrandJsonUrlMissing { agent_url: "https://x.example/".parse().unwrap() }
    }

    fn value(value: i32, fresh_for: i64) -> Result<Fetched<i32>, DiscoveryError> {
        Ok(Fetched { value: Arc::new(value), fresh_for })
    }

    /// What the cache answers at a time, if a fetch would end like this.
    async fn get(
        cache: &Cache<i32>,
        after: i64,
        fetched: Result<Fetched<i32>, DiscoveryError>,
    ) -> Result<i32, &'static str> {
        let known = cache.get("x", || NOW.plus(after), async |_| fetched).await;
        known.outcome.map(|value| *value).map_err(|error| error.code())
    }

    const LATE: Result<i32, &str> = Err("request_signature_capabilities_unreachable");
    const WRONG: Result<i32, &str> = Err("request_signature_brand_json_url_missing");

    #[tokio::test]
    async fn a_value_is_held_while_it_is_fresh_and_never_beyond_its_bound() {
        let cache = Cache::new(10, 300);
        assert_eq!(get(&cache, 0, value(1, 100)).await, Ok(1));
        assert_eq!(get(&cache, 100, value(2, 100)).await, Ok(1));
        assert_eq!(get(&cache, 101, value(2, 100)).await, Ok(2));
        // What is late is still what it was, until the bound.
        assert_eq!(get(&cache, 202, Err(late())).await, Ok(2));
        assert_eq!(get(&cache, 232, value(3, 100)).await, Ok(2), "the failure is remembered");
        assert_eq!(get(&cache, 402, Err(late())).await, LATE);
        assert!(cache.look("x", NOW.plus(402)).is_some());
        assert_eq!(get(&cache, 433, value(4, 100)).await, Ok(4));
        // A failure within the bound keeps nothing beyond it.
        assert_eq!(get(&cache, 720, Err(late())).await, Ok(4));
        assert_eq!(get(&cache, 733, Err(late())).await, Ok(4));
        assert_eq!(get(&cache, 734, Err(late())).await, LATE);
        // A clock that went back holds nothing.
        assert!(cache.look("x", NOW).is_none());
    }

    #[tokio::test]
    async fn what_is_wrong_now_replaces_what_it_was() {
        let cache = Cache::new(10, 300);
        assert_eq!(get(&cache, 0, value(1, 10)).await, Ok(1));
        assert_eq!(get(&cache, 11, Err(wrong())).await, WRONG);
        assert_eq!(get(&cache, 41, value(2, 10)).await, WRONG);
        assert_eq!(get(&cache, 42, Err(late())).await, LATE, "nothing is held to fall back on");
    }

    #[tokio::test]
    async fn one_flight_serves_all_who_wait() {
        let cache = Cache::new(10, 300);
        let fetches = AtomicUsize::new(0);
        let all = (0..100).map(|_| {
            cache.get(
                "x",
                || NOW,
                async |_| {
                    fetches.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Err::<Fetched<i32>, _>(late())
                },
            )
        });
        let all = join_all(all).await;
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
        assert!(all.iter().all(|known| known.outcome.is_err()));
    }

    #[tokio::test]
    async fn a_flight_that_is_dropped_leaves_the_next_one_free() {
        let cache = Cache::<i32>::new(10, 300);
        let mut dropped = Box::pin(cache.get("x", || NOW, async |_| std::future::pending().await));
        assert!(futures_util::poll!(&mut dropped).is_pending());
        drop(dropped);
        assert_eq!(get(&cache, 0, value(1, 10)).await, Ok(1));
    }

    #[tokio::test]
    async fn no_more_is_held_than_there_may_be() {
        let cache = Cache::new(2, 300);
        for (after, name) in ["a", "b", "c"].into_iter().enumerate() {
            let at = NOW.plus(i64::try_from(after).unwrap());
            cache.get(name, || at, async |_| value(1, 300)).await;
        }
        assert_eq!(cache.len(), 2);
        assert!(cache.look("a", NOW.plus(2)).is_none());
        assert!(cache.look("c", NOW.plus(2)).is_some());
    }
}
