//! What Key Vault calls each algorithm, and what it takes to sign with it.

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind, Signature,
    provider::{Capability, Custody},
};
use azure_security_keyvault_keys::models::{SignParameters, SignatureAlgorithm};
use sha2::{Digest as _, Sha256, Sha512};

/// The algorithms of Key Vault that this crate signs with. There are no Ed25519 keys, in vaults or
/// in managed HSMs.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::EcdsaP256Sha256, Algorithm::RsaPssSha512];

/// How one algorithm is asked for and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SigningScheme {
    /// `ES256`: a SHA-256 digest; the signature is r‖s.
    Es256,
    /// `PS512`: a SHA-512 digest, salt of 64 bytes (RFC 7518 §3.5).
    Ps512,
}

impl SigningScheme {
    /// # Errors
    /// [`ProviderErrorKind::AlgorithmMismatch`] for an algorithm that Key Vault does not have.
    pub(crate) fn of(algorithm: Algorithm) -> Result<Self, ProviderError> {
        match algorithm {
            Algorithm::EcdsaP256Sha256 => Ok(Self::Es256),
            Algorithm::RsaPssSha512 => Ok(Self::Ps512),
            other => Err(ProviderError::new(
                ProviderErrorKind::AlgorithmMismatch,
                format!(
                    "Azure Key Vault has no keys of {other}; create a P-256 key, for ecdsa-p256-sha256"
                ),
            )),
        }
    }

    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::EcdsaP256Sha256,
            Self::Ps512 => Algorithm::RsaPssSha512,
        }
    }

    pub(crate) fn capability() -> Capability {
        Capability::new(Custody::External, ALGORITHMS)
    }

    /// What to send for a signature base: its digest.
    pub(crate) fn parameters(self, signature_base: &[u8]) -> SignParameters {
        let (algorithm, digest) = match self {
            Self::Es256 => (SignatureAlgorithm::Es256, Sha256::digest(signature_base).to_vec()),
            Self::Ps512 => (SignatureAlgorithm::Ps512, Sha512::digest(signature_base).to_vec()),
        };
        SignParameters { algorithm: Some(algorithm), value: Some(digest) }
    }

    /// The signature in wire form.
    ///
    /// # Errors
    /// [`ProviderErrorKind::InvalidResponse`] when the bytes are none of the algorithm.
    pub(crate) fn signature(self, bytes: &[u8]) -> Result<Signature, ProviderError> {
        Signature::from_raw(self.algorithm(), bytes).map_err(|error| {
            let message =
                "the signature in the reply of Azure Key Vault is not one of the algorithm";
            ProviderError::new(ProviderErrorKind::InvalidResponse, message).with_source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_gets_its_digest_and_ed25519_is_refused() {
        let es256 = SigningScheme::of(Algorithm::EcdsaP256Sha256).unwrap().parameters(b"base");
        assert_eq!(es256.algorithm, Some(SignatureAlgorithm::Es256));
        assert_eq!(es256.value.as_deref(), Some(Sha256::digest(b"base").as_slice()));

        let ps512 = SigningScheme::of(Algorithm::RsaPssSha512).unwrap().parameters(b"base");
        assert_eq!(ps512.algorithm, Some(SignatureAlgorithm::Ps512));
        assert_eq!(ps512.value.as_deref(), Some(Sha512::digest(b"base").as_slice()));

        let refused = SigningScheme::of(Algorithm::Ed25519).unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::AlgorithmMismatch);
        for algorithm in ALGORITHMS {
            assert_eq!(SigningScheme::of(algorithm).unwrap().algorithm(), algorithm);
        }
    }
}
