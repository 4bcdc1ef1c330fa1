//! Key pairs that sign digests.

use aws_lc_rs::{
    digest::Digest,
    error::Unspecified,
    rsa::KeySize,
    signature::{EcdsaKeyPair, EcdsaSigningAlgorithm, RsaKeyPair, RsaSignatureEncoding},
};
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    error::KeyRejected,
};

/// What to generate. The algorithm of P-256 says how signatures are encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    P256(&'static EcdsaSigningAlgorithm),
    Rsa(KeySize),
}

/// A key pair.
#[derive(Debug)]
pub(crate) enum KeyPair {
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl KeyPair {
    /// A new key pair. RSA takes a second or so.
    pub(crate) fn generate(kind: Kind) -> Result<Self, Unspecified> {
        Ok(match kind {
            Kind::P256(encoding) => Self::P256(EcdsaKeyPair::generate(encoding)?),
            Kind::Rsa(size) => Self::Rsa(RsaKeyPair::generate(size)?),
        })
    }

    /// The private key as a PKCS #8 document.
    pub(crate) fn to_pkcs8(&self) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::P256(pair) => Ok(pair.to_pkcs8v1()?.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der()?;
                Ok(der.as_ref().to_vec())
            }
        }
    }

    /// The key pair of a PKCS #8 document. The size of an RSA key is the document's.
    pub(crate) fn from_pkcs8(kind: Kind, der: &[u8]) -> Result<Self, KeyRejected> {
        Ok(match kind {
            Kind::P256(encoding) => Self::P256(EcdsaKeyPair::from_pkcs8(encoding, der)?),
            Kind::Rsa(_) => Self::Rsa(RsaKeyPair::from_pkcs8(der)?),
        })
    }

    /// Signs a digest; `padding` is for RSA.
    pub(crate) fn sign(
        &self,
        digest: &Digest,
        padding: &'static RsaSignatureEncoding,
    ) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::P256(pair) => Ok(pair.sign_digest(digest)?.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(padding, digest, &mut signature)?;
                Ok(signature)
            }
        }
    }
}
