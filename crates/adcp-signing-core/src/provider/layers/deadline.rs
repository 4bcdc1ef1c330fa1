//! A wrapper that gives up on a call after a time limit.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    keys::PublicKey,
    provider::{
        Capability, KeyIdentity, ProviderError, ProviderErrorKind, Signed, SigningProvider,
    },
};

/// Fails a call that takes longer than a limit with [`ProviderErrorKind::Timeout`], and drops it.
///
/// Inside [`Retrying`](super::Retrying) the limit holds for each attempt, outside it for all of
/// them together; inside [`Failover`](super::Failover) it decides how long a dead replica can hold
/// up a signature.
///
/// ```
/// use std::time::Duration;
///
/// use adcp_signing_core::provider::{layers::{Deadline, SigningProviderExt as _}, SigningProvider};
///
/// fn at_most_two_seconds<P: SigningProvider>(kms: P) -> Deadline<P> {
///     kms.with_deadline(Duration::from_secs(2))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Deadline<P> {
    inner: P,
    limit: Duration,
}

impl<P: SigningProvider> Deadline<P> {
    /// Limits each call to `inner` to `limit`.
    pub fn new(inner: P, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

/// What a call to the key service answers within `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
        let message = format!("no answer from the key service within {limit:?}");
        Err(ProviderError::new(ProviderErrorKind::Timeout, message))
    })
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for Deadline<P> {
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        within(self.limit, self.inner.public_key()).await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        within(self.limit, self.inner.sign(message)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{
        layers::SigningProviderExt as _,
        scripted::{Scripted, Step},
    };

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_times_out_and_is_dropped() {
        let kms = Scripted::new("k").on_sign([Step::Hang]).on_public_key([Step::Hang]);
        let limited = kms.clone().with_deadline(Duration::from_secs(2));
        let started = tokio::time::Instant::now();
        assert_eq!(limited.sign(b"base").await.unwrap_err().kind(), ProviderErrorKind::Timeout);
        assert_eq!(started.elapsed(), Duration::from_secs(2));
        assert_eq!(limited.public_key().await.unwrap_err().kind(), ProviderErrorKind::Timeout);
        assert_eq!(kms.under_way(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_and_errors_within_the_limit_pass() {
        let kms =
            Scripted::new("k").on_sign([Step::Answer, Step::Fail(ProviderErrorKind::KeyDisabled)]);
        let limited = kms.with_deadline(Duration::from_secs(2));
        assert!(limited.sign(b"base").await.is_ok());
        assert_eq!(limited.sign(b"base").await.unwrap_err().to_string(), "key_disabled: scripted");
    }
}
