//! Who a key is: what every provider says of itself before it signs.

use super::{ProviderError, ProviderErrorKind};
use crate::keys::{Algorithm, KeyPurpose, KeyRef};

/// Who a key is: the reference to it, and what it signs as, the `keyid`, the algorithm and the purpose.
/// This part of a provider is the same for every backend, which keeps it in a field and answers
/// with it by [`identified_by!`](super::identified_by).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIdentity {
    key_ref: KeyRef,
    key_id: String,
    algorithm: Algorithm,
    purpose: KeyPurpose,
}

impl KeyIdentity {
    /// The key of this reference, which signs with `algorithm` under `key_id` and is published
    /// for `purpose`.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when `key_id` is empty.
    pub fn new(
        key_ref: KeyRef,
        key_id: impl Into<String>,
        algorithm: Algorithm,
        purpose: KeyPurpose,
    ) -> Result<Self, ProviderError> {
        let key_id = key_id.into();
        if key_id.is_empty() {
            return Err(ProviderError::new(
                ProviderErrorKind::Configuration,
                "the key ID to sign with (`kid`) is empty; give the `kid` of the published JWK, or leave it out",
            ));
        }
        Ok(Self { key_ref, key_id, algorithm, purpose })
    }

    /// The `keyid` signature parameter, which is the `kid` of the published JWK.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The one algorithm the key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What the key is published for.
    pub fn purpose(&self) -> &KeyPurpose {
        &self.purpose
    }

    /// A stable identity of the key for caches and logs.
    pub fn key_ref(&self) -> &KeyRef {
        &self.key_ref
    }
}

/// The methods `key_id`, `algorithm`, `purpose` and `key_ref` of a
/// [`SigningProvider`](super::SigningProvider), answered by a member that has the same four: a
/// [`KeyIdentity`], or another provider.
///
/// The member is named as it stands after `self.`: `identity`, `primary.provider`, `active()`. What
/// differs from service to service, the rest of the trait, is the backend's to write.
///
/// ```
/// use adcp_signing_core::{
///     Algorithm, KeyRef, KeyPurpose, PublicKey, SigningProvider,
///     provider::{Capability, Custody, KeyIdentity, ProviderError, Signed, identified_by},
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
///     identified_by!(identity);
///
///     fn capability(&self) -> Capability {
///         Capability::new(Custody::External, [Algorithm::Ed25519])
///     }
///
///     async fn public_key(&self) -> Result<PublicKey, ProviderError> {
///         ask_the_device(self.slot).await
///     }
///
///     async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
///         let signature = sign_in_the_device(self.slot, signature_base).await?;
///         Ok(Signed::new(signature))
///     }
/// }
///
/// let hsm = Hsm::new(7, "buyer-1", KeyPurpose::RequestSigning)?;
/// assert_eq!((hsm.key_id(), hsm.key_ref().backend()), ("buyer-1", "my-hsm"));
/// # async fn ask_the_device(_: u32) -> Result<PublicKey, ProviderError> { unimplemented!() }
/// # async fn sign_in_the_device(_: u32, _: &[u8]) -> Result<adcp_signing_core::Signature, ProviderError> {
/// #     unimplemented!()
/// # }
/// # Ok::<(), ProviderError>(())
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! identified_by {
    ($($identity:tt)+) => {
        fn key_id(&self) -> &str {
            self.$($identity)+.key_id()
        }
        fn algorithm(&self) -> $crate::keys::Algorithm {
            self.$($identity)+.algorithm()
        }
        fn purpose(&self) -> &$crate::keys::KeyPurpose {
            self.$($identity)+.purpose()
        }
        fn key_ref(&self) -> &$crate::keys::KeyRef {
            self.$($identity)+.key_ref()
        }
    };
}

/// Holds the algorithm of the key that a service has to the declared one, where one is declared.
///
/// # Errors
/// [`ProviderErrorKind::AlgorithmMismatch`].
pub fn check_algorithm(found: Algorithm, declared: Option<Algorithm>) -> Result<(), ProviderError> {
    match declared {
        Some(declared) if declared != found => Err(ProviderError::new(
            ProviderErrorKind::AlgorithmMismatch,
            format!(
                "the service's key is for {found}, but the provider is set up for {declared}; correct the algorithm \
                 (`alg`), or name another key"
            ),
        )),
        _ => Ok(()),
    }
}
