//! What the verifier measures, with the feature `metrics`.
//!
//! - histogram `adcp_verify_duration_seconds` with `outcome`: each message that was verified whole;
//! - counter `adcp_verify_total` with `outcome`, `code` and `step`: each message.
//!
//! `outcome` is `signed`, `fallback`, `anonymous` or `refused`. No label is chosen by a sender: a
//! `keyid` that nothing has verified is never one.

use std::future::Future;

use super::{Rejection, Verified};

/// A verification under way.
pub(super) struct Measured {
    #[cfg(feature = "metrics")]
    started: std::time::Instant,
    #[cfg(feature = "metrics")]
    before: std::time::Duration,
}

impl Measured {
    pub(super) fn begin() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            started: std::time::Instant::now(),
            #[cfg(feature = "metrics")]
            before: std::time::Duration::ZERO,
        }
    }

    /// Waits for the sender, which is no part of a verification.
    pub(super) async fn without<T>(&mut self, wait: impl Future<Output = T>) -> T {
        #[cfg(feature = "metrics")]
        {
            self.before += self.started.elapsed();
        }
        let result = wait.await;
        #[cfg(feature = "metrics")]
        {
            self.started = std::time::Instant::now();
        }
        result
    }

    /// The end of it. A refusal is counted where it is logged.
    #[cfg_attr(not(feature = "metrics"), allow(clippy::unused_self, reason = "nothing to do"))]
    pub(super) fn end(self, outcome: &Result<Verified, Rejection>) {
        #[cfg(feature = "metrics")]
        {
            let name = outcome_of(outcome);
            metrics::histogram!("adcp_verify_duration_seconds", "outcome" => name)
                .record((self.before + self.started.elapsed()).as_secs_f64());
            if outcome.is_ok() {
                count(name, "none", "none");
            }
        }
        #[cfg(not(feature = "metrics"))]
        let _ = outcome;
    }
}

/// The name of what a message came to.
pub(super) fn outcome_of(outcome: &Result<Verified, Rejection>) -> &'static str {
    match outcome {
        Ok(Verified::Signed(_)) => "signed",
        Ok(Verified::Fallback(_)) => "fallback",
        Ok(Verified::Anonymous(_)) => "anonymous",
        Err(_) => REFUSED,
    }
}

/// A message that was refused, by its head or as a whole.
pub(super) fn refused(rejection: &Rejection) {
    #[cfg(feature = "metrics")]
    count(REFUSED, rejection.reason().as_str(), rejection.step().as_str());
    #[cfg(not(feature = "metrics"))]
    let _ = rejection;
}

const REFUSED: &str = "refused";

#[cfg(feature = "metrics")]
fn count(outcome: &'static str, code: &'static str, step: &'static str) {
    metrics::counter!(
        "adcp_verify_total", "outcome" => outcome, "code" => code, "step" => step
    )
    .increment(1);
}
