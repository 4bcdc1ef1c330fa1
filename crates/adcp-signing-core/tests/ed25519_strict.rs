//! Ed25519 verification accepts exactly what `verify_strict` of `ed25519-dalek` accepts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::HashSet;

use adcp_signing_core::{InvalidSignature, PublicKey};
use curve25519_dalek::{
    EdwardsPoint, Scalar, constants::EIGHT_TORSION, edwards::CompressedEdwardsY,
};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use proptest::prelude::*;
use sha2::Sha512;

/// RFC 8032 §5.1.6, step 4.
fn challenge(r: &EdwardsPoint, key: &EdwardsPoint, message: &[u8]) -> Scalar {
    let hashed = [r.compress().as_bytes(), key.compress().as_bytes(), message].concat();
    Scalar::hash_from_bytes::<Sha512>(&hashed)
}

fn signature(r: &EdwardsPoint, s: &Scalar) -> [u8; 64] {
    [r.compress().to_bytes(), s.to_bytes()].concat().try_into().unwrap()
}

/// Our verdict, and those of dalek's plain and strict checks.
fn verdicts(key: &EdwardsPoint, message: &[u8], signature: &[u8; 64]) -> (bool, bool, bool) {
    let ours = PublicKey::from_ed25519_bytes(key.compress().as_bytes())
        .is_ok_and(|key| key.verify_bytes(message, signature).is_ok());
    let (key, signature) = (VerifyingKey::from(*key), Signature::from_bytes(signature));
    (ours, key.verify(message, &signature).is_ok(), key.verify_strict(message, &signature).is_ok())
}

/// Under a key a·B + T with T of order 8, R = -k·T and S = k·a satisfy S·B = R + k·A. Whoever knows
/// a makes such a signature for one message in eight with each R.
#[test]
fn a_valid_signature_with_an_r_of_small_order_is_refused_for_each_of_the_eight() {
    let secret = Scalar::from(0xadc9_u64);
    let key = EdwardsPoint::mul_base(&secret) + EIGHT_TORSION[1];
    let honest = PublicKey::from_ed25519_bytes(key.compress().as_bytes()).unwrap();
    let mut refused = HashSet::new();
    for message in (0..10_000_u32).map(u32::to_le_bytes) {
        for r in EIGHT_TORSION {
            let k = challenge(&r, &key, &message);
            if r != -(k * EIGHT_TORSION[1]) {
                continue;
            }
            let signature = signature(&r, &(k * secret));
            assert_eq!(verdicts(&key, &message, &signature), (false, true, false), "{r:?}");
            assert_eq!(honest.verify_bytes(&message, &signature), Err(InvalidSignature::Invalid));
            refused.insert(r.compress().to_bytes());
        }
        if refused.len() == EIGHT_TORSION.len() {
            return;
        }
    }
    panic!("only {} of the eight were reached", refused.len());
}

/// The encodings of points of small order that RFC 8032 §5.1.3 does not allow: y ≥ p, or the sign of
/// x = 0.
fn non_canonical_small_order() -> Vec<[u8; 32]> {
    // 2^255 - 19 in little endian, and what is added to it.
    let beyond = |add: u8, top: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xed + add, top);
        bytes
    };
    let mut one = [0; 32];
    (one[0], one[31]) = (1, 0x80);
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    vec![one, minus_one, beyond(0, 0x7f), beyond(0, 0xff), beyond(1, 0x7f), beyond(1, 0xff)]
}

/// As above with an R that is not canonical: a check that decodes R and compares points accepts it,
/// one that compares bytes does not.
#[test]
fn a_non_canonical_r_is_refused_even_if_the_equation_holds_for_its_point() {
    let secret = Scalar::from(0xadc9_u64);
    let key = EdwardsPoint::mul_base(&secret) + EIGHT_TORSION[1];
    for r_bytes in non_canonical_small_order() {
        let r = CompressedEdwardsY(r_bytes).decompress().unwrap();
        assert!(r.is_small_order() && r.compress().to_bytes() != r_bytes, "{r_bytes:02x?}");
        let made = (0..10_000_u32).map(u32::to_le_bytes).find_map(|message| {
            let hashed = [&r_bytes, key.compress().as_bytes(), message.as_slice()].concat();
            let k = Scalar::hash_from_bytes::<Sha512>(&hashed);
            (r == -(k * EIGHT_TORSION[1])).then_some((message, k * secret, k))
        });
        let (message, s, k) = made.unwrap();
        assert_eq!(EdwardsPoint::mul_base(&s), r + k * key, "the equation holds");
        let signature: [u8; 64] = [r_bytes, s.to_bytes()].concat().try_into().unwrap();
        assert_eq!(verdicts(&key, &message, &signature), (false, false, false), "{r_bytes:02x?}");
    }
}

/// How a signature is spoiled.
#[derive(Debug, Clone, Copy)]
enum Spoiled {
    Nothing,
    /// S + L, which is S modulo the order of the group.
    ScalarBeyondOrder,
    /// R in this encoding.
    R([u8; 32]),
    Bit(usize),
}

fn spoil(signature: &mut [u8; 64], how: Spoiled) {
    match how {
        Spoiled::Nothing => {}
        Spoiled::ScalarBeyondOrder => {
            // L - 1 in little endian, and one more to carry.
            let mut carry = 1;
            for (byte, add) in signature[32..].iter_mut().zip((-Scalar::ONE).to_bytes()) {
                let sum = u16::from(*byte) + u16::from(add) + carry;
                [*byte, _] = sum.to_le_bytes();
                carry = sum >> 8;
            }
        }
        Spoiled::R(bytes) => signature[..32].copy_from_slice(&bytes),
        Spoiled::Bit(bit) => signature[bit / 8] ^= 1 << (bit % 8),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_verdict_is_that_of_verify_strict(
        secrets in any::<[[u8; 32]; 2]>(),
        // Points with a component of small order, or of small order altogether, each often enough
        // to meet.
        key_of_prime_order in prop::bool::weighted(0.8),
        r_of_prime_order in prop::bool::weighted(0.6),
        torsions in [0..8_usize, 0..8_usize],
        message in prop::collection::vec(any::<u8>(), 0..64),
        spoiled in prop_oneof![
            4 => Just(Spoiled::Nothing),
            1 => Just(Spoiled::ScalarBeyondOrder),
            1 => prop::sample::select(non_canonical_small_order()).prop_map(Spoiled::R),
            // y of p to 2^255 - 1, whether or not it is one of a point.
            1 => (0xed..=0xff_u8, any::<bool>()).prop_map(|(low, sign)| {
                let mut bytes = [0xff; 32];
                (bytes[0], bytes[31]) = (low, if sign { 0xff } else { 0x7f });
                Spoiled::R(bytes)
            }),
            2 => (0..512_usize).prop_map(Spoiled::Bit),
        ],
    ) {
        let scalars = secrets.map(Scalar::from_bytes_mod_order);
        let [a, r] = [(0, key_of_prime_order), (1, r_of_prime_order)]
            .map(|(at, has)| if has { scalars[at] } else { Scalar::ZERO });
        let key = EdwardsPoint::mul_base(&a) + EIGHT_TORSION[torsions[0]];
        let commitment = EdwardsPoint::mul_base(&r) + EIGHT_TORSION[torsions[1]];
        let mut signature = signature(&commitment, &(r + challenge(&commitment, &key, &message) * a));
        spoil(&mut signature, spoiled);
        let (ours, plain, strict) = verdicts(&key, &message, &signature);
        prop_assert_eq!(ours, strict);
        prop_assert!(plain || !strict);
    }
}
