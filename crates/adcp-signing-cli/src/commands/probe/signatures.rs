//! The signatures of a probe: made, verified and timed.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use adcp_signing::{PublicKey, SigningProvider, provider::KeyVersion};
use futures_util::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::{Value, json};

use super::{failed, report::Finding};

/// How long each signature took, shortest first, and how long all of them.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    latencies: Vec<Duration>,
    took: Duration,
}

impl Signatures {
    /// Signs and verifies `count` times, `concurrency` at once, and holds every signature to one
    /// key version. Stops at the first that is wrong; what was made before it is kept.
    pub(super) async fn make(
        provider: &dyn SigningProvider,
        public: &PublicKey,
        count: u32,
        concurrency: u16,
    ) -> (Self, Finding) {
        let progress = progress(count);
        let mut made = Self::default();
        let started = Instant::now();
        let collected = made.collect(provider, public, count, concurrency, &progress).await;
        let finding = collected.map_or_else(|failed| failed, Finding::passed);
        made.took = started.elapsed();
        made.latencies.sort_unstable();
        progress.finish_and_clear();
        (made, finding)
    }

    async fn collect(
        &mut self,
        provider: &dyn SigningProvider,
        public: &PublicKey,
        count: u32,
        concurrency: u16,
        progress: &ProgressBar,
    ) -> Result<String, Finding> {
        let sign = async |number: u32| {
            let message = format!("\"@method\": POST\n\"probe\": {number} of {count}");
            let started = Instant::now();
            let signed = provider.sign(message.as_bytes()).await;
            (number, message, started.elapsed(), signed)
        };
        let mut signatures = stream::iter(1..=count).map(sign).buffer_unordered(concurrency.into());
        let mut version: Option<Option<KeyVersion>> = None;
        while let Some((number, message, latency, signed)) = signatures.next().await {
            let signed = signed.map_err(|error| failed(&error))?;
            self.latencies.push(latency);
            public.verify(message.as_bytes(), &signed.signature).map_err(|_| {
                Finding::failed(
                    "signature_invalid",
                    format!(
                        "signature {number} does not verify under the key's own public key; the \
                         service signs with another key or version than it shows: pin the version \
                         in the key URI"
                    ),
                )
            })?;
            if version.as_ref().is_some_and(|version| *version != signed.key_version) {
                return Err(Finding::failed(
                    "key_version_changed",
                    format!(
                        "signature {number} was made by another key version than those before it; \
                         a rotation is under way: pin the version in the key URI"
                    ),
                ));
            }
            version = Some(signed.key_version);
            progress.inc(1);
        }
        let version =
            if version.flatten().is_some() { "one key version" } else { "no key version reported" };
        Ok(format!("{count} verified, {version}"))
    }

    /// The latency that `percent` of the signatures did not exceed, where so many were made that
    /// this is not the slowest of them.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let count = self.latencies.len();
        let rank = count.checked_mul(percent)?.div_ceil(100);
        if rank == count {
            return None;
        }
        self.latencies.get(rank.saturating_sub(1)).copied()
    }

    /// The names of the latencies, and those of them that mean something.
    fn latency(&self) -> [(&'static str, Option<Duration>); 5] {
        [
            ("min", self.latencies.first().copied()),
            ("p50", self.percentile(50)),
            ("p95", self.percentile(95)),
            ("p99", self.percentile(99)),
            ("max", self.latencies.last().copied()),
        ]
    }

    /// How many signatures were made.
    pub(super) fn count(&self) -> usize {
        self.latencies.len()
    }

    /// How many signatures were made in a second, if any were.
    pub(super) fn per_second(&self) -> Option<u64> {
        if self.latencies.is_empty() {
            return None;
        }
        Some((self.count() as f64 / self.took.as_secs_f64().max(f64::EPSILON)).round() as u64)
    }

    /// A line for people, if a signature was made.
    pub(super) fn line(&self) -> Option<String> {
        let per_second = self.per_second()?;
        let parts = self
            .latency()
            .into_iter()
            .filter_map(|(name, latency)| latency.map(|latency| format!("{name} {latency:.1?}")));
        Some(format!("{}   {per_second} signatures/s", parts.collect::<Vec<_>>().join("   ")))
    }

    /// The latencies in whole microseconds.
    pub(super) fn latency_json(&self) -> Value {
        let micros = |latency: Duration| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let latency = self.latency();
        let members = latency.map(|(name, latency)| (name.to_owned(), json!(latency.map(micros))));
        Value::Object(members.into_iter().collect())
    }
}

/// A bar on standard error where that is a terminal.
fn progress(count: u32) -> ProgressBar {
    if count < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count.into());
    match ProgressStyle::with_template("signing {bar:30} {pos}/{len}  {rate}  {eta} left") {
        Ok(style) => bar.with_style(style.with_key("rate", rate)),
        Err(_) => bar,
    }
}

/// Whole signatures a second.
fn rate(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    // The bar is for the eye: what cannot be written is left out.
    let _ = write!(out, "{:.0}/s", state.per_sec());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_samples_and_left_out_where_they_are_the_slowest() {
        let of = |millis: std::ops::RangeInclusive<u64>| Signatures {
            latencies: millis.map(Duration::from_millis).collect(),
            took: Duration::from_secs(1),
        };
        let millis = |signatures: &Signatures| {
            signatures.latency().map(|(_, latency)| latency.map(|latency| latency.as_millis()))
        };
        assert_eq!(millis(&of(1..=1)), [Some(1), None, None, None, Some(1)]);
        assert_eq!(millis(&of(1..=10)), [Some(1), Some(5), None, None, Some(10)]);
        assert_eq!(millis(&of(1..=20)), [Some(1), Some(10), Some(19), None, Some(20)]);
        assert_eq!(millis(&of(1..=100)), [1, 50, 95, 99, 100].map(Some));
        assert_eq!(of(1..=3).per_second(), Some(3));
        let none = Signatures::default();
        assert_eq!((millis(&none), none.line(), none.per_second()), ([None; 5], None, None));
    }
}
