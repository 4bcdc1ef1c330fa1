//! What the Transit engine says about a key, and the version of it that signs.

use std::collections::HashMap;

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind as Kind, PublicKey, provider::check_algorithm,
};
use base64ct::{Base64, Encoding as _};
use serde::Deserialize;
use serde_json::Value;

use crate::address::configuration;

/// The version of a key that signs, and its public half.
#[derive(Debug)]
pub(crate) struct SigningVersion {
    pub(crate) version: u32,
    pub(crate) public_key: PublicKey,
}

/// The reply to `GET :mount/keys/:name`.
#[derive(Deserialize)]
struct Reply {
    data: Description,
}

/// A key as the server describes it.
#[derive(Deserialize)]
pub(crate) struct Description {
    #[serde(rename = "type")]
    key_type: String,
    /// Of symmetric keys a version is a number, not an object; of some types there are none.
    #[serde(default)]
    keys: HashMap<String, Value>,
    #[serde(default)]
    pub(crate) latest_version: u32,
    #[serde(default)]
    min_encryption_version: u32,
    #[serde(default)]
    derived: bool,
    #[serde(default)]
    soft_deleted: bool,
    #[serde(default)]
    pub(crate) exportable: bool,
    #[serde(default)]
    pub(crate) allow_plaintext_backup: bool,
    #[serde(default)]
    pub(crate) imported_key: bool,
    #[serde(default)]
    pub(crate) auto_rotate_period: Value,
}

/// Reads the server's description of a key.
pub(crate) fn describe(body: &[u8]) -> Result<Description, ProviderError> {
    let reply: Result<Reply, _> = serde_json::from_slice(body);
    reply
        .map(|reply| reply.data)
        .map_err(|_| invalid("the server's description of the key is not what this API has"))
}

/// Picks the version to sign with: the one asked for, else the latest.
pub(crate) fn signing_version(
    body: &[u8],
    asked: Option<u32>,
    declared: Option<Algorithm>,
) -> Result<SigningVersion, ProviderError> {
    let key = describe(body)?;
    let algorithm = algorithm_of(&key.key_type).ok_or_else(|| {
        ProviderError::new(
            Kind::AlgorithmMismatch,
            "the key is of a type that signs none of ed25519, ecdsa-p256-sha256 and rsa-pss-sha512",
        )
    })?;
    check_algorithm(algorithm, declared)?;
    if key.latest_version == 0 {
        return Err(invalid("the server's description of the key names no version"));
    }
    if key.derived {
        return Err(configuration(
            "the key is a derived one, which is another key for each context; make one with `derived=false`",
        ));
    }
    if key.soft_deleted {
        return Err(ProviderError::new(
            Kind::KeyDisabled,
            "the key is soft-deleted; restore it, or use another",
        ));
    }
    let version = asked.unwrap_or(key.latest_version);
    if version > key.latest_version {
        return Err(ProviderError::new(
            Kind::KeyNotFound,
            "the key has no version of this number yet; rotate it first, or name a version that is there",
        ));
    }
    if version < key.min_encryption_version {
        return Err(ProviderError::new(
            Kind::KeyDisabled,
            "this version of the key was retired (min_encryption_version); sign with a later one",
        ));
    }
    let Some(entry) = key.keys.get(&version.to_string()) else {
        return Err(ProviderError::new(
            Kind::KeyDisabled,
            "this version of the key was archived (min_decryption_version); sign with a later one",
        ));
    };
    let text = entry.get("public_key").and_then(Value::as_str).unwrap_or_default();
    let public_key = public_key(algorithm, text)?;
    if public_key.algorithm() != algorithm {
        return Err(invalid(
            "the server's public key is not of the type that the server says the key has",
        ));
    }
    Ok(SigningVersion { version, public_key })
}

fn algorithm_of(key_type: &str) -> Option<Algorithm> {
    match key_type {
        "ed25519" => Some(Algorithm::Ed25519),
        "ecdsa-p256" => Some(Algorithm::EcdsaP256Sha256),
        "rsa-2048" | "rsa-3072" | "rsa-4096" => Some(Algorithm::RsaPssSha512),
        _ => None,
    }
}

