//! `Delivery`: one webhook on its way to one receiver.

use std::fmt;

use adcp_signing_core::UnixSeconds;
use sha2::{Digest as _, Sha256};

use super::{Payload, Recipient};

/// One webhook on its way to one receiver, with what a store has to keep of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    id: DeliveryId,
    recipient: Recipient,
    payload: Payload,
    enqueued_at: UnixSeconds,
    attempts: u32,
    due: UnixSeconds,
}

/// The name of a delivery: a hash of its recipient and its payload. The same event that is enqueued
/// twice for one recipient is one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(String);

impl Delivery {
    pub(super) fn new(recipient: Recipient, payload: Payload, now: UnixSeconds) -> Self {
        let id = DeliveryId::of(&recipient, &payload);
        Self { id, recipient, payload, enqueued_at: now, attempts: 0, due: now }
    }

    /// A delivery that was stored.
    pub fn restore(
        recipient: Recipient,
        payload: Payload,
        enqueued_at: UnixSeconds,
        attempts: u32,
        due: UnixSeconds,
    ) -> Self {
        let id = DeliveryId::of(&recipient, &payload);
        Self { id, recipient, payload, enqueued_at, attempts, due }
    }

    /// Its name.
    pub fn id(&self) -> &DeliveryId {
        &self.id
    }

    /// Who receives it.
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    /// What is sent.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// When it was enqueued. Its horizon counts from here.
    pub fn enqueued_at(&self) -> UnixSeconds {
        self.enqueued_at
    }

    /// How many attempts have failed.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When the next attempt may begin, or, of a delivery that is claimed, when the claim ends.
    pub fn due(&self) -> UnixSeconds {
        self.due
    }

    /// The same delivery, claimed: nobody else is given it before then.
    #[must_use]
    pub fn claimed_until(mut self, until: UnixSeconds) -> Self {
        self.due = until;
        self
    }

    /// The same delivery after an attempt that failed: one more attempt, and another time for the
    /// next.
    #[must_use]
    pub fn failed(mut self, due: UnixSeconds) -> Self {
        self.attempts = self.attempts.saturating_add(1);
        self.due = due;
        self
    }
}

impl DeliveryId {
    fn of(recipient: &Recipient, payload: &Payload) -> Self {
        let (kind, name) = match recipient {
            Recipient::Target(target) => (b"t", target.as_str()),
            Recipient::Registration(id) => (b"r", id.as_str()),
        };
        let hash = Sha256::new()
            .chain_update(kind)
            .chain_update((name.len() as u64).to_be_bytes())
            .chain_update(name)
            .chain_update(payload.idempotency_key().as_str())
            .chain_update(payload.fingerprint().as_bytes())
            .finalize();
        let half = hash.iter().take(16);
        Self(half.map(|byte| format!("{byte:02x}")).collect())
    }

    /// The name as 32 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
