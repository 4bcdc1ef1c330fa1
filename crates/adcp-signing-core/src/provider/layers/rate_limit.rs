//! A wrapper that keeps calls under a rate, and bounds how long and how many wait for it.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

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

use crate::{
    keys::PublicKey,
    provider::{
        Capability, KeyIdentity, ProviderError, ProviderErrorKind, Signed, SigningProvider,
    },
};

/// Governor counts in whole nanoseconds.
const MAX_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(999_999_999);

/// Keeps the calls to a provider under a rate; calls over it wait in order of arrival, within
/// bounds.
///
/// A call that finds the queue full, or sees that its wait would pass the bound, fails with
/// [`ProviderErrorKind::Throttled`] and says in [`retry_after`](ProviderError::retry_after) when to
/// come back. Dropping a waiting call frees its place and uses up none of the rate. Every `sign`
/// and every `public_key` counts as one call; a clone shares the limit.
///
/// ```
/// use std::num::NonZeroU32;
///
/// use adcp_signing_core::provider::{layers::{RateLimit, RateLimitPolicy, SigningProviderExt as _}, SigningProvider};
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
    /// So many calls a second, as many of them at once after a quiet second. A call waits for at
    /// most one second, in a queue of at most 1024.
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

    /// Puts this same limit around another provider: the two keys of a rotation share the quota of
    /// their service.
    pub fn around<Q: SigningProvider>(&self, other: Q) -> RateLimit<Q> {
        RateLimit { inner: other, limiter: self.limiter.clone() }
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
        let quota =
            Quota::per_second(policy.per_second.min(MAX_PER_SECOND)).allow_burst(policy.burst);
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
                if give_up
                    .is_some_and(|give_up| wait > give_up.saturating_duration_since(Instant::now()))
                {
                    return Err(throttled(wait));
                }
                tokio::time::sleep(wait).await;
            }
            Ok(())
        };
        tokio::time::timeout(self.max_wait, in_turn)
            .await
            .unwrap_or_else(|_| Err(throttled(self.period)))
    }
}

fn throttled(retry_after: Duration) -> ProviderError {
    ProviderError::new(
        ProviderErrorKind::Throttled,
        "more signatures than the configured rate allows; sign fewer or raise the rate limit",
    )
    .with_retry_after(retry_after)
}

/// Tokio's clock for the limiter, so that the limiter and the sleeps between its answers agree on
/// the time, paused time included.
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
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.limiter.admit().await?;
        self.inner.public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        self.limiter.admit().await?;
        self.inner.sign(message).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::join_all, poll};

    use super::*;
    use crate::provider::{
        layers::SigningProviderExt as _,
        scripted::{Scripted, Step},
    };

    fn ten_a_second() -> RateLimitPolicy {
        RateLimitPolicy::per_second(NonZeroU32::new(10).unwrap())
            .with_burst(NonZeroU32::new(2).unwrap())
            .with_max_wait(Duration::from_secs(1))
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_at_the_rate_in_order() {
        let limited = Scripted::new("k").with_rate_limit(&ten_a_second());
        let started = Instant::now();
        let times = join_all((0..6).map(|_| async {
            limited.sign(b"base").await.unwrap();
            started.elapsed().as_millis()
        }))
        .await;
        let expected = [0, 0, 100, 200, 300, 400];
        for (time, expected) in times.into_iter().zip(expected) {
            // Tokio's timer counts whole milliseconds and rounds up.
            assert!((expected..=expected + 5).contains(&time), "{time} for {expected}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_past_the_bound_is_refused_at_once_and_says_when_to_come_back() {
        let limited = Scripted::new("k")
            .with_rate_limit(&ten_a_second().with_max_wait(Duration::from_millis(50)));
        for _ in 0..2 {
            limited.sign(b"base").await.unwrap();
        }
        let started = Instant::now();
        let refused = limited.sign(b"base").await.unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::Throttled);
        assert_eq!(refused.retry_after(), Some(Duration::from_millis(100)));
        assert_eq!(started.elapsed(), Duration::ZERO);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(limited.sign(b"base").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_by_its_length_and_by_what_the_wait_allows() {
        let cases = [
            (ten_a_second().with_max_waiting(3), 3),
            (ten_a_second(), 10),
            (ten_a_second().with_max_wait(Duration::ZERO), 0),
        ];
        for (policy, waiting) in cases {
            let limited = Scripted::new("k").with_rate_limit(&policy);
            let mut calls: Vec<_> = (0..2 + waiting + 1).map(|_| limited.sign(b"base")).collect();
            let outcomes: Vec<_> = calls.iter_mut().map(|call| call.now_or_never()).collect();
            assert!(
                outcomes[..2].iter().all(|outcome| matches!(outcome, Some(Ok(_)))),
                "the burst"
            );
            assert!(outcomes[2..2 + waiting].iter().all(Option::is_none), "the queue of {waiting}");
            let Some(Some(Err(refused))) = outcomes.last() else {
                panic!("a queue over {waiting}")
            };
            assert_eq!(refused.kind(), ProviderErrorKind::Throttled);
            assert_eq!(refused.retry_after(), Some(Duration::from_millis(100)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_waiter_frees_its_place_and_uses_none_of_the_rate() {
        let kms = Scripted::new("k");
        let limited = kms.clone().with_rate_limit(&ten_a_second().with_max_waiting(1));
        for _ in 0..2 {
            limited.sign(b"base").await.unwrap();
        }
        let started = Instant::now();
        let mut waiting = limited.sign(b"base");
        assert!(poll!(&mut waiting).is_pending());
        drop(waiting);
        assert!(limited.sign(b"base").await.is_ok());
        assert!(started.elapsed() <= Duration::from_millis(101), "{:?}", started.elapsed());
        assert_eq!(kms.sign_calls(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn extreme_policies_are_safe() {
        for rate in [NonZeroU32::MIN, NonZeroU32::MAX] {
            let policy = RateLimitPolicy::per_second(rate)
                .with_burst(NonZeroU32::MAX)
                .with_max_wait(Duration::MAX)
                .with_max_waiting(usize::MAX);
            assert!(Scripted::new("k").with_rate_limit(&policy).sign(b"base").await.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_call_does_not_hold_up_the_queue() {
        let kms = Scripted::new("k").on_sign([Step::Hang]);
        let limited = kms.with_rate_limit(&ten_a_second());
        let mut slow = limited.sign(b"base");
        assert!(poll!(&mut slow).is_pending());
        for _ in 0..3 {
            assert!(limited.sign(b"base").await.is_ok());
        }
    }
}
