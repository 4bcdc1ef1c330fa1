//! The second opinion on a signature, by implementations that core does not verify with.

mod rsa_pss;

use adcp_signing_core::{Algorithm, PublicKey};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::{ecdsa::signature::Verifier as _, pkcs8::DecodePublicKey as _};

/// What stands before the 32 bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410 §4).
const ED25519_SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Verifies the wire form of a signature.
///
/// # Errors
/// The name of the implementation that refused it.
pub(super) fn verify(
    key: &PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), &'static str> {
    let spki = key.to_spki_der();
    match key.algorithm() {
        Algorithm::Ed25519 => ed25519(&spki, message, signature).ok_or("aws-lc-rs"),
        Algorithm::EcdsaP256Sha256 => p256(&spki, message, signature).ok_or("p256"),
        Algorithm::RsaPssSha512 => rsa(key, message, signature).ok_or("RFC 8017 to the letter"),
        // A new algorithm needs its second opinion before a provider can pass with it.
        _ => Err("a second implementation, which the suite does not have for this algorithm"),
    }
}

/// The modulus and the exponent of an RSA key, big-endian.
pub(super) fn rsa_components(key: &PublicKey) -> Option<[Vec<u8>; 2]> {
    let jwk = serde_json::to_value(key.to_jwk()).ok()?;
    let member = |name| Base64UrlUnpadded::decode_vec(jwk.get(name)?.as_str()?).ok();
    Some([member("n")?, member("e")?])
}

fn rsa(key: &PublicKey, message: &[u8], signature: &[u8]) -> Option<()> {
    let [n, e] = rsa_components(key)?;
    rsa_pss::verify(&n, &e, message, signature)
}

fn ed25519(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    let key = spki.strip_prefix(ED25519_SPKI_PREFIX.as_slice())?;
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).ok()
}

fn p256(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(spki).ok()?;
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    key.verify(message, &signature).ok()
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::{InMemoryProvider, KeyPurpose};

    use super::*;

    #[test]
    fn agrees_with_core_on_good_signatures_and_on_bad_ones() {
        for algorithm in Algorithm::ALL {
            let key = InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning).unwrap();
            let other = InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning).unwrap();
            let signature = key.sign_now(b"message").unwrap();
            let good = signature.as_bytes();
            assert_eq!(verify(key.verifying_key(), b"message", good), Ok(()), "{algorithm}");
            assert!(verify(key.verifying_key(), b"another", good).is_err(), "{algorithm}");
            assert!(verify(other.verifying_key(), b"message", good).is_err(), "{algorithm}");
            assert!(verify(key.verifying_key(), b"message", &good[1..]).is_err(), "{algorithm}");
            for index in [0, good.len() / 2, good.len() - 1] {
                let mut bad = good.to_vec();
                bad[index] ^= 1;
                assert!(
                    verify(key.verifying_key(), b"message", &bad).is_err(),
                    "{algorithm}, byte {index}"
                );
            }
        }
    }

    #[test]
    fn rsa_is_pss_with_sha_512_and_nothing_else() {
        use aws_lc_rs::{encoding::AsDer as _, rand::SystemRandom, rsa::KeySize, signature};
        let pair = signature::RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let spki = signature::KeyPair::public_key(&pair).as_der().unwrap();
        let key = PublicKey::from_spki_der(spki.as_ref()).unwrap();
        let paddings: [(&dyn signature::RsaEncoding, bool); 3] = [
            (&signature::RSA_PSS_SHA512, true),
            (&signature::RSA_PSS_SHA256, false),
            (&signature::RSA_PKCS1_SHA512, false),
        ];
        for (padding, good) in paddings {
            let mut bytes = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), b"message", &mut bytes).unwrap();
            assert_eq!(verify(&key, b"message", &bytes).is_ok(), good, "{padding:?}");
        }
    }
}
