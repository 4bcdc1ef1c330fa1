//! Replies that cannot be right, each told by what is wrong with it. A server that answers whatever
//! it is told to stands in for Cloud KMS, since the service never sends these.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose,
    ProviderErrorKind::{self, AlgorithmMismatch, Configuration, InvalidResponse, Timeout},
    SigningProvider,
    provider::toolkit::KeyOptions,
};
use adcp_signing_gcp_kms::{GcpKmsConfig, GcpKmsProvider};
use adcp_signing_testkit::{Action, CannedReply, FaultProxy, Traffic};
use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

const NAME: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
const TOKEN: &str = "ya29.not-for-logs";
const BASE: &[u8] = b"signature base";

async fn server() -> FaultProxy {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    FaultProxy::start(nobody, Traffic::Http).await.unwrap()
}

async fn provider(server: &FaultProxy, algorithm: Algorithm) -> GcpKmsProvider {
    GcpKmsConfig::new(
        NAME.parse().unwrap(),
        KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(algorithm).with_key_id("k-1"),
    )
    .with_endpoint(format!("http://{}", server.address()).parse().unwrap())
    .with_access_token(TOKEN)
    .unwrap()
    .connect()
    .await
    .unwrap()
}

/// A provider that has its public key already.
async fn ready(server: &FaultProxy, algorithm: Algorithm) -> GcpKmsProvider {
    let name = match algorithm {
        Algorithm::Ed25519 => "EC_SIGN_ED25519",
        Algorithm::EcdsaP256Sha256 => "EC_SIGN_P256_SHA256",
        _ => "RSA_SIGN_PSS_4096_SHA512",
    };
    let key = InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning).unwrap();
    answer(server, &public_key(&key.verifying_key().to_spki_pem(), name));
    let provider = provider(server, algorithm).await;
    provider.public_key().await.unwrap();
    provider
}

fn json_reply(body: &Value) -> CannedReply {
    CannedReply::new(200).header("content-type", "application/json").body(body.to_string())
}

fn answer(server: &FaultProxy, body: &Value) {
    server.set(Action::Reply(json_reply(body)));
}

fn checksum(bytes: &[u8]) -> String {
    crc32c::crc32c(bytes).to_string()
}

/// A reply with this signature and all its checks in order.
fn signed(signature: &[u8]) -> Value {
    json!({
        "name": NAME,
        "signature": Base64::encode_string(signature),
        "signatureCrc32c": checksum(signature),
        "verifiedDataCrc32c": true,
        "verifiedDigestCrc32c": true,
    })
}

/// A reply with this public key and all its checks in order.
fn public_key(pem: &str, algorithm: &str) -> Value {
    json!({"name": NAME, "pem": pem, "pemCrc32c": checksum(pem.as_bytes()), "algorithm": algorithm})
}

fn with(mut reply: Value, member: &str, value: Value) -> Value {
    reply[member] = value;
    reply
}

#[tokio::test]
async fn a_signature_counts_only_with_name_and_checksums_in_order() {
    let server = server().await;
    let ed25519 = ready(&server, Algorithm::Ed25519).await;
    answer(&server, &signed(&[7; 64]));
    let signed_well = ed25519.sign(BASE).await.unwrap();
    assert_eq!(signed_well.signature.as_bytes(), [7; 64]);
    assert_eq!(signed_well.key_version.unwrap().expose(), NAME);

    let right = || signed(&[7; 64]);
    for (what, reply) in [
        ("the data was not checked", with(right(), "verifiedDataCrc32c", json!(false))),
        (
            "the data was not checked, it says nothing",
            with(right(), "verifiedDataCrc32c", Value::Null),
        ),
        ("a wrong checksum", with(right(), "signatureCrc32c", json!("1"))),
        ("no checksum", with(right(), "signatureCrc32c", Value::Null)),
        ("another version", with(right(), "name", json!(NAME.replace("Versions/1", "Versions/2")))),
        ("no name", with(right(), "name", Value::Null)),
        ("a short signature", signed(&[7; 63])),
        ("no signature", with(right(), "signature", Value::Null)),
        ("nothing", json!({})),
    ] {
        answer(&server, &reply);
        assert_refused(what, ed25519.sign(BASE).await, InvalidResponse);
    }
}

#[tokio::test]
async fn a_digest_that_the_service_did_not_check_signs_nothing() {
    let server = server().await;
    // r = 1, s = 2.
    let der = [0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02];
    let p256 = ready(&server, Algorithm::EcdsaP256Sha256).await;
    answer(&server, &signed(&der));
    assert_eq!(p256.sign(BASE).await.unwrap().signature.as_bytes().len(), 64);

    answer(&server, &with(signed(&der), "verifiedDigestCrc32c", json!(false)));
    assert_refused("the digest was not checked", p256.sign(BASE).await, InvalidResponse);
    answer(&server, &signed(&[7; 64]));
    assert_refused("not DER", p256.sign(BASE).await, InvalidResponse);

    let pss = ready(&server, Algorithm::RsaPssSha512).await;
    answer(&server, &with(signed(&[7; 512]), "verifiedDigestCrc32c", json!(false)));
    assert_refused("the digest was not checked", pss.sign(BASE).await, InvalidResponse);
}

