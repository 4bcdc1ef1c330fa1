//! From the JWK members of a reply to a public key.

use adcp_signing_core::{
    Algorithm, KeyError, ProviderError, ProviderErrorKind, PublicKey, provider::check_algorithm,
};
use azure_security_keyvault_keys::models::{CurveName, JsonWebKey, KeyType};

const COORDINATE_LEN: usize = 32;
const SIGN: &str = "sign";

/// The public key of a key version, which must be one that signs, with the declared algorithm where
/// there is one.
pub(crate) fn checked(
    key: &JsonWebKey,
    declared: Option<Algorithm>,
) -> Result<PublicKey, ProviderError> {
    let algorithm = match (&key.kty, &key.crv) {
        (Some(KeyType::Ec | KeyType::EcHsm), Some(CurveName::P256)) => Algorithm::EcdsaP256Sha256,
        (Some(KeyType::Rsa | KeyType::RsaHsm), _) => Algorithm::RsaPssSha512,
        (None, _) => {
            return Err(invalid("the reply of Azure Key Vault does not say the type of the key"));
        }
        _ => {
            return Err(mismatch(
                "the key is of a kind that is not used here; create one with --kty EC --curve P-256, or --kty RSA",
            ));
        }
    };
    check_algorithm(algorithm, declared)?;
    if key.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|name| name == SIGN)) {
        return Err(mismatch("the key is not for signing; create one with --ops sign verify"));
    }
    let member = |bytes: &Option<Vec<u8>>| {
        bytes
            .clone()
            .ok_or_else(|| invalid("the reply of Azure Key Vault holds no whole public key"))
    };
    let read = match algorithm {
        Algorithm::EcdsaP256Sha256 => {
            let (x, y) = (coordinate(member(&key.x)?), coordinate(member(&key.y)?));
            PublicKey::from_p256_coordinates(&x, &y)
        }
        _ => {
            let (n, e) = (member(&key.n)?, member(&key.e)?);
            PublicKey::from_rsa_components(unsigned(&n), unsigned(&e))
        }
    };
    read.map_err(|error: KeyError| {
        invalid("the reply of Azure Key Vault holds no public key that can be read")
            .with_source(error)
    })
}

/// A coordinate in full length. Servers are known that drop a leading zero byte, and that add one.
fn coordinate(bytes: Vec<u8>) -> Vec<u8> {
    let digits = unsigned(&bytes);
    let missing = COORDINATE_LEN.saturating_sub(digits.len());
    let mut full = vec![0; missing];
    full.extend_from_slice(digits);
    full
}

/// A number without leading zero bytes.
fn unsigned(mut bytes: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

fn mismatch(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::AlgorithmMismatch, message)
}

pub(crate) fn invalid(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::InvalidResponse, message)
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::{InMemoryProvider, KeyPurpose};

    use super::*;

    fn sec1(key: &PublicKey) -> Vec<u8> {
        let spki = key.to_spki_der();
        spki[spki.len() - 64..].to_vec()
    }

    fn ec(x: &[u8], y: &[u8]) -> JsonWebKey {
        JsonWebKey {
            kty: Some(KeyType::EcHsm),
            crv: Some(CurveName::P256),
            x: Some(x.to_vec()),
            y: Some(y.to_vec()),
            ..JsonWebKey::default()
        }
    }

    /// A key whose x begins with a zero byte, once in 256.
    fn short_x() -> PublicKey {
        loop {
            let key =
                InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning)
                    .unwrap();
            if sec1(key.verifying_key()).first() == Some(&0) {
                return key.verifying_key().clone();
            }
        }
    }

    #[test]
    fn a_coordinate_is_a_number_however_many_zero_bytes_lead_it() {
        let key = short_x();
        let point = sec1(&key);
        let (x, y) = point.split_at(32);
        for x in [x, &x[1..], &[&[0], x].concat()] {
            assert_eq!(checked(&ec(x, y), None).unwrap(), key);
        }
    }

    #[test]
    fn a_key_that_cannot_sign_here_is_told_apart_from_a_reply_that_is_wrong() {
        use ProviderErrorKind::{AlgorithmMismatch, InvalidResponse};

        let right = ec(&[1; 32], &[2; 32]);
        let with = |change: &dyn Fn(&mut JsonWebKey)| {
            let mut key = right.clone();
            change(&mut key);
            key
        };
        for (what, key, declared, expected) in [
            ("no kty", with(&|key| key.kty = None), None, InvalidResponse),
            ("no y", with(&|key| key.y = None), None, InvalidResponse),
            ("not on the curve", right.clone(), None, InvalidResponse),
            (
                "longer than the curve",
                with(&|key| key.x = Some(vec![1; 33])),
                None,
                InvalidResponse,
            ),
            ("no curve", with(&|key| key.crv = None), None, AlgorithmMismatch),
            ("P-384", with(&|key| key.crv = Some(CurveName::P384)), None, AlgorithmMismatch),
            ("secp256k1", with(&|key| key.crv = Some(CurveName::P256K)), None, AlgorithmMismatch),
            ("AES", with(&|key| key.kty = Some(KeyType::OctHsm)), None, AlgorithmMismatch),
            ("another algorithm", right.clone(), Some(Algorithm::RsaPssSha512), AlgorithmMismatch),
            (
                "not for signing",
                with(&|key| key.key_ops = Some(vec!["verify".to_owned()])),
                None,
                AlgorithmMismatch,
            ),
            ("no modulus", with(&|key| key.kty = Some(KeyType::Rsa)), None, InvalidResponse),
        ] {
            assert_eq!(checked(&key, declared).unwrap_err().kind(), expected, "{what}");
        }
    }
}
