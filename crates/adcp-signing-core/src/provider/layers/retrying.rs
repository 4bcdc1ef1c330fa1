//! A wrapper that tries a failed call again, inside one total deadline.

use std::{fmt, num::NonZeroUsize, time::Duration};

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBuilder, Retryable as _, TokioSleeper};
use parking_lot::Mutex;
use rand::{TryRng as _, rngs::SysRng};
use tokio::time::Instant;

use crate::{
    keys::PublicKey,
    provider::{
        Capability, KeyIdentity, ProviderError, ProviderErrorKind, Signed, SigningProvider,
    },
};

/// Repeats a call that failed with a [retryable](ProviderErrorKind::is_retryable) kind, after a
/// full-jitter exponential backoff.
///
/// - A retry never comes sooner than the service asked in [`retry_after`](ProviderError::retry_after).
/// - Where the pause before the next attempt would not end within the total deadline, the call fails at once with the
///   error of the last attempt.
/// - The total deadline covers attempts and pauses. An attempt that it cuts off fails with
///   [`ProviderErrorKind::Timeout`].
///
/// A signature has no effect at the service, so repeating a call whose answer was lost is safe.
///
/// ```
/// use std::time::Duration;
///
/// use adcp_signing_core::provider::{layers::{RetryPolicy, Retrying, SigningProviderExt as _}, SigningProvider};
///
/// fn patient<P: SigningProvider>(kms: P) -> Retrying<P> {
///     kms.retrying(RetryPolicy::default().with_total_deadline(Duration::from_secs(10)))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Retrying<P> {
    inner: P,
    policy: RetryPolicy,
}

/// How often and how long [`Retrying`] tries.
///
/// By default attempts go on for 30 seconds in all, with pauses drawn from 0 up to 50, 100, 200 and
/// more milliseconds, at most 2 seconds. That outlasts the restart of a server, and the election of
/// a leader in a Vault cluster, which took up to 23 seconds where it was measured. Who must answer
/// sooner sets a shorter total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: Option<NonZeroUsize>,
    first_pause: Duration,
    longest_pause: Duration,
    pub(super) total_deadline: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: None,
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(2),
            total_deadline: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// How many attempts a call has, the first included. Without it only the total deadline counts.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: NonZeroUsize) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// The range that pauses are drawn from: the first from 0 to `first`, each later one from a
    /// range twice as long, none longer than `longest`.
    #[must_use]
    pub fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first.min(longest);
        self.longest_pause = longest;
        self
    }

    /// The time that all attempts and pauses have together.
    #[must_use]
    pub fn with_total_deadline(mut self, deadline: Duration) -> Self {
        self.total_deadline = deadline;
        self
    }

    /// The pauses of one call.
    fn pauses(&self) -> impl Iterator<Item = Duration> + Send + Sync + Unpin + use<> {
        // The jitter of backon adds to the exponential pause; full jitter draws from zero up to it.
        let pauses = ExponentialBuilder::new()
            .with_min_delay(self.first_pause)
            .with_max_delay(self.longest_pause);
        let pauses = match self.max_attempts {
            Some(attempts) => pauses.with_max_times(attempts.get().saturating_sub(1)),
            None => pauses.without_max_times(),
        };
        pauses.build().map(full_jitter)
    }

    /// What `attempt` answers, repeated as this policy says. `key` names the key in the log.
    pub(super) async fn retry<T, F>(
        &self,
        key: &(dyn fmt::Display + Sync),
        attempt: impl FnMut() -> F + Send,
    ) -> Result<T, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>> + Send,
    {
        let total = self.total_deadline;
        let started = Instant::now();
        let last_failure = Mutex::new(None);
        let attempts = attempt
            .retry(self.pauses())
            .sleep(TokioSleeper)
            .when(ProviderError::is_retryable)
            .adjust(|error, pause| {
                let pause = pause?.max(error.retry_after().unwrap_or_default());
                (pause < total.saturating_sub(started.elapsed())).then_some(pause)
            })
            .notify(|error: &ProviderError, pause| {
                *last_failure.lock() = Some(error.clone());
                tracing::debug!(
                    kid = %key,
                    kind = error.kind().as_str(),
                    ?pause,
                    "a call to the key service failed and will be tried again"
                );
            });
        tokio::time::timeout(total, attempts)
            .await
            .unwrap_or_else(|_| Err(timed_out(total, last_failure.lock().take())))
    }
}

/// A pause from zero up to `ceiling`; the whole of it where the system gives no randomness.
fn full_jitter(ceiling: Duration) -> Duration {
    let Ok(draw) = SysRng.try_next_u32() else { return ceiling };
    let part = f64::from(draw) / f64::from(u32::MAX);
    Duration::try_from_secs_f64(ceiling.as_secs_f64() * part).unwrap_or(ceiling)
}

impl<P: SigningProvider> Retrying<P> {
    /// Repeats calls to `inner` as `policy` says.
    pub fn new(inner: P, policy: RetryPolicy) -> Self {
        Self { inner, policy }
    }
}

