use std::{
    collections::HashMap,
    sync::{Arc, Barrier},
    thread,
};

use InsertOutcome::{AggregateCapReached, Inserted, KeyCapReached, Replayed};
use futures_executor::block_on;
use proptest::prelude::*;

use super::*;

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const LAST: UnixSeconds = NOW.plus(360);
const THUMBPRINT: [u8; 32] = [7; 32];

fn key(keyid: &str) -> ReplayKey<'_> {
    ReplayKey::new(keyid, &THUMBPRINT)
}

impl InMemoryReplayStore {
    fn put(
        &self,
        keyid: &str,
        nonce: &str,
        last: UnixSeconds,
        cap: u64,
        now: UnixSeconds,
    ) -> InsertOutcome {
        self.insert_now(ReplayEntry::restore(key(keyid), nonce, last, cap), now).unwrap()
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
fn keyid_and_nonce_are_no_other_split_of_one_text() {
    let store = InMemoryReplayStore::new();
    for (keyid, nonce) in [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", "")] {
        assert_eq!(store.put(keyid, nonce, LAST, 10, NOW), Inserted, "{keyid} {nonce}");
    }
    assert_eq!(store.len(NOW), 4);
}

#[test]
fn two_keys_of_one_name_share_neither_nonces_nor_caps() {
    let store = InMemoryReplayStore::new();
    let [a, b] = [[1; 32], [2; 32]];
    let put = |thumbprint, nonce| {
        let key = ReplayKey::new("same", thumbprint);
        store.insert_now(ReplayEntry::restore(key, nonce, LAST, 2), NOW).unwrap()
    };
    let reached =
        |thumbprint| store.cap_reached_now(ReplayKey::new("same", thumbprint), 2, NOW).unwrap();
    assert_eq!((put(&a, "1"), put(&b, "1"), put(&a, "2")), (Inserted, Inserted, Inserted));
    assert_eq!((put(&a, "1"), put(&b, "1")), (Replayed, Replayed));
    assert_eq!((put(&a, "3"), reached(&a), reached(&b)), (KeyCapReached, true, false));
    assert_eq!((put(&b, "3"), reached(&b)), (Inserted, true));
}

#[test]
fn one_public_key_has_one_identity_whoever_publishes_it() {
    use crate::{
        keys::{Algorithm, KeyPurpose},
        provider::InMemoryProvider,
        resolver::VerificationKey,
    };
    let provider =
        InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    let of = |agent_url| {
        let key = VerificationKey::from_jwk("same", &provider.jwk());
        key.with_agent_url(agent_url).unwrap()
    };
    let (first, again) = (of("https://a.example/"), of("https://b.example/"));
    let store = InMemoryReplayStore::new();
    let put = |key: &VerificationKey, nonce| {
        let key = ReplayKey::new(key.kid(), key.thumbprint().unwrap());
        store.insert_now(ReplayEntry::restore(key, nonce, LAST, 2), NOW).unwrap()
    };
    assert_eq!((put(&first, "1"), put(&again, "1")), (Inserted, Replayed));
    assert_eq!((put(&again, "2"), put(&first, "3")), (Inserted, KeyCapReached));
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
    assert!(store.cap_reached_now(key("key"), 1, NOW).unwrap());
    assert!(store.cap_reached_now(key("unknown"), 1, NOW).unwrap(), "the store is full");
    let later = NOW.plus(1);
    assert!(!store.cap_reached_now(key("key"), 1, later).unwrap());
    assert_eq!(store.put("key", "2", LAST, 1, later), Inserted);
    assert_eq!(store.put("other", "2", LAST, 1, later), Inserted);
    assert_eq!(store.put("third", "2", LAST, 1, later), AggregateCapReached);
    assert_eq!(store.len(later), 2);
}

#[test]
fn the_cap_read_changes_nothing() {
    let store = InMemoryReplayStore::new();
    assert!(!store.cap_reached_now(key("key"), 1, NOW).unwrap());
    assert!(store.cap_reached_now(key("key"), 0, NOW).unwrap());
    assert!(store.is_empty(NOW));
    assert_eq!(store.put("key", "nonce", LAST, 1, NOW), Inserted);
}

#[test]
fn what_may_have_been_forgotten_is_refused_when_the_clock_goes_back() {
    let store = InMemoryReplayStore::new();
    assert_eq!(store.put("key", "nonce", LAST, 10, NOW), Inserted);
    store.purge(LAST.plus(1));
    let again = store.insert_now(ReplayEntry::restore(key("key"), "nonce", LAST, 10), NOW);
    assert!(
        matches!(again, Err(StoreError::Forgotten { expires_at: LAST, now: NOW })),
        "{again:?}"
    );
}

#[test]
fn a_full_store_admits_again_once_entries_end_after_the_clock_came_back() {
    let store = InMemoryReplayStore::with_aggregate_cap(1);
    let year = 365 * 86_400;
    assert_eq!(store.put("a", "1", LAST.plus(year), 10, NOW.plus(year)), Inserted);
    assert_eq!(store.put("b", "1", LAST.plus(year), 10, NOW.plus(year)), AggregateCapReached);
    assert_eq!(store.put("b", "2", LAST, 10, NOW), AggregateCapReached, "a's entry lives");
    assert_eq!(store.len(LAST.plus(year + 1)), 0);
    assert_eq!(store.put("a", "3", LAST.plus(1), 10, LAST.plus(1)), Inserted);
    assert_eq!(store.put("b", "4", LAST.plus(1), 10, LAST.plus(1)), AggregateCapReached);
    assert_eq!(store.put("b", "5", LAST.plus(2), 10, LAST.plus(2)), Inserted, "a's has ended");
}

#[test]
fn times_that_cannot_be_held_are_refused() {
    let store = InMemoryReplayStore::new();
    for (last, now) in [(i64::MAX, 0), (1 << 32, 0), ((1 << 32) - 1, 0), (-1, -2), (10, -1)] {
        let entry = ReplayEntry::restore(key("key"), "nonce", UnixSeconds::new(last), 10);
        let outcome = store.insert_now(entry, UnixSeconds::new(now));
        assert!(
            matches!(outcome, Err(StoreError::TimeOutOfRange { .. })),
            "{last} {now}: {outcome:?}"
        );
    }
    let ended = store.insert_now(ReplayEntry::restore(key("key"), "nonce", NOW, 10), LAST);
    assert!(matches!(ended, Err(StoreError::Forgotten { .. })), "{ended:?}");
    store.purge(UnixSeconds::new(i64::MIN));
    assert_eq!(store.len(UnixSeconds::new(i64::MAX)), 0);
}

#[test]
fn the_first_and_the_last_second_are_held_like_any_other() {
    let store = InMemoryReplayStore::new();
    for second in [0, i64::from(u32::MAX) - 1].map(UnixSeconds::new) {
        assert_eq!(store.put("key", "nonce", second, 1, second), Inserted, "{second}");
        assert_eq!(store.put("key", "nonce", second, 1, second), Replayed, "{second}");
    }
}

#[test]
fn an_entry_costs_at_most_64_bytes_while_the_store_grows() {
    let store = InMemoryReplayStore::new();
    for nonce in 1..=100_000_usize {
        assert_eq!(store.put("key", &nonce.to_string(), LAST, u64::MAX, NOW), Inserted);
        if nonce >= 10_000 && nonce % 1000 == 0 {
            let bytes = store.memory_bytes();
            assert!(bytes <= nonce * 64, "{bytes} bytes for {nonce} entries");
        }
    }
}

#[test]
fn slow_traffic_leaves_nothing_behind() {
    let store = InMemoryReplayStore::new();
    let run = |seconds: std::ops::Range<i64>| {
        for second in seconds {
            let now = NOW.plus(second);
            let keyid = (second % 7).to_string();
            assert_eq!(store.put(&keyid, &second.to_string(), now.plus(360), 1000, now), Inserted);
        }
        store.memory_bytes()
    };
    let after_minutes = run(0..2_000);
    let after_hours = run(2_000..40_000);
    assert!(after_hours < after_minutes * 2, "{after_hours} after {after_minutes}");
}

#[test]
fn memory_of_ended_entries_is_reused_and_can_be_given_back() {
    let store = InMemoryReplayStore::new();
    let fill = |round: i64| {
        let now = NOW.plus(round * 1000);
        for nonce in 0..20_000 {
            assert_eq!(
                store.put("key", &nonce.to_string(), now.plus(360), u64::MAX, now),
                Inserted
            );
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
fn of_64_inserts_of_one_nonce_at_once_exactly_one_inserts() {
    let store: Arc<dyn ReplayStore> = Arc::new(InMemoryReplayStore::new());
    let start = Arc::new(Barrier::new(64));
    let insert = |_| {
        let (store, start) = (Arc::clone(&store), Arc::clone(&start));
        thread::spawn(move || {
            start.wait();
            let entry = ReplayEntry::restore(key("key"), "nonce", LAST, 1000);
            block_on(store.insert(entry, NOW)).unwrap()
        })
    };
    let threads: Vec<_> = (0..64).map(insert).collect();
    let outcomes: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Inserted).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Replayed).count(), 63);
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
        let threads: Vec<_> =
            (0..8).map(|at| thread::spawn(insert(at, Arc::clone(&store)))).collect();
        let outcomes: Vec<_> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Inserted).count(), 100);
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == refusal).count(), 700);
    }
}

