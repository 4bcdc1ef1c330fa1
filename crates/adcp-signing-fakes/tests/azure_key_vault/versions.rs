//! How versions are found and listed.

use serde_json::{Value, json};

use crate::vault::{Vault, sha256, version};

#[tokio::test]
async fn a_version_is_read_by_its_name_and_the_newest_without() {
    let vault = Vault::start().await;
    let first =
        vault.create("k", json!({"kty": "EC", "tags": {"a": "b"}, "key_ops": ["sign"]})).await;
    let rotated = vault.call("POST", "/keys/k/rotate", Value::Null).await;
    let second = version(&rotated.body);
    assert_eq!(rotated.body["key"]["key_ops"], json!(["sign"]));
    assert_eq!(rotated.body["tags"], json!({"a": "b"}));
    let third = vault.create("k", json!({"kty": "RSA"})).await;
    for (path, expected) in [
        ("k".to_owned(), &third),
        ("k/".to_owned(), &third),
        (format!("k/{first}"), &first),
        (format!("k/{second}"), &second),
    ] {
        let read = vault.call("GET", &format!("/keys/{path}"), Value::Null).await;
        assert_eq!(&version(&read.body), expected, "{path}");
    }
    let unknown = "0".repeat(32);
    for path in [format!("k/{unknown}"), "none".to_owned(), format!("none/{first}")] {
        for method in ["GET", "PATCH"] {
            let read = vault.call(method, &format!("/keys/{path}"), json!({})).await;
            assert_eq!(read.refusal(), (404, "KeyNotFound", None), "{method} {path}");
        }
        let path = if path.contains('/') { path } else { format!("{path}/") };
        assert_eq!(
            vault.sign(&path, "ES256", &sha256()).await.refusal(),
            (404, "KeyNotFound", None),
            "{path}"
        );
    }
    assert_eq!(
        vault.call("POST", "/keys/none/rotate", Value::Null).await.refusal(),
        (404, "KeyNotFound", None)
    );
}

#[tokio::test]
async fn lists_have_the_newest_versions_or_all_without_the_key() {
    let vault = Vault::start().await;
    let mut made = Vec::new();
    for _ in 0..2 {
        made.push(vault.create("many", json!({"kty": "EC"})).await);
    }
    vault.create("other", json!({"kty": "EC"})).await;
    let base = "https://vault.example:8444/keys";
    let version = |id: &String| format!("{base}/many/{id}");
    for (path, kids) in [
        ("/keys", vec![format!("{base}/many"), format!("{base}/other")]),
        ("/keys/many/versions", made.iter().map(version).collect()),
        ("/keys/none/versions", Vec::new()),
    ] {
        let list = vault.call("GET", path, Value::Null).await.body;
        let items = list["value"].as_array().unwrap();
        assert!(items.iter().all(|item| item.get("key").is_none()));
        assert!(items.iter().all(|item| item["attributes"]["enabled"] == json!(true)));
        let found: Vec<&str> = items.iter().map(|item| item["kid"].as_str().unwrap()).collect();
        assert_eq!(found, kids, "{path}");
    }
}
