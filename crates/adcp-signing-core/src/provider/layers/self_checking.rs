//! A wrapper that verifies each signature before it leaves.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    forward_identity,
    keys::{KeyRef, PublicKey},
    provider::{ProviderError, ProviderErrorKind, Signed, SigningProvider, toolkit::FetchOnce},
};

/// How many keys are remembered: a rotation has two, and a rotation of rotations a few more.
const MAX_KNOWN_KEYS: usize = 8;

/// Verifies each signature against the provider's public key, and fails with
/// [`ProviderErrorKind::InvalidResponse`] where it does not verify.
///
/// A corrupted answer or a swapped key is caught here and not by a counterparty, for some 50 µs
/// beside a call of tens of milliseconds. The public key is fetched through the wrapped provider on
/// first use and kept: around [`Pinned`](super::Pinned) it is the pinned one, and that is the
/// combination to use. `public_key` is answered with the key that the signatures are checked
/// against.
///
/// ```
/// use adcp_signing_core::provider::{layers::{Pin, SigningProviderExt as _}, ProviderError, SigningProvider};
///
/// fn guarded<P: SigningProvider>(kms: P, pin: Pin) -> Result<impl SigningProvider, ProviderError> {
///     Ok(kms.pinned(pin)?.self_checking())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SelfChecking<P> {
    inner: P,
    known: Arc<KnownKeys>,
}

/// The public keys by the identity of the provider that they came from. One, unless the provider's
/// key rotates.
#[derive(Debug, Default)]
struct KnownKeys(Mutex<VecDeque<(KeyRef, Arc<FetchOnce<PublicKey>>)>>);

impl KnownKeys {
    fn of(&self, key_ref: &KeyRef) -> Arc<FetchOnce<PublicKey>> {
        let mut known = self.0.lock();
        if let Some((_, key)) = known.iter().find(|(of, _)| of == key_ref) {
            return key.clone();
        }
        if known.len() >= MAX_KNOWN_KEYS {
            known.pop_front();
        }
        let key = Arc::new(FetchOnce::new());
        known.push_back((key_ref.clone(), key.clone()));
        key
    }

    async fn public_key_of(
        &self,
        provider: &dyn SigningProvider,
    ) -> Result<PublicKey, ProviderError> {
        let key = self.of(provider.key_ref());
        key.get_or_fetch(|| provider.public_key()).await.cloned()
    }
}

impl<P: SigningProvider> SelfChecking<P> {
    /// Verifies the signatures of `inner`.
    pub fn new(inner: P) -> Self {
        Self { inner, known: Arc::default() }
    }

    async fn sign_checked(
        &self,
        provider: &dyn SigningProvider,
        signature_base: &[u8],
    ) -> Result<Signed, ProviderError> {
        let key = self.known.public_key_of(provider).await?;
        let signed = provider.sign(signature_base).await?;
        key.verify(signature_base, &signed.signature).map_err(|error| {
            ProviderError::new(
                ProviderErrorKind::InvalidResponse,
                "the signature does not verify under the provider's own public key; it was not sent",
            )
            .with_source(error)
        })?;
        Ok(signed)
    }
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for SelfChecking<P> {
    forward_identity!(inner);

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        match self.inner.snapshot() {
            Some(inner) => self.known.public_key_of(&inner).await,
            None => self.known.public_key_of(&self.inner).await,
        }
    }

    async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
        // Key and signature must come from one snapshot, or a rotation between the two would look
        // like a forgery.
        match self.inner.snapshot() {
            Some(inner) => self.sign_checked(&inner, signature_base).await,
            None => self.sign_checked(&self.inner, signature_base).await,
        }
    }

    fn snapshot(&self) -> Option<Arc<dyn SigningProvider>> {
        let inner = self.inner.snapshot()?;
        Some(Arc::new(SelfChecking { inner, known: self.known.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::SystemClock,
        provider::{
            layers::{Rotating, Rotation, SigningProviderExt as _},
            scripted::{Scripted, Step},
        },
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

    #[tokio::test]
    async fn around_a_rotation_each_key_is_fetched_once_and_checked_with_its_own() {
        let [current, next] = ["a", "b"].map(Scripted::new);
        let rotating = Rotating::new(
            Arc::new(current.clone()),
            Arc::new(next.clone()),
            Rotation::by_operator(),
            Arc::new(SystemClock),
        );
        let rotating = Arc::new(rotating.unwrap());
        let checking = rotating.clone().self_checking();
        for _ in 0..2 {
            assert!(checking.sign(b"base").await.is_ok());
            assert!(checking.snapshot().unwrap().sign(b"base").await.is_ok());
        }
        assert!(rotating.promote());
        for _ in 0..2 {
            assert!(checking.sign(b"base").await.is_ok());
            assert!(checking.snapshot().unwrap().sign(b"base").await.is_ok());
        }
        assert_eq!(checking.public_key().await.unwrap(), next.true_public_key());
        assert_eq!((current.public_key_calls(), next.public_key_calls()), (1, 1));
        assert_eq!((current.sign_calls(), next.sign_calls()), (4, 4));
    }

    #[test]
    fn the_number_of_remembered_keys_is_bounded() {
        let known = KnownKeys::default();
        for index in 0..100 {
            known.of(&KeyRef::new("test", &index.to_string()));
        }
        assert_eq!(known.0.lock().len(), MAX_KNOWN_KEYS);
    }
}
