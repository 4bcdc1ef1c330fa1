//! Answers that the server is told to give: too many requests, and out of order.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};

use super::status::{Answer, Status};

/// What the next calls are answered with.
#[derive(Debug, Clone, Default)]
pub(super) struct Outage(Arc<Mutex<Option<Planned>>>);

#[derive(Debug, Clone)]
struct Planned {
    status: Status,
    left: u64,
}

impl Outage {
    /// `{"status": 429 or 503, "count": N, "retryAfterSeconds": S}`: the next N calls, all of them without a count.
    pub(super) fn plan(&self, body: &Value) -> Answer {
        let pause = body["retryAfterSeconds"].as_u64().map(Duration::from_secs);
        let status = match body["status"].as_u64() {
            Some(429) => Status::resource_exhausted(pause),
            Some(503) => Status::unavailable(pause),
            _ => return Err(Status::invalid_argument("The status can be 429 or 503.")),
        };
        self.set(Some(Planned { status, left: body["count"].as_u64().unwrap_or(u64::MAX) }));
        Ok(json!({}))
    }

    pub(super) fn end(&self) {
        self.set(None);
    }

    /// The answer to give in place of the right one, if any.
    pub(super) fn next(&self) -> Option<Status> {
        let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = planned.as_mut()?;
        if current.left == 0 {
            *planned = None;
            return None;
        }
        current.left -= 1;
        Some(current.status.clone())
    }

    fn set(&self, planned: Option<Planned>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = planned;
    }
}
