//! Ed25519 keys: what is accepted, what is refused, and the vectors of RFC 8032.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use adcp_signing_core::{
    Algorithm, InvalidSignature, KeyError, PublicKey, Signature, keys::PemError,
};

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap())
        .collect()
}

/// Public key, message, signature: RFC 8032 §7.1, tests 1 to 3.
const RFC_8032: [(&str, &str, &str); 3] = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
         d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
         387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
         4a7c15e9716ed28dc027beceea1ec40a",
    ),
];

/// The points of order 1, 2, 4, 4, 8, 8, 8, 8.
const SMALL_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

/// The same points with y not reduced, or with the sign of an x that is zero.
const SMALL_ORDER_NON_CANONICAL: [&str; 6] = [
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

#[test]
fn the_signatures_of_rfc_8032_verify_and_no_other_message_does() {
    for (key, message, signature) in RFC_8032 {
        let key = PublicKey::from_ed25519_bytes(&unhex(key)).unwrap();
        let message = unhex(message);
        let signature = Signature::from_raw(Algorithm::Ed25519, &unhex(signature)).unwrap();
        assert_eq!(key.verify(&message, &signature), Ok(()));
        let other = [&message[..], b"x"].concat();
        assert_eq!(key.verify(&other, &signature), Err(InvalidSignature::Invalid));
    }
}

#[test]
fn any_flipped_bit_of_a_signature_is_refused() {
    let (key, message, signature) = RFC_8032[1];
    let (key, message, signature) =
        (PublicKey::from_ed25519_bytes(&unhex(key)).unwrap(), unhex(message), unhex(signature));
    for bit in 0..512 {
        let mut forged = signature.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            key.verify_bytes(&message, &forged),
            Err(InvalidSignature::Invalid),
            "bit {bit}"
        );
    }
    assert_eq!(key.verify_bytes(&message, &signature[..63]), Err(InvalidSignature::Invalid));
    assert_eq!(key.verify_bytes(&message, &[]), Err(InvalidSignature::Invalid));
}

#[test]
fn a_scalar_that_is_not_reduced_is_refused() {
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let (key, message, signature) = RFC_8032[0];
    let mut malleated = unhex(signature);
    let mut carry = 0;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    let key = PublicKey::from_ed25519_bytes(&unhex(key)).unwrap();
    assert_eq!(key.verify_bytes(&unhex(message), &malleated), Err(InvalidSignature::Invalid));
}

#[test]
fn points_of_small_order_are_no_keys() {
    for point in SMALL_ORDER.into_iter().chain(SMALL_ORDER_NON_CANONICAL) {
        let error = PublicKey::from_ed25519_bytes(&unhex(point)).unwrap_err();
        // The sign of a zero x may fail to decode; every other one decodes to a point of small
        // order.
        let expected = match point {
            "0100000000000000000000000000000000000000000000000000000000000080"
            | "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            | "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" => {
                [KeyError::SmallOrder, KeyError::NotOnCurve(Algorithm::Ed25519)].contains(&error)
            }
            _ => error == KeyError::SmallOrder,
        };
        assert!(expected, "{point}: {error:?}");
    }
}

#[test]
fn encodings_of_y_beyond_the_prime_are_no_keys() {
    let mut non_canonical = 0;
    for excess in 2..=18_u8 {
        for sign in [0x7f, 0xff] {
            let mut point = [0xff; 32];
            point[0] = 0xed + excess;
            point[31] = sign;
            match PublicKey::from_ed25519_bytes(&point) {
                Err(KeyError::NonCanonical) => non_canonical += 1,
                Err(KeyError::NotOnCurve(Algorithm::Ed25519)) => {}
                other => panic!("p + {excess}: {other:?}"),
            }
        }
    }
    assert!(non_canonical > 0, "none of the encodings was decoded");
}

