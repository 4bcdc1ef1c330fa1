//! Answers that a fake is told to give: too many requests, and out of order.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::Method;
use serde_json::Value;

/// What the next calls are answered with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outage(Arc<Mutex<Option<Planned>>>);

#[derive(Debug, Clone)]
struct Planned {
    refusal: Refusal,
    left: u64,
}

/// A refusal that was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Which.
    pub(crate) failure: Failure,
    /// The pause that the caller is told.
    pub(crate) retry_after: Option<Duration>,
}

/// How a service refuses what it would otherwise do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// 429.
    TooManyRequests,
    /// 503.
    Unavailable,
}

impl Outage {
    /// The path at which a fake is told.
    pub(crate) const PATH: &'static str = "/_fake/outage";

    /// `POST` with `{"status": 429 or 503, "count": N, "retryAfterSeconds": S}` plans the next N
    /// calls, all of them without a count; `DELETE` ends it.
    pub(crate) fn control(&self, method: &Method, plan: &Value) -> Result<(), &'static str> {
        let planned = match *method {
            Method::POST => Some(Planned {
                refusal: Refusal {
                    failure: match plan["status"].as_u64() {
                        Some(429) => Failure::TooManyRequests,
                        Some(503) => Failure::Unavailable,
                        _ => return Err("The status can be 429 or 503."),
                    },
                    retry_after: plan["retryAfterSeconds"].as_u64().map(Duration::from_secs),
                },
                left: plan["count"].as_u64().unwrap_or(u64::MAX),
            }),
            Method::DELETE => None,
            _ => return Err("An outage is planned with POST and ended with DELETE."),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = planned;
        Ok(())
    }

    /// The refusal to give in place of the right answer, if any.
    pub(crate) fn next(&self) -> Option<Refusal> {
        let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = planned.as_mut()?;
        if current.left == 0 {
            *planned = None;
            return None;
        }
        current.left -= 1;
        Some(current.refusal)
    }
}
