//! Key pairs from private JWKs.

use aws_lc_rs::{
    error::KeyRejected,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair},
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

use super::{der, error::Refused, key::KeyType};
use crate::service::{KeyPair, Kind};

const RSA_MEMBERS: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
/// Of a key with two primes.
const VERSION: u8 = 0;

/// The key pair of a private JWK, and what it is.
pub(super) fn key_pair(kty: KeyType, jwk: &Value) -> Result<(Kind, KeyPair), Refused> {
    let rejected =
        |_: KeyRejected| Refused::bad_parameter("The key's members do not fit each other.");
    match kty {
        KeyType::Ec | KeyType::EcHsm => {
            check_curve(&jwk["crv"])?;
            let point = [vec![0x04], member(jwk, "x")?, member(jwk, "y")?].concat();
            let encoding = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair =
                EcdsaKeyPair::from_private_key_and_public_key(encoding, &member(jwk, "d")?, &point);
            Ok((Kind::P256(encoding), KeyPair::P256(pair.map_err(rejected)?)))
        }
        KeyType::Rsa | KeyType::RsaHsm => {
            let mut integers = vec![vec![VERSION]];
            for name in RSA_MEMBERS {
                integers.push(member(jwk, name)?);
            }
            let der = der::sequence(&integers).map_err(|_| Refused::invalid_property())?;
            let pair = RsaKeyPair::from_der(&der).map_err(rejected)?;
            let size = rsa_size(pair.public_modulus_len() * 8)?;
            Ok((Kind::Rsa(size), KeyPair::Rsa(pair)))
        }
    }
}

/// Refuses a curve that is not P-256.
pub(super) fn check_curve(name: &Value) -> Result<(), Refused> {
    match name.as_str() {
        Some("P-256") => Ok(()),
        Some("P-256K" | "P-384" | "P-521") => {
            Err(Refused::bad_parameter("This fake has the curve P-256 only."))
        }
        _ => Err(Refused::invalid_property()),
    }
}

/// A size that the service has.
pub(super) fn rsa_size(bits: usize) -> Result<KeySize, Refused> {
    match bits {
        2048 => Ok(KeySize::Rsa2048),
        3072 => Ok(KeySize::Rsa3072),
        4096 => Ok(KeySize::Rsa4096),
        _ => Err(Refused::bad_parameter("The key size can be 2048, 3072 or 4096.")),
    }
}

fn member(jwk: &Value, name: &str) -> Result<Vec<u8>, Refused> {
    let text = jwk[name].as_str().ok_or_else(Refused::invalid_property)?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| Refused::invalid_property())
}