#[tokio::test]
async fn the_trait_is_the_same_path() {
    let store: Arc<dyn ReplayStore> = Arc::new(InMemoryReplayStore::new());
    let entry = ReplayEntry::restore(key("key"), "nonce", LAST, 1);
    assert_eq!(store.insert(entry, NOW).await.unwrap(), Inserted);
    assert_eq!(store.insert(entry, NOW).await.unwrap(), Replayed);
    assert!(store.cap_reached(key("key"), 1, NOW).await.unwrap());
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

#[test]
fn a_full_store_takes_out_what_a_clock_that_went_back_has_added() {
    let (early, late) = (NOW, NOW.plus(100));
    let store = InMemoryReplayStore::with_aggregate_cap(1);
    assert_eq!(store.put("a", "1", early, 9, early), Inserted);
    assert!(!store.cap_reached_now(key("a"), 9, late).unwrap(), "swept at the late second");
    assert_eq!(store.put("b", "1", early.plus(1), 9, early), Inserted);
    assert_eq!(store.put("c", "1", LAST, 9, late), Inserted, "what has ended is taken out");
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

    /// Against a map that never forgets, while the clock jumps both ways and memory is given
    /// back at any time.
    #[test]
    fn no_outcome_contradicts_the_naive_model_however_the_clock_jumps(
        steps in prop::collection::vec((0..3_u8, 0..12_u8, 0..20_i64, 0..60_i64, any::<bool>(), 0..8_u8), 1..300),
        cap in 1..8_usize,
        total in 1..20_usize,
    ) {
        let store = InMemoryReplayStore::with_aggregate_cap(total as u64);
        // The last second of each entry that was ever inserted.
        let mut ever: HashMap<(u8, u8), i64> = HashMap::new();
        let (mut now, mut latest) = (NOW.as_i64(), i64::MIN);
        for (key, nonce, life, at, jumps, purge) in steps {
            // Mostly the clock moves on by a little; sometimes it jumps to anywhere.
            now = if jumps && at % 4 == 0 { NOW.as_i64() + at } else { now + at % 3 };
            latest = latest.max(now);
            if purge == 0 {
                store.purge(UnixSeconds::new(now));
            }
            let last = ever.get(&(key, nonce)).copied().filter(|last| *last >= now);
            let last = last.unwrap_or(now + life);
            // How many live now, and how many of these no clock ever saw end.
            let count = |of: Option<u8>, since: i64| {
                let of = |(known, _): &(u8, u8)| of.is_none_or(|of| of == *known);
                ever.iter().filter(|(entry, last)| of(entry) && **last >= since).count()
            };
            let [of_key, of_all] = [Some(key), None].map(|of| (count(of, latest), count(of, now)));
            let known = ever.get(&(key, nonce)).is_some_and(|last| *last >= now);

            let (keyid, text) = (key.to_string(), nonce.to_string());
            let entry = ReplayEntry::restore(
                self::key(&keyid), &text, UnixSeconds::new(last), cap as u64,
            );
            match store.insert_now(entry, UnixSeconds::new(now)) {
                Ok(Replayed) => prop_assert!(known),
                Ok(Inserted) => {
                    prop_assert!(!known, "inserted twice");
                    prop_assert!(of_key.0 < cap && of_all.0 < total, "over the cap");
                    ever.insert((key, nonce), last);
                }
                Ok(KeyCapReached) => prop_assert!(!known && of_key.1 >= cap),
                Ok(AggregateCapReached) => prop_assert!(!known && of_all.1 >= total),
                Err(StoreError::Forgotten { .. }) => {
                    prop_assert!(last < latest, "only a clock that went back is refused");
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
            if now == latest {
                prop_assert_eq!(store.len(UnixSeconds::new(now)), {
                    ever.values().filter(|last| **last >= now).count() as u64
                });
            }
        }
    }
}

#[cfg(feature = "metrics")]
#[test]
fn the_live_entries_are_a_gauge_that_is_set_once_a_second() {
    let meter = crate::provider::metered::Meter::default();
    metrics::with_local_recorder(&meter, || {
        let store = InMemoryReplayStore::new().named("webhooks");
        let key = ReplayKey::new("key", &[0; 32]);
        let live = || meter.counts();
        let expected = |count| vec![("adcp_replay_live store=webhooks".to_owned(), count)];
        let insert = |nonce, now: UnixSeconds| {
            let outcome = store.preload(key, nonce, NOW.plus(10), now).unwrap();
            assert_eq!(outcome, InsertOutcome::Inserted);
        };
        insert("1", NOW);
        assert_eq!(live(), expected(1));
        insert("2", NOW);
        assert_eq!(live(), expected(1));
        insert("3", NOW.plus(1));
        assert_eq!(live(), expected(3));
        let outcome = store.preload(key, "4", NOW.plus(99), NOW.plus(11)).unwrap();
        assert_eq!(outcome, InsertOutcome::Inserted);
        assert_eq!(live(), expected(1), "what has ended is not counted");
    });
}
