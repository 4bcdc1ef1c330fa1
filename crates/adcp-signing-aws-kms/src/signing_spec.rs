//! How each algorithm is asked of AWS KMS, and how its answer is read.

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind, Signature,
    provider::{Capability, Custody},
};
use aws_sdk_kms::{
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use sha2::{Digest as _, Sha256, Sha512};

use crate::config::configuration;

/// The longest message that `Sign` takes. A digest always fits; Ed25519 has to send the message
/// itself.
pub(crate) const MAX_RAW_LEN: usize = 4096;

/// What `Sign` is told for one algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SigningSpec {
    algorithm: Algorithm,
    message: Message,
    encoding: Encoding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Raw,
    Sha256,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Raw,
    EcdsaDer,
}

impl SigningSpec {
    /// # Errors
    /// [`ProviderErrorKind::AlgorithmMismatch`] for an algorithm that AWS KMS does not have.
    pub(crate) fn of(algorithm: Algorithm) -> Result<Self, ProviderError> {
        let (message, encoding) = match algorithm {
            Algorithm::Ed25519 => (Message::Raw, Encoding::Raw),
            Algorithm::EcdsaP256Sha256 => (Message::Sha256, Encoding::EcdsaDer),
            Algorithm::RsaPssSha512 => (Message::Sha512, Encoding::Raw),
            other => {
                return Err(ProviderError::new(
                    ProviderErrorKind::AlgorithmMismatch,
                    format!("AWS KMS cannot sign with {other}"),
                ));
            }
        };
        Ok(Self { algorithm, message, encoding })
    }

    pub(crate) fn capability(self) -> Capability {
        let capability = Capability::new(Custody::External, Algorithm::ALL);
        match self.message {
            Message::Raw => capability.with_max_message_len(MAX_RAW_LEN),
            Message::Sha256 | Message::Sha512 => capability,
        }
    }

    /// KMS' name of the algorithm. For Ed25519 never `ED25519_PH_SHA_512`, which is another
    /// signature scheme.
    pub(crate) fn signing_algorithm(self) -> SigningAlgorithmSpec {
        match self.message {
            Message::Raw => SigningAlgorithmSpec::Ed25519Sha512,
            Message::Sha256 => SigningAlgorithmSpec::EcdsaSha256,
            Message::Sha512 => SigningAlgorithmSpec::RsassaPssSha512,
        }
    }

    /// What to send for a signature base.
    ///
    /// # Errors
    /// [`ProviderErrorKind::MessageTooLarge`] when the algorithm needs the whole base and KMS does not take that much,
    /// [`ProviderErrorKind::Configuration`] when it is empty.
    pub(crate) fn message(
        self,
        signature_base: &[u8],
    ) -> Result<(MessageType, Blob), ProviderError> {
        match self.message {
            Message::Raw if signature_base.len() > MAX_RAW_LEN => Err(ProviderError::new(
                ProviderErrorKind::MessageTooLarge,
                format!(
                    "the signature base has {} bytes, and AWS KMS signs at most {MAX_RAW_LEN} with Ed25519; cover fewer \
                     or shorter components, or use a P-256 key, which signs any length",
                    signature_base.len()
                ),
            )),
            Message::Raw if signature_base.is_empty() => {
                Err(configuration("AWS KMS does not sign an empty message with Ed25519"))
            }
            Message::Raw => Ok((MessageType::Raw, Blob::new(signature_base))),
            Message::Sha256 => {
                Ok((MessageType::Digest, Blob::new(Sha256::digest(signature_base).to_vec())))
            }
            Message::Sha512 => {
                Ok((MessageType::Digest, Blob::new(Sha512::digest(signature_base).to_vec())))
            }
        }
    }

    /// Reads the signature of a reply.
    ///
    /// # Errors
    /// [`ProviderErrorKind::InvalidResponse`] when it is not one of the algorithm.
    pub(crate) fn signature(self, bytes: &[u8]) -> Result<Signature, ProviderError> {
        match self.encoding {
            Encoding::Raw => Signature::from_raw(self.algorithm, bytes),
            Encoding::EcdsaDer => Signature::from_ecdsa_der(self.algorithm, bytes),
        }
        .map_err(|error| {
            ProviderError::new(
                ProviderErrorKind::InvalidResponse,
                format!("AWS KMS returned bytes that are no signature of {}", self.algorithm),
            )
            .with_source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(algorithm: Algorithm, base: &[u8]) -> (SigningAlgorithmSpec, MessageType, usize) {
        let spec = SigningSpec::of(algorithm).unwrap();
        let (message_type, message) = spec.message(base).unwrap();
        (spec.signing_algorithm(), message_type, message.as_ref().len())
    }

    #[test]
    fn ed25519_sends_the_message_and_the_others_its_digest() {
        use SigningAlgorithmSpec::{EcdsaSha256, Ed25519Sha512, RsassaPssSha512};

        for len in [1, 100, 4096] {
            let base = vec![b'x'; len];
            assert_eq!(sent(Algorithm::Ed25519, &base), (Ed25519Sha512, MessageType::Raw, len));
        }
        for len in [0, 4096, 100_000] {
            let base = vec![b'x'; len];
            assert_eq!(
                sent(Algorithm::EcdsaP256Sha256, &base),
                (EcdsaSha256, MessageType::Digest, 32)
            );
            assert_eq!(
                sent(Algorithm::RsaPssSha512, &base),
                (RsassaPssSha512, MessageType::Digest, 64)
            );
        }
    }

    #[test]
    fn a_base_that_kms_cannot_sign_is_refused_before_the_call() {
        let spec = SigningSpec::of(Algorithm::Ed25519).unwrap();
        let error = spec.message(&[b'x'; 4097]).unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::MessageTooLarge);
        assert_eq!(spec.message(b"").unwrap_err().kind(), ProviderErrorKind::Configuration);
        assert_eq!(spec.capability().max_message_len, Some(4096));
        let spec = SigningSpec::of(Algorithm::EcdsaP256Sha256).unwrap();
        assert_eq!(spec.capability().max_message_len, None);
    }

    #[test]
    fn bytes_that_are_no_signature_are_an_invalid_response() {
        for (algorithm, bytes) in [
            (Algorithm::Ed25519, vec![1; 63]),
            (Algorithm::Ed25519, vec![]),
            // r‖s where DER is due.
            (Algorithm::EcdsaP256Sha256, vec![1; 64]),
            (Algorithm::RsaPssSha512, vec![1; 255]),
        ] {
            let error = SigningSpec::of(algorithm).unwrap().signature(&bytes).unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::InvalidResponse, "{algorithm}");
        }
    }
}
