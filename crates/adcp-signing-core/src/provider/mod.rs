//! The signing provider: the one trait that stands between the pipeline and a private key.
//!
//! [`layers`] makes a backend fit for production; [`toolkit`] is what authors of backends share.

#[cfg(test)]
pub(crate) mod captured;
mod error;
mod in_memory;
mod key_identity;
pub mod layers;
#[cfg(test)]
pub(crate) mod scripted;
pub mod toolkit;

use std::{fmt, sync::Arc};

use async_trait::async_trait;

pub use self::{
    error::{ProviderError, ProviderErrorKind},
    in_memory::InMemoryProvider,
    key_identity::{KeyIdentity, check_algorithm},
};
use crate::keys::{Algorithm, KeyPurpose, KeyRef, PublicKey, Signature};

/// Something that can sign with one private key that it need not hand out.
///
/// A backend implements this by talking to its service and nothing else; waiting, retrying, limits,
/// pinning and self-checks are wrappers that implement the same trait. Purpose is not optional: a
/// provider that does not say what its key is for cannot be built, and no wrapper can drop it.
///
/// A backend that keeps a [`KeyIdentity`] has the first four methods from [`identified_by!`], where
/// there is an example; a wrapper has these and `capability` from [`forward_identity!`]. Both can
/// be written out as well.
#[async_trait]
pub trait SigningProvider: Send + Sync + fmt::Debug {
    /// The `keyid` signature parameter, which is the `kid` of the published JWK.
    fn key_id(&self) -> &str;

    /// The one algorithm this key signs with.
    fn algorithm(&self) -> Algorithm;

    /// What the key is published for.
    fn purpose(&self) -> &KeyPurpose;

    /// A stable identity of the key for caches and logs.
    fn key_ref(&self) -> &KeyRef;

    /// What the service behind the key can do.
    fn capability(&self) -> Capability;

    /// The public half, as the service has it.
    ///
    /// # Errors
    /// A [`ProviderError`] of the kind the service's answer stands for.
    async fn public_key(&self) -> Result<PublicKey, ProviderError>;

    /// Signs the whole signature base (RFC 9421 §2.5), never a digest of it: the backend hashes
    /// where its service wants a digest, because Ed25519 cannot work on one.
    ///
    /// # Errors
    /// A [`ProviderError`] of the kind the service's answer stands for.
    async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError>;

    /// The provider to use for one whole signature, where the key behind this one can change
    /// between two calls.
    ///
    /// A signer reads `key_id`, `algorithm` and `purpose`, builds the signature base from them and
    /// then signs; over a key that rotates, the first and the last could speak of different keys.
    /// So a signer asks for the snapshot first, and where there is one uses it in place of `self`
    /// for everything until the signature is done. The identity of a snapshot never changes, and
    /// its own `snapshot` is `None`.
    ///
    /// `None`, the default, says that this provider's identity never changes; a provider that once
    /// answers `None` always does. **A wrapper must forward this**: it answers with itself around
    /// its inner provider's snapshot, sharing its own state with it.
    fn snapshot(&self) -> Option<Arc<dyn SigningProvider>> {
        None
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

/// The identity and the capability of a wrapper, answered by the provider inside it: all of them or
/// none, so that no wrapper can drop the purpose. The member is named as for [`identified_by!`],
/// which a backend uses.
///
/// ```
/// use adcp_signing_core::{
///     PublicKey, SigningProvider,
///     provider::{ProviderError, Signed, forward_identity},
/// };
/// use async_trait::async_trait;
///
/// #[derive(Debug)]
/// struct Audited<P> {
///     inner: P,
/// }
///
/// #[async_trait]
/// impl<P: SigningProvider> SigningProvider for Audited<P> {
///     forward_identity!(inner);
///
///     async fn public_key(&self) -> Result<PublicKey, ProviderError> {
///         self.inner.public_key().await
///     }
///
///     async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
///         let signed = self.inner.sign(signature_base).await;
///         println!("{}: {}", self.key_id(), if signed.is_ok() { "signed" } else { "failed" });
///         signed
///     }
///     // A wrapper around providers whose key rotates forwards `snapshot` too.
/// }
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! forward_identity {
    ($($inner:tt)+) => {
        $crate::identified_by!($($inner)+);

        fn capability(&self) -> $crate::provider::Capability {
            self.$($inner)+.capability()
        }
    };
}
#[doc(inline)]
pub use crate::{forward_identity, identified_by};

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<P: SigningProvider + ?Sized> SigningProvider for $pointer {
            fn key_id(&self) -> &str { (**self).key_id() }
            fn algorithm(&self) -> Algorithm { (**self).algorithm() }
            fn purpose(&self) -> &KeyPurpose { (**self).purpose() }
            fn key_ref(&self) -> &KeyRef { (**self).key_ref() }
            fn capability(&self) -> Capability { (**self).capability() }
            async fn public_key(&self) -> Result<PublicKey, ProviderError> { (**self).public_key().await }
            async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
                (**self).sign(signature_base).await
            }
            fn snapshot(&self) -> Option<Arc<dyn SigningProvider>> { (**self).snapshot() }
        }
    )*};
}
forward!(Arc<P>, Box<P>);
