//! Ed25519 (RFC 8032 §5.1) through `ed25519-dalek`, in both builds.
//!
//! [`VerifyKey::verify`] returns the verdict of dalek's `verify_strict` for every key, message and
//! signature, in seven eighths of its time. The plain check of dalek, like that of most other
//! libraries, accepts a forged signature under a key of small order. `verify_strict` refuses it, but
//! decodes R for each signature to learn its order. Here R is compared with a table instead.
//!
//! # Why this is `verify_strict`
//!
//! Let A be the public key, R and S the halves of the signature, k the hash of R, A and the message,
//! all as bytes, and L the order of the base point B. Both checks of dalek first refuse a signature
//! that is not 64 bytes long or has S ≥ L (its feature `legacy_compatibility`, which would allow
//! more, is off).
//!
//! - The plain check computes the point R' = S·B − k·A and accepts if and only if the *bytes* of its
//!   encoding are the bytes of R. It does not decode R.
//! - `verify_strict` refuses if R is not the encoding of a point, if that point has small order, or
//!   if A has small order. Then it makes the same comparison of bytes.
//!
//! 1. If A has small order, `from_bytes` below refuses the key, so there is nothing to verify with.
//!    Let A not have small order from here on.
//! 2. If the plain check refuses, `verify_strict` refuses: it makes the same comparison.
//! 3. If the plain check accepts, the bytes of R are the encoding that dalek writes for the point
//!    R'. That is the canonical encoding: y reduced modulo p = 2^255 − 19, and the highest bit set
//!    if x is odd. So a non-canonical encoding of R (y ≥ p, or the highest bit with x = 0) is
//!    refused by both checks, whatever point it would decode to. The bytes decode, and to R', since
//!    a point has one canonical encoding and decoding inverts it. So `verify_strict` accepts if and
//!    only if R' does not have small order.
//! 4. The points of small order are those P with 8·P = 0, the 8-torsion subgroup. The group of the
//!    curve has order 8·L with L prime and is cyclic of order 8 times L, so that subgroup has
//!    exactly eight elements, and these have exactly eight canonical encodings: y = 1 (the identity)
//!    and y = −1 (order 2) with x = 0, y = 0 (order 4) with two x, and two y of order 8 with two x
//!    each. If the plain check accepts, R' has small order if and only if the bytes of R are one of
//!    these eight.
//!
//! So `verify_strict` accepts exactly if the plain check accepts and R is not among the eight.
//! [`has_small_order`] compares y alone and ignores the highest bit. It so refuses two more byte
//! strings, y = 1 and y = −1 with the highest bit set. They are not canonical, and by step 3 both
//! checks refuse them anyway.
//!
//! The tests below compute the eight points from the curve, and `tests/ed25519_strict.rs` compares
//! the verdicts: valid signatures with each small-order R, points with a torsion component, S + L,
//! non-canonical R that satisfy the equation once decoded, and changed bits.

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
        // Decoding follows ZIP 215 and accepts y ≥ p; RFC 8032 §5.1.3 does not. A point must have one
        // encoding only, or one key would have two thumbprints.
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

/// Whether this is the canonical encoding of a point of small order, or one of them with the highest
/// bit, the sign of x, inverted.
fn has_small_order(point: &[u8; 32]) -> bool {
    let [start @ .., highest] = point;
    SMALL_ORDER.iter().any(|[y @ .., top]| *top == highest & 0x7f && y == start)
}

/// The y of the eight points of small order, little-endian: 1, −1, 0, and the two of order 8.
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

#[cfg(test)]
mod tests {
    use curve25519_dalek::{EdwardsPoint, constants::EIGHT_TORSION, traits::IsIdentity as _};

    use super::*;

    #[test]
    fn the_table_has_the_y_of_the_eight_points_of_small_order_and_no_other() {
        let mut encodings: Vec<[u8; 32]> =
            EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
        encodings.sort_unstable();
        encodings.dedup();
        assert_eq!(encodings.len(), 8);
        for point in EIGHT_TORSION {
            assert!(point.mul_by_cofactor().is_identity());
            assert!(has_small_order(&point.compress().to_bytes()));
        }
        let mut of_points: Vec<[u8; 32]> = encodings
            .iter()
            .map(|encoding| {
                let mut y = *encoding;
                y[31] &= 0x7f;
                y
            })
            .collect();
        of_points.sort_unstable();
        of_points.dedup();
        let mut table = SMALL_ORDER.to_vec();
        table.sort_unstable();
        assert_eq!(table, of_points);
    }

    #[test]
    fn every_byte_of_an_encoding_counts() {
        for encoding in SMALL_ORDER {
            for bit in 0..255 {
                let mut other = encoding;
                other[bit / 8] ^= 1 << (bit % 8);
                // 0 and 1 differ in one bit.
                assert_eq!(has_small_order(&other), SMALL_ORDER.contains(&other));
            }
        }
        let base: EdwardsPoint = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
        assert!(!has_small_order(&base.compress().to_bytes()));
    }
}
