//! Replies that cannot be right, each told by what is wrong with it. A server that answers whatever
//! it is told to stands in for Key Vault, since the service never sends these.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adcp_signing_azure_key_vault::{AzureKeyVaultConfig, AzureKeyVaultProvider};
use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderError,
    ProviderErrorKind::{
        self, AccessDenied, AlgorithmMismatch, InvalidResponse, PublicKeyMismatch, Timeout,
        Unavailable,
    },
    PublicKey, SigningProvider,
    provider::toolkit::KeyOptions,
};
use adcp_signing_testkit::{Action, CannedReply, FaultProxy};
use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
    http::StatusCode,
    time::OffsetDateTime,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

const TOKEN: &str = "eyJ.not-for-logs";
const BASE: &[u8] = b"signature base";
const NAME: &str = "not-for-logs";
const VERSION: &str = "0123456789abcdef0123456789abcdef";
const OTHER_VERSION: &str = "fedcba9876543210fedcba9876543210";
/// The server is called by its address, and the vault calls itself by its name.
const VAULT: &str = "https://vault.example/keys";
const CHALLENGE: &str =
    r#"Bearer authorization="https://login.example/t", resource="https://vault.example""#;

async fn server() -> FaultProxy {
    FaultProxy::start_tls("127.0.0.1:9", &[]).await.unwrap()
}

async fn provider_of(
    server: &FaultProxy,
    version: &str,
    algorithm: Algorithm,
) -> AzureKeyVaultProvider {
    let key = format!("https://{}/keys/{NAME}{version}", server.address()).parse().unwrap();
    AzureKeyVaultConfig::new(
        key,
        KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(algorithm).with_key_id("k-1"),
    )
    .with_access_token(TOKEN)
    .unwrap()
    .with_root_certificates(server.certificate().unwrap().as_bytes())
    .unwrap()
    .connect()
    .await
    .unwrap()
}

async fn provider(server: &FaultProxy) -> AzureKeyVaultProvider {
    provider_of(server, &format!("/{VERSION}"), Algorithm::EcdsaP256Sha256).await
}

/// A provider that has its public key already.
async fn ready(server: &FaultProxy) -> AzureKeyVaultProvider {
    let key =
        InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning).unwrap();
    answer(server, &described(key.verifying_key()));
    let provider = provider(server).await;
    provider.public_key().await.unwrap();
    provider
}

fn json_reply(status: u16, body: &Value) -> CannedReply {
    CannedReply::new(status).header("content-type", "application/json").body(body.to_string())
}

fn answer(server: &FaultProxy, body: &Value) {
    server.set(Action::Reply(json_reply(200, body)));
}

fn kid() -> String {
    format!("{VAULT}/{NAME}/{VERSION}")
}

/// The reply to a request for the key.
fn described(key: &PublicKey) -> Value {
    let spki = key.to_spki_der();
    let (x, y) = spki[spki.len() - 64..].split_at(32);
    json!({
        "key": {
            "kid": kid(),
            "kty": "EC",
            "crv": "P-256",
            "x": Base64UrlUnpadded::encode_string(x),
            "y": Base64UrlUnpadded::encode_string(y),
            "key_ops": ["sign", "verify"],
        },
        "attributes": {"enabled": true},
    })
}

/// The reply to a request for a signature.
fn signed(signature: &[u8]) -> Value {
    json!({"kid": kid(), "value": Base64UrlUnpadded::encode_string(signature)})
}

fn with(mut reply: Value, pointer: &str, value: Value) -> Value {
    *reply.pointer_mut(pointer).unwrap() = value;
    reply
}

