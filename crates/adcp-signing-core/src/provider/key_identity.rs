//! The identity of a key: what every provider states before it signs.

use super::{ProviderError, ProviderErrorKind};
use crate::keys::{Algorithm, KeyPurpose, KeyRef};

/// The identity of a key: its reference, and the `keyid`, algorithm and purpose that it signs with.
/// A backend keeps it in a field and answers with it in
/// [`identity`](super::SigningProvider::identity).
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

    /// The same key under another `keyid`.
    pub(super) fn with_key_id(self, key_id: String) -> Self {
        Self { key_id, ..self }
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

/// Refuses a key of another algorithm than the declared one, where one is declared.
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
