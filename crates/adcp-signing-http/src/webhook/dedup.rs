//! Each webhook once: claims on idempotency keys, and a store of them in memory.

use std::{
    collections::{BTreeSet, HashMap},
    error::Error as StdError,
    fmt,
    sync::Arc,
    time::Duration,
};

use adcp_signing_core::UnixSeconds;
use async_trait::async_trait;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use super::{Fingerprint, IdempotencyKey};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3600);

/// The name under which a delivery is remembered: who sent it, as its signature proves, and its
/// idempotency key. Keys of different senders never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryName<'a> {
    sender: &'a str,
    key: &'a IdempotencyKey,
}

/// How long deliveries are remembered, and how long a handler may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    keep: Duration,
    claim: Duration,
}

/// A retention that AdCP does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// Deliveries would be forgotten before their senders stop to repeat them.
    #[error(
        "deliveries have to be remembered for a day at least; give the longest horizon of your \
         senders"
    )]
    TooShort,
    /// A claim could outlive what it claims.
    #[error("a handler has more than an hour; have it put long work into a queue")]
    ClaimTooLong,
}

/// Names the holder of a claim, so that one whose claim has ended changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fence(pub u64);

/// What a store answers to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "only `Yours` may be handled"]
pub enum Claim {
    /// Nobody has handled the delivery, and nobody is at it: handle it.
    Yours(Fence),
    /// Another task is handling it: answered 503.
    Running,
    /// It was handled: answered 200.
    Completed,
    /// The key belongs to another payload: answered 409.
    Conflict,
    /// The sender, or all together, have as many keys as the store keeps: answered 429.
    Full,
}