#[tokio::test]
async fn a_signature_counts_only_by_the_version_that_was_asked_for_and_in_raw_form() {
    let server = server().await;
    let provider = ready(&server).await;
    answer(&server, &signed(&[7; 64]));
    let signed_well = provider.sign(BASE).await.unwrap();
    assert_eq!(signed_well.signature.as_bytes(), [7; 64]);
    assert_eq!(signed_well.key_version.unwrap().expose(), kid());

    // r = 1, s = 2, as DER.
    let der = [0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02];
    let right = || signed(&[7; 64]);
    for (what, reply, expected) in [
        (
            "another version",
            with(right(), "/kid", json!(kid().replace(VERSION, OTHER_VERSION))),
            PublicKeyMismatch,
        ),
        (
            "another key",
            with(right(), "/kid", json!(kid().replace(NAME, "other"))),
            PublicKeyMismatch,
        ),
        (
            "another vault",
            with(right(), "/kid", json!(kid().replace("vault.", "other."))),
            PublicKeyMismatch,
        ),
        ("no version", with(right(), "/kid", json!(format!("{VAULT}/{NAME}"))), PublicKeyMismatch),
        ("no kid", with(right(), "/kid", Value::Null), InvalidResponse),
        ("a kid that is no text", with(right(), "/kid", json!(7)), InvalidResponse),
        ("DER", signed(&der), InvalidResponse),
        ("a short signature", signed(&[7; 63]), InvalidResponse),
        ("no signature", with(right(), "/value", Value::Null), InvalidResponse),
        ("no Base64", with(right(), "/value", json!("***")), InvalidResponse),
        ("nothing", json!({}), InvalidResponse),
    ] {
        answer(&server, &reply);
        assert_refused(what, provider.sign(BASE).await, expected);
    }
}

#[tokio::test]
async fn a_public_key_counts_only_when_the_reply_is_about_the_key_that_was_asked_for() {
    let server = server().await;
    let key =
        InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning).unwrap();
    let right = || described(key.verifying_key());
    answer(&server, &right());
    assert_eq!(provider(&server).await.public_key().await.unwrap(), *key.verifying_key());

    let x = right()["key"]["x"].clone();
    for (what, reply, expected) in [
        (
            "another version",
            with(right(), "/key/kid", json!(kid().replace(VERSION, OTHER_VERSION))),
            InvalidResponse,
        ),
        (
            "another key",
            with(right(), "/key/kid", json!(kid().replace(NAME, "other"))),
            InvalidResponse,
        ),
        (
            "no version",
            with(right(), "/key/kid", json!(format!("{VAULT}/{NAME}"))),
            InvalidResponse,
        ),
        ("no kid", with(right(), "/key/kid", Value::Null), InvalidResponse),
        ("no key", with(right(), "/key", Value::Null), InvalidResponse),
        ("not on the curve", with(right(), "/key/y", x), InvalidResponse),
        ("not for signing", with(right(), "/key/key_ops", json!(["wrapKey"])), AlgorithmMismatch),
        ("another curve", with(right(), "/key/crv", json!("P-384")), AlgorithmMismatch),
        ("another type", with(right(), "/key/kty", json!("oct-HSM")), AlgorithmMismatch),
    ] {
        answer(&server, &reply);
        // Before a signature it is the same.
        let provider = provider(&server).await;
        assert_refused(what, provider.sign(BASE).await, expected);
        assert_refused(what, provider.public_key().await, expected);
    }
}

/// What goes wrong under a call, of which the client says the URL.
#[tokio::test]
async fn a_call_without_a_reply_is_told_by_what_went_wrong() {
    let server = server().await;
    let long = CannedReply::new(200).body(format!("{{\"value\":\"{}\"}}", "A".repeat(300 * 1024)));
    let refusal = |code: &str| json_reply(503, &json!({"error": {"code": code, "message": kid()}}));
    for (what, action, expected) in [
        ("too long", Action::Reply(long), InvalidResponse),
        ("no JSON", Action::Reply(CannedReply::new(200).body("<html>")), InvalidResponse),
        ("no success", Action::Reply(CannedReply::new(204)), InvalidResponse),
        (
            "a redirect",
            Action::Reply(CannedReply::new(307).header("location", "https://127.0.0.1:9/")),
            InvalidResponse,
        ),
        ("cut off", Action::Cut, Unavailable),
        ("trouble", Action::Reply(refusal("ServiceUnavailable")), Unavailable),
        (
            "a challenge that says nothing",
            Action::Reply(CannedReply::new(401).header("www-authenticate", "Bearer realm=\"x\"")),
            InvalidResponse,
        ),
        ("no challenge", Action::Reply(CannedReply::new(401)), AccessDenied),
    ] {
        let provider = ready(&server).await;
        let before = server.requests();
        server.set(action);
        assert_refused(what, provider.sign(BASE).await, expected);
        assert_eq!(server.requests() - before, 1, "{what}");
    }
    let provider = ready(&server).await;
    server.refuse().await.unwrap();
    assert_refused("refused", provider.sign(BASE).await, Unavailable);
}

