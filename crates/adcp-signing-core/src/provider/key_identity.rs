//! What a key signs as.

use super::{ProviderError, ProviderErrorKind};
use crate::{Algorithm, KeyPurpose};

/// What a key signs as: the `keyid`, the algorithm and the purpose, the part of a provider that is the same for every
/// backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIdentity {
    key_id: String,
    algorithm: Algorithm,
    purpose: KeyPurpose,
}

impl KeyIdentity {
    /// A key that signs with `algorithm` under `key_id`, published for `purpose`.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when `key_id` is empty.
    pub fn new(
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
        Ok(Self { key_id, algorithm, purpose })
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
