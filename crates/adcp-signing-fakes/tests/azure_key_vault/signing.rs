//! What is signed and verified, by which algorithm over which digest.

use aws_lc_rs::{
    digest::{SHA384, digest},
    signature::{
        ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512,
        RsaPublicKeyComponents, UnparsedPublicKey,
    },
};
use serde_json::{Value, json};

use crate::vault::{MESSAGE, Vault, base64, bytes, sha256, sha512};

#[tokio::test]
async fn signatures_verify_under_the_key_that_the_vault_shows() {
    let vault = Vault::start().await;
    let version = vault.create("ec", json!({"kty": "EC"})).await;
    let jwk = vault.call("GET", "/keys/ec", Value::Null).await.body["key"].clone();
    let point = [vec![4], bytes(&jwk["x"]), bytes(&jwk["y"])].concat();
    for path in ["ec/".to_owned(), format!("ec/{version}")] {
        let signed = vault.sign(&path, "ES256", &sha256()).await.body;
        assert_eq!(signed["kid"], jwk["kid"]);
        let signature = bytes(&signed["value"]);
        assert_eq!(signature.len(), 64);
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
            .verify(MESSAGE, &signature)
            .unwrap();
    }

    vault.create("rsa", json!({"kty": "RSA"})).await;
    let jwk = vault.call("GET", "/keys/rsa", Value::Null).await.body["key"].clone();
    let key = RsaPublicKeyComponents { n: bytes(&jwk["n"]), e: bytes(&jwk["e"]) };
    for (name, digest, algorithm) in [
        ("PS512", sha512(), &RSA_PSS_2048_8192_SHA512),
        ("RS256", sha256(), &RSA_PKCS1_2048_8192_SHA256),
    ] {
        let signed = vault.sign("rsa/", name, &digest).await.body;
        key.verify(algorithm, MESSAGE, &bytes(&signed["value"])).unwrap();
    }
}

#[tokio::test]
async fn the_vault_verifies_what_it_signed_and_nothing_else() {
    let vault = Vault::start().await;
    vault.create("ec", json!({"kty": "EC"})).await;
    vault.create("rsa", json!({"kty": "RSA"})).await;
    for (key, algorithm, digest) in [("ec/", "ES256", sha256()), ("rsa/", "PS512", sha512())] {
        let signature =
            vault.sign(key, algorithm, &digest).await.body["value"].as_str().unwrap().to_owned();
        let mut damaged = digest.clone();
        damaged[0] ^= 1;
        for (digest, valid) in [(&digest, true), (&damaged, false)] {
            let reply = vault.verify(key, algorithm, digest, &signature).await;
            assert_eq!((reply.status, &reply.body), (200, &json!({"value": valid})), "{algorithm}");
        }
    }
}

#[tokio::test]
async fn algorithm_and_digest_must_suit_the_key() {
    let vault = Vault::start().await;
    vault.create("ec", json!({"kty": "EC"})).await;
    vault.create("rsa", json!({"kty": "RSA"})).await;
    let sha384 = digest(&SHA384, MESSAGE).as_ref().to_vec();
    for (key, algorithm, digest, says) in [
        ("ec/", "PS512", sha512(), "Key and signing algorithm are incompatible."),
        ("ec/", "ES384", sha384, "can only be used with curve 'P-384'"),
        ("ec/", "ES256", sha512(), "Invalid length of 'value': 64 bytes. ES256 requires 32 bytes"),
        ("ec/", "ES256", Vec::new(), "Invalid length of 'value': 0 bytes."),
        ("ec/", "EdDSA", sha512(), "Property  has invalid value"),
        ("ec/", "es256", sha256(), "Property  has invalid value"),
        ("rsa/", "ES256", sha256(), "Key and signing algorithm are incompatible."),
        ("rsa/", "PS512", sha256(), "Invalid length of 'value': 32 bytes. PS512 requires 64 bytes"),
    ] {
        let reply = vault.sign(key, algorithm, &digest).await;
        assert_eq!(reply.refusal(), (400, "BadParameter", None), "{key} {algorithm}");
        let message = reply.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    }
    for body in [
        json!({"alg": "ES256"}),
        json!({"value": base64(&sha256())}),
        json!({"alg": "ES256", "value": format!("{}=", base64(&sha256()))}),
        json!({"alg": "ES256", "value": 7}),
    ] {
        let reply = vault.call("POST", "/keys/ec//sign", body.clone()).await;
        assert_eq!(reply.refusal(), (400, "BadParameter", None), "{body}");
    }
}
