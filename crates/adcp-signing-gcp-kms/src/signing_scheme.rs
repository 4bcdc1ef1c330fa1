//! What Cloud KMS calls each algorithm, and what it takes to sign with it.

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind, Signature,
    provider::{Capability, Custody},
};
use google_cloud_kms_v1::model::{
    AsymmetricSignRequest, AsymmetricSignResponse, Digest,
    crypto_key_version::CryptoKeyVersionAlgorithm,
};
use sha2::{Digest as _, Sha256, Sha512};

/// The algorithms of Cloud KMS that this crate signs with. Of RSA-PSS with SHA-512 there are
/// 4096-bit keys only.
const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256, Algorithm::RsaPssSha512];

/// How one algorithm is asked for and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SigningScheme {
    /// `EC_SIGN_ED25519`: the message itself in `data`; the signature is 64 bytes.
    Ed25519,
    /// `EC_SIGN_P256_SHA256`: a SHA-256 digest; the signature is DER.
    P256,
    /// `RSA_SIGN_PSS_4096_SHA512`: a SHA-512 digest, salt of 64 bytes; the signature is 512 bytes.
    RsaPss4096,
}

impl SigningScheme {
    pub(crate) fn of(algorithm: Algorithm) -> Result<Self, ProviderError> {
        match algorithm {
            Algorithm::Ed25519 => Ok(Self::Ed25519),
            Algorithm::EcdsaP256Sha256 => Ok(Self::P256),
            Algorithm::RsaPssSha512 => Ok(Self::RsaPss4096),
            other => Err(ProviderError::new(
                ProviderErrorKind::AlgorithmMismatch,
                format!("Cloud KMS has no keys of {other}"),
            )),
        }
    }

    /// The scheme of a key version of the service.
    pub(crate) fn of_service(algorithm: &CryptoKeyVersionAlgorithm) -> Option<Self> {
        match algorithm {
            CryptoKeyVersionAlgorithm::EcSignEd25519 => Some(Self::Ed25519),
            CryptoKeyVersionAlgorithm::EcSignP256Sha256 => Some(Self::P256),
            CryptoKeyVersionAlgorithm::RsaSignPss4096Sha512 => Some(Self::RsaPss4096),
            _ => None,
        }
    }

    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Ed25519 => Algorithm::Ed25519,
            Self::P256 => Algorithm::EcdsaP256Sha256,
            Self::RsaPss4096 => Algorithm::RsaPssSha512,
        }
    }

    pub(crate) fn capability() -> Capability {
        Capability::new(Custody::External, ALGORITHMS)
    }

    /// The request, without the name, with the checksum of what is to be signed.
    pub(crate) fn request(self, message: &[u8]) -> AsymmetricSignRequest {
        let request = AsymmetricSignRequest::new();
        match self {
            Self::Ed25519 => request.set_data(message.to_vec()).set_data_crc32c(checksum(message)),
            Self::P256 => {
                let digest = Sha256::digest(message).to_vec();
                request
                    .set_digest_crc32c(checksum(&digest))
                    .set_digest(Digest::new().set_sha256(digest))
            }
            Self::RsaPss4096 => {
                let digest = Sha512::digest(message).to_vec();
                request
                    .set_digest_crc32c(checksum(&digest))
                    .set_digest(Digest::new().set_sha512(digest))
            }
        }
    }

    /// Whether the service says that it compared the checksum of what it was given.
    pub(crate) fn request_was_verified(self, reply: &AsymmetricSignResponse) -> bool {
        match self {
            Self::Ed25519 => reply.verified_data_crc32c,
            Self::P256 | Self::RsaPss4096 => reply.verified_digest_crc32c,
        }
    }

    /// The signature in wire form.
    pub(crate) fn signature(self, bytes: &[u8]) -> Result<Signature, ProviderError> {
        let decoded = match self {
            Self::P256 => Signature::from_ecdsa_der(self.algorithm(), bytes),
            Self::Ed25519 | Self::RsaPss4096 => Signature::from_raw(self.algorithm(), bytes),
        };
        decoded.map_err(|error| {
            let message = "the signature in the reply of Cloud KMS is not one of the algorithm";
            ProviderError::new(ProviderErrorKind::InvalidResponse, message).with_source(error)
        })
    }
}

/// CRC32C as the service writes it: a non-negative integer below 2^32.
pub(crate) fn checksum(bytes: &[u8]) -> i64 {
    i64::from(crc32c::crc32c(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // RFC 3720 §B.4, and the check value of the algorithm.
        assert_eq!(checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn ed25519_gets_the_message_and_the_others_a_digest() {
        let ed25519 = SigningScheme::Ed25519.request(b"base");
        assert_eq!((ed25519.data.as_ref(), ed25519.digest), (b"base".as_slice(), None));
        assert_eq!((ed25519.data_crc32c, ed25519.digest_crc32c), (Some(checksum(b"base")), None));

        let p256 = SigningScheme::P256.request(b"base");
        let digest = p256.digest.as_ref().and_then(Digest::sha256).unwrap();
        assert_eq!(digest.as_ref(), Sha256::digest(b"base").as_slice());
        assert_eq!((p256.digest_crc32c, p256.data.len()), (Some(checksum(digest)), 0));

        let pss = SigningScheme::RsaPss4096.request(b"base");
        let digest = pss.digest.as_ref().and_then(Digest::sha512).unwrap();
        assert_eq!(digest.as_ref(), Sha512::digest(b"base").as_slice());
        assert_eq!((pss.digest_crc32c, pss.data.len()), (Some(checksum(digest)), 0));
    }

    #[test]
    fn every_algorithm_has_a_scheme_and_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(SigningScheme::of(algorithm).unwrap().algorithm(), algorithm);
        }
        for other in [
            CryptoKeyVersionAlgorithm::RsaSignPkcs14096Sha512,
            CryptoKeyVersionAlgorithm::EcSignP384Sha384,
        ] {
            assert_eq!(SigningScheme::of_service(&other), None);
        }
    }
}
