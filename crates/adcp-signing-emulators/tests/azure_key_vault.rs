//! What the fake Azure Key Vault answers and refuses, over plain TLS. That it is like the service is for Microsoft's own client
//! to say, in the tests of `adcp-signing-azure-key-vault`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use adcp_signing_emulators::azure_key_vault::{FakeAzureKeyVault, PermissionModel};
use aws_lc_rs::{
    digest::{SHA256, SHA384, SHA512, digest},
    signature::{
        ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512,
        RsaPublicKeyComponents, UnparsedPublicKey,
    },
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

const TOKEN: &str = "the-token";
const DENIED: &str = "the-denied-token";
const MESSAGE: &[u8] = b"a signature base";

struct Vault {
    address: SocketAddr,
    tls: TlsConnector,
}

struct Reply {
    status: u16,
    head: String,
    body: Value,
}

impl Reply {
    /// Status, `code` and `innererror.code`.
    fn refusal(&self) -> (u16, &str, Option<&str>) {
        let error = &self.body["error"];
        (self.status, error["code"].as_str().unwrap(), error["innererror"]["code"].as_str())
    }
}

impl Vault {
    async fn start() -> Self {
        Self::of(FakeAzureKeyVault::new(TOKEN).unwrap().with_denied_token(DENIED)).await
    }

    async fn of(server: FakeAzureKeyVault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        tokio::spawn(server.serve(listener));
        Self { address, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// With the newest API version, and the token that may do everything.
    async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}api-version=2025-07-01");
        self.request(method, &path, Some(TOKEN), &body).await
    }

    async fn request(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let authorization =
            token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: vault.example:8444\r\nconnection: close\r\n{authorization}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let connection = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::IpAddress(self.address.ip().into());
        let mut connection = self.tls.connect(name, connection).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        connection.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() },
        }
    }

    async fn outage(&self, method: &str, plan: Value) -> Reply {
        self.request(method, "/_fake/outage", Some(TOKEN), &plan).await
    }

    /// A new key; its version.
    async fn create(&self, name: &str, body: Value) -> String {
        let made = self.call("POST", &format!("/keys/{name}/create"), body).await;
        assert_eq!(made.status, 200, "{}", made.body);
        version(&made.body)
    }

    async fn sign(&self, key: &str, algorithm: &str, digest: &[u8]) -> Reply {
        let body = json!({"alg": algorithm, "value": base64(digest)});
        self.call("POST", &format!("/keys/{key}/sign"), body).await
    }

    async fn verify(&self, key: &str, algorithm: &str, digest: &[u8], signature: &str) -> Reply {
        let body = json!({"alg": algorithm, "digest": base64(digest), "value": signature});
        self.call("POST", &format!("/keys/{key}/verify"), body).await
    }
}

fn base64(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn bytes(text: &Value) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text.as_str().unwrap()).unwrap()
}

fn sha256() -> Vec<u8> {
    digest(&SHA256, MESSAGE).as_ref().to_vec()
}

fn sha512() -> Vec<u8> {
    digest(&SHA512, MESSAGE).as_ref().to_vec()
}

