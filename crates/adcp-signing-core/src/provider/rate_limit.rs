//! A wrapper that keeps calls under a rate, and bounds how long and how many wait for it.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    state::{InMemoryState, NotKeyed},
};
use tokio::{
    sync::{Mutex, Semaphore},
    time::Instant,
};

use super::{ProviderError, ProviderErrorKind, Signed, SigningProvider, forward_identity};
use crate::PublicKey;

/// Keeps the calls to a provider under a rate; calls over it wait in order of arrival, within bounds.
///
/// A call that finds the queue full, or sees that its wait would pass the bound, fails with
/// [`ProviderErrorKind::Throttled`] and says in [`retry_after`](ProviderError::retry_after) when to come back. Dropping
/// a waiting call frees its place and uses up none of the rate. Every `sign` and every `public_key` counts as one
/// call; a clone or a snapshot shares the limit.
///
/// ```
/// use std::num::NonZeroU32;
///
/// use adcp_signing_core::provider::{RateLimit, RateLimitPolicy, SigningProvider, SigningProviderExt as _};
///
/// fn limited<P: SigningProvider>(kms: P) -> RateLimit<P> {
///     kms.with_rate_limit(&RateLimitPolicy::per_second(NonZeroU32::new(300).unwrap()))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct RateLimit<P> {
    inner: P,
    limiter: Arc<Limiter>,
}

/// The rate and the bounds of a [`RateLimit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitPolicy {
    per_second: NonZeroU32,
    burst: NonZeroU32,
    max_wait: Duration,
    max_waiting: usize,
}

impl RateLimitPolicy {
    /// So many calls a second, as many of them at once after a quiet second. A call waits for at most one second, in a
    /// queue of at most 1024.
    pub fn per_second(rate: NonZeroU32) -> Self {
        Self { per_second: rate, burst: rate, max_wait: Duration::from_secs(1), max_waiting: 1024 }
    }

    /// How many calls may go at once after a quiet time.
    #[must_use]
    pub fn with_burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst;
        self
    }

    /// How long a call waits for the rate to allow it. Zero: not at all.
    #[must_use]
    pub fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// How many calls wait at once.
    #[must_use]
    pub fn with_max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }
}

impl<P: SigningProvider> RateLimit<P> {
    /// Keeps calls to `inner` within `policy`.
    pub fn new(inner: P, policy: &RateLimitPolicy) -> Self {
        Self { inner, limiter: Arc::new(Limiter::new(policy)) }
    }
}

#[derive(Debug)]
struct Limiter {
    cells: RateLimiter<NotKeyed, InMemoryState, TokioClock>,
    /// The time in which one more call is allowed.
    period: Duration,
    max_wait: Duration,
    queue_len: usize,
    queue: Semaphore,
    /// Held by the head of the queue. Tokio's mutex is handed on in order of arrival.
    head: Mutex<()>,
}

impl Limiter {
    fn new(policy: &RateLimitPolicy) -> Self {
        let quota = Quota::per_second(policy.per_second).allow_burst(policy.burst);
        let period = quota.replenish_interval();
        // A call behind so many others that they alone use up its wait would queue for nothing.
        let useful = policy.max_wait.as_nanos().div_ceil(period.as_nanos().max(1));
        let queue_len = usize::try_from(useful)
            .unwrap_or(usize::MAX)
            .min(policy.max_waiting)
            .min(Semaphore::MAX_PERMITS);
        Self {
            cells: RateLimiter::direct_with_clock(quota, TokioClock),
            period,
            max_wait: policy.max_wait,
            queue_len,
            queue: Semaphore::new(queue_len),
            head: Mutex::new(()),
        }
    }

    /// Waits until the rate allows one call.
    async fn admit(&self) -> Result<(), ProviderError> {
        let nobody_waits = self.queue.available_permits() == self.queue_len;
        if nobody_waits && self.cells.check().is_ok() {
            return Ok(());
        }
        let _place = self.queue.try_acquire().map_err(|_| throttled(self.period))?;
        let give_up = Instant::now().checked_add(self.max_wait);
        let in_turn = async {
            let _head = self.head.lock().await;
            while let Err(not_until) = self.cells.check() {
                let wait = not_until.wait_time_from(TokioClock.now());
                if give_up.is_some_and(|give_up| wait > give_up.saturating_duration_since(Instant::now())) {
                    return Err(throttled(wait));
                }
                tokio::time::sleep(wait).await;
            }
            Ok(())
        };
        tokio::time::timeout(self.max_wait, in_turn).await.unwrap_or_else(|_| Err(throttled(self.period)))
    }
}

fn throttled(retry_after: Duration) -> ProviderError {
    ProviderError::new(
        ProviderErrorKind::Throttled,
        "more signatures than the configured rate allows; sign fewer or raise the rate limit",
    )
    .with_retry_after(retry_after)
}

/// Tokio's clock for the limiter, so that the limiter and the sleeps between its answers agree on the time, paused
/// time included.
#[derive(Debug, Clone)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = std::time::Instant;

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for RateLimit<P> {
    forward_identity!(inner);

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.limiter.admit().await?;
        self.inner.public_key().await
    }

    async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
        self.limiter.admit().await?;
        self.inner.sign(signature_base).await
    }

    fn snapshot(&self) -> Option<Arc<dyn SigningProvider>> {
        let inner = self.inner.snapshot()?;
        Some(Arc::new(RateLimit { inner, limiter: self.limiter.clone() }))
    }
}