#[tokio::test]
async fn a_public_key_counts_only_with_name_checksum_and_algorithm_in_order() {
    let server = server().await;
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    let pem = key.verifying_key().to_spki_pem();
    let right = || public_key(&pem, "EC_SIGN_ED25519");
    answer(&server, &right());
    let learned = provider(&server, Algorithm::Ed25519).await.public_key().await;
    assert_eq!(learned.unwrap(), *key.verifying_key());

    let p256 =
        InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning).unwrap();
    let p256 = p256.verifying_key().to_spki_pem();
    for (what, reply, expected) in [
        ("a wrong checksum", with(right(), "pemCrc32c", json!("1")), InvalidResponse),
        ("no checksum", with(right(), "pemCrc32c", Value::Null), InvalidResponse),
        (
            "another version",
            with(right(), "name", json!(NAME.replace("/k/", "/x/"))),
            InvalidResponse,
        ),
        (
            "a key of another algorithm than it says",
            public_key(&p256, "EC_SIGN_ED25519"),
            InvalidResponse,
        ),
        ("no PEM", public_key("key", "EC_SIGN_ED25519"), InvalidResponse),
        ("another algorithm", public_key(&p256, "EC_SIGN_P256_SHA256"), AlgorithmMismatch),
        (
            "an algorithm of no use",
            public_key(&pem, "RSA_SIGN_PKCS1_4096_SHA512"),
            AlgorithmMismatch,
        ),
    ] {
        answer(&server, &reply);
        // Before a signature it is the same.
        let ed25519 = provider(&server, Algorithm::Ed25519).await;
        assert_refused(what, ed25519.sign(BASE).await, expected);
        assert_refused(what, ed25519.public_key().await, expected);
    }
}

/// <https://cloud.google.com/kms/docs/data-integrity-guidelines>: throw the reply away, and call
/// again a limited number of times.
#[tokio::test]
async fn what_was_damaged_on_the_way_is_asked_for_once_more() {
    let server = server().await;
    let provider = ready(&server, Algorithm::Ed25519).await;
    let right = || signed(&[7; 64]);
    let refused = r#"{"error":{"code":400,"message":"data_crc32c does not match","status":"INVALID_ARGUMENT"}}"#;
    for (what, damaged) in [
        (
            "the request, by its flag",
            json_reply(&with(right(), "verifiedDataCrc32c", json!(false))),
        ),
        ("the request, by refusal", CannedReply::new(400).body(refused)),
        ("the reply", json_reply(&with(right(), "signatureCrc32c", json!("1")))),
    ] {
        let asked = server.requests();
        answer(&server, &right());
        server.next(1, &Action::Reply(damaged.clone()));
        assert!(provider.sign(BASE).await.is_ok(), "{what}");
        assert_eq!(server.requests() - asked, 2, "{what}");
        server.set(Action::Reply(damaged));
        assert_refused(what, provider.sign(BASE).await, InvalidResponse);
        assert_eq!(server.requests() - asked, 4, "{what}");
    }
    // What is wrong in another way stays wrong.
    let asked = server.requests();
    answer(&server, &with(right(), "name", json!(NAME.replace("Versions/1", "Versions/2"))));
    assert_refused("another version", provider.sign(BASE).await, InvalidResponse);
    assert_eq!(server.requests() - asked, 1);

    // The public key likewise.
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    let key = public_key(&key.verifying_key().to_spki_pem(), "EC_SIGN_ED25519");
    answer(&server, &key);
    server.next(1, &Action::Reply(json_reply(&with(key, "pemCrc32c", json!("1")))));
    assert!(self::provider(&server, Algorithm::Ed25519).await.public_key().await.is_ok());
}

#[tokio::test]
async fn a_service_that_never_answers_is_a_timeout() {
    let server = server().await;
    let provider =
        ready(&server, Algorithm::Ed25519).await.with_timeout(Duration::from_millis(200));
    server.set(Action::Hang);
    let signed = tokio::time::timeout(Duration::from_secs(10), provider.sign(BASE)).await;
    assert_refused("no answer", signed.expect("the provider has a limit"), Timeout);
}

#[tokio::test]
async fn an_empty_base_is_refused_before_any_call() {
    let server = server().await;
    let refused = provider(&server, Algorithm::Ed25519).await.sign(b"").await;
    assert_refused("an empty base", refused, Configuration);
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn an_imported_key_is_a_concern_and_what_fails_is_no_error() {
    let server = server().await;
    let provider = ready(&server, Algorithm::Ed25519).await;
    answer(&server, &json!({"name": NAME, "state": "ENABLED", "importJob": "projects/p/j"}));
    let seen = provider.inspect().await;
    assert_eq!(seen.export.code(), "key_imported", "{seen:?}");
    let failed = r#"{"error":{"code":503,"message":"about projects/p","status":"UNAVAILABLE"}}"#;
    server.set(Action::Reply(CannedReply::new(503).body(failed)));
    let seen = provider.inspect().await;
    for part in [&seen.export, &seen.permissions] {
        assert_eq!(part.code(), "not_answered", "{seen:?}");
    }
    assert!(!format!("{seen:?}").contains("projects/p"), "{seen:?}");
}

/// Cloud KMS deletes no key, so an error says that there is one.
#[tokio::test]
async fn a_key_that_was_made_and_cannot_be_used_yet_is_said_to_be_there() {
    let server = server().await;
    let config = GcpKmsConfig::new(NAME.parse().unwrap(), KeyPurpose::RequestSigning)
        .with_endpoint(format!("http://{}", server.address()).parse().unwrap())
        .with_access_token(TOKEN)
        .unwrap();
    answer(&server, &json!({"name": NAME, "state": "GENERATION_FAILED"}));
    let error = config.create_key(None).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::KeyDisabled);
    assert!(error.to_string().contains("the key was made"), "{error}");
}

fn assert_refused<T: std::fmt::Debug>(
    what: &str,
    outcome: Result<T, adcp_signing_core::ProviderError>,
    expected: ProviderErrorKind,
) {
    let error = outcome.expect_err(what);
    assert_eq!(error.kind(), expected, "{what}: {error}");
    assert!(!format!("{error:?} {error}").contains("projects/p"), "{error:?}");
}
