//! The gauge `adcp_replay_live`, set at most once a second: counting takes every lock of the caps.

use std::sync::atomic::{AtomicU32, Ordering};

pub(super) struct LiveGauge {
    store: &'static str,
    recorded_at: AtomicU32,
}

impl LiveGauge {
    pub(super) fn named(self, store: &'static str) -> Self {
        Self { store, ..self }
    }

    /// Records how many entries are live, unless somebody has in this second.
    pub(super) fn record(&self, now: u32, live: impl FnOnce() -> u64) {
        if self.recorded_at.swap(now, Ordering::Relaxed) != now {
            #[allow(clippy::cast_precision_loss, reason = "at most 10,000,000")]
            metrics::gauge!("adcp_replay_live", "store" => self.store).set(live() as f64);
        }
    }
}

impl Default for LiveGauge {
    fn default() -> Self {
        Self { store: "default", recorded_at: AtomicU32::new(0) }
    }
}
