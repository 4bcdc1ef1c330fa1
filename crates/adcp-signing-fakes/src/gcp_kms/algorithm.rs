//! The algorithms of key versions, and key pairs of them.

use aws_lc_rs::{
    digest::{self, Digest},
    encoding::{AsDer as _, PublicKeyX509Der},
    error::{KeyRejected, Unspecified},
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, Ed25519KeyPair, KeyPair as _, RSA_PSS_SHA512},
};
use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use crate::service::{KeyPair, Kind};

/// The line length of PEM (RFC 7468 §2).
const PEM_LINE: usize = 64;

/// A `CryptoKeyVersionAlgorithm` that this server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Ed25519,
    P256,
    RsaPss4096,
}

/// What a request asks to have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ToSign {
    Data(Vec<u8>),
    /// The name of the digest's field, and the digest.
    Digest(String, Vec<u8>),
}

/// Why nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The input does not suit the algorithm.
    Input(&'static str),
    /// The library failed.
    Internal,
}

impl From<Unspecified> for Refused {
    fn from(_: Unspecified) -> Self {
        Self::Internal
    }
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::Ed25519, Self::P256, Self::RsaPss4096];

    /// Name and number in the API.
    pub(super) fn wire(self) -> (&'static str, u64) {
        match self {
            Self::Ed25519 => ("EC_SIGN_ED25519", 40),
            Self::P256 => ("EC_SIGN_P256_SHA256", 12),
            Self::RsaPss4096 => ("RSA_SIGN_PSS_4096_SHA512", 15),
        }
    }

    /// The kind of key pair, where it is one that signs digests.
    fn kind(self) -> Option<Kind> {
        match self {
            Self::Ed25519 => None,
            Self::P256 => Some(Kind::P256(&ECDSA_P256_SHA256_ASN1_SIGNING)),
            Self::RsaPss4096 => Some(Kind::Rsa(KeySize::Rsa4096)),
        }
    }

    /// An enum value of a request, by name or by number.
    pub(super) fn from_wire(value: &Value) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| {
            let (name, number) = algorithm.wire();
            value.as_str() == Some(name) || value.as_u64() == Some(number)
        })
    }
}

/// A key pair of a version.
#[derive(Debug)]
pub(super) enum VersionKey {
    Ed25519(Ed25519KeyPair),
    OfDigests(KeyPair),
}

impl VersionKey {
    /// A new key pair. RSA takes a second or so.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, Unspecified> {
        match algorithm.kind() {
            Some(kind) => KeyPair::generate(kind).map(Self::OfDigests),
            None => Ok(Self::Ed25519(Ed25519KeyPair::generate()?)),
        }
    }

    /// The private key as a PKCS #8 document.
    pub(super) fn to_pkcs8(&self) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Ed25519(pair) => Ok(pair.to_pkcs8()?.as_ref().to_vec()),
            Self::OfDigests(pair) => pair.to_pkcs8(),
        }
    }

    pub(super) fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyRejected> {
        match algorithm.kind() {
            Some(kind) => KeyPair::from_pkcs8(kind, der).map(Self::OfDigests),
            None => Ok(Self::Ed25519(Ed25519KeyPair::from_pkcs8(der)?)),
        }
    }

    pub(super) fn public_key_pem(&self) -> Result<String, Unspecified> {
        let spki: PublicKeyX509Der<'_> = match self {
            Self::Ed25519(pair) => pair.public_key().as_der()?,
            Self::OfDigests(KeyPair::P256(pair)) => pair.public_key().as_der()?,
            Self::OfDigests(KeyPair::Rsa(pair)) => pair.public_key().as_der()?,
        };
        let text = Base64::encode_string(spki.as_ref());
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for line in text.as_bytes().chunks(PEM_LINE) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        Ok(pem)
    }

    /// Signs as the service does: Ed25519 the data and never a digest; the others a digest of their
    /// own hash function, or data that the service hashes.
    pub(super) fn sign(&self, input: &ToSign) -> Result<Vec<u8>, Refused> {
        let (pair, digest) = match self {
            Self::Ed25519(pair) => {
                return match input {
                    ToSign::Data(data) => Ok(pair.sign(data).as_ref().to_vec()),
                    ToSign::Digest(..) => {
                        Err(Refused::Input("EC_SIGN_ED25519 signs data, not a digest."))
                    }
                };
            }
            Self::OfDigests(pair @ KeyPair::P256(_)) => {
                (pair, digest_of(input, "sha256", &digest::SHA256)?)
            }
            Self::OfDigests(pair @ KeyPair::Rsa(_)) => {
                (pair, digest_of(input, "sha512", &digest::SHA512)?)
            }
        };
        Ok(pair.sign(&digest, &RSA_PSS_SHA512)?)
    }
}

fn digest_of(
    input: &ToSign,
    field: &str,
    hash: &'static digest::Algorithm,
) -> Result<Digest, Refused> {
    match input {
        ToSign::Data(data) => Ok(digest::digest(hash, data)),
        ToSign::Digest(name, _) if name != field => {
            Err(Refused::Input("The digest type does not match the algorithm of the key version."))
        }
        ToSign::Digest(_, bytes) => Digest::import_less_safe(bytes, hash)
            .map_err(|_| Refused::Input("The digest has the wrong length.")),
    }
}
