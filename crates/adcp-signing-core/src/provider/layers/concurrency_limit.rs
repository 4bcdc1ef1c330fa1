//! A wrapper that bounds how many calls are under way at once, and how many wait for their turn.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    keys::PublicKey,
    provider::{
        Capability, KeyIdentity, ProviderError, ProviderErrorKind, Signed, SigningProvider,
    },
};

/// Lets at most so many calls through at once; the others wait in order of arrival, in a queue with
/// a bound, for a bounded time.
///
/// A call that finds the queue full, or waits longer than
/// [`with_max_wait`](ConcurrencyLimit::with_max_wait) allows, fails with
/// [`ProviderErrorKind::Throttled`]. Dropping a waiting call frees its place. The limit holds for
/// `sign` and `public_key` together, and a clone shares it.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use adcp_signing_core::provider::{layers::{ConcurrencyLimit, SigningProviderExt as _}, SigningProvider};
///
/// fn limited<P: SigningProvider>(kms: P) -> ConcurrencyLimit<P> {
///     kms.with_concurrency_limit(NonZeroUsize::new(32).unwrap(), 256)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit<P> {
    inner: P,
    limit: Arc<Limit>,
    max_wait: Duration,
}

#[derive(Debug)]
struct Limit {
    /// One permit for each call that is under way or waits.
    places: Semaphore,
    /// One permit for each call that is under way. Tokio hands permits out in order of arrival.
    turns: Semaphore,
}

impl<P: SigningProvider> ConcurrencyLimit<P> {
    /// How long a call waits for its turn unless [`with_max_wait`](Self::with_max_wait) says
    /// otherwise.
    pub const DEFAULT_MAX_WAIT: Duration = Duration::from_secs(20);

    /// Lets `max_in_flight` calls through to `inner` at once, and `max_waiting` more wait.
    pub fn new(inner: P, max_in_flight: NonZeroUsize, max_waiting: usize) -> Self {
        let turns = max_in_flight.get().min(Semaphore::MAX_PERMITS);
        let places = turns.saturating_add(max_waiting).min(Semaphore::MAX_PERMITS);
        let limit = Limit { places: Semaphore::new(places), turns: Semaphore::new(turns) };
        Self { inner, limit: Arc::new(limit), max_wait: Self::DEFAULT_MAX_WAIT }
    }

    /// How long a call waits for its turn.
    #[must_use]
    pub fn with_max_wait(self, max_wait: Duration) -> Self {
        Self { max_wait, ..self }
    }

    /// Puts this same limit around another provider: the two keys of a rotation share it.
    pub fn around<Q: SigningProvider>(&self, other: Q) -> ConcurrencyLimit<Q> {
        ConcurrencyLimit { inner: other, limit: self.limit.clone(), max_wait: self.max_wait }
    }

    /// Waits for a turn, which lasts until the permits are dropped.
    async fn turn(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), ProviderError> {
        let place = self.limit.places.try_acquire().map_err(|_| queue_is_full())?;
        let turn = tokio::time::timeout(self.max_wait, self.limit.turns.acquire()).await;
        // The semaphore is never closed, so the inner error does not come up.
        let turn =
            turn.map_err(|_| waited_too_long(self.max_wait))?.map_err(|_| queue_is_full())?;
        Ok((turn, place))
    }
}

pub(super) fn queue_is_full() -> ProviderError {
    ProviderError::new(
        ProviderErrorKind::Throttled,
        "too many signatures wait for the key service; sign fewer at once or raise the concurrency limit",
    )
}

fn waited_too_long(limit: Duration) -> ProviderError {
    let message = format!(
        "waited {limit:?} for a turn at the key service; sign fewer at once or raise the \
         concurrency limit"
    );
    ProviderError::new(ProviderErrorKind::Throttled, message)
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for ConcurrencyLimit<P> {
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        let _turn = self.turn().await?;
        self.inner.public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let _turn = self.turn().await?;
        self.inner.sign(message).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, poll};

    use super::*;
    use crate::provider::{
        layers::SigningProviderExt as _,
        scripted::{Scripted, Step},
    };

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    #[tokio::test]
    async fn calls_over_the_limit_wait_in_order_and_past_the_queue_are_throttled() {
        let (open_first, first_step) = Step::gated(Step::Answer);
        let (open_second, second_step) = Step::gated(Step::Answer);
        let kms = Scripted::new("k").on_sign([first_step, second_step]);
        let limited = kms.clone().with_concurrency_limit(ONE, 2);
        let [mut first, mut second, mut third] = [(); 3].map(|()| limited.sign(b"base"));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        assert!(poll!(&mut third).is_pending());
        assert_eq!(kms.sign_calls(), 1, "the others wait before the service");
        let refused = limited.sign(b"base").now_or_never().unwrap().unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::Throttled);

        open_first.send(()).unwrap();
        assert!(poll!(&mut first).is_ready());
        assert!(poll!(&mut third).is_pending(), "the second came before");
        assert!(poll!(&mut second).is_pending());
        assert_eq!(kms.sign_calls(), 2);
        open_second.send(()).unwrap();
        assert!(poll!(&mut second).is_ready());
        assert!(poll!(&mut third).is_ready());
    }

    #[tokio::test]
    async fn a_dropped_waiter_frees_its_place() {
        let kms = Scripted::new("k").on_sign([Step::Hang]);
        let limited = kms.clone().with_concurrency_limit(ONE, 1);
        let [mut running, mut waiting, mut late] = [(); 3].map(|()| limited.sign(b"base"));
        assert!(poll!(&mut running).is_pending());
        assert!(poll!(&mut waiting).is_pending());
        drop(waiting);
        assert!(poll!(&mut late).is_pending(), "took the place in the queue");
        drop(running);
        assert!(late.now_or_never().unwrap().is_ok());
        assert_eq!(kms.under_way(), 0);
    }

    #[tokio::test]
    async fn no_queue_means_throttled_at_once() {
        let limited = Scripted::new("k").on_sign([Step::Hang]).with_concurrency_limit(ONE, 0);
        let mut running = limited.sign(b"base");
        assert!(poll!(&mut running).is_pending());
        let refused = limited.sign(b"base").now_or_never().unwrap().unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::Throttled);
        let refused = limited.public_key().now_or_never().unwrap().unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::Throttled);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_a_turn_ends() {
        let max_wait = Duration::from_secs(3);
        let kms = Scripted::new("k").on_sign([Step::Hang]);
        let limited = kms.clone().with_concurrency_limit(ONE, 1).with_max_wait(max_wait);
        let mut running = limited.sign(b"base");
        assert!(poll!(&mut running).is_pending());
        let started = tokio::time::Instant::now();
        let refused = limited.sign(b"base").await.unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::Throttled);
        assert_eq!(started.elapsed(), max_wait);
        drop(running);
        assert!(limited.sign(b"base").await.is_ok(), "the refused call has left the queue");
    }

    #[test]
    fn limits_beyond_what_a_semaphore_holds_are_clamped() {
        let most = NonZeroUsize::new(usize::MAX).unwrap();
        let limited = Scripted::new("k").with_concurrency_limit(most, usize::MAX);
        assert_eq!(limited.limit.turns.available_permits(), Semaphore::MAX_PERMITS);
    }
}
