//! The cryptographic primitives: the only module that calls one.
//!
//! Ed25519 is always `ed25519-dalek`. P-256, SHA-2 and RSA-PSS are `aws-lc-rs` with the feature of
//! that name; without it P-256 and SHA-2 are RustCrypto's and RSA keys are refused. Which keys and
//! signatures are accepted does not depend on the feature: keys are checked by the same code in
//! both builds before a backend sees them.

mod ecdsa_p256;
mod ed25519;
mod private_key_info;
mod rsa_pss;

pub(crate) use self::rsa_pss::RsaPrivateParts;
use crate::keys::{Algorithm, KeyError, SignatureBytes};

/// A public key in the form its primitive verifies with.
pub(crate) enum VerifyKey {
    Ed25519(ed25519::VerifyKey),
    P256(ecdsa_p256::VerifyKey),
    Rsa(rsa_pss::VerifyKey),
}

/// A private key in the form its primitive signs with. Every variant wipes its memory when dropped.
pub(crate) enum SigningKey {
    Ed25519(ed25519::SigningKey),
    P256(ecdsa_p256::SigningKey),
    Rsa(rsa_pss::SigningKey),
}

/// The signature does not verify. Carries no reason: only an attacker could use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid;

/// A primitive failed through no fault of the caller: no entropy, no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library failed; the system may be out of entropy or memory")]
pub(crate) struct PrimitiveFailed;

impl VerifyKey {
    pub(crate) fn ed25519(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        ed25519::VerifyKey::from_bytes(bytes).map(Self::Ed25519)
    }

    /// `sec1` is the uncompressed form.
    pub(crate) fn p256(sec1: &[u8; 65]) -> Result<Self, KeyError> {
        ecdsa_p256::VerifyKey::from_sec1(sec1).map(Self::P256)
    }

    /// Both integers are big-endian without leading zero bytes.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        rsa_pss::VerifyKey::from_components(n, e).map(Self::Rsa)
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::P256(_) => Algorithm::EcdsaP256Sha256,
            Self::Rsa(_) => Algorithm::RsaPssSha512,
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Invalid> {
        match self {
            Self::Ed25519(key) => key.verify(message, signature),
            Self::P256(key) => key.verify(message, signature),
            Self::Rsa(key) => key.verify(message, signature),
        }
    }
}

impl SigningKey {
    pub(crate) fn ed25519(seed: &[u8; 32]) -> Self {
        Self::Ed25519(ed25519::SigningKey::from_seed(seed))
    }

    pub(crate) fn p256(scalar: &[u8; 32]) -> Result<Self, KeyError> {
        ecdsa_p256::SigningKey::from_scalar(scalar).map(Self::P256)
    }

    pub(crate) fn rsa(n: &[u8], e: &[u8], private: RsaPrivateParts) -> Result<Self, KeyError> {
        rsa_pss::SigningKey::from_components(n, e, private).map(Self::Rsa)
    }

    /// The DER `RSAPrivateKey` of RFC 8017 §A.1.2.
    fn rsa_from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        rsa_pss::SigningKey::from_pkcs1(der).map(Self::Rsa)
    }

    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, GenerateError> {
        match algorithm {
            Algorithm::Ed25519 => Ok(Self::Ed25519(ed25519::SigningKey::generate()?)),
            Algorithm::EcdsaP256Sha256 => Ok(Self::P256(ecdsa_p256::SigningKey::generate()?)),
            Algorithm::RsaPssSha512 => Ok(Self::Rsa(rsa_pss::SigningKey::generate()?)),
        }
    }

    /// Signs the message itself; the primitive hashes it.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<SignatureBytes, PrimitiveFailed> {
        match self {
            Self::Ed25519(key) => Ok(SignatureBytes::Short(key.sign(message))),
            Self::P256(key) => key.sign(message).map(SignatureBytes::Short),
            Self::Rsa(key) => key.sign(message).map(SignatureBytes::Long),
        }
    }

    pub(crate) fn verify_key(&self) -> Result<VerifyKey, KeyError> {
        match self {
            Self::Ed25519(key) => VerifyKey::ed25519(&key.public_bytes()),
            Self::P256(key) => VerifyKey::p256(&key.public_sec1()),
            Self::Rsa(key) => VerifyKey::rsa(key.modulus(), key.exponent()),
        }
    }
}

/// Why no key could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GenerateError {
    #[error(transparent)]
    Unsupported(#[from] KeyError),
    #[error(transparent)]
    Primitive(#[from] PrimitiveFailed),
}

/// Fills `bytes` from the operating system's generator.
fn fill_random(bytes: &mut [u8]) -> Result<(), PrimitiveFailed> {
    getrandom::fill(bytes).map_err(|_| PrimitiveFailed)
}

/// SHA-256 (FIPS 180-4).
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let by_rust_crypto = || <sha2::Sha256 as sha2::Digest>::digest(data).into();
    #[cfg(feature = "aws-lc-rs")]
    {
        // The length of a SHA-256 digest is not in aws-lc's type; a wrong one would be no digest.
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, data);
        digest.as_ref().try_into().unwrap_or_else(|_| by_rust_crypto())
    }
    #[cfg(not(feature = "aws-lc-rs"))]
    by_rust_crypto()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_abc_is_the_published_digest() {
        assert_eq!(
            base16ct::lower::encode_string(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
