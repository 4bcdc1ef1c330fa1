//! Replay insert at a steady number of live entries, and what an entry costs in memory.
//!
//! Time moves on with the inserts, so that as many entries end as are inserted: the figures include
//! the removal of what has ended, and the store stays at its size however long the measurement
//! takes.

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use adcp_signing_core::{
    Nonces as _, RandomNonces, UnixSeconds,
    replay::{InMemoryReplayStore, InsertOutcome, ReplayKey, ReplayStore as _},
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;

const START: UnixSeconds = UnixSeconds::new(1_776_520_800);
const LIFE: i64 = 360;
const KEYIDS: [&str; 4] = ["buyer-2026-a", "buyer-2026-b", "buyer-2026-c", "buyer-2026-d"];
const THUMBPRINT: [u8; 32] = [7; 32];

/// Nonces made at once, before the clock runs.
const CHUNK: u64 = 256;

/// Inserts one fresh nonce after the other.
struct Traffic {
    store: InMemoryReplayStore,
    live: u64,
    sent: u64,
}

impl Traffic {
    fn with_live(live: u64) -> Self {
        let mut traffic =
            Self { store: InMemoryReplayStore::with_aggregate_cap(2 * live), live, sent: 0 };
        traffic.insert(live);
        traffic
    }

    fn now(&self, sent: u64) -> UnixSeconds {
        START.plus((sent * LIFE as u64 / self.live) as i64)
    }

    /// How long so many inserts take.
    fn insert(&mut self, count: u64) -> Duration {
        let mut took = Duration::ZERO;
        let end = self.sent + count;
        while self.sent < end {
            let chunk = self.sent..end.min(self.sent + CHUNK);
            self.sent = chunk.end;
            let message = |sent| {
                (KEYIDS[sent as usize % KEYIDS.len()], format!("{sent:022x}"), self.now(sent))
            };
            let messages: Vec<_> = chunk.map(message).collect();
            let started = Instant::now();
            for (keyid, nonce, now) in &messages {
                let outcome = self
                    .store
                    .preload(ReplayKey::new(keyid, &THUMBPRINT), nonce, now.plus(LIFE), *now)
                    .expect("the clock only moves on");
                assert_eq!(outcome, InsertOutcome::Inserted);
            }
            took += started.elapsed();
        }
        took
    }
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    for live in [1_000, 1_000_000, 10_000_000] {
        let mut traffic = Traffic::with_live(live);
        let bytes = traffic.store.memory_bytes() as f64 / live as f64;
        println!("replay/bytes per entry/{live}: {bytes:.1}");
        group.bench_function(BenchmarkId::new("insert", live), |bencher| {
            bencher.iter_custom(|count| traffic.insert(count))
        });
        let bytes = traffic.store.memory_bytes() as f64
            / traffic.store.len(traffic.now(traffic.sent)) as f64;
        println!("replay/bytes per entry in steady state/{live}: {bytes:.1}");
        let now = traffic.now(traffic.sent);
        group.bench_function(BenchmarkId::new("cap_reached", live), |bencher| {
            bencher.iter(|| {
                let key = ReplayKey::new(black_box(KEYIDS[0]), &THUMBPRINT);
                traffic.store.cap_reached(key, 1 << 40, now).now_or_never()
            });
        });
    }
    group.finish();
    criterion.bench_function("nonce/random", |bencher| bencher.iter(|| RandomNonces.next()));
}

criterion_group!(benches, replay);
criterion_main!(benches);