fn timed_out(total: Duration, last_failure: Option<ProviderError>) -> ProviderError {
    let error = |message| ProviderError::new(ProviderErrorKind::Timeout, message);
    match last_failure {
        Some(failure) => error(format!(
            "no success from the key service within {total:?}; the attempt before failed: {}",
            failure.kind()
        ))
        .with_source(failure),
        None => error(format!("no answer from the key service within {total:?}")),
    }
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for Retrying<P> {
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.policy.retry(&self.key_id(), || self.inner.public_key()).await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        self.policy.retry(&self.key_id(), || self.inner.sign(message)).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;
    use crate::provider::{
        layers::SigningProviderExt as _,
        scripted::{Scripted, Step},
    };

    fn attempts(attempts: usize) -> RetryPolicy {
        RetryPolicy::default().with_max_attempts(NonZeroUsize::new(attempts).unwrap())
    }

    fn throttled_for(wait: Duration) -> Step {
        Step::FailWith(
            ProviderError::new(ProviderErrorKind::Throttled, "slow down").with_retry_after(wait),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn only_retryable_kinds_are_tried_again() {
        for kind in ProviderErrorKind::ALL {
            let kms = Scripted::new("k").on_sign([Step::Fail(kind)]);
            let outcome = kms.clone().retrying(RetryPolicy::default()).sign(b"base").await;
            assert_eq!(outcome.is_ok(), kind.is_retryable(), "{kind}");
            assert_eq!(kms.sign_calls(), if kind.is_retryable() { 2 } else { 1 }, "{kind}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_and_the_last_error_is_the_answer() {
        for max in [1, 2, 5] {
            let kms = Scripted::new("k")
                .on_sign((0..9).map(|_| Step::Fail(ProviderErrorKind::Unavailable)));
            let error = kms.clone().retrying(attempts(max)).sign(b"base").await.unwrap_err();
            assert_eq!(error.to_string(), "unavailable: scripted");
            assert_eq!(kms.sign_calls(), max);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn by_default_an_outage_of_ten_seconds_is_outlasted() {
        let kms = Scripted::new("k")
            .on_sign((0..1_000).map(|_| Step::Fail(ProviderErrorKind::Unavailable)));
        let retrying = kms.clone().retrying(RetryPolicy::default());
        let mut signing = retrying.sign(b"base");
        assert!(poll!(&mut signing).is_pending());
        let in_ten_seconds = tokio::time::timeout(Duration::from_secs(10), &mut signing).await;
        assert!(in_ten_seconds.is_err(), "it goes on");
        kms.forget_steps();
        assert!(signing.await.is_ok());
        assert!(kms.sign_calls() < 100, "{} attempts", kms.sign_calls());
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_never_comes_sooner_than_the_service_asked() {
        let wait = Duration::from_secs(3);
        let kms = Scripted::new("k").on_public_key([throttled_for(wait)]);
        let started = Instant::now();
        assert!(kms.clone().retrying(RetryPolicy::default()).public_key().await.is_ok());
        assert!(started.elapsed() >= wait, "{:?}", started.elapsed());
        assert_eq!(kms.public_key_calls(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_past_the_total_deadline_fails_at_once_with_the_services_error() {
        for wait in [Duration::from_secs(30), Duration::from_secs(31), Duration::MAX] {
            let kms = Scripted::new("k").on_sign([throttled_for(wait)]);
            let started = Instant::now();
            let error =
                kms.clone().retrying(RetryPolicy::default()).sign(b"base").await.unwrap_err();
            assert_eq!(error.to_string(), "throttled: slow down");
            assert_eq!(error.retry_after(), Some(wait));
            assert_eq!(started.elapsed(), Duration::ZERO);
            assert_eq!(kms.sign_calls(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_total_deadline_cuts_off_an_attempt_and_names_the_failure_before_it() {
        let kms = Scripted::new("k").on_sign([
            Step::Fail(ProviderErrorKind::Unavailable),
            Step::Hang,
            Step::Hang,
        ]);
        let retrying = kms.clone().retrying(RetryPolicy::default());
        let started = Instant::now();
        let error = retrying.sign(b"base").await.unwrap_err();
        assert_eq!(started.elapsed(), Duration::from_secs(30));
        assert_eq!(
            error.to_string(),
            "timeout: no success from the key service within 30s; the attempt before failed: unavailable"
        );
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "unavailable: scripted");
        let error = retrying.sign(b"base").await.unwrap_err();
        assert_eq!(error.to_string(), "timeout: no answer from the key service within 30s");
        assert_eq!(kms.under_way(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_a_call_in_its_pause_or_attempt_ends_it() {
        let kms = Scripted::new("k").on_sign([throttled_for(Duration::from_secs(1)), Step::Hang]);
        let retrying = kms.clone().retrying(RetryPolicy::default());
        let mut pausing = retrying.sign(b"base");
        assert!(poll!(&mut pausing).is_pending());
        drop(pausing);
        let mut attempting = retrying.sign(b"base");
        assert!(poll!(&mut attempting).is_pending());
        assert_eq!(kms.under_way(), 1);
        drop(attempting);
        assert_eq!(kms.under_way(), 0);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(kms.sign_calls(), 2);
    }

    #[test]
    fn pauses_are_drawn_from_the_whole_of_doubling_ranges() {
        let policy =
            attempts(6).with_pauses(Duration::from_millis(100), Duration::from_millis(350));
        let ceilings = [100, 200, 350, 350, 350].map(Duration::from_millis);
        let draws: Vec<Vec<_>> = (0..500).map(|_| policy.pauses().collect()).collect();
        for (index, ceiling) in ceilings.into_iter().enumerate() {
            let drawn = || draws.iter().map(|pauses| pauses[index]);
            assert!(drawn().all(|pause| pause <= ceiling));
            // Each misses with a chance of 0.9^500, about 10^-23.
            assert!(drawn().any(|pause| pause < ceiling / 10), "near zero");
            assert!(drawn().any(|pause| pause > ceiling / 10 * 9), "near {ceiling:?}");
        }
        assert!(draws.iter().all(|pauses| pauses.len() == ceilings.len()));
    }
}
