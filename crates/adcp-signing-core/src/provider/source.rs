//! Where a signer gets its key: one provider, or a source that it asks once for each signature.

use std::{fmt, ops::Deref, sync::Arc};

use async_trait::async_trait;

use super::{KeyIdentity, ProviderError, SigningProvider};
use crate::keys::KeyPurpose;

/// A source of keys: what a signer asks, once for each signature, which key to use.
///
/// A rotation is one ([`Rotating`](super::layers::Rotating)), and so is a key that is opened at its
/// first use (`LazyKey`). A source is not a provider: a signer reads
/// `key_id` and `algorithm` before it signs, and both have to be of the key that signs. So it takes
/// one provider from the source and uses it for the whole signature. The identity of a provider
/// never changes.
#[async_trait]
pub trait KeySource: Send + Sync + fmt::Debug {
    /// What every key of this source is published for.
    fn purpose(&self) -> &KeyPurpose;

    /// The key to use for one signature.
    ///
    /// # Errors
    /// A [`ProviderError`] when the key cannot be opened.
    async fn key(&self) -> Result<Arc<dyn SigningProvider>, ProviderError>;

    /// The identity of the key, where the source has one key and knows it without a call.
    fn identity(&self) -> Option<&KeyIdentity> {
        None
    }
}

/// What a signer signs with: one key, or a [`KeySource`]. Made by `into()` from a provider, from an
/// [`Arc`] of either, and from the sources of this crate.
///
/// ```
/// use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose, provider::SignerKey};
///
/// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
/// let key = SignerKey::from(key);
/// assert_eq!(key.purpose(), &KeyPurpose::RequestSigning);
/// assert!(key.identity().is_some());
/// # Ok::<(), adcp_signing_core::ProviderError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SignerKey(Origin);

#[derive(Debug, Clone)]
enum Origin {
    Fixed(Arc<dyn SigningProvider>),
    Drawn(Arc<dyn KeySource>),
}

/// A key that was drawn from a [`SignerKey`], for one signature.
#[derive(Debug)]
pub(crate) enum DrawnKey<'a> {
    Fixed(&'a dyn SigningProvider),
    Drawn(Arc<dyn SigningProvider>),
}

impl SignerKey {
    /// What the key is published for.
    pub fn purpose(&self) -> &KeyPurpose {
        match &self.0 {
            Origin::Fixed(provider) => provider.purpose(),
            Origin::Drawn(source) => source.purpose(),
        }
    }

    /// The identity of the key, where there is one key and it is known without a call.
    pub fn identity(&self) -> Option<&KeyIdentity> {
        match &self.0 {
            Origin::Fixed(provider) => Some(provider.identity()),
            Origin::Drawn(source) => source.identity(),
        }
    }

    /// The key to use for one signature.
    ///
    /// # Errors
    /// As [`KeySource::key`].
    pub async fn key(&self) -> Result<Arc<dyn SigningProvider>, ProviderError> {
        match &self.0 {
            Origin::Fixed(provider) => Ok(provider.clone()),
            Origin::Drawn(source) => source.key().await,
        }
    }

    /// As [`key`](Self::key), borrowed where there is one key only.
    pub(crate) async fn draw(&self) -> Result<DrawnKey<'_>, ProviderError> {
        match &self.0 {
            Origin::Fixed(provider) => Ok(DrawnKey::Fixed(&**provider)),
            Origin::Drawn(source) => source.key().await.map(DrawnKey::Drawn),
        }
    }
}

impl<'a> Deref for DrawnKey<'a> {
    type Target = dyn SigningProvider + 'a;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Fixed(provider) => *provider,
            Self::Drawn(provider) => &**provider,
        }
    }
}

impl<P: SigningProvider + 'static> From<P> for SignerKey {
    fn from(provider: P) -> Self {
        Self(Origin::Fixed(Arc::new(provider)))
    }
}

impl From<Arc<dyn KeySource>> for SignerKey {
    fn from(source: Arc<dyn KeySource>) -> Self {
        Self(Origin::Drawn(source))
    }
}
