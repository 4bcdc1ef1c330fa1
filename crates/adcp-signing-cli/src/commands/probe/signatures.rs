//! The signatures of a probe: made, verified and timed.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use adcp_signing::{PublicKey, SigningProvider, provider::KeyVersion};
use futures_util::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::cure;

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
    ) -> (Self, Result<String, String>) {
        let progress = progress(count);
        let mut made = Self::default();
        let started = Instant::now();
        let outcome = made.collect(provider, public, count, concurrency, &progress).await;
        made.took = started.elapsed();
        made.latencies.sort_unstable();
        progress.finish_and_clear();
        (made, outcome)
    }

    async fn collect(
        &mut self,
        provider: &dyn SigningProvider,
        public: &PublicKey,
        count: u32,
        concurrency: u16,
        progress: &ProgressBar,
    ) -> Result<String, String> {
        let sign = async |number: u32| {
            let message = format!("\"@method\": POST\n\"probe\": {number} of {count}");
            let started = Instant::now();
            let signed = provider.sign(message.as_bytes()).await;
            (number, message, started.elapsed(), signed)
        };
        let mut signatures = stream::iter(1..=count).map(sign).buffer_unordered(concurrency.into());
        let mut version: Option<Option<KeyVersion>> = None;
        while let Some((number, message, latency, signed)) = signatures.next().await {
            let signed = signed.map_err(|error| cure(&error))?;
            self.latencies.push(latency);
            public.verify(message.as_bytes(), &signed.signature).map_err(|_| {
                format!(
                    "signature {number} does not verify under the key's own public key; the \
                     service signs with another key or version than it shows: pin the version in \
                     the key URI"
                )
            })?;
            if version.as_ref().is_some_and(|version| *version != signed.key_version) {
                return Err(format!(
                    "signature {number} was made by another key version than those before it; a \
                     rotation is under way: pin the version in the key URI"
                ));
            }
            version = Some(signed.key_version);
            progress.inc(1);
        }
        let version =
            if version.flatten().is_some() { "one key version" } else { "no key version reported" };
        Ok(format!("{count} verified, {version}"))
    }

    /// The latency that `percent` of the signatures did not exceed.
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let index = self.latencies.len().checked_mul(percent)?.div_ceil(100).saturating_sub(1);
        self.latencies.get(index).copied()
    }

    /// The names of what [`latency`](Self::latency) has, and the values.
    fn latency(&self) -> Option<[(&'static str, Duration); 5]> {
        let at = |percent| self.percentile(percent);
        Some([
            ("min", at(0)?),
            ("p50", at(50)?),
            ("p95", at(95)?),
            ("p99", at(99)?),
            ("max", at(100)?),
        ])
    }

    fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }

    /// A line for people, if a signature was made.
    pub(super) fn line(&self) -> Option<String> {
        let parts = self.latency()?.map(|(name, latency)| format!("{name} {latency:.1?}"));
        Some(format!("{}   {:.0} signatures/s", parts.join("   "), self.per_second()))
    }

    /// The members of the answer, if a signature was made.
    pub(super) fn to_json(&self) -> Option<[(&'static str, Value); 3]> {
        let micros = self
            .latency()?
            .map(|(name, latency)| (name.to_owned(), json!(latency.as_secs_f64() * 1e6)));
        Some([
            ("signed", json!(self.latencies.len())),
            ("latency_us", Value::Object(micros.into_iter().collect())),
            ("per_second", json!(self.per_second())),
        ])
    }
}

/// A bar on standard error where that is a terminal.
fn progress(count: u32) -> ProgressBar {
    if count < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count.into());
    match ProgressStyle::with_template("signing {bar:30} {pos}/{len}  {per_sec}  {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_samples_and_none_without_any() {
        let of = |millis: std::ops::RangeInclusive<u64>| Signatures {
            latencies: millis.map(Duration::from_millis).collect(),
            took: Duration::from_secs(1),
        };
        let millis = |signatures: &Signatures| {
            signatures.latency().unwrap().map(|(_, latency)| latency.as_millis())
        };
        assert_eq!(millis(&of(1..=1)), [1, 1, 1, 1, 1]);
        assert_eq!(millis(&of(1..=100)), [1, 50, 95, 99, 100]);
        assert_eq!(millis(&of(1..=10)), [1, 5, 10, 10, 10]);
        assert!(Signatures::default().latency().is_none());
    }
}
