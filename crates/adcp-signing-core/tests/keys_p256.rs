//! P-256 keys and signatures: the same ones are accepted with and without aws-lc-rs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use adcp_signing_core::{
    Algorithm, InvalidSignature, KeyError, KeyPurpose, PublicKey, Signature,
    provider::InMemoryProvider,
};

const P256: Algorithm = Algorithm::EcdsaP256Sha256;
/// The prime of the field.
const PRIME: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

fn pem_key() -> PublicKey {
    PublicKey::from_spki_pem(include_str!("keys_data/p256.spki.pem")).unwrap()
}

/// The uncompressed point of a key: the last 65 bytes of its SPKI.
fn sec1(key: &PublicKey) -> Vec<u8> {
    let der = key.to_spki_der();
    der[der.len() - 65..].to_vec()
}

fn provider() -> InMemoryProvider {
    InMemoryProvider::from_pkcs8_pem(
        include_str!("keys_data/p256.pkcs8.pem"),
        KeyPurpose::RequestSigning,
    )
    .unwrap()
}

#[test]
fn a_foreign_signature_verifies_as_rs_and_never_as_der() {
    let der = include_bytes!("keys_data/p256.der.sig");
    let signature = Signature::from_ecdsa_der(P256, der).unwrap();
    assert_eq!(pem_key().verify(b"message", &signature), Ok(()));
    assert_eq!(pem_key().verify(b"messagf", &signature), Err(InvalidSignature::Invalid));
    assert_eq!(pem_key().verify_bytes(b"message", der), Err(InvalidSignature::Invalid));
}

#[test]
fn high_and_low_s_verify_alike() {
    let signature =
        Signature::from_ecdsa_der(P256, include_bytes!("keys_data/p256.der.sig")).unwrap();
    let one = p256::ecdsa::Signature::from_slice(signature.as_bytes()).unwrap();
    let other =
        p256::ecdsa::Signature::from_scalars(one.r().to_bytes(), (-one.s()).to_bytes()).unwrap();
    assert_ne!(one, other);
    assert_eq!(pem_key().verify_bytes(b"message", &one.to_bytes()), Ok(()));
    assert_eq!(pem_key().verify_bytes(b"message", &other.to_bytes()), Ok(()));
}

#[test]
fn r_and_s_must_be_in_range() {
    let good = Signature::from_ecdsa_der(P256, include_bytes!("keys_data/p256.der.sig")).unwrap();
    let (r, s) = good.as_bytes().split_at(32);
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    for (r, s) in [
        (&[0; 32][..], s),
        (r, &[0; 32]),
        (&order, s),
        (r, &order),
        (&[0xff; 32], s),
        (r, &[0xff; 32]),
        (r, &s[1..]),
    ] {
        let signature = [r, s].concat();
        assert_eq!(
            pem_key().verify_bytes(b"message", &signature),
            Err(InvalidSignature::Invalid),
            "{signature:02x?}"
        );
    }
}

#[test]
fn only_the_uncompressed_point_of_the_curve_is_a_key() {
    let point = sec1(&pem_key());
    let (x, y) = point[1..].split_at(32);
    let off_curve = {
        let mut off = point.clone();
        off[64] ^= 1;
        off
    };
    let with_tag = |tag: u8, rest: &[u8]| [&[tag], rest].concat();
    let off = KeyError::NotOnCurve(P256);
    let cases = [
        (off_curve, off.clone()),
        (with_tag(4, &[0; 64]), off.clone()),
        (with_tag(4, &[&PRIME[..], y].concat()), off.clone()),
        (with_tag(4, &[0xff; 64]), off.clone()),
        (with_tag(4, &[y, x].concat()), off.clone()),
        (vec![0], off),
        (with_tag(2, x), KeyError::NotUncompressed),
        (with_tag(3, x), KeyError::NotUncompressed),
        (with_tag(5, x), KeyError::NotUncompressed),
        (with_tag(6, &point[1..]), KeyError::NotUncompressed),
        (with_tag(7, &point[1..]), KeyError::NotUncompressed),
        (with_tag(0, &point[1..]), KeyError::NotUncompressed),
        (with_tag(8, &point[1..]), KeyError::NotUncompressed),
        (point[1..].to_vec(), KeyError::Length { algorithm: P256, expected: 65, actual: 64 }),
        (with_tag(4, &point), KeyError::Length { algorithm: P256, expected: 65, actual: 66 }),
        (vec![], KeyError::Length { algorithm: P256, expected: 65, actual: 0 }),
    ];
    for (bytes, expected) in cases {
        // A stray first byte of the x‖y case may read as a tag.
        let error = PublicKey::from_p256_sec1(&bytes).unwrap_err();
        assert!(
            error == expected || (bytes.len() == 64 && error == KeyError::NotUncompressed),
            "{bytes:02x?}: {error:?}"
        );
    }
    assert_eq!(PublicKey::from_p256_sec1(&point).unwrap(), pem_key());
    assert_eq!(PublicKey::from_p256_coordinates(x, y).unwrap(), pem_key());
    assert_eq!(
        PublicKey::from_p256_coordinates(&x[1..], y),
        Err(KeyError::Length { algorithm: P256, expected: 32, actual: 31 })
    );
}

#[test]
fn spki_names_the_curve_and_holds_the_uncompressed_point() {
    let pem = include_str!("keys_data/p256.spki.pem");
    assert_eq!(pem_key().to_spki_pem(), pem);
    assert_eq!(
        PublicKey::from_spki_pem(include_str!("keys_data/p256-compressed.spki.pem")),
        Err(KeyError::NotUncompressed)
    );
    assert_eq!(
        PublicKey::from_spki_pem(include_str!("keys_data/p256-explicit.spki.pem")),
        Err(KeyError::Unsupported { oid: "1.2.840.10045.2.1".to_owned() })
    );
}

/// One signature in 128 has an r or an s that begins with a zero byte, which a wrong DER conversion
/// drops.
#[test]
fn a_thousand_signatures_are_64_bytes_and_verify_leading_zeros_included() {
    let provider = provider();
    let (mut leading_zero_r, mut leading_zero_s) = (0, 0);
    for count in 0..20_000_u32 {
        let message = count.to_be_bytes();
        let signature = provider.sign_now(&message).unwrap();
        let (r, s) = signature.as_bytes().split_at(32);
        assert_eq!(s.len(), 32);
        let short = r[0] == 0 || s[0] == 0;
        leading_zero_r += u32::from(r[0] == 0);
        leading_zero_s += u32::from(s[0] == 0);
        if count < 1000 || short {
            assert_eq!(provider.verifying_key().verify(&message, &signature), Ok(()));
            let der = p256::ecdsa::Signature::from_slice(signature.as_bytes()).unwrap().to_der();
            assert_eq!(Signature::from_ecdsa_der(P256, der.as_bytes()).unwrap(), signature);
        }
        if count >= 1000 && leading_zero_r > 0 && leading_zero_s > 0 {
            return;
        }
    }
    panic!("no signature with a leading zero: {leading_zero_r} r, {leading_zero_s} s");
}

#[test]
fn other_implementations_verify_what_is_signed_here() {
    use p256::ecdsa::signature::Verifier as _;

    let provider = provider();
    let signature = provider.sign_now(b"message").unwrap();
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&sec1(provider.verifying_key())).unwrap();
    let signature = p256::ecdsa::Signature::from_slice(signature.as_bytes()).unwrap();
    assert!(key.verify(b"message", &signature).is_ok());
    assert_eq!(key.to_sec1_point(false).as_bytes(), sec1(&pem_key()));
}
