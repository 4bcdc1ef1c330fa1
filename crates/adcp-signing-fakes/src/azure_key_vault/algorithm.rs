//! The signature algorithms, and what each needs of a key and of a digest.

use aws_lc_rs::{
    digest::{self, Digest},
    signature::{
        ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaParameters,
        RsaSignatureEncoding, UnparsedPublicKey,
    },
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use super::{error::Refused, key::Version};
use crate::service::KeyPair;

/// `JsonWebKeySignatureAlgorithm`.
struct Algorithm {
    name: &'static str,
    hash: &'static digest::Algorithm,
    scheme: Scheme,
}

enum Scheme {
    /// Over P-256, encoded as r‖s.
    Es256,
    /// Over a curve that no key here has.
    OtherCurve(&'static str),
    Rsa(&'static RsaSignatureEncoding, &'static RsaParameters),
}

#[rustfmt::skip]
static ALGORITHMS: &[Algorithm] = &[
    Algorithm { name: "ES256", hash: &digest::SHA256, scheme: Scheme::Es256 },
    Algorithm { name: "ES256K", hash: &digest::SHA256, scheme: Scheme::OtherCurve("P-256K") },
    Algorithm { name: "ES384", hash: &digest::SHA384, scheme: Scheme::OtherCurve("P-384") },
    Algorithm { name: "ES512", hash: &digest::SHA512, scheme: Scheme::OtherCurve("P-521") },
    Algorithm { name: "PS256", hash: &digest::SHA256, scheme: Scheme::Rsa(&RSA_PSS_SHA256, &RSA_PSS_2048_8192_SHA256) },
    Algorithm { name: "PS384", hash: &digest::SHA384, scheme: Scheme::Rsa(&RSA_PSS_SHA384, &RSA_PSS_2048_8192_SHA384) },
    Algorithm { name: "PS512", hash: &digest::SHA512, scheme: Scheme::Rsa(&RSA_PSS_SHA512, &RSA_PSS_2048_8192_SHA512) },
    Algorithm { name: "RS256", hash: &digest::SHA256, scheme: Scheme::Rsa(&RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256) },
    Algorithm { name: "RS384", hash: &digest::SHA384, scheme: Scheme::Rsa(&RSA_PKCS1_SHA384, &RSA_PKCS1_2048_8192_SHA384) },
    Algorithm { name: "RS512", hash: &digest::SHA512, scheme: Scheme::Rsa(&RSA_PKCS1_SHA512, &RSA_PKCS1_2048_8192_SHA512) },
];

/// `{"alg", "value"}`: signs the digest. `kid` is for messages.
pub(super) fn sign(version: &Version, kid: &str, body: &Value) -> Result<Value, Refused> {
    let algorithm = Algorithm::of(body)?;
    algorithm.check_key(version, kid)?;
    let digest = algorithm.digest("value", body)?;
    let padding = match algorithm.scheme {
        Scheme::Rsa(padding, _) => padding,
        // Without use to the other key types.
        Scheme::Es256 | Scheme::OtherCurve(_) => &RSA_PSS_SHA256,
    };
    let signature = version.pair.sign(&digest, padding).map_err(|_| Refused::internal())?;
    Ok(json!({"kid": kid, "value": Base64UrlUnpadded::encode_string(&signature)}))
}

/// `{"alg", "digest", "value"}`: whether the value is a signature of the digest.
pub(super) fn verify(version: &Version, kid: &str, body: &Value) -> Result<Value, Refused> {
    let algorithm = Algorithm::of(body)?;
    algorithm.check_key(version, kid)?;
    let digest = algorithm.digest("digest", body)?;
    let signature = bytes("value", body)?;
    let verified = match (&*version.pair, &algorithm.scheme) {
        (KeyPair::P256(pair), Scheme::Es256) => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())
                .verify_digest(&digest, &signature)
        }
        (KeyPair::Rsa(pair), Scheme::Rsa(_, parameters)) => {
            UnparsedPublicKey::new(*parameters, pair.public_key())
                .verify_digest(&digest, &signature)
        }
        _ => return Err(Refused::internal()),
    };
    Ok(json!({"value": verified.is_ok()}))
}

impl Algorithm {
    /// The algorithm that a request names. The service has no EdDSA.
    fn of(body: &Value) -> Result<&'static Self, Refused> {
        let name = body["alg"].as_str();
        ALGORITHMS
            .iter()
            .find(|algorithm| name == Some(algorithm.name))
            .ok_or_else(Refused::invalid_property)
    }

    fn check_key(&self, version: &Version, kid: &str) -> Result<(), Refused> {
        let (kty, name) = (version.kty.name(), self.name);
        let why = match (&*version.pair, &self.scheme) {
            (KeyPair::P256(_), Scheme::Es256) | (KeyPair::Rsa(_), Scheme::Rsa(..)) => return Ok(()),
            (KeyPair::P256(_), Scheme::OtherCurve(curve)) => {
                format!(
                    "uses curve 'P-256', and algorithm '{name}' can only be used with curve '{curve}'"
                )
            }
            (_, Scheme::Rsa(..)) => {
                format!(
                    "is of type '{kty}', and algorithm '{name}' can only be used with a key of type 'RSA' or 'RSA-HSM'"
                )
            }
            (_, Scheme::Es256 | Scheme::OtherCurve(_)) => {
                format!(
                    "is of type '{kty}', and algorithm '{name}' can only be used with a key of type 'EC' or 'EC-HSM'"
                )
            }
        };
        Err(Refused::bad_parameter(format!(
            "Key and signing algorithm are incompatible. Key {kid} {why}."
        )))
    }

    fn digest(&self, member: &str, body: &Value) -> Result<Digest, Refused> {
        let bytes = bytes(member, body)?;
        Digest::import_less_safe(&bytes, self.hash).map_err(|_| {
            Refused::bad_parameter(format!(
                "Invalid length of '{member}': {} bytes. {} requires {} bytes, encoded with base64url.",
                bytes.len(),
                self.name,
                self.hash.output_len()
            ))
        })
    }
}

fn bytes(member: &str, body: &Value) -> Result<Vec<u8>, Refused> {
    let text = body[member].as_str().ok_or_else(Refused::invalid_property)?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| Refused::invalid_property())
}
