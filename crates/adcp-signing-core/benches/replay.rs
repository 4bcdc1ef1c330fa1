//! Replay insert at a steady number of live entries, and what an entry costs in memory.
//!
//! Time moves on with the inserts, so that as many entries end as are inserted: the figures include the removal of what
//! has ended, and the store stays at its size however long the measurement takes.

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::{hint::black_box, time::Duration};

use adcp_signing_core::{
    Nonces as _, RandomNonces, UnixSeconds,
    replay::{InMemoryReplayStore, InsertOutcome, ReplayStore as _},
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;

const START: UnixSeconds = UnixSeconds::new(1_776_520_800);
const LIFE: i64 = 360;
const KEYIDS: [&str; 4] = ["buyer-2026-a", "buyer-2026-b", "buyer-2026-c", "buyer-2026-d"];

/// Inserts one fresh nonce after the other.
struct Traffic {
    store: InMemoryReplayStore,
    live: u64,
    sent: u64,
}

impl Traffic {
    fn with_live(live: u64) -> Self {
        let mut traffic = Self { store: InMemoryReplayStore::with_aggregate_cap(2 * live), live, sent: 0 };
        (0..live).for_each(|_| traffic.insert());
        traffic
    }

    fn now(&self) -> UnixSeconds {
        START.plus((self.sent * LIFE as u64 / self.live) as i64)
    }

    fn insert(&mut self) {
        let now = self.now();
        let mut nonce = [b'A'; 22];
        for (at, to) in nonce.iter_mut().take(16).enumerate() {
            *to = b"0123456789abcdef"[(self.sent >> (4 * at)) as usize & 15];
        }
        let nonce = std::str::from_utf8(&nonce).expect("ASCII");
        let keyid = KEYIDS[self.sent as usize % KEYIDS.len()];
        let outcome = self.store.preload(keyid, nonce, now.plus(LIFE), now).expect("the clock only moves on");
        assert_eq!(outcome, InsertOutcome::Inserted);
        self.sent += 1;
    }
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    for live in [1_000, 1_000_000, 10_000_000] {
        let mut traffic = Traffic::with_live(live);
        let bytes = traffic.store.memory_bytes() as f64 / live as f64;
        println!("replay/bytes per entry/{live}: {bytes:.1}");
        group.bench_function(BenchmarkId::new("insert", live), |bencher| bencher.iter(|| traffic.insert()));
        let bytes = traffic.store.memory_bytes() as f64 / traffic.store.len(traffic.now()) as f64;
        println!("replay/bytes per entry in steady state/{live}: {bytes:.1}");
        let now = traffic.now();
        group.bench_function(BenchmarkId::new("cap_reached", live), |bencher| {
            bencher.iter(|| traffic.store.cap_reached(black_box(KEYIDS[0]), 1 << 40, now).now_or_never());
        });
    }
    group.finish();
    criterion.bench_function("nonce/random", |bencher| bencher.iter(|| RandomNonces.next()));
}

criterion_group!(benches, replay);
criterion_main!(benches);
