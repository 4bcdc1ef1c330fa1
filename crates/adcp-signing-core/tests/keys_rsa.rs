//! RSA-PSS keys: with the feature `aws-lc-rs` they follow RFC 9421 §3.3.1, without it they are
//! refused by name.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use adcp_signing_core::{KeyError, KeyPurpose, PublicKey, provider::InMemoryProvider};

const SPKI: &str = include_str!("keys_data/rsa-2048.spki.pem");
const PKCS8: &str = include_str!("keys_data/rsa-2048.pkcs8.pem");

fn source(error: &(dyn std::error::Error + 'static)) -> Option<KeyError> {
    error.source().and_then(|source| source.downcast_ref().cloned())
}

#[cfg(not(feature = "aws-lc-rs"))]
#[test]
fn without_the_feature_every_rsa_key_is_refused_by_name() {
    use adcp_signing_core::{Algorithm, Jwk, JwkError};

    assert_eq!(PublicKey::from_spki_pem(SPKI), Err(KeyError::NeedsAwsLcRs));
    assert_eq!(PublicKey::from_rsa_components(&[0xff; 256], &[3]), Err(KeyError::NeedsAwsLcRs));
    let jwk = Jwk::parse(br#"{"kty":"RSA","alg":"PS512","n":"_w","e":"AQAB"}"#).unwrap();
    assert_eq!(jwk.public_key(), Err(JwkError::Key(KeyError::NeedsAwsLcRs)));
    for error in [
        InMemoryProvider::from_pkcs8_pem(PKCS8, KeyPurpose::RequestSigning).unwrap_err(),
        InMemoryProvider::generate(Algorithm::RsaPssSha512, KeyPurpose::RequestSigning)
            .unwrap_err(),
    ] {
        assert_eq!(source(&error), Some(KeyError::NeedsAwsLcRs));
    }
}

#[cfg(feature = "aws-lc-rs")]
mod with_the_feature {
    use adcp_signing_core::{
        Algorithm, InvalidSignature, PrivateJwk, provider::SigningProvider as _,
    };

    use super::*;

    fn key() -> PublicKey {
        PublicKey::from_spki_pem(SPKI).unwrap()
    }

    #[test]
    fn the_salt_has_64_bytes_and_no_other_length() {
        let verify = |signature: &[u8]| key().verify_bytes(b"message", signature);
        assert_eq!(verify(include_bytes!("keys_data/rsa-2048.salt-64.sig")), Ok(()));
        assert_eq!(
            verify(include_bytes!("keys_data/rsa-2048.salt-32.sig")),
            Err(InvalidSignature::Invalid)
        );
        assert_eq!(
            verify(include_bytes!("keys_data/rsa-2048.salt-max.sig")),
            Err(InvalidSignature::Invalid)
        );
        let short = &include_bytes!("keys_data/rsa-2048.salt-64.sig")[..255];
        assert_eq!(verify(short), Err(InvalidSignature::Invalid));
    }

    #[test]
    fn spki_round_trips() {
        assert_eq!(key().to_spki_pem(), SPKI);
        assert_eq!(key().to_jwk().public_key().unwrap(), key());
        assert_eq!(key().algorithm(), Algorithm::RsaPssSha512);
    }

    #[test]
    fn a_pss_key_without_parameters_is_taken_too() {
        let key =
            PublicKey::from_spki_pem(include_str!("keys_data/rsa-pss-2048.spki.pem")).unwrap();
        let provider = InMemoryProvider::from_pkcs8_pem(
            include_str!("keys_data/rsa-pss-2048.pkcs8.pem"),
            KeyPurpose::RequestSigning,
        )
        .unwrap();
        assert_eq!(*provider.verifying_key(), key);
    }

    #[test]
    fn moduli_outside_2048_to_8192_bits_are_refused() {
        assert_eq!(
            PublicKey::from_spki_pem(include_str!("keys_data/rsa-1024.spki.pem")),
            Err(KeyError::RsaModulus { bits: 1024 })
        );
        let odd = |len: usize, first: u8| {
            let mut n = vec![0xff; len];
            n[0] = first;
            n
        };
        for (n, bits) in [
            (odd(256, 0x7f), 2047),
            (odd(1025, 0x01), 8193),
            (odd(257, 0x00), 2048),
            (vec![], 0),
            ([odd(255, 0xff), vec![0xfe]].concat(), 2048),
        ] {
            assert_eq!(
                PublicKey::from_rsa_components(&n, &[1, 0, 1]),
                Err(KeyError::RsaModulus { bits })
            );
        }
        let error = InMemoryProvider::from_pkcs8_pem(
            include_str!("keys_data/rsa-1024.pkcs8.pem"),
            KeyPurpose::RequestSigning,
        )
        .unwrap_err();
        assert_eq!(source(&error), Some(KeyError::RsaModulus { bits: 1024 }));
    }

    #[test]
    fn exponents_that_cannot_be_are_refused() {
        for e in [&[][..], &[0], &[1], &[2], &[0, 3], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
            assert_eq!(
                PublicKey::from_rsa_components(&[0xff; 256], e),
                Err(KeyError::RsaExponent),
                "{e:?}"
            );
        }
    }

    #[test]
    fn a_private_key_signs_and_survives_its_own_jwk() {
        let provider = InMemoryProvider::from_pkcs8_pem(PKCS8, KeyPurpose::RequestSigning).unwrap();
        let json = provider.to_private_jwk().to_json();
        let again = InMemoryProvider::from_jwk_json(json.as_bytes()).unwrap();
        let signature = again.sign_now(b"message").unwrap();
        assert_eq!(key().verify(b"message", &signature), Ok(()));
        assert_eq!(again.key_id(), key().thumbprint());
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let provider = InMemoryProvider::from_pkcs8_pem(PKCS8, KeyPurpose::RequestSigning).unwrap();
        let json = provider.to_private_jwk().to_json();
        let mut jwk: serde_json::Value = serde_json::from_str(&json).unwrap();
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            let good = jwk[member].take();
            jwk[member] = if member == "d" { jwk["n"].clone() } else { "Aw".into() };
            let error = PrivateJwk::parse(jwk.to_string().as_bytes()).unwrap_err();
            assert_eq!(error, KeyError::PrivateKey(Algorithm::RsaPssSha512).into(), "{member}");
            jwk[member] = good;
        }
    }

    #[test]
    fn a_generated_key_has_3072_bits() {
        let provider =
            InMemoryProvider::generate(Algorithm::RsaPssSha512, KeyPurpose::RequestSigning)
                .unwrap();
        assert_eq!(provider.sign_now(b"message").unwrap().as_bytes().len(), 384);
    }
}
