//! A value fetched on first use: one flight for concurrent first uses, success kept, failure never.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use futures_util::lock::Mutex;

use crate::provider::ProviderError;

/// A cell that the first use fills: what a backend keeps the service's description of its key in.
///
/// Callers that arrive while a flight is under way wait for it. Where it succeeds they share its
/// value; where it fails they share its failure, so an outage costs each of them one call's time
/// and the service one call; where its caller is dropped the next in line flies in its place. A
/// failure is never kept: the next caller to arrive tries again.
///
/// ```
/// use adcp_signing_core::{provider::{toolkit::FetchOnce, ProviderError}, PublicKey};
///
/// struct Backend {
///     key: FetchOnce<PublicKey>,
/// }
///
/// impl Backend {
///     async fn key(&self) -> Result<&PublicKey, ProviderError> {
///         self.key.get_or_fetch(|| self.ask_the_service()).await
///     }
///     # async fn ask_the_service(&self) -> Result<PublicKey, ProviderError> { unimplemented!() }
/// }
/// ```
#[derive(Debug)]
pub struct FetchOnce<T> {
    value: OnceLock<T>,
    failed_flights: AtomicU64,
    flight: Mutex<Option<ProviderError>>,
}

impl<T> FetchOnce<T> {
    /// An empty cell.
    pub fn new() -> Self {
        Self { value: OnceLock::new(), failed_flights: AtomicU64::new(0), flight: Mutex::new(None) }
    }

    /// The value, where it was fetched.
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, fetched if nobody has yet.
    ///
    /// # Errors
    /// That of the flight, for its own caller and for those who waited for it.
    pub async fn get_or_fetch<F>(&self, fetch: impl FnOnce() -> F) -> Result<&T, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let failed_before = self.failed_flights.load(Ordering::Acquire);
        let mut last_failure = self.flight.lock().await;
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        if self.failed_flights.load(Ordering::Acquire) != failed_before
            && let Some(failure) = &*last_failure
        {
            return Err(failure.clone());
        }
        match fetch().await {
            Ok(value) => Ok(self.value.get_or_init(|| value)),
            Err(error) => {
                *last_failure = Some(error.clone());
                self.failed_flights.fetch_add(1, Ordering::Release);
                Err(error)
            }
        }
    }
}

impl<T> Default for FetchOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use futures_util::{FutureExt as _, poll};
    use tokio::sync::oneshot;

    use super::*;
    use crate::provider::ProviderErrorKind;

    #[tokio::test]
    async fn concurrent_first_uses_share_one_flight() {
        let cell = FetchOnce::new();
        let flights = AtomicUsize::new(0);
        let (land, landing) = oneshot::channel();
        let mut first = pin!(cell.get_or_fetch(|| async {
            flights.fetch_add(1, Ordering::Relaxed);
            Ok(landing.await.unwrap())
        }));
        let mut second = pin!(cell.get_or_fetch(|| async {
            flights.fetch_add(1, Ordering::Relaxed);
            Ok(0)
        }));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        land.send(7).unwrap();
        assert_eq!(first.now_or_never().unwrap().unwrap(), &7);
        assert_eq!(second.now_or_never().unwrap().unwrap(), &7);
        assert_eq!(flights.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_dropped_leader_hands_over_to_the_next_in_line() {
        let cell = FetchOnce::new();
        let mut leader =
            Box::pin(cell.get_or_fetch(std::future::pending::<Result<i32, ProviderError>>));
        let mut follower = pin!(cell.get_or_fetch(|| async { Ok(2) }));
        assert!(poll!(&mut leader).is_pending());
        assert!(poll!(&mut follower).is_pending());
        drop(leader);
        assert_eq!(follower.now_or_never().unwrap().unwrap(), &2);
    }

    #[tokio::test]
    async fn a_failure_is_shared_by_those_who_waited_for_it_and_then_forgotten() {
        let cell = FetchOnce::new();
        let (land, landing) = oneshot::channel::<()>();
        let mut leader = pin!(cell.get_or_fetch(|| async {
            landing.await.unwrap();
            Err(ProviderError::new(ProviderErrorKind::Throttled, "slow down")
                .with_retry_after(Duration::from_secs(3)))
        }));
        let mut follower = pin!(cell.get_or_fetch(|| async { panic!("a second flight") }));
        assert!(poll!(&mut leader).is_pending());
        assert!(poll!(&mut follower).is_pending());
        land.send(()).unwrap();
        let failed = leader.now_or_never().unwrap().unwrap_err();
        assert_eq!(failed.to_string(), "throttled: slow down");
        let shared = follower.now_or_never().unwrap().unwrap_err();
        assert_eq!(shared.to_string(), "throttled: slow down");
        assert_eq!(shared.retry_after(), Some(Duration::from_secs(3)));
        assert_eq!(cell.get_or_fetch(|| async { Ok(5) }).await.unwrap(), &5);
    }
}
