//! What lets a request in: TLS, a token and its permission, an API version, and a path that is
//! there.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::vault::{DENIED, TOKEN, Vault};

#[tokio::test]
async fn a_token_is_asked_for_with_a_challenge_and_what_it_may_do_is_checked() {
    let vault = Vault::start().await;
    let path = "/keys?api-version=7.4";
    for (token, refusal, challenge) in [
        (None, (401, "Unauthorized", None), true),
        (Some("another"), (401, "Unauthorized", None), true),
        (Some(DENIED), (403, "Forbidden", Some("ForbiddenByRbac")), false),
    ] {
        let reply = vault.request("GET", path, token, &Value::Null).await;
        assert_eq!(reply.refusal(), refusal, "{token:?}");
        let field = "www-authenticate: Bearer authorization=\"https://login.microsoftonline.com/";
        assert_eq!(reply.head.contains(field), challenge, "{}", reply.head);
        assert_eq!(reply.head.contains(", resource=\"https://vault.azure.net\""), challenge);
    }
    assert_eq!(vault.request("GET", path, Some(TOKEN), &Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_refusal_names_the_permission() {
    let vault = Vault::start().await;
    let path = "/keys/k//sign?api-version=7.4";
    let reply = vault.request("POST", path, Some(DENIED), &json!({})).await;
    let says = "Action: 'Microsoft.KeyVault/vaults/keys/sign/action'";
    assert!(reply.body["error"]["message"].as_str().unwrap().contains(says), "{}", reply.body);
}

#[tokio::test]
async fn only_published_api_versions_are_known() {
    let vault = Vault::start().await;
    for (query, status) in [
        ("?api-version=7.4", 200),
        ("?api-version=7.5", 200),
        ("?api-version=2025-07-01", 200),
        ("?api-version=2099-01-01", 400),
        ("?api-version=7", 400),
        ("?api-version=", 400),
        ("?version=7.4", 400),
        ("", 400),
    ] {
        let reply = vault.request("GET", &format!("/keys{query}"), Some(TOKEN), &Value::Null).await;
        assert_eq!(reply.status, status, "{query}");
        if status == 400 {
            assert_eq!(reply.refusal(), (400, "BadParameter", None), "{query}");
        }
    }
}

#[tokio::test]
async fn who_speaks_no_tls_gets_no_answer() {
    let vault = Vault::start().await;
    let mut connection = TcpStream::connect(vault.address).await.unwrap();
    connection.write_all(b"GET /_fake/health HTTP/1.1\r\nhost: vault\r\n\r\n").await.unwrap();
    let mut reply = Vec::new();
    // A TLS alert at most.
    let _ = connection.read_to_end(&mut reply).await;
    assert!(!reply.windows(4).any(|part| part == b"HTTP"), "{reply:?}");
    assert_eq!(vault.request("GET", "/_fake/health", None, &Value::Null).await.status, 200);
}

#[tokio::test]
async fn what_the_fake_has_not_is_said_to_be_so() {
    let vault = Vault::start().await;
    for (method, path) in [
        ("GET", "/secrets"),
        ("POST", "/keys/k/backup"),
        ("POST", "/keys/k/sign"),
        ("POST", "/keys//create"),
        ("POST", "/keys/k/v/encrypt"),
        ("PUT", "/keys/k/v"),
    ] {
        assert_eq!(
            vault.call(method, path, json!({})).await.refusal(),
            (404, "NotFound", None),
            "{method} {path}"
        );
    }
}
