//! What becomes of deliveries: the events that a sender reports.

use std::time::Duration;

use super::{AttemptFailure, DeliveryId, IdempotencyKey, Recipient};

/// What became of a delivery, or of an attempt at it.
#[derive(Debug)]
pub struct DeliveryEvent {
    /// The delivery.
    pub id: DeliveryId,
    /// To whom it goes.
    pub recipient: Recipient,
    /// The key of the event.
    pub idempotency_key: IdempotencyKey,
    /// How many attempts were made, this one included.
    pub attempts: u32,
    /// What happened.
    pub outcome: Outcome,
}

/// What happened to a delivery. All but [`Retrying`](Self::Retrying) are the end of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The receiver answered with a status of success.
    Delivered,
    /// The attempt failed, and another one will be made.
    Retrying {
        /// Why it failed.
        failure: AttemptFailure,
        /// How long until the next attempt.
        wait: Duration,
    },
    /// The attempt failed in a way that no repetition changes. Tell an operator.
    Refused {
        /// Why it failed.
        failure: AttemptFailure,
    },
    /// The horizon ends before another attempt could be made. The receiver has to read the state by
    /// itself.
    GaveUp {
        /// Why the last attempt failed.
        failure: AttemptFailure,
    },
}

/// Who hears what becomes of deliveries. A function will do.
///
/// It is called on the task that delivers, after the store knows the outcome, so it must not block.
/// A delivery whose store failed at that moment is reported again with its next outcome.
pub trait DeliveryObserver: Send + Sync {
    /// Takes note of an event.
    fn heard(&self, event: DeliveryEvent);
}

impl<F: Fn(DeliveryEvent) + Send + Sync> DeliveryObserver for F {
    fn heard(&self, event: DeliveryEvent) {
        self(event);
    }
}

/// Writes what an operator has to know to the log.
pub(super) fn log(event: &DeliveryEvent) {
    const LOG: &str = "adcp_signing::webhook";
    let (id, recipient, attempts) = (&event.id, &event.recipient, event.attempts);
    match &event.outcome {
        Outcome::Delivered => {
            tracing::debug!(target: LOG, %id, %recipient, attempts, "webhook delivered");
        }
        Outcome::Retrying { failure, wait } => {
            tracing::debug!(target: LOG, %id, %recipient, attempts, %failure, ?wait, "webhook failed");
        }
        Outcome::Refused { failure } => {
            tracing::error!(target: LOG, %id, %recipient, attempts, %failure, "webhook refused");
        }
        Outcome::GaveUp { failure } => {
            tracing::error!(target: LOG, %id, %recipient, attempts, %failure, "webhook given up");
        }
    }
}