/// The store of claims did not answer. The delivery is answered 503.
#[derive(Debug, thiserror::Error)]
#[error("the store of webhook claims did not answer; check its connection and health")]
pub struct ClaimError(#[source] Box<dyn StdError + Send + Sync>);

/// Remembers which deliveries were handled, by whom they were sent and what they said.
///
/// All endpoints that a sender can reach must share one store: the same delivery, sent to another
/// endpoint, is the same delivery. More than one process need a store outside of them, which
/// survives a restart.
///
/// A table with the columns `name` (primary key: [`DeliveryName::digest`]), `fingerprint`, `state`,
/// `fence`, `claimed_until` and `expires_at` is enough.
#[async_trait]
pub trait DedupStore: Send + Sync + fmt::Debug {
    /// Claims a delivery, in one atomic step: of any number of concurrent calls one is answered
    /// [`Claim::Yours`].
    ///
    /// - An unknown name is bound to the fingerprint until [`Retention::keep`] has passed, claimed
    ///   until [`Retention::claim`] has passed, and `Yours`.
    /// - A name with another fingerprint is a [`Claim::Conflict`]; the first binding stays.
    /// - A completed name is [`Claim::Completed`].
    /// - A name whose claim is held is [`Claim::Running`]. One that was released, or whose claim
    ///   has ended, is claimed anew, with another fence.
    ///
    /// # Errors
    /// [`ClaimError`].
    async fn claim(
        &self,
        name: DeliveryName<'_>,
        fingerprint: Fingerprint,
        now: UnixSeconds,
        retention: Retention,
    ) -> Result<Claim, ClaimError>;

    /// The delivery was handled. Nothing changes where the claim is not this one any more.
    ///
    /// # Errors
    /// [`ClaimError`].
    async fn complete(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError>;

    /// The delivery was not handled, and the next attempt may be. The binding stays. Nothing
    /// changes where the claim is not this one any more.
    ///
    /// # Errors
    /// [`ClaimError`].
    async fn release(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError>;
}

impl<'a> DeliveryName<'a> {
    /// The name of a delivery of this sender.
    pub fn new(sender: &'a str, key: &'a IdempotencyKey) -> Self {
        Self { sender, key }
    }

    /// Who sent it.
    pub fn sender(&self) -> &'a str {
        self.sender
    }

    /// Its key.
    pub fn key(&self) -> &'a IdempotencyKey {
        self.key
    }

    /// A storage key, the same in every process: SHA-256 over the length of the sender as 8 bytes,
    /// big-endian, the sender, and the key.
    pub fn digest(&self) -> [u8; 32] {
        let hasher = Sha256::new()
            .chain_update((self.sender.len() as u64).to_be_bytes())
            .chain_update(self.sender)
            .chain_update(self.key.as_str());
        hasher.finalize().into()
    }
}

impl Default for Retention {
    /// A week, the longest horizon that AdCP allows a sender, and 5 minutes for a handler.
    fn default() -> Self {
        Self { keep: 7 * DAY, claim: Duration::from_secs(300) }
    }
}

impl Retention {
    /// Remembers deliveries for `keep`, and gives a handler the time `claim`.
    ///
    /// # Errors
    /// [`RetentionError`] for less than a day or more than an hour.
    pub fn new(keep: Duration, claim: Duration) -> Result<Self, RetentionError> {
        if keep < DAY {
            return Err(RetentionError::TooShort);
        }
        if claim > HOUR {
            return Err(RetentionError::ClaimTooLong);
        }
        Ok(Self { keep, claim })
    }

    /// How long deliveries are remembered.
    pub fn keep(&self) -> Duration {
        self.keep
    }

    /// How long a claim holds.
    pub fn claim(&self) -> Duration {
        self.claim
    }
}

impl ClaimError {
    /// A failure with its cause, which may hold no credential.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

#[async_trait]
impl<S: DedupStore + ?Sized> DedupStore for Arc<S> {
    async fn claim(
        &self,
        name: DeliveryName<'_>,
        fingerprint: Fingerprint,
        now: UnixSeconds,
        retention: Retention,
    ) -> Result<Claim, ClaimError> {
        S::claim(self, name, fingerprint, now, retention).await
    }

    async fn complete(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError> {
        S::complete(self, name, fence).await
    }

    async fn release(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError> {
        S::release(self, name, fence).await
    }
}

/// Claims in the memory of this process: for tests, and for a single process whose handlers do no
/// harm when a delivery is handled again after a restart. AdCP requires a store that survives one.
///
/// It keeps up to a million deliveries, and 100,000 of one sender, and refuses more: forgetting one
/// early would have it handled twice. One takes about 300 bytes.
#[derive(Debug)]
pub struct InMemoryDedup {
    table: Mutex<Table>,
    capacity: usize,
    per_sender: usize,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<[u8; 32], Entry>,
    by_sender: HashMap<[u8; 32], usize>,
    expiry: BTreeSet<(UnixSeconds, [u8; 32])>,
    last_fence: u64,
}

#[derive(Debug)]
struct Entry {
    sender: [u8; 32],
    fingerprint: Fingerprint,
    state: State,
}

#[derive(Debug)]
enum State {
    Released,
    Running { fence: Fence, until: UnixSeconds },
    Completed,
}

impl Default for InMemoryDedup {
    fn default() -> Self {
        Self::with_capacity(1_000_000, 100_000)
    }
}

impl InMemoryDedup {
    /// A store of this many deliveries in all, and of one sender.
    pub fn with_capacity(capacity: usize, per_sender: usize) -> Self {
        Self { table: Mutex::default(), capacity, per_sender }
    }

    fn finish(&self, name: DeliveryName<'_>, fence: Fence, state: State) {
        let mut table = self.table.lock();
        let Some(entry) = table.entries.get_mut(&name.digest()) else { return };
        if matches!(entry.state, State::Running { fence: held, .. } if held == fence) {
            entry.state = state;
        }
    }
}

impl Table {
    fn forget_expired(&mut self, now: UnixSeconds) {
        while let Some((expires, digest)) = self.expiry.first().copied() {
            if expires > now {
                return;
            }
            self.expiry.pop_first();
            let Some(entry) = self.entries.remove(&digest) else { continue };
            let Some(count) = self.by_sender.get_mut(&entry.sender) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_sender.remove(&entry.sender);
            }
        }
    }

    fn next_fence(&mut self) -> Fence {
        self.last_fence = self.last_fence.wrapping_add(1);
        Fence(self.last_fence)
    }
}

#[async_trait]
impl DedupStore for InMemoryDedup {
    async fn claim(
        &self,
        name: DeliveryName<'_>,
        fingerprint: Fingerprint,
        now: UnixSeconds,
        retention: Retention,
    ) -> Result<Claim, ClaimError> {
        let digest = name.digest();
        let sender: [u8; 32] = Sha256::digest(name.sender()).into();
        let until = after(now, retention.claim());
        let mut table = self.table.lock();
        table.forget_expired(now);
        let fence = table.next_fence();
        if let Some(entry) = table.entries.get_mut(&digest) {
            if entry.fingerprint != fingerprint {
                return Ok(Claim::Conflict);
            }
            match entry.state {
                State::Completed => return Ok(Claim::Completed),
                State::Running { until, .. } if now < until => return Ok(Claim::Running),
                State::Running { .. } | State::Released => {}
            }
            entry.state = State::Running { fence, until };
            return Ok(Claim::Yours(fence));
        }
        let of_sender = table.by_sender.get(&sender).copied().unwrap_or_default();
        if table.entries.len() >= self.capacity || of_sender >= self.per_sender {
            return Ok(Claim::Full);
        }
        let state = State::Running { fence, until };
        table.entries.insert(digest, Entry { sender, fingerprint, state });
        table.by_sender.insert(sender, of_sender.saturating_add(1));
        table.expiry.insert((after(now, retention.keep()), digest));
        Ok(Claim::Yours(fence))
    }

    async fn complete(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError> {
        self.finish(name, fence, State::Completed);
        Ok(())
    }

    async fn release(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError> {
        self.finish(name, fence, State::Released);
        Ok(())
    }
}

fn after(now: UnixSeconds, time: Duration) -> UnixSeconds {
    now.plus(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
    const ONE: Fingerprint = Fingerprint::restore([1; 32]);
    const TWO: Fingerprint = Fingerprint::restore([2; 32]);
    const SELLER: &str = "https://seller.example.com";

    fn key(number: u8) -> IdempotencyKey {
        IdempotencyKey::try_from(format!("whk_20260526_{number:06}").as_str()).unwrap()
    }

    async fn claim(
        store: &InMemoryDedup,
        sender: &str,
        number: u8,
        print: Fingerprint,
        at: i64,
    ) -> Claim {
        let key = key(number);
        let name = DeliveryName::new(sender, &key);
        store.claim(name, print, NOW.plus(at), Retention::default()).await.unwrap()
    }

    fn fence(claim: Claim) -> Fence {
        let Claim::Yours(fence) = claim else { panic!("{claim:?}") };
        fence
    }

    #[tokio::test]
    async fn a_delivery_is_handled_once_and_released_ones_again() {
        let store = InMemoryDedup::default();
        let key = key(1);
        let name = DeliveryName::new(SELLER, &key);
        let first = fence(claim(&store, SELLER, 1, ONE, 0).await);
        assert_eq!(claim(&store, SELLER, 1, ONE, 1).await, Claim::Running);
        assert_eq!(claim(&store, SELLER, 1, TWO, 1).await, Claim::Conflict);
        store.release(name, first).await.unwrap();
        assert_eq!(claim(&store, SELLER, 1, TWO, 2).await, Claim::Conflict, "the binding stays");
        let second = fence(claim(&store, SELLER, 1, ONE, 2).await);
        store.complete(name, first).await.unwrap();
        assert_eq!(claim(&store, SELLER, 1, ONE, 3).await, Claim::Running, "a fence of the past");
        store.complete(name, second).await.unwrap();
        store.release(name, second).await.unwrap();
        assert_eq!(claim(&store, SELLER, 1, ONE, 4).await, Claim::Completed);
        assert_eq!(claim(&store, SELLER, 1, TWO, 4).await, Claim::Conflict);
        fence(claim(&store, "https://other.example.com", 1, TWO, 4).await);
    }

    #[tokio::test]
    async fn a_claim_ends_and_a_delivery_is_forgotten_in_time_and_not_before() {
        let store = InMemoryDedup::default();
        let first = fence(claim(&store, SELLER, 1, ONE, 0).await);
        assert_eq!(claim(&store, SELLER, 1, ONE, 299).await, Claim::Running);
        let second = fence(claim(&store, SELLER, 1, ONE, 300).await);
        assert_ne!(first, second);
        let key = key(1);
        store.complete(DeliveryName::new(SELLER, &key), second).await.unwrap();
        assert_eq!(claim(&store, SELLER, 1, ONE, 604_799).await, Claim::Completed);
        fence(claim(&store, SELLER, 1, TWO, 604_800).await);
    }

    #[tokio::test]
    async fn a_full_store_refuses_and_forgets_nothing() {
        let store = InMemoryDedup::with_capacity(3, 2);
        for number in [1, 2] {
            fence(claim(&store, SELLER, number, ONE, 0).await);
        }
        assert_eq!(claim(&store, SELLER, 3, ONE, 0).await, Claim::Full);
        fence(claim(&store, "https://other.example.com", 3, ONE, 0).await);
        assert_eq!(claim(&store, "https://third.example.com", 3, ONE, 0).await, Claim::Full);
        assert_eq!(claim(&store, SELLER, 1, ONE, 0).await, Claim::Running);
        let week = 604_800;
        fence(claim(&store, SELLER, 3, ONE, week).await);
        let table = store.table.lock();
        let counts = (table.entries.len(), table.by_sender.len(), table.expiry.len());
        assert_eq!(counts, (1, 1, 1), "expired entries leave nothing behind");
    }

    #[test]
    fn a_retention_outlasts_the_shortest_horizon_and_a_claim_is_short() {
        let minute = Duration::from_secs(60);
        assert!(Retention::new(DAY, HOUR).is_ok());
        let second = Duration::from_secs(1);
        assert_eq!(Retention::new(DAY - second, minute), Err(RetentionError::TooShort));
        assert_eq!(Retention::new(DAY, HOUR + second), Err(RetentionError::ClaimTooLong));
    }
}
