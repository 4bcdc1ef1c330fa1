//! What senders and receivers of webhooks measure, with the feature `metrics`.
//!
//! - counter `adcp_webhook_deliveries_total` with `outcome`: what became of each attempt;
//! - histogram `adcp_webhook_attempt_duration_seconds` with `outcome`: how long it took;
//! - counter `adcp_webhook_received_total` with `outcome`: each webhook that was received.
//!
//! No label is chosen by a counterparty.

use super::Outcome;

/// An attempt at a delivery that is under way.
pub(super) struct Attempt {
    #[cfg(feature = "metrics")]
    started: std::time::Instant,
}

impl Attempt {
    pub(super) fn begin() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            started: std::time::Instant::now(),
        }
    }

    /// The end of it.
    #[cfg_attr(not(feature = "metrics"), allow(clippy::unused_self, reason = "nothing to do"))]
    pub(super) fn end(self, outcome: &Outcome) {
        #[cfg(feature = "metrics")]
        {
            let outcome = match outcome {
                Outcome::Delivered => "delivered",
                Outcome::Retrying { .. } => "retrying",
                Outcome::Refused { .. } => "refused",
                Outcome::GaveUp { .. } => "gave_up",
            };
            metrics::histogram!("adcp_webhook_attempt_duration_seconds", "outcome" => outcome)
                .record(self.started.elapsed().as_secs_f64());
            metrics::counter!("adcp_webhook_deliveries_total", "outcome" => outcome).increment(1);
        }
        #[cfg(not(feature = "metrics"))]
        let _ = outcome;
    }
}

/// A webhook that was received, and what became of it: one of these names, or the reason of a
/// refusal.
pub(super) fn received(outcome: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("adcp_webhook_received_total", "outcome" => outcome).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = outcome;
}

pub(super) const HANDLED: &str = "handled";
pub(super) const HANDLER_FAILED: &str = "handler_failed";
pub(super) const REPEATED: &str = "repeated";
pub(super) const CHALLENGE: &str = "challenge";
