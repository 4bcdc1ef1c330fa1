//! Rotation policies.

use serde_json::{Value, json};

use crate::vault::Vault;

/// <https://learn.microsoft.com/rest/api/keyvault/keys/get-key-rotation-policy>.
#[tokio::test]
async fn a_key_has_a_policy_that_only_notifies_until_it_gets_another() {
    let vault = Vault::start().await;
    let path = "/keys/a-key/rotationpolicy";
    let kinds = |policy: &Value| {
        let actions = policy["lifetimeActions"].as_array().unwrap().clone();
        actions
            .iter()
            .map(|it| it["action"]["type"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(vault.call("GET", path, json!({})).await.refusal(), (404, "KeyNotFound", None));
    vault.call("POST", "/keys/a-key/create", json!({"kty": "EC"})).await;
    let policy = vault.call("GET", path, json!({})).await;
    assert_eq!((policy.status, kinds(&policy.body)), (200, vec!["Notify".to_owned()]));
    assert_eq!(policy.body["id"], json!(format!("https://vault.example:8444{path}")));

    let rotate = json!({"lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}]});
    let set = vault.call("PUT", path, rotate).await;
    assert_eq!((set.status, kinds(&set.body)), (200, vec!["Rotate".to_owned()]));
    let policy = vault.call("GET", path, json!({})).await;
    assert_eq!(kinds(&policy.body), ["Rotate"]);
    for wrong in [json!({}), json!({"lifetimeActions": [{"action": {"type": "Explode"}}]})] {
        let refused = vault.call("PUT", path, wrong).await;
        assert_eq!(refused.refusal(), (400, "BadParameter", None));
    }
}
