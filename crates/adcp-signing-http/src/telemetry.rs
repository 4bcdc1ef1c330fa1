//! The metrics of this crate and of the core: names, labels, units, and buckets that fit them
//! (feature `metrics`).
//!
//! ```
//! use adcp_signing_http::telemetry::{describe_metrics, every_metric};
//!
//! for metric in every_metric() {
//!     println!("{} {:?}", metric.name(), metric.labels());
//! }
//! describe_metrics(); // once an exporter is installed
//! ```

use adcp_signing_core::telemetry::{METRICS as CORE, Metric};

/// Every metric that this crate records by itself, by name.
pub const METRICS: &[Metric] = &[
    Metric::counter(
        "adcp_capability_fetch_total",
        &["outcome"],
        "capabilities that a client fetched of its counterparties",
    ),
    Metric::counter(
        "adcp_http_refused_total",
        &["reason"],
        "requests that a layer answered before the verifier could",
    ),
];

/// Every metric of webhooks, by name.
#[cfg(feature = "webhooks")]
pub const WEBHOOK_METRICS: &[Metric] = &[
    Metric::histogram(
        "adcp_webhook_attempt_duration_seconds",
        &["outcome"],
        "how long an attempt at a delivery took, signature and answer included",
        WEBHOOK_BUCKETS,
    ),
    Metric::counter(
        "adcp_webhook_deliveries_total",
        &["outcome"],
        "attempts at deliveries, by what became of them",
    ),
    Metric::counter("adcp_webhook_received_total", &["outcome"], "webhooks that a receiver got"),
];

/// Buckets for an attempt at a delivery, which waits for a receiver anywhere, for 30 s at most. In
/// seconds.
#[cfg(feature = "webhooks")]
pub const WEBHOOK_BUCKETS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Every metric that this crate and the core record.
pub fn every_metric() -> impl Iterator<Item = &'static Metric> {
    let metrics = CORE.iter().chain(METRICS);
    #[cfg(feature = "webhooks")]
    let metrics = metrics.chain(WEBHOOK_METRICS);
    metrics
}

/// Tells the recorder that is installed what each metric means. Call it once, after you have
/// installed your exporter.
pub fn describe_metrics() {
    every_metric().for_each(Metric::describe);
}
