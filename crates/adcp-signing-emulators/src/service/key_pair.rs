//! Key pairs that the fakes sign with.

use aws_lc_rs::{
    digest::Digest,
    encoding::{AsDer as _, PublicKeyX509Der},
    error::Unspecified,
    rsa::KeySize,
    signature::{
        EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair, RsaSignatureEncoding,
    },
};

/// What to generate. The algorithm of P-256 says how signatures are encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    #[cfg(feature = "gcp-kms")]
    Ed25519,
    P256(&'static EcdsaSigningAlgorithm),
    Rsa(KeySize),
}

/// A key pair.
#[derive(Debug)]
pub(crate) enum KeyPair {
    #[cfg_attr(not(feature = "gcp-kms"), expect(dead_code, reason = "no other service has it"))]
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl KeyPair {
    /// A new key pair. RSA takes a second or so.
    pub(crate) fn generate(kind: Kind) -> Result<Self, Unspecified> {
        Ok(match kind {
            #[cfg(feature = "gcp-kms")]
            Kind::Ed25519 => Self::Ed25519(Ed25519KeyPair::generate()?),
            Kind::P256(encoding) => Self::P256(EcdsaKeyPair::generate(encoding)?),
            Kind::Rsa(size) => Self::Rsa(RsaKeyPair::generate(size)?),
        })
    }

    /// The public key as SPKI.
    pub(crate) fn spki(&self) -> Result<PublicKeyX509Der<'_>, Unspecified> {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_der(),
            Self::P256(pair) => pair.public_key().as_der(),
            Self::Rsa(pair) => pair.public_key().as_der(),
        }
    }

    /// Signs a digest; `padding` is for RSA. Ed25519 signs no digest.
    pub(crate) fn sign_digest(
        &self,
        digest: &Digest,
        padding: &'static RsaSignatureEncoding,
    ) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Ed25519(_) => Err(Unspecified),
            Self::P256(pair) => Ok(pair.sign_digest(digest)?.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(padding, digest, &mut signature)?;
                Ok(signature)
            }
        }
    }
}