#[tokio::test]
async fn a_server_with_another_root_gets_no_request() {
    let (server, other) = (server().await, server().await);
    let key = format!("https://{}/keys/{NAME}", server.address()).parse().unwrap();
    let config = AzureKeyVaultConfig::new(key, KeyPurpose::RequestSigning)
        .with_access_token(TOKEN)
        .unwrap()
        .with_root_certificates(other.certificate().unwrap().as_bytes())
        .unwrap();
    assert_refused("another root", config.connect().await, Unavailable);
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_vault_that_never_answers_is_a_timeout() {
    let server = server().await;
    let provider = ready(&server).await.with_timeout(Duration::from_millis(200));
    server.set(Action::Hang);
    let signed = tokio::time::timeout(Duration::from_secs(10), provider.sign(BASE)).await;
    assert_refused("no answer", signed.expect("the provider has a limit"), Timeout);
}

/// The first request goes without the token and without the digest; the challenge brings both.
#[tokio::test]
async fn the_token_goes_out_after_a_challenge_and_is_refused_once() {
    let server = server().await;
    let challenge = || {
        Action::Reply(
            json_reply(401, &json!({"error": {"code": "Unauthorized"}}))
                .header("www-authenticate", CHALLENGE),
        )
    };
    let key =
        InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning).unwrap();
    server.next(1, &challenge());
    answer(&server, &described(key.verifying_key()));
    let provider = provider(&server).await;
    provider.public_key().await.unwrap();
    assert_eq!(server.requests(), 2);

    server.set(challenge());
    assert_refused("a token that is not taken", provider.sign(BASE).await, AccessDenied);
    assert_eq!(server.requests(), 4);
}

#[tokio::test]
async fn without_a_version_the_one_that_was_newest_at_first_stays() {
    let server = server().await;
    let key =
        InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning).unwrap();
    answer(&server, &described(key.verifying_key()));
    let provider = provider_of(&server, "", Algorithm::EcdsaP256Sha256).await;
    assert_eq!(provider.public_key().await.unwrap(), *key.verifying_key());
    // Rotated meanwhile, and answered by the newest: as if the version in the request were not
    // looked at.
    answer(&server, &with(signed(&[7; 64]), "/kid", json!(kid().replace(VERSION, OTHER_VERSION))));
    assert_refused("the newest version", provider.sign(BASE).await, PublicKeyMismatch);
    answer(&server, &signed(&[7; 64]));
    assert_eq!(provider.sign(BASE).await.unwrap().key_version.unwrap().expose(), kid());
    assert_eq!(provider.clone().public_key().await.unwrap(), *key.verifying_key());
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn a_key_that_the_vault_releases_is_a_concern() {
    let server = server().await;
    let key =
        InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning).unwrap();
    let described = described(key.verifying_key());
    let provider = provider(&server).await;
    let release = json!({"contentType": "application/json; charset=utf-8", "data": "e30"});
    for (member, value, code) in [
        ("attributes", json!({"enabled": true, "exportable": false}), "ok"),
        ("attributes", json!({"enabled": true, "exportable": true}), "key_exportable"),
        ("release_policy", release, "key_exportable"),
    ] {
        let mut reply = described.clone();
        reply[member] = value;
        answer(&server, &reply);
        let seen = provider.inspect().await;
        assert_eq!(seen.export.code(), code, "{reply}: {seen:?}");
    }
    server.set(Action::Reply(json_reply(503, &json!({}))));
    let seen = provider.inspect().await;
    assert_eq!((seen.export.code(), seen.rotation.code()), ("not_answered", "not_answered"));
    assert!(!format!("{seen:?}").contains("not-for-logs"), "{seen:?}");
}

/// Without a right to make keys, the role that has it is named.
#[tokio::test]
async fn a_key_that_may_not_be_made_names_the_role() {
    let server = server().await;
    let key = format!("https://{}/keys/{NAME}", server.address()).parse().unwrap();
    let config = AzureKeyVaultConfig::new(key, KeyPurpose::RequestSigning)
        .with_access_token(TOKEN)
        .unwrap()
        .with_root_certificates(server.certificate().unwrap().as_bytes())
        .unwrap();
    let absent = json_reply(404, &json!({"error": {"code": "KeyNotFound", "message": NAME}}));
    let inner = json!({"code": "ForbiddenByRbac"});
    let denied = json!({"error": {"code": "Forbidden", "message": NAME, "innererror": inner}});
    server.set(Action::Reply(json_reply(403, &denied)));
    server.next(1, &Action::Reply(absent));
    let error = config.create_key(None).await.unwrap_err();
    assert_eq!(error.kind(), AccessDenied);
    assert!(error.to_string().contains("Key Vault Crypto Officer"), "{error}");
    assert!(!format!("{error:?}").contains(NAME), "{error:?}");
}

