//! A wrapper that bounds how many calls are under way at once, and how many wait for their turn.

use std::{num::NonZeroUsize, sync::Arc};

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    forward_identity,
    keys::PublicKey,
    provider::{ProviderError, ProviderErrorKind, Signed, SigningProvider},
};

/// Lets at most so many calls through at once; the others wait in order of arrival, in a queue with
/// a bound.
///
/// A call that finds the queue full fails at once with [`ProviderErrorKind::Throttled`]. Dropping a
/// waiting call frees its place. The limit holds for `sign` and `public_key` together, and a clone
/// or a snapshot shares it.
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
}

#[derive(Debug)]
struct Limit {
    /// One permit for each call that is under way or waits.
    places: Semaphore,
    /// One permit for each call that is under way. Tokio hands permits out in order of arrival.
    turns: Semaphore,
}

impl<P: SigningProvider> ConcurrencyLimit<P> {
    /// Lets `max_in_flight` calls through to `inner` at once, and `max_waiting` more wait.
    pub fn new(inner: P, max_in_flight: NonZeroUsize, max_waiting: usize) -> Self {
        let turns = max_in_flight.get().min(Semaphore::MAX_PERMITS);
        let places = turns.saturating_add(max_waiting).min(Semaphore::MAX_PERMITS);
        let limit = Limit { places: Semaphore::new(places), turns: Semaphore::new(turns) };
        Self { inner, limit: Arc::new(limit) }
    }
}

impl Limit {
    /// Waits for a turn, which lasts until the permits are dropped.
    async fn turn(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), ProviderError> {
        let place = self.places.try_acquire().map_err(|_| throttled())?;
        // The semaphore is never closed, so this error does not come up.
        let turn = self.turns.acquire().await.map_err(|_| throttled())?;
        Ok((turn, place))
    }
}

fn throttled() -> ProviderError {
    ProviderError::new(
        ProviderErrorKind::Throttled,
        "too many signatures wait for the key service; sign fewer at once or raise the concurrency limit",
    )
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for ConcurrencyLimit<P> {
    forward_identity!(inner);

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        let _turn = self.limit.turn().await?;
        self.inner.public_key().await
    }

    async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
        let _turn = self.limit.turn().await?;
        self.inner.sign(signature_base).await
    }

    fn snapshot(&self) -> Option<Arc<dyn SigningProvider>> {
        let inner = self.inner.snapshot()?;
        Some(Arc::new(ConcurrencyLimit { inner, limit: self.limit.clone() }))
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

    #[test]
    fn limits_beyond_what_a_semaphore_holds_are_clamped() {
        let most = NonZeroUsize::new(usize::MAX).unwrap();
        let limited = Scripted::new("k").with_concurrency_limit(most, usize::MAX);
        assert_eq!(limited.limit.turns.available_permits(), Semaphore::MAX_PERMITS);
    }
}