/// The version in a key bundle's URL.
fn version(bundle: &Value) -> String {
    bundle["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

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
async fn a_refusal_names_the_permission_as_the_vault_grants_it() {
    let server = || FakeAzureKeyVault::new(TOKEN).unwrap().with_denied_token(DENIED);
    let by_policy = server().with_permission_model(PermissionModel::AccessPolicy);
    for (server, inner, says) in [
        (server(), "ForbiddenByRbac", "Action: 'Microsoft.KeyVault/vaults/keys/sign/action'"),
        (by_policy, "ForbiddenByPolicy", "does not have keys sign permission on key vault"),
    ] {
        let vault = Vault::of(server).await;
        let path = "/keys/k//sign?api-version=7.4";
        let reply = vault.request("POST", path, Some(DENIED), &json!({})).await;
        assert_eq!(reply.refusal(), (403, "Forbidden", Some(inner)));
        assert!(reply.body["error"]["message"].as_str().unwrap().contains(says), "{}", reply.body);
    }
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
async fn keys_are_made_as_the_service_makes_them() {
    let vault = Vault::start().await;
    let all = json!(["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]);
    for (request, operations, members) in [
        (json!({"kty": "EC"}), json!(["sign", "verify"]), [("x", 32), ("y", 32)]),
        (json!({"kty": "EC-HSM", "crv": "P-256"}), json!(["sign", "verify"]), [("x", 32), ("y", 32)]),
        (json!({"kty": "EC", "key_ops": ["sign"]}), json!(["sign"]), [("x", 32), ("y", 32)]),
        (json!({"kty": "RSA"}), all.clone(), [("n", 256), ("e", 3)]),
        (json!({"kty": "RSA-HSM", "key_size": 3072}), all.clone(), [("n", 384), ("e", 3)]),
        (json!({"kty": "RSA", "key_size": 4096}), all, [("n", 512), ("e", 3)]),
    ] {
        let made = vault.call("POST", "/keys/a-key/create", request.clone()).await;
        let key = &made.body["key"];
        assert_eq!((made.status, &key["kty"], &key["key_ops"]), (200, &request["kty"], &operations));
        for (member, len) in members {
            assert_eq!(bytes(&key[member]).len(), len, "{member} of {request}");
        }
        let (prefix, version) = key["kid"].as_str().unwrap().rsplit_once('/').unwrap();
        assert_eq!(prefix, "https://vault.example:8444/keys/a-key");
        assert!(version.len() == 32 && version.bytes().all(|byte| b"0123456789abcdef".contains(&byte)));
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
    let broken = vault.request("POST", "/keys/k/create?api-version=7.4", Some(TOKEN), &json!("{")).await;
    assert_eq!(broken.refusal(), (400, "BadParameter", None));
    assert_eq!(vault.call("GET", "/keys", Value::Null).await.body["value"], json!([]));
}

#[tokio::test]
async fn a_version_is_read_by_its_name_and_the_newest_without() {
    let vault = Vault::start().await;
    let first = vault.create("k", json!({"kty": "EC", "tags": {"a": "b"}, "key_ops": ["sign"]})).await;
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
                .all(|item| item.get("key").is_none() && item["attributes"]["enabled"] == json!(true))
        );
        found.extend(
            items.iter().map(|item| item["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()),
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
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).verify(MESSAGE, &signature).unwrap();
    }

    vault.create("rsa", json!({"kty": "RSA"})).await;
    let jwk = vault.call("GET", "/keys/rsa", Value::Null).await.body["key"].clone();
    let key = RsaPublicKeyComponents { n: bytes(&jwk["n"]), e: bytes(&jwk["e"]) };
    for (name, digest, algorithm) in
        [("PS512", sha512(), &RSA_PSS_2048_8192_SHA512), ("RS256", sha256(), &RSA_PKCS1_2048_8192_SHA256)]
    {
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
        let signature = vault.sign(key, algorithm, &digest).await.body["value"].as_str().unwrap().to_owned();
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

#[tokio::test]
async fn the_state_the_period_and_the_operations_of_a_version_are_in_force() {
    let vault = Vault::start().await;
    let version = vault.create("k", json!({"kty": "EC"})).await;
    let key = format!("k/{version}");
    let signature = vault.sign(&key, "ES256", &sha256()).await.body["value"].as_str().unwrap().to_owned();
    let (past, future) = (now() - 60, now() + 600);
    let forbidden = |inner| Some((403, "Forbidden", Some(inner)));
    for (update, sign, verify) in [
        (json!({"attributes": {"enabled": false}}), forbidden("KeyDisabled"), forbidden("KeyDisabled")),
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
        deleted.body["scheduledPurgeDate"].as_u64().unwrap() - deleted.body["deletedDate"].as_u64().unwrap(),
        7 * 24 * 60 * 60
    );
    assert_eq!(vault.call("GET", "/deletedkeys/k", Value::Null).await.body, deleted.body);
    assert_eq!(
        vault.call("GET", "/deletedkeys", Value::Null).await.body["value"].as_array().unwrap().len(),
        1
    );
    assert_eq!(vault.call("GET", "/keys/k", Value::Null).await.refusal(), (404, "KeyNotFound", None));
    let key = format!("k/{version}");
    assert_eq!(vault.sign(&key, "ES256", &sha256()).await.refusal(), (404, "KeyNotFound", None));
    let again = vault.call("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    assert_eq!(again.refusal(), (409, "Conflict", Some("ObjectIsDeletedButRecoverable")));

    assert_eq!(vault.call("POST", "/deletedkeys/k/recover", Value::Null).await.status, 200);
    assert_eq!(vault.sign(&key, "ES256", &sha256()).await.status, 200);
    assert_eq!(vault.call("DELETE", "/keys/k", Value::Null).await.status, 200);
    let purged = vault.call("DELETE", "/deletedkeys/k", Value::Null).await;
    assert_eq!((purged.status, purged.body), (204, Value::Null));
    for (method, path) in [
        ("GET", "/deletedkeys/k"),
        ("DELETE", "/deletedkeys/k"),
        ("POST", "/deletedkeys/k/recover"),
        ("DELETE", "/keys/k"),
    ] {
        assert_eq!(
            vault.call(method, path, Value::Null).await.refusal(),
            (404, "KeyNotFound", None),
            "{method} {path}"
        );
    }
    assert_ne!(vault.create("k", json!({"kty": "EC"})).await, version);
}

#[tokio::test]
async fn an_outage_lasts_as_long_as_it_is_told_to_and_spares_the_challenge() {
    let vault = Vault::start().await;
    let plan = json!({"status": 429, "count": 2, "retryAfterSeconds": 7});
    assert_eq!(vault.request("POST", "/_fake/outage", None, &plan).await.status, 401);
    assert_eq!(vault.outage("POST", plan).await.status, 200);
    let unauthenticated = vault.request("GET", "/keys?api-version=7.4", None, &Value::Null).await;
    assert_eq!(unauthenticated.status, 401);
    for _ in 0..2 {
        let reply = vault.call("GET", "/keys", Value::Null).await;
        assert_eq!(reply.refusal(), (429, "Throttled", None));
        assert!(reply.head.contains("retry-after: 7"), "{}", reply.head);
    }
    assert_eq!(vault.call("GET", "/keys", Value::Null).await.status, 200);

    vault.outage("POST", json!({"status": 503})).await;
    for _ in 0..3 {
        let reply = vault.call("GET", "/keys", Value::Null).await;
        assert_eq!((reply.status, reply.head.contains("retry-after")), (503, false));
    }
    vault.outage("DELETE", Value::Null).await;
    assert_eq!(vault.call("GET", "/keys", Value::Null).await.status, 200);
    assert_eq!(vault.outage("POST", json!({"status": 200})).await.refusal(), (400, "BadParameter", None));
    assert_eq!(vault.outage("GET", Value::Null).await.refusal(), (400, "BadParameter", None));
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
