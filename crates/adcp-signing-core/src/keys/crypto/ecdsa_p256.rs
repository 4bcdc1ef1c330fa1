//! ECDSA over P-256 with SHA-256 (FIPS 186-5), signatures as r‖s.
//!
//! `p256` checks points and scalars in both builds. High and low s are both accepted: RFC 9421 does
//! not ask for normalization, and key services do not normalize.

use p256::elliptic_curve::sec1::ToSec1Point as _;
use zeroize::Zeroizing;

use super::{Invalid, PrimitiveFailed, fill_random};
use crate::keys::{Algorithm, KeyError};

pub(crate) struct VerifyKey {
    sec1: [u8; 65],
    backend: backend::VerifyKey,
}

impl VerifyKey {
    pub(super) fn from_sec1(sec1: &[u8; 65]) -> Result<Self, KeyError> {
        let [0x04, ..] = sec1 else { return Err(KeyError::NotUncompressed) };
        let point = p256::PublicKey::from_sec1_bytes(sec1)
            .map_err(|_| KeyError::NotOnCurve(Algorithm::EcdsaP256Sha256))?;
        Ok(Self { sec1: *sec1, backend: backend::verify_key(&point, sec1)? })
    }

    pub(crate) fn sec1(&self) -> &[u8; 65] {
        &self.sec1
    }

    /// x and y.
    pub(crate) fn coordinates(&self) -> (&[u8], &[u8]) {
        let [_, coordinates @ ..] = &self.sec1;
        coordinates.split_at(32)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Invalid> {
        backend::verify(&self.backend, message, signature)
    }
}

pub(crate) struct SigningKey {
    scalar: Zeroizing<[u8; 32]>,
    public_sec1: [u8; 65],
    backend: backend::SigningKey,
}

impl SigningKey {
    pub(super) fn from_scalar(scalar: &[u8; 32]) -> Result<Self, KeyError> {
        let invalid = || KeyError::PrivateKey(Algorithm::EcdsaP256Sha256);
        let secret = p256::SecretKey::from_slice(scalar).map_err(|_| invalid())?;
        let public_sec1 = <[u8; 65]>::try_from(secret.public_key().to_sec1_point(false).as_bytes())
            .map_err(|_| invalid())?;
        let backend = backend::signing_key(&secret, scalar, &public_sec1).ok_or_else(invalid)?;
        Ok(Self { scalar: Zeroizing::new(*scalar), public_sec1, backend })
    }

    pub(super) fn generate() -> Result<Self, PrimitiveFailed> {
        let mut scalar = Zeroizing::new([0; 32]);
        // A random value misses the scalar range with a probability of 2^-32; more than a few
        // misses is a broken generator.
        for _ in 0..8 {
            fill_random(scalar.as_mut())?;
            if let Ok(key) = Self::from_scalar(&scalar) {
                return Ok(key);
            }
        }
        Err(PrimitiveFailed)
    }

    pub(crate) fn scalar(&self) -> &[u8; 32] {
        &self.scalar
    }

    pub(super) fn public_sec1(&self) -> [u8; 65] {
        self.public_sec1
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], PrimitiveFailed> {
        backend::sign(&self.backend, message)
    }
}

#[cfg(feature = "aws-lc-rs")]
mod backend {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{
            ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey,
        },
    };

    use super::{Algorithm, Invalid, KeyError, PrimitiveFailed};

    pub(super) type VerifyKey = ParsedPublicKey;
    pub(super) type SigningKey = EcdsaKeyPair;

    pub(super) fn verify_key(_: &p256::PublicKey, sec1: &[u8; 65]) -> Result<VerifyKey, KeyError> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, sec1)
            .map_err(|_| KeyError::NotOnCurve(Algorithm::EcdsaP256Sha256))
    }

    pub(super) fn verify(key: &VerifyKey, message: &[u8], signature: &[u8]) -> Result<(), Invalid> {
        key.verify_sig(message, signature).map_err(|_| Invalid)
    }

    pub(super) fn signing_key(
        _: &p256::SecretKey,
        scalar: &[u8; 32],
        sec1: &[u8; 65],
    ) -> Option<SigningKey> {
        EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            scalar,
            sec1,
        )
        .ok()
    }

    pub(super) fn sign(key: &SigningKey, message: &[u8]) -> Result<[u8; 64], PrimitiveFailed> {
        let signature = key.sign(&SystemRandom::new(), message).map_err(|_| PrimitiveFailed)?;
        signature.as_ref().try_into().map_err(|_| PrimitiveFailed)
    }
}

#[cfg(not(feature = "aws-lc-rs"))]
mod backend {
    use p256::ecdsa::{
        Signature,
        signature::{Signer as _, Verifier as _},
    };

    use super::{Invalid, KeyError, PrimitiveFailed};

    pub(super) type VerifyKey = p256::ecdsa::VerifyingKey;
    pub(super) type SigningKey = p256::ecdsa::SigningKey;

    pub(super) fn verify_key(point: &p256::PublicKey, _: &[u8; 65]) -> Result<VerifyKey, KeyError> {
        Ok(point.into())
    }

    pub(super) fn verify(key: &VerifyKey, message: &[u8], signature: &[u8]) -> Result<(), Invalid> {
        let signature = Signature::from_slice(signature).map_err(|_| Invalid)?;
        key.verify(message, &signature).map_err(|_| Invalid)
    }

    pub(super) fn signing_key(
        secret: &p256::SecretKey,
        _: &[u8; 32],
        _: &[u8; 65],
    ) -> Option<SigningKey> {
        Some(secret.into())
    }

    pub(super) fn sign(key: &SigningKey, message: &[u8]) -> Result<[u8; 64], PrimitiveFailed> {
        let signature: Signature = key.try_sign(message).map_err(|_| PrimitiveFailed)?;
        signature.to_bytes().as_slice().try_into().map_err(|_| PrimitiveFailed)
    }
}
