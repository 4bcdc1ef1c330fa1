//! Where deliveries wait, so that they survive a restart.

use std::{collections::HashMap, error::Error as StdError, fmt, sync::Arc};

use adcp_signing_core::UnixSeconds;
use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Delivery, DeliveryId};

/// Where the deliveries of a [`WebhookSender`](super::WebhookSender) wait.
///
/// A table with the columns `id` (primary key), `target`, `registration` (one of the two is null),
/// `payload`, `enqueued_at`, `attempts` and `due`, with an index on `due`, is enough.
/// [`Delivery::restore`] takes all of them but the `id`, which follows from the others. Targets can
/// hold secrets of the counterparty, and payloads its business: protect the table. Credentials are
/// not in it: a registration is looked up when its delivery is sent.
///
/// Several senders may share a store. `due` is the time of the next attempt, and of a claimed
/// delivery the end of the claim. It names the claim as well: a later claim of the same delivery
/// ends later, so `put_back` and `done` change nothing where `due` is not that of the claim.
///
/// The crate `adcp-signing-sqlite` has one for a single machine. Hold yours against the suite of
/// `webhook::conformance`.
#[async_trait]
pub trait DeliveryStore: Send + Sync + fmt::Debug {
    /// Stores a new delivery before it is sent. One that is stored already stays as it is:
    /// `INSERT … ON CONFLICT DO NOTHING`.
    ///
    /// # Errors
    /// [`StoreFailure`]; the caller learns that nothing will be sent.
    async fn add(&self, delivery: &Delivery) -> Result<(), StoreFailure>;

