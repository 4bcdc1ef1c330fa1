//! When a key may be used, and what is left of a deleted one.

use serde_json::{Value, json};

use crate::vault::{Vault, now, sha256};

#[tokio::test]
async fn the_state_the_period_and_the_operations_of_a_version_are_in_force() {
    let vault = Vault::start().await;
    let version = vault.create("k", json!({"kty": "EC"})).await;
    let key = format!("k/{version}");
    let signature =
        vault.sign(&key, "ES256", &sha256()).await.body["value"].as_str().unwrap().to_owned();
    let (past, future) = (now() - 60, now() + 600);
    let forbidden = |inner| Some((403, "Forbidden", Some(inner)));
    for (update, sign, verify) in [
        (
            json!({"attributes": {"enabled": false}}),
            forbidden("KeyDisabled"),
            forbidden("KeyDisabled"),
        ),
        (json!({"attributes": {"enabled": true}}), None, None),
        (json!({"attributes": {"nbf": future}}), forbidden("KeyNotYetValid"), None),
        (json!({"attributes": {"nbf": past, "exp": past + 1}}), forbidden("KeyExpired"), None),
        (json!({"attributes": {"exp": future}}), None, None),
        (json!({"key_ops": ["verify"]}), forbidden("KeyOperationForbidden"), None),
        (json!({"key_ops": ["sign"]}), None, forbidden("KeyOperationForbidden")),
    ] {
        let updated = vault.call("PATCH", &format!("/keys/{key}"), update.clone()).await;
        assert_eq!(updated.status, 200, "{update}");
        for (reply, expected) in [
            (vault.sign(&key, "ES256", &sha256()).await, sign),
            (vault.verify(&key, "ES256", &sha256(), &signature).await, verify),
        ] {
            match expected {
                Some(refusal) => assert_eq!(reply.refusal(), refusal, "{update}"),
                None => assert_eq!(reply.status, 200, "{update}: {}", reply.body),
            }
        }
        // Its public part can always be read.
        let read = vault.call("GET", &format!("/keys/{key}"), Value::Null).await;
        assert_eq!(read.body["attributes"], updated.body["attributes"]);
    }
    let refused = json!({"attributes": {"enabled": false}, "key_ops": ["encrypt"]});
    let refused = vault.call("PATCH", &format!("/keys/{key}"), refused).await;
    assert_eq!(refused.refusal(), (400, "BadParameter", None));
    assert_eq!(
        vault.sign(&key, "ES256", &sha256()).await.status,
        200,
        "half of a refused update took effect"
    );
}

#[tokio::test]
async fn a_deleted_key_is_not_found_and_its_name_is_taken_until_it_is_purged() {
    let vault = Vault::start().await;
    let version = vault.create("k", json!({"kty": "EC"})).await;
    let deleted = vault.call("DELETE", "/keys/k", Value::Null).await;
    assert_eq!(deleted.body["recoveryId"], json!("https://vault.example:8444/deletedkeys/k"));
    assert_eq!(
        deleted.body["scheduledPurgeDate"].as_u64().unwrap()
            - deleted.body["deletedDate"].as_u64().unwrap(),
        7 * 24 * 60 * 60
    );
    assert_eq!(vault.call("GET", "/deletedkeys/k", Value::Null).await.body, deleted.body);
    assert_eq!(
        vault.call("GET", "/keys/k", Value::Null).await.refusal(),
        (404, "KeyNotFound", None)
    );
    let key = format!("k/{version}");
    assert_eq!(vault.sign(&key, "ES256", &sha256()).await.refusal(), (404, "KeyNotFound", None));
    let again = vault.call("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    assert_eq!(again.refusal(), (409, "Conflict", Some("ObjectIsDeletedButRecoverable")));

    let purged = vault.call("DELETE", "/deletedkeys/k", Value::Null).await;
    assert_eq!((purged.status, purged.body), (204, Value::Null));
    for (method, path) in
        [("GET", "/deletedkeys/k"), ("DELETE", "/deletedkeys/k"), ("DELETE", "/keys/k")]
    {
        assert_eq!(
            vault.call(method, path, Value::Null).await.refusal(),
            (404, "KeyNotFound", None),
            "{method} {path}"
        );
    }
    assert_ne!(vault.create("k", json!({"kty": "EC"})).await, version);
}