#[test]
fn a_forgery_that_plain_verification_accepts_is_refused() {
    use ed25519_dalek::Verifier as _;

    // Under the identity as the key, S·B = R + k·A holds for every message as soon as R = S·B: S =
    // 1 and R = B.
    let key = unhex(SMALL_ORDER[0]);
    let base_point = unhex("5866666666666666666666666666666666666666666666666666666666666666");
    let mut forged = base_point;
    forged.extend([1].into_iter().chain([0; 31]));

    let weak = ed25519_dalek::VerifyingKey::from_bytes(key.as_slice().try_into().unwrap()).unwrap();
    let signature = ed25519_dalek::Signature::from_slice(&forged).unwrap();
    assert!(weak.verify(b"any message", &signature).is_ok(), "the forgery is one");
    assert_eq!(PublicKey::from_ed25519_bytes(&key), Err(KeyError::SmallOrder));
}

#[test]
fn a_small_order_r_is_refused_under_an_honest_key() {
    let (key, message, _) = RFC_8032[1];
    let key = PublicKey::from_ed25519_bytes(&unhex(key)).unwrap();
    for r in SMALL_ORDER.into_iter().chain(SMALL_ORDER_NON_CANONICAL) {
        let signature = [unhex(r), vec![0; 32]].concat();
        assert_eq!(
            key.verify_bytes(&unhex(message), &signature),
            Err(InvalidSignature::Invalid),
            "{r}"
        );
    }
}

#[test]
fn a_key_has_32_bytes() {
    for len in [0, 31, 33, 57, 64] {
        assert_eq!(
            PublicKey::from_ed25519_bytes(&vec![9; len]),
            Err(KeyError::Length { algorithm: Algorithm::Ed25519, expected: 32, actual: len })
        );
    }
}

#[test]
fn a_signature_of_another_algorithm_is_refused_by_name() {
    let key = PublicKey::from_ed25519_bytes(&unhex(RFC_8032[0].0)).unwrap();
    let signature = Signature::from_raw(Algorithm::EcdsaP256Sha256, &unhex(RFC_8032[0].2)).unwrap();
    assert_eq!(
        key.verify(b"", &signature),
        Err(InvalidSignature::AlgorithmMismatch {
            key: Algorithm::Ed25519,
            signature: Algorithm::EcdsaP256Sha256
        })
    );
}

#[test]
fn spki_round_trips_and_is_strict() {
    let pem = include_str!("keys_data/ed25519.spki.pem");
    let key = PublicKey::from_spki_pem(pem).unwrap();
    assert_eq!(key.to_spki_pem(), pem);
    let der = key.to_spki_der();
    assert_eq!(PublicKey::from_spki_der(&der).unwrap(), key);

    let trailing = [&der[..], &[0]].concat();
    assert_eq!(PublicKey::from_spki_der(&trailing), Err(KeyError::Spki));
    assert_eq!(PublicKey::from_spki_der(&der[..der.len() - 1]), Err(KeyError::Spki));
    assert_eq!(PublicKey::from_spki_der(&[]), Err(KeyError::Spki));
    assert_eq!(PublicKey::from_spki_der(&[0x30; 4000]), Err(KeyError::Spki));
    for (wrong, expected) in [
        ("", PemError::NoBlock { wanted: "PUBLIC KEY" }.into()),
        (
            include_str!("keys_data/ed448.spki.pem"),
            KeyError::Unsupported { oid: "1.3.101.113".to_owned() },
        ),
        (
            include_str!("keys_data/p384.spki.pem"),
            KeyError::Unsupported { oid: "1.3.132.0.34".to_owned() },
        ),
    ] {
        assert_eq!(PublicKey::from_spki_pem(wrong), Err(expected), "{wrong}");
    }
    let private = PublicKey::from_spki_pem(include_str!("keys_data/ed25519.pkcs8.pem"));
    assert!(matches!(private, Err(KeyError::Pem(PemError::Label { .. }))), "{private:?}");
}

#[test]
fn debug_shows_the_algorithm_and_the_thumbprint_only() {
    let key = PublicKey::from_ed25519_bytes(&unhex(RFC_8032[0].0)).unwrap();
    assert_eq!(
        format!("{key:?}"),
        r#"PublicKey { algorithm: Ed25519, thumbprint: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" }"#
    );
}
