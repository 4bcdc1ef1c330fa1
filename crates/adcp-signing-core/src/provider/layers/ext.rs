//! The wrappers as methods, so that a stack of them reads in the order of its layers.

#[cfg(feature = "tokio")]
use std::{num::NonZeroUsize, time::Duration};

#[cfg(feature = "tokio")]
use super::{
    ConcurrencyLimit, Deadline, Failover, RateLimit, RateLimitPolicy, RetryPolicy, Retrying,
};
use super::{Instrumented, Pin, Pinned, SelfChecking};
use crate::{
    keys::jwk::Jwk,
    provider::{ProviderError, SigningProvider},
};

/// Wraps a provider in one more layer. Each method puts its layer around all that come before it.
///
/// `Stack` (feature `tokio`) puts the layers that production needs around a backend, in their order.
/// These methods are for another choice or another order:
///
#[cfg_attr(feature = "tokio", doc = "```")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// use std::time::Duration;
///
/// use adcp_signing_core::{
///     SigningProvider,
///     provider::layers::{Pin, SigningProviderExt as _},
/// };
///
/// fn no_retries<P: SigningProvider>(kms: P, pin: Pin) -> impl SigningProvider {
///     kms.with_deadline(Duration::from_secs(2)).pinned(pin).self_checking().instrumented()
/// }
/// ```
pub trait SigningProviderExt: SigningProvider + Sized {
    /// The key as AdCP wants it published: the public JWK with `kid`, `use`, `key_ops` and
    /// `adcp_use`.
    ///
    /// # Errors
    /// As [`SigningProvider::public_key`].
    fn public_jwk(&self) -> impl Future<Output = Result<Jwk, ProviderError>> + Send {
        async {
            let key = self.public_key().await?;
            Ok(key.to_jwk().with_kid(self.key_id()).published_for(self.purpose().clone()))
        }
    }

    /// Refuses any key but the pinned one: see [`Pinned`].
    fn pinned(self, pin: impl Into<Pin>) -> Pinned<Self> {
        Pinned::new(self, pin)
    }

    /// Verifies each signature before it leaves: see [`SelfChecking`].
    fn self_checking(self) -> SelfChecking<Self> {
        SelfChecking::new(self)
    }

    /// Reports each call: see [`Instrumented`].
    fn instrumented(self) -> Instrumented<Self> {
        Instrumented::new(self)
    }

    /// Repeats calls that failed in a way that may pass: see [`Retrying`].
    #[cfg(feature = "tokio")]
    fn retrying(self, policy: RetryPolicy) -> Retrying<Self> {
        Retrying::new(self, policy)
    }

    /// Gives up on a call after `limit`: see [`Deadline`].
    #[cfg(feature = "tokio")]
    fn with_deadline(self, limit: Duration) -> Deadline<Self> {
        Deadline::new(self, limit)
    }

    /// Bounds the calls under way and those that wait: see [`ConcurrencyLimit`].
    #[cfg(feature = "tokio")]
    fn with_concurrency_limit(
        self,
        max_in_flight: NonZeroUsize,
        max_waiting: usize,
    ) -> ConcurrencyLimit<Self> {
        ConcurrencyLimit::new(self, max_in_flight, max_waiting)
    }

    /// Keeps calls under a rate: see [`RateLimit`].
    #[cfg(feature = "tokio")]
    fn with_rate_limit(self, policy: &RateLimitPolicy) -> RateLimit<Self> {
        RateLimit::new(self, policy)
    }

    /// Signs with `others`, replicas of the same key, where this one cannot be reached: see
    /// [`Failover`].
    ///
    /// # Errors
    /// As [`Failover::new`].
    #[cfg(feature = "tokio")]
    fn with_failover(
        self,
        others: impl IntoIterator<Item = Self>,
        cool_down: Duration,
    ) -> Result<Failover<Self>, ProviderError> {
        Failover::new(self, others, cool_down)
    }
}

impl<P: SigningProvider> SigningProviderExt for P {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::KeyPurpose, provider::scripted::Scripted};

    #[tokio::test]
    async fn the_published_jwk_says_what_the_provider_says() {
        let kms = Scripted::new("key-1").with_purpose(KeyPurpose::WebhookSigning);
        let jwk = kms.public_jwk().await.unwrap();
        assert_eq!(jwk.kid(), Some("key-1"));
        assert_eq!(jwk.purpose(), Some(&KeyPurpose::WebhookSigning));
        assert!(jwk.is_for_verifying());
        assert_eq!(jwk.public_key().unwrap(), kms.true_public_key());
    }
}
