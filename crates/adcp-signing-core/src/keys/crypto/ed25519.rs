//! Ed25519 (RFC 8032 §5.1) through `ed25519-dalek`, in both builds.
//!
//! Verification accepts what dalek's `verify_strict` accepts; the plain check, like that of most
//! other libraries, accepts a forged signature under a key of small order. `verify_strict` decodes
//! R for each signature to see whether it is of small order, which takes an eighth of its time.
//! Here the key was looked at when it was read, and R is compared: the plain check succeeds only
//! where R is the canonical encoding of a point, and eight of those are of small order.

use ed25519_dalek::{Signer as _, Verifier as _};
use zeroize::Zeroizing;

use super::{Invalid, PrimitiveFailed, fill_random};
use crate::keys::{Algorithm, KeyError};

pub(crate) struct VerifyKey(ed25519_dalek::VerifyingKey);

impl VerifyKey {
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes)
            .map_err(|_| KeyError::NotOnCurve(Algorithm::Ed25519))?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        // Decoding follows ZIP 215 and takes y ≥ p; RFC 8032 §5.1.3 does not. One point must have
        // one encoding, or one key has two thumbprints.
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
        if has_small_order(signature.r_bytes()) {
            return Err(Invalid);
        }
        self.0.verify(message, &signature).map_err(|_| Invalid)
    }
}

/// Whether this is the canonical encoding of a point of small order. The two of one y differ in the
/// highest bit, the sign of x.
fn has_small_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    if let Some(highest) = y.last_mut() {
        *highest &= 0x7f;
    }
    SMALL_ORDER.contains(&y)
}

/// The y of the eight points of small order: 1, -1, 0, and those of order 8.
const SMALL_ORDER: [[u8; 32]; 5] = [
    *b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    *b"\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
       \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    [0; 32],
    *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\
       \xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
    *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\
       \x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
];

/// dalek wipes the key when it is dropped.
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
