//! A wrapper that verifies each signature before it leaves.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    keys::PublicKey,
    provider::{
        Capability, KeyIdentity, ProviderError, ProviderErrorKind, Signed, SigningProvider,
        toolkit::FetchOnce,
    },
};

/// Verifies each signature against the provider's public key, and fails with
/// [`ProviderErrorKind::InvalidResponse`] where it does not verify.
///
/// A corrupted answer or a swapped key is caught here and not by a counterparty, for about 50 µs
/// on top of a call of tens of milliseconds. The public key is fetched through the wrapped provider on
/// first use and kept: around [`Pinned`](super::Pinned) it is the pinned one, and that is the
/// combination to use. `public_key` is answered with the key that the signatures are checked
/// against.
///
/// ```
/// use adcp_signing_core::provider::{layers::{Pin, SigningProviderExt as _}, SigningProvider};
///
/// fn guarded<P: SigningProvider>(kms: P, pin: Pin) -> impl SigningProvider {
///     kms.pinned(pin).self_checking()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SelfChecking<P> {
    inner: P,
    key: Arc<FetchOnce<PublicKey>>,
}

impl<P: SigningProvider> SelfChecking<P> {
    /// Verifies the signatures of `inner`.
    pub fn new(inner: P) -> Self {
        Self { inner, key: Arc::default() }
    }

    async fn key(&self) -> Result<&PublicKey, ProviderError> {
        self.key.get_or_fetch(|| self.inner.public_key()).await
    }
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for SelfChecking<P> {
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.key().await.cloned()
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let key = self.key().await?;
        let signed = self.inner.sign(message).await?;
        key.verify(message, &signed.signature).map_err(|error| {
            ProviderError::new(
                ProviderErrorKind::InvalidResponse,
                "the signature does not verify under the provider's own public key; it was not sent",
            )
            .with_source(error)
        })?;
        Ok(signed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{
        layers::SigningProviderExt as _,
        scripted::{Scripted, Step},
    };

    #[tokio::test]
    async fn a_signature_that_does_not_verify_does_not_leave() {
        let kms = Scripted::new("k").on_sign([Step::Answer, Step::Forge, Step::Answer]);
        let checking = kms.clone().self_checking();
        assert!(checking.sign(b"base").await.is_ok());
        assert_eq!(
            checking.sign(b"base").await.unwrap_err().kind(),
            ProviderErrorKind::InvalidResponse
        );
        assert!(checking.sign(b"base").await.is_ok());
        assert_eq!(kms.public_key_calls(), 1, "the key is fetched once");
    }

    #[tokio::test]
    async fn a_key_that_is_not_the_signing_one_is_caught() {
        let kms = Scripted::new("k").on_public_key([Step::Forge]);
        let checking = kms.clone().self_checking();
        assert_eq!(
            checking.sign(b"base").await.unwrap_err().kind(),
            ProviderErrorKind::InvalidResponse
        );
    }

    #[tokio::test]
    async fn a_failure_to_fetch_the_key_is_not_kept_and_nothing_is_signed_unchecked() {
        let kms = Scripted::new("k").on_public_key([Step::Fail(ProviderErrorKind::Throttled)]);
        let checking = kms.clone().self_checking();
        assert_eq!(checking.sign(b"base").await.unwrap_err().kind(), ProviderErrorKind::Throttled);
        assert_eq!(kms.sign_calls(), 0);
        assert!(checking.sign(b"base").await.is_ok());
    }
}
