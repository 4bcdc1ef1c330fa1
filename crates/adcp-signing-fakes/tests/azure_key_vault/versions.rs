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
async fn lists_come_in_pages() {
    let vault = Vault::start().await;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(vault.create("many", json!({"kty": "EC"})).await);
        vault.create(&format!("key-{number}"), json!({"kty": "EC"})).await;
    }
    let mut found = Vec::new();
    let mut next = "/keys/many/versions?maxresults=2".to_owned();
    for expected in [2, 2, 1] {
        let page = vault.call("GET", &next, Value::Null).await.body;
        let items = page["value"].as_array().unwrap();
        assert_eq!(items.len(), expected);
        assert!(
            items
                .iter()
                .all(|item| item.get("key").is_none()
                    && item["attributes"]["enabled"] == json!(true))
        );
        found.extend(
            items
                .iter()
                .map(|item| item["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()),
        );
        let link = page["nextLink"].as_str().unwrap_or_default();
        // As clients write it when they take the link apart and put it together again.
        let escaped = link.trim_start_matches("https://vault.example:8444").replace('$', "%24");
        next = escaped.replace("api-version=2025-07-01&", "");
    }
    assert_eq!((found, next.as_str()), (made, ""));
    let keys = vault.call("GET", "/keys", Value::Null).await.body;
    assert_eq!((keys["value"].as_array().unwrap().len(), &keys["nextLink"]), (6, &Value::Null));
    assert_eq!(keys["value"][0]["kid"], json!("https://vault.example:8444/keys/key-0"));
    for query in ["maxresults=0", "maxresults=26", "maxresults=x", "$skiptoken=!"] {
        let reply = vault.call("GET", &format!("/keys?{query}"), Value::Null).await;
        assert_eq!(reply.refusal(), (400, "BadParameter", None), "{query}");
    }
}
