//! Which keys can be made, and what they are then.

use serde_json::{Value, json};

use crate::vault::{TOKEN, Vault, bytes, now};

#[tokio::test]
async fn keys_are_made_as_the_service_makes_them() {
    let vault = Vault::start().await;
    let all = json!(["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]);
    for (request, operations, members) in [
        (json!({"kty": "EC"}), json!(["sign", "verify"]), [("x", 32), ("y", 32)]),
        (
            json!({"kty": "EC-HSM", "crv": "P-256"}),
            json!(["sign", "verify"]),
            [("x", 32), ("y", 32)],
        ),
        (json!({"kty": "EC", "key_ops": ["sign"]}), json!(["sign"]), [("x", 32), ("y", 32)]),
        (json!({"kty": "RSA"}), all.clone(), [("n", 256), ("e", 3)]),
        (json!({"kty": "RSA-HSM", "key_size": 3072}), all.clone(), [("n", 384), ("e", 3)]),
        (json!({"kty": "RSA", "key_size": 4096}), all, [("n", 512), ("e", 3)]),
    ] {
        let made = vault.call("POST", "/keys/a-key/create", request.clone()).await;
        let key = &made.body["key"];
        assert_eq!(
            (made.status, &key["kty"], &key["key_ops"]),
            (200, &request["kty"], &operations)
        );
        for (member, len) in members {
            assert_eq!(bytes(&key[member]).len(), len, "{member} of {request}");
        }
        let (prefix, version) = key["kid"].as_str().unwrap().rsplit_once('/').unwrap();
        assert_eq!(prefix, "https://vault.example:8444/keys/a-key");
        assert!(
            version.len() == 32 && version.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
        );
        assert_eq!(made.body["attributes"]["enabled"], json!(true));
        assert!(now() - made.body["attributes"]["created"].as_u64().unwrap() < 60);
    }
}

#[tokio::test]
async fn keys_that_the_service_has_not_are_refused() {
    let vault = Vault::start().await;
    for (name, request) in [
        ("k", json!({"kty": "OKP", "crv": "Ed25519"})),
        ("k", json!({"kty": "oct"})),
        ("k", json!({})),
        ("k", json!({"kty": "EC", "crv": "Ed25519"})),
        ("k", json!({"kty": "EC", "crv": "P-521"})),
        ("k", json!({"kty": "EC", "key_ops": ["sign", "encrypt"]})),
        ("k", json!({"kty": "EC", "key_ops": "sign"})),
        ("k", json!({"kty": "EC", "attributes": {"enabled": "yes"}})),
        ("k", json!({"kty": "EC", "attributes": {"exp": -1}})),
        ("k", json!({"kty": "RSA", "key_size": 1024})),
        ("k", json!({"kty": "RSA", "key_size": "2048"})),
        ("under_score", json!({"kty": "EC"})),
    ] {
        let reply = vault.call("POST", &format!("/keys/{name}/create"), request.clone()).await;
        assert_eq!(reply.refusal(), (400, "BadParameter", None), "{name} {request}");
    }
    let imported = json!({"key": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}});
    assert_eq!(vault.call("PUT", "/keys/k", imported).await.refusal(), (400, "BadParameter", None));
    let broken =
        vault.request("POST", "/keys/k/create?api-version=7.4", Some(TOKEN), &json!("{")).await;
    assert_eq!(broken.refusal(), (400, "BadParameter", None));
    assert_eq!(vault.call("GET", "/keys", Value::Null).await.body["value"], json!([]));
}
