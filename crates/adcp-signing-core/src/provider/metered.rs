//! A recorder of metrics that counts, for the tests of what is measured, and the page that lists them.

#![allow(dead_code, reason = "other crates use a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use parking_lot::Mutex;

/// The page for operators.
pub(crate) const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md"));

/// The metrics of the page with this prefix, and their labels.
pub(crate) fn documented(prefix: &str) -> Vec<(String, String)> {
    let row = format!("| `{prefix}");
    let mut documented: Vec<_> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix(&row))
        .map(|row| {
            let mut cells = row.split(" | ").map(|cell| cell.replace('`', ""));
            (format!("{prefix}{}", cells.next().unwrap()), cells.nth(1).unwrap())
        })
        .collect();
    documented.sort();
    documented
}

/// How often each metric was counted or recorded, and the value of each gauge.
#[derive(Default)]
pub(crate) struct Meter {
    counts: Mutex<BTreeMap<String, Arc<Count>>>,
    described: Mutex<Vec<(String, Option<Unit>)>>,
}

#[derive(Default)]
struct Count(AtomicU64);

impl Meter {
    /// Each metric with its labels, and how often.
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        let count =
            |(name, count): (&String, &Arc<Count>)| (name.clone(), count.0.load(Ordering::SeqCst));
        self.counts.lock().iter().map(count).collect()
    }

    /// Each metric that was described, and its unit.
    pub(crate) fn described(&self) -> Vec<(String, Option<Unit>)> {
        self.described.lock().clone()
    }

    /// Each metric, and the names of its labels.
    pub(crate) fn names_and_labels(&self) -> Vec<(String, String)> {
        let mut recorded: Vec<_> = self
            .counts
            .lock()
            .keys()
            .map(|key| {
                let (name, labels) = key.split_once(' ').unwrap();
                let labels = labels.split(' ').map(|label| label.split('=').next().unwrap());
                (name.to_owned(), labels.collect::<Vec<_>>().join(", "))
            })
            .collect();
        recorded.sort();
        recorded.dedup();
        recorded
    }

    fn count(&self, key: &Key) -> Arc<Count> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        self.counts.lock().entry(name).or_default().clone()
    }
}

impl HistogramFn for Count {
    fn record(&self, seconds: f64) {
        assert!(seconds >= 0.0);
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl GaugeFn for Count {
    fn increment(&self, _: f64) {
        panic!("set, never changed")
    }

    fn decrement(&self, _: f64) {
        panic!("set, never changed")
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    fn set(&self, value: f64) {
        self.0.store(value as u64, Ordering::SeqCst);
    }
}

impl CounterFn for Count {
    fn increment(&self, by: u64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    fn absolute(&self, _: u64) {
        panic!("counted, never set")
    }
}

impl Recorder for Meter {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.described.lock().push((name.as_str().to_owned(), unit));
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.described.lock().push((name.as_str().to_owned(), unit));
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.described.lock().push((name.as_str().to_owned(), unit));
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.count(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.count(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.count(key))
    }
}