/// Ed25519 keys are the bare 32 bytes in Base64, the others an SPKI in PEM.
fn public_key(algorithm: Algorithm, text: &str) -> Result<PublicKey, ProviderError> {
    let refused = "the server's public key cannot be used";
    match algorithm {
        Algorithm::Ed25519 => {
            let bytes = Base64::decode_vec(text).map_err(|_| invalid(refused))?;
            PublicKey::from_ed25519_bytes(&bytes)
        }
        _ => PublicKey::from_spki_pem(text),
    }
    .map_err(|error| invalid(refused).with_source(error))
}

pub(crate) fn invalid(message: &'static str) -> ProviderError {
    ProviderError::new(Kind::InvalidResponse, message)
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::{KeyPurpose, provider::InMemoryProvider};
    use serde_json::json;

    use super::*;

    fn key(algorithm: Algorithm) -> PublicKey {
        InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning)
            .unwrap()
            .verifying_key()
            .clone()
    }

    /// An Ed25519 key with versions 2 and 3 left of three.
    fn description() -> (Value, [PublicKey; 2]) {
        let keys = [(); 2].map(|()| key(Algorithm::Ed25519));
        let [second, third] = keys.each_ref().map(|key| {
            let spki = key.to_spki_der();
            json!({ "public_key": Base64::encode_string(&spki[spki.len() - 32..]) })
        });
        let data =
            json!({ "type": "ed25519", "keys": { "2": second, "3": third }, "latest_version": 3 });
        (json!({ "data": data }), keys)
    }

    fn read(description: &Value, version: Option<u32>) -> Result<SigningVersion, ProviderError> {
        signing_version(description.to_string().as_bytes(), version, Some(Algorithm::Ed25519))
    }

    #[test]
    fn the_version_asked_for_or_the_latest_signs() {
        let (description, [second, third]) = description();
        for (asked, version, key) in
            [(None, 3, &third), (Some(3), 3, &third), (Some(2), 2, &second)]
        {
            let found = read(&description, asked).unwrap();
            assert_eq!((found.version, &found.public_key), (version, key), "{asked:?}");
        }
    }

    #[test]
    fn pem_keys_are_read_too() {
        for (key_type, algorithm) in
            [("ecdsa-p256", Algorithm::EcdsaP256Sha256), ("rsa-3072", Algorithm::RsaPssSha512)]
        {
            let key = key(algorithm);
            let data = json!({
                "type": key_type, "latest_version": 1, "keys": { "1": { "public_key": key.to_spki_pem() } },
            });
            let body = json!({ "data": data }).to_string();
            assert_eq!(signing_version(body.as_bytes(), None, None).unwrap().public_key, key);
        }
    }

    #[test]
    fn a_key_that_cannot_sign_as_declared_is_refused_by_kind() {
        let with = |name: &str, value: Value| {
            let (mut description, _) = description();
            description["data"][name] = value;
            description
        };
        let p256 = json!({ "3": { "public_key": key(Algorithm::EcdsaP256Sha256).to_spki_pem() } });
        for (description, asked, kind) in [
            (with("type", json!("ecdsa-p256")), None, Kind::AlgorithmMismatch),
            (with("type", json!("ecdsa-p384")), None, Kind::AlgorithmMismatch),
            (with("type", json!("aes256-gcm96")), None, Kind::AlgorithmMismatch),
            (json!({ "data": { "type": "hmac" } }), None, Kind::AlgorithmMismatch),
            (json!({ "data": { "type": "ed25519" } }), None, Kind::InvalidResponse),
            (json!({ "data": {} }), None, Kind::InvalidResponse),
            (with("derived", json!(true)), None, Kind::Configuration),
            (with("soft_deleted", json!(true)), None, Kind::KeyDisabled),
            (with("min_encryption_version", json!(3)), Some(2), Kind::KeyDisabled),
            (with("x", json!(0)), Some(1), Kind::KeyDisabled),
            (with("x", json!(0)), Some(4), Kind::KeyNotFound),
            (with("keys", json!({ "3": 1795388589 })), None, Kind::InvalidResponse),
            (with("keys", json!({ "3": { "public_key": "" } })), None, Kind::InvalidResponse),
            (with("keys", p256), None, Kind::InvalidResponse),
            (with("latest_version", json!("3")), None, Kind::InvalidResponse),
            (json!([]), None, Kind::InvalidResponse),
        ] {
            let error = read(&description, asked).unwrap_err();
            assert_eq!(error.kind(), kind, "{description}");
        }
    }
}
