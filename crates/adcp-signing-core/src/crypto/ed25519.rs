//! Ed25519 (RFC 8032 §5.1) through `ed25519-dalek`, in both builds.
//!
//! Verification is `verify_strict`: the plain check, like that of most other libraries, accepts a forged signature under a
//! key of small order.

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use super::{Invalid, PrimitiveFailed, fill_random};
use crate::{Algorithm, KeyError};

pub(crate) struct VerifyKey(ed25519_dalek::VerifyingKey);

impl VerifyKey {
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes)
            .map_err(|_| KeyError::NotOnCurve(Algorithm::Ed25519))?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        // Decoding follows ZIP 215 and takes y ≥ p; RFC 8032 §5.1.3 does not. One point must have one encoding, or one
        // key has two thumbprints.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::NonCanonical);
        }
        Ok(Self(key))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Invalid> {
        let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| Invalid)?;
        self.0.verify_strict(message, &signature).map_err(|_| Invalid)
    }
}

/// The expanded key; dalek wipes it when dropped.
pub(crate) struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    pub(super) fn generate() -> Result<Self, PrimitiveFailed> {
        let mut seed = Zeroizing::new([0; 32]);
        fill_random(seed.as_mut())?;
        Ok(Self::from_seed(&seed))
    }

    pub(crate) fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(super) fn public_bytes(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}