fn assert_refused<T: std::fmt::Debug>(
    what: &str,
    outcome: Result<T, ProviderError>,
    expected: ProviderErrorKind,
) {
    let error = outcome.expect_err(what);
    assert_eq!(error.kind(), expected, "{what}: {error}");
    let chain =
        std::iter::successors(Some(&error as &dyn std::error::Error), |&link| link.source());
    for text in chain.map(|link| format!("{link:?} {link}")) {
        assert!(!text.contains("not-for-logs") && !text.contains("vault.example"), "{text}");
    }
}

/// A vault may not know a key for some seconds after it was created. That is told as a missing key,
/// which is not retried, and it is not remembered: once the vault knows the key, it signs.
#[tokio::test]
async fn a_key_that_the_vault_does_not_know_yet_is_missing_and_signs_once_it_is_known() {
    let server = server().await;
    let provider = provider(&server).await;
    let missing = json!({"error": {"code": "KeyNotFound", "message": "not-for-logs"}});
    server.set(Action::Reply(json_reply(404, &missing)));
    let refused = provider.sign(BASE).await;
    assert!(!refused.as_ref().unwrap_err().is_retryable());
    assert_refused("not known yet", refused, ProviderErrorKind::KeyNotFound);
    assert_eq!(server.requests(), 1);
    let key =
        InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning).unwrap();
    server.next(1, &Action::Reply(json_reply(200, &described(key.verifying_key()))));
    answer(&server, &signed(&[7; 64]));
    provider.sign(BASE).await.unwrap();
}

/// A token that ends soon is replaced before it does, and a source that then refuses is told as
/// one: no request goes out with what has ended.
#[tokio::test]
async fn a_token_that_ends_soon_is_renewed_and_a_denied_renewal_is_typed() {
    let server = server().await;
    let key =
        InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning).unwrap();
    let identifier = format!("https://{}/keys/{NAME}/{VERSION}", server.address());
    let source = Arc::new(ShortLived(AtomicUsize::new(0)));
    let options = KeyOptions::new(KeyPurpose::RequestSigning);
    let options = options.with_algorithm(Algorithm::EcdsaP256Sha256).with_key_id("k-1");
    let provider = AzureKeyVaultConfig::new(identifier.parse().unwrap(), options)
        .with_credential(source.clone())
        .with_root_certificates(server.certificate().unwrap().as_bytes())
        .unwrap()
        .connect()
        .await
        .unwrap();
    server.next(1, &Action::Reply(CannedReply::new(401).header("www-authenticate", CHALLENGE)));
    answer(&server, &described(key.verifying_key()));
    provider.public_key().await.unwrap();
    assert_eq!(source.0.load(Ordering::SeqCst), 1);
    answer(&server, &signed(&[7; 64]));
    provider.sign(BASE).await.unwrap();
    assert_eq!(source.0.load(Ordering::SeqCst), 2, "the token was about to end");
    let before = server.requests();
    assert_refused("a denied renewal", provider.sign(BASE).await, AccessDenied);
    assert_eq!((source.0.load(Ordering::SeqCst), server.requests() - before), (3, 0));
}

/// Gives a token that ends soon, one that has ended by our clock, and then none.
#[derive(Debug)]
struct ShortLived(AtomicUsize);

#[async_trait]
impl TokenCredential for ShortLived {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let seconds = match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Some(60),
            1 => Some(-1),
            _ => None,
        };
        if let Some(seconds) = seconds {
            let end = OffsetDateTime::now_utc() + azure_core::time::Duration::seconds(seconds);
            return Ok(AccessToken::new(TOKEN, end));
        }
        let status = StatusCode::Unauthorized;
        let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response: None };
        Err(Error::new(ErrorKind::Credential, kind.into_error()))
    }
}
