//! A wrapper that verifies each signature before it leaves.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{
    ProviderError, ProviderErrorKind, Signed, SigningProvider, fetch_once::FetchOnce, forward_identity,
};
use crate::{Fingerprint, PublicKey};

/// How many keys are remembered: a rotation has two, and a rotation of rotations a few more.
const MAX_KNOWN_KEYS: usize = 8;

/// Verifies each signature against the provider's public key, and fails with
/// [`ProviderErrorKind::InvalidResponse`] where it does not verify.
///
/// A corrupted answer or a swapped key is caught here and not by a counterparty, for some 50 µs beside a call of tens
/// of milliseconds. The public key is fetched through the wrapped provider on first use and kept: around
/// [`Pinned`](super::Pinned) it is the pinned one, and that is the combination to use. `public_key` is answered with
/// the key that the signatures are checked against.
///
/// ```
/// use adcp_signing_core::provider::{Pin, ProviderError, SigningProvider, SigningProviderExt as _};
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

/// The public keys by the identity of the provider that they came from. One, unless the provider's key rotates.
#[derive(Debug, Default)]
struct KnownKeys(Mutex<VecDeque<(Fingerprint, Arc<FetchOnce<PublicKey>>)>>);

impl KnownKeys {
    fn of(&self, fingerprint: &Fingerprint) -> Arc<FetchOnce<PublicKey>> {
        let mut known = self.0.lock();
        if let Some((_, key)) = known.iter().find(|(of, _)| of == fingerprint) {
            return key.clone();
        }
        if known.len() >= MAX_KNOWN_KEYS {
            known.pop_front();
        }
        let key = Arc::new(FetchOnce::new());
        known.push_back((fingerprint.clone(), key.clone()));
        key
    }

    async fn public_key_of(&self, provider: &dyn SigningProvider) -> Result<PublicKey, ProviderError> {
        let key = self.of(provider.fingerprint());
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
        key.verify(signature_base, &signed.signature).map_err(|_| {
            ProviderError::new(
                ProviderErrorKind::InvalidResponse,
                "the signature does not verify under the provider's own public key; it was not sent",
            )
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
        // Key and signature must come from one snapshot, or a rotation between the two would look like a forgery.
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