    /// Claims up to `limit` deliveries whose `due` is not after `now`, those that are due longest
    /// first: sets `due` to `until` and returns them, in one atomic step, so that no delivery is
    /// given to two callers. A claim whose sender died ends at `until`. In SQL: `UPDATE … WHERE id
    /// IN (SELECT … WHERE due <= $now ORDER BY due LIMIT $limit FOR UPDATE SKIP LOCKED) RETURNING
    /// …`.
    ///
    /// # Errors
    /// [`StoreFailure`]; the sender asks again later.
    async fn claim_due(
        &self,
        now: UnixSeconds,
        until: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreFailure>;

    /// Ends a claim after an attempt that failed: adds one to `attempts` and sets `due`. Nothing
    /// changes where the claim is not this one any more: `… WHERE id = $id AND due = $claimed`.
    ///
    /// # Errors
    /// [`StoreFailure`]; the delivery is tried again when its claim ends.
    async fn put_back(&self, claimed: &Delivery, due: UnixSeconds) -> Result<(), StoreFailure>;

    /// Removes a delivery that is delivered, refused or given up. Nothing changes where the claim is
    /// not this one any more: whoever claimed it since has to come to an end with it.
    ///
    /// # Errors
    /// [`StoreFailure`]; the delivery is sent once more when its claim ends, and its receiver
    /// recognizes it by the idempotency key.
    async fn done(&self, claimed: &Delivery) -> Result<(), StoreFailure>;
}

/// A store of webhooks failed, or has no room.
#[derive(Debug, thiserror::Error)]
#[error("the store of webhooks failed; check its connection, its health and its room")]
pub struct StoreFailure(#[source] Box<dyn StdError + Send + Sync>);

impl StoreFailure {
    /// A failure with its cause, which may hold no credential.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

#[async_trait]
impl<S: DeliveryStore + ?Sized> DeliveryStore for Arc<S> {
    async fn add(&self, delivery: &Delivery) -> Result<(), StoreFailure> {
        S::add(self, delivery).await
    }

    async fn claim_due(
        &self,
        now: UnixSeconds,
        until: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreFailure> {
        S::claim_due(self, now, until, limit).await
    }

    async fn put_back(&self, claimed: &Delivery, due: UnixSeconds) -> Result<(), StoreFailure> {
        S::put_back(self, claimed, due).await
    }

    async fn done(&self, claimed: &Delivery) -> Result<(), StoreFailure> {
        S::done(self, claimed).await
    }
}

/// Deliveries in the memory of this process: they end with it. For tests, and for events that a
/// receiver can read again.
///
/// It holds up to [`capacity`](Self::with_capacity) deliveries and refuses more.
#[derive(Debug)]
pub struct InMemoryDeliveries {
    waiting: Mutex<HashMap<DeliveryId, Delivery>>,
    capacity: usize,
}

impl Default for InMemoryDeliveries {
    fn default() -> Self {
        Self::with_capacity(10_000)
    }
}

impl InMemoryDeliveries {
    /// A store of up to this many deliveries, in place of 10,000.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { waiting: Mutex::default(), capacity }
    }

    /// How many deliveries wait or are under way.
    pub fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.waiting.lock().is_empty()
    }
}

#[async_trait]
impl DeliveryStore for InMemoryDeliveries {
    async fn add(&self, delivery: &Delivery) -> Result<(), StoreFailure> {
        let mut waiting = self.waiting.lock();
        if waiting.contains_key(delivery.id()) {
            return Ok(());
        }
        if waiting.len() >= self.capacity {
            return Err(StoreFailure::new("the memory for deliveries is full"));
        }
        waiting.insert(delivery.id().clone(), delivery.clone());
        Ok(())
    }

    async fn claim_due(
        &self,
        now: UnixSeconds,
        until: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreFailure> {
        let mut waiting = self.waiting.lock();
        let mut due: Vec<_> = waiting.values_mut().filter(|found| found.due() <= now).collect();
        due.sort_by_key(|delivery| delivery.due());
        let claimed = due.into_iter().take(limit).map(|delivery| {
            *delivery = delivery.clone().claimed_until(until);
            delivery.clone()
        });
        Ok(claimed.collect())
    }

    async fn put_back(&self, claimed: &Delivery, due: UnixSeconds) -> Result<(), StoreFailure> {
        let mut waiting = self.waiting.lock();
        let stored = waiting.get_mut(claimed.id()).filter(|stored| stored.due() == claimed.due());
        if let Some(stored) = stored {
            *stored = claimed.clone().failed(due);
        }
        Ok(())
    }

    async fn done(&self, claimed: &Delivery) -> Result<(), StoreFailure> {
        let mut waiting = self.waiting.lock();
        if waiting.get(claimed.id()).is_some_and(|stored| stored.due() == claimed.due()) {
            waiting.remove(claimed.id());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::{Payload, Recipient, RegistrationId, WebhookTarget};

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

    fn delivery(number: u8, due: i64) -> Delivery {
        let body = format!(r#"{{"idempotency_key":"whk_20260526_{number:06}"}}"#);
        let target: WebhookTarget = "https://buyer.example.com/hooks".parse().unwrap();
        let payload = Payload::from_bytes(body).unwrap();
        Delivery::restore(Recipient::Target(target), payload, NOW, 0, NOW.plus(due))
    }

    #[tokio::test]
    async fn a_claim_takes_what_is_due_longest_and_ends() {
        let store = InMemoryDeliveries::default();
        for (number, due) in [(1, 0), (2, -5), (3, 1), (4, -9)] {
            store.add(&delivery(number, due)).await.unwrap();
        }
        let claim = async |now: UnixSeconds, limit| {
            let claimed = store.claim_due(now, now.plus(60), limit).await.unwrap();
            claimed
                .iter()
                .map(|found| found.payload().idempotency_key().to_string())
                .map(|key| key.trim_start_matches("whk_20260526_00000").to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(claim(NOW, 2).await, ["4", "2"]);
        assert_eq!(claim(NOW, 9).await, ["1"]);
        assert_eq!(claim(NOW, 9).await, [""; 0]);
        assert_eq!(claim(NOW.plus(60), 1).await, ["3"]);
        assert_eq!(claim(NOW.plus(60), 9).await.len(), 3, "the claims ended");
    }

    #[tokio::test]
    async fn what_is_stored_stays_and_what_is_done_does_not_come_back() {
        let store = InMemoryDeliveries::with_capacity(1);
        let first = delivery(1, 0);
        store.add(&first).await.unwrap();
        store.put_back(&first, NOW.plus(9)).await.unwrap();
        store.add(&first).await.unwrap();
        assert!(store.claim_due(NOW, NOW.plus(60), 9).await.unwrap().is_empty());
        assert!(store.add(&delivery(2, 0)).await.is_err(), "full");
        assert_eq!(store.len(), 1);
        store.done(&first).await.unwrap();
        assert_eq!(store.len(), 1, "the claim is another one");
        let claimed = first.failed(NOW.plus(9));
        store.done(&claimed).await.unwrap();
        store.put_back(&claimed, NOW).await.unwrap();
        assert!(store.is_empty());
    }

    #[test]
    fn an_id_follows_from_target_key_and_meaning() {
        let one = delivery(1, 0);
        assert_eq!(one.id(), delivery(1, 7).id());
        assert_ne!(one.id(), delivery(2, 0).id());
        let changed = r#"{"idempotency_key":"whk_20260526_000001","status":"failed"}"#;
        let payload = Payload::from_bytes(changed).unwrap();
        let of = |url: &str, payload: &Payload| {
            let target: WebhookTarget = url.parse().unwrap();
            Delivery::new(target.into(), payload.clone(), NOW).id().clone()
        };
        let named = RegistrationId::new("https://buyer.example.com/hooks").into();
        let named = Delivery::new(named, one.payload().clone(), NOW);
        assert_ne!(one.id(), named.id(), "a registration of that name is another recipient");
        assert_ne!(one.id(), &of("https://buyer.example.com/hooks", &payload));
        assert_ne!(one.id(), &of("https://buyer.example.com/other", one.payload()));
        assert_eq!(one.id().as_str().len(), 32);
    }
}
