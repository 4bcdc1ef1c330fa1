//! The signing provider: the one trait that stands between the pipeline and a private key.
//!
//! [`layers`] makes a backend fit for production; [`toolkit`] is what authors of backends share.

#[cfg(test)]
pub(crate) mod captured;
mod error;
mod in_memory;
mod inspection;
mod key_identity;
pub mod layers;
#[cfg(all(test, feature = "metrics"))]
pub(crate) mod metered;
#[cfg(test)]
pub(crate) mod scripted;
mod source;
pub mod toolkit;

use std::{fmt, sync::Arc};

use async_trait::async_trait;

pub use self::{
    error::{ProviderError, ProviderErrorKind},
    in_memory::InMemoryProvider,
    inspection::{Concern, Inspection, Observation, Unseen},
    key_identity::{KeyIdentity, check_algorithm},
    source::{KeySource, SignerKey},
};
use crate::keys::{Algorithm, KeyPurpose, KeyRef, PublicKey, Signature};

/// Signs with one private key that it does not hand out.
///
/// A backend implements this by talking to its service and nothing else. Waiting, retrying, limits,
/// pinning and self-checks are [`layers`] that implement the same trait. The identity never changes
/// while the provider lives: a key that rotates is a [`KeySource`], not a provider.
///
/// ```
/// use adcp_signing_core::{
///     Algorithm, KeyPurpose, KeyRef, ProviderError, PublicKey, Signature, SigningProvider,
///     provider::{Capability, Custody, KeyIdentity, Signed},
/// };
/// use async_trait::async_trait;
///
/// #[derive(Debug)]
/// struct Hsm {
///     slot: u32,
///     identity: KeyIdentity,
/// }
///
/// impl Hsm {
///     fn new(slot: u32, key_id: &str, purpose: KeyPurpose) -> Result<Self, ProviderError> {
///         let key_ref = KeyRef::new("my-hsm", &slot.to_string());
///         Ok(Self { slot, identity: KeyIdentity::new(key_ref, key_id, Algorithm::Ed25519, purpose)? })
///     }
/// }
///
/// #[async_trait]
/// impl SigningProvider for Hsm {
///     fn identity(&self) -> &KeyIdentity {
///         &self.identity
///     }
///
///     fn capability(&self) -> Capability {
///         Capability::new(Custody::External, [Algorithm::Ed25519])
///     }
///
///     async fn public_key(&self) -> Result<PublicKey, ProviderError> {
///         ask_the_device(self.slot).await
///     }
///
///     async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
///         Ok(Signed::new(sign_in_the_device(self.slot, message).await?))
///     }
/// }
///
/// let hsm = Hsm::new(7, "buyer-1", KeyPurpose::RequestSigning)?;
/// assert_eq!((hsm.key_id(), hsm.key_ref().backend()), ("buyer-1", "my-hsm"));
/// # async fn ask_the_device(_: u32) -> Result<PublicKey, ProviderError> { unimplemented!() }
/// # async fn sign_in_the_device(_: u32, _: &[u8]) -> Result<Signature, ProviderError> { unimplemented!() }
/// # Ok::<(), ProviderError>(())
/// ```
#[async_trait]
pub trait SigningProvider: Send + Sync + fmt::Debug {
    /// The identity of the key: its `keyid`, algorithm, purpose and reference. A layer answers with
    /// that of the provider inside it.
    fn identity(&self) -> &KeyIdentity;

    /// What the service behind the key can do.
    fn capability(&self) -> Capability;

    /// The public half, as the service has it.
    ///
    /// # Errors
    /// A [`ProviderError`] of the kind that the service's answer stands for.
    async fn public_key(&self) -> Result<PublicKey, ProviderError>;

    /// Signs the whole message, never a digest of it: for an HTTP message that is the signature
    /// base (RFC 9421 §2.5). The backend hashes where its service wants a digest, because Ed25519
    /// cannot work on one.
    ///
    /// # Errors
    /// A [`ProviderError`] of the kind that the service's answer stands for.
    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError>;

    /// The `keyid` signature parameter, which is the `kid` of the published JWK.
    fn key_id(&self) -> &str {
        self.identity().key_id()
    }

    /// The one algorithm that the key signs with.
    fn algorithm(&self) -> Algorithm {
        self.identity().algorithm()
    }

    /// What the key is published for.
    fn purpose(&self) -> &KeyPurpose {
        self.identity().purpose()
    }

    /// A stable reference to the key for caches and logs.
    fn key_ref(&self) -> &KeyRef {
        self.identity().key_ref()
    }
}

/// A signature, and the version of the key that the service says made it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// The signature in wire form.
    pub signature: Signature,
    /// The key version the service reports, where it reports one.
    pub key_version: Option<KeyVersion>,
}

impl Signed {
    /// A signature of a service that reports no key version.
    pub fn new(signature: Signature) -> Self {
        Self { signature, key_version: None }
    }

    /// The key version that the service says it used.
    #[must_use]
    pub fn with_key_version(mut self, version: KeyVersion) -> Self {
        self.key_version = Some(version);
        self
    }
}

/// A key version as its service names it: an ARN, a resource name, a versioned URL, a number.
/// Compared, never shown whole: it may hold an account or a vault name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyVersion(String);

impl KeyVersion {
    /// The version that the service calls `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The service's own name of the version. May hold an account or a vault name: not for logs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyVersion({})", KeyRef::new("version", &self.0))
    }
}

/// What the service behind a provider can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capability {
    /// The algorithms the service has, of those this crate knows.
    pub algorithms: Vec<Algorithm>,
    /// The longest message in bytes that one call can sign, where the service has a limit.
    pub max_message_len: Option<usize>,
    /// Where the private key is.
    pub custody: Custody,
}

impl Capability {
    /// A capability without a message limit.
    pub fn new(custody: Custody, algorithms: impl Into<Vec<Algorithm>>) -> Self {
        Self { algorithms: algorithms.into(), max_message_len: None, custody }
    }

    /// Sets the longest message in bytes that one call can sign.
    #[must_use]
    pub fn with_max_message_len(mut self, len: usize) -> Self {
        self.max_message_len = Some(len);
        self
    }
}

/// Where a private key is while it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Custody {
    /// In this process' memory: development and tests. Always chosen by name.
    InProcess,
    /// In a service or a token that does not hand it out.
    External,
}

#[async_trait]
impl<P: SigningProvider + ?Sized> SigningProvider for Arc<P> {
    fn identity(&self) -> &KeyIdentity {
        (**self).identity()
    }

    fn capability(&self) -> Capability {
        (**self).capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        (**self).public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        (**self).sign(message).await
    }
}

#[async_trait]
impl<P: SigningProvider + ?Sized> SigningProvider for Box<P> {
    fn identity(&self) -> &KeyIdentity {
        (**self).identity()
    }

    fn capability(&self) -> Capability {
        (**self).capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        (**self).public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        (**self).sign(message).await
    }
}
