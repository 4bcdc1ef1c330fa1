//! The metrics of this crate: names, labels, units, and buckets that fit them (feature `metrics`).
//!
//! What is recorded goes through the facade [`metrics`]. Give your exporter the buckets before you
//! install it, and describe the metrics after:
//!
//! ```
//! use adcp_signing_core::telemetry::{METRICS, describe_metrics};
//!
//! for metric in METRICS {
//!     if let Some(buckets) = metric.buckets() {
//!         // builder.set_buckets_for_metric(Matcher::Full(metric.name().to_owned()), buckets)?
//!         assert!(buckets.is_sorted());
//!     }
//! }
//! describe_metrics();
//! ```

use metrics::Unit;

/// Buckets for a verification: keys and nonces in memory take tens of microseconds, a shared replay
/// store milliseconds. In seconds.
pub const VERIFY_BUCKETS: &[f64] = &[
    0.000_01, 0.000_02, 0.000_03, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01,
    0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
];

/// Buckets for a signature of a key service: a PKCS#11 token takes 1 to 5 ms, a cloud service 10 to
/// 50 ms, retries and the queue up to 50 s. In seconds.
pub const SIGN_BUCKETS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];

/// A metric that this workspace records.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    description: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Counter,
    Gauge,
    /// Of seconds, with its buckets.
    Histogram(&'static [f64]),
}

/// Every metric that this crate records, by name.
pub const METRICS: &[Metric] = &[
    Metric::counter(
        "adcp_admission_alarms_total",
        &["clause"],
        "alarms about new keyids, by the clause that was crossed",
    ),
    Metric::gauge("adcp_replay_live", &["store"], "live nonces in an in-memory replay store"),
    Metric::histogram(
        "adcp_signing_sign_duration_seconds",
        &["backend", "algorithm"],
        "how long callers waited for a signature",
        SIGN_BUCKETS,
    ),
    Metric::counter(
        "adcp_signing_sign_total",
        &["outcome", "backend", "algorithm"],
        "signatures that callers asked for",
    ),
    Metric::histogram(
        "adcp_verify_duration_seconds",
        &["outcome"],
        "how long a whole verification took",
        VERIFY_BUCKETS,
    ),
    Metric::counter("adcp_verify_total", &["outcome", "code", "step"], "messages verified"),
];

impl Metric {
    /// A counter.
    pub const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Counter, labels, description }
    }

    /// A gauge.
    pub const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Gauge, labels, description }
    }

    /// A histogram of seconds.
    pub const fn histogram(
        name: &'static str,
        labels: &'static [&'static str],
        description: &'static str,
        buckets: &'static [f64],
    ) -> Self {
        Self { name, kind: Kind::Histogram(buckets), labels, description }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The names of its labels.
    pub const fn labels(&self) -> &'static [&'static str] {
        self.labels
    }

    /// Seconds for a histogram, else a count.
    pub const fn unit(&self) -> Unit {
        match self.kind {
            Kind::Counter | Kind::Gauge => Unit::Count,
            Kind::Histogram(_) => Unit::Seconds,
        }
    }

    /// The buckets to set for a histogram, in seconds and ascending.
    pub const fn buckets(&self) -> Option<&'static [f64]> {
        match self.kind {
            Kind::Counter | Kind::Gauge => None,
            Kind::Histogram(buckets) => Some(buckets),
        }
    }

    /// Tells the recorder that is installed what the metric means.
    pub fn describe(&self) {
        let (name, unit, description) = (self.name, self.unit(), self.description);
        match self.kind {
            Kind::Counter => metrics::describe_counter!(name, unit, description),
            Kind::Gauge => metrics::describe_gauge!(name, unit, description),
            Kind::Histogram(_) => metrics::describe_histogram!(name, unit, description),
        }
    }
}

/// Tells the recorder that is installed what each metric of this crate means. Call it once, after you
/// have installed your exporter. With `adcp-signing-http`, call the function of that crate instead.
pub fn describe_metrics() {
    METRICS.iter().for_each(Metric::describe);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::metered::{Meter, PAGE, documented};

    #[test]
    fn the_metrics_are_those_of_the_operations_page_with_their_buckets() {
        let mut listed: Vec<_> = METRICS
            .iter()
            .map(|metric| (metric.name().to_owned(), metric.labels().join(", ")))
            .collect();
        assert!(listed.is_sorted(), "by name");
        let prefixes = ["adcp_admission_", "adcp_replay_", "adcp_signing_", "adcp_verify_"];
        let mut page: Vec<_> = prefixes.iter().flat_map(|prefix| documented(prefix)).collect();
        page.sort();
        listed.sort();
        assert_eq!(page, listed);
        for metric in METRICS {
            let Some(buckets) = metric.buckets() else { continue };
            assert!(buckets.is_sorted());
            let shown: Vec<_> = buckets.iter().map(f64::to_string).collect();
            assert!(PAGE.contains(&format!("\n{}\n", shown.join(" "))), "{shown:?}");
        }
    }

    #[test]
    fn each_metric_is_described_with_its_unit() {
        let meter = Meter::default();
        metrics::with_local_recorder(&meter, describe_metrics);
        let expected: Vec<_> =
            METRICS.iter().map(|metric| (metric.name().to_owned(), Some(metric.unit()))).collect();
        assert_eq!(meter.described(), expected);
    }
}
