//! What the provider makes of every kind of answer, through the real client and a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::{error::Error as _, time::Duration};

use adcp_signing_aws_kms::{AwsKmsConfig, AwsKmsProvider, ServiceAnswer};
use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderError, ProviderErrorKind as Kind, PublicKey,
    SigningProvider,
    provider::{Inspection, KeyVersion, toolkit::KeyOptions},
};
use adcp_signing_testkit::{Action, FaultProxy, Traffic};
use aws_sdk_kms::config::timeout::TimeoutConfig;
use base64ct::{Base64, Encoding as _};
use serde_json::json;

use self::support::server::{Reply, Server, client};

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OTHER_ARN: &str =
    "arn:aws:kms:us-east-1:111122223333:key/99999999-12ab-34cd-56ef-1234567890ab";

fn provider(server: &Server, key: &str, algorithm: Algorithm) -> AwsKmsProvider {
    let purpose = KeyPurpose::RequestSigning;
    AwsKmsProvider::new(&server.client(), key.parse().unwrap(), "kid-1", algorithm, purpose)
        .unwrap()
}

fn ok(body: &serde_json::Value) -> Reply {
    Reply::json(200, "", &body.to_string())
}

fn signed(arn: &str, algorithm: &str, signature: &[u8]) -> Reply {
    ok(
        &json!({"KeyId": arn, "SigningAlgorithm": algorithm, "Signature": Base64::encode_string(signature)}),
    )
}

/// The answer of `GetPublicKey` for this key.
fn public_key(arn: &str, key: &PublicKey, usage: &str, algorithms: &[&str]) -> Reply {
    let spki = Base64::encode_string(&key.to_spki_der());
    ok(
        &json!({"KeyId": arn, "PublicKey": spki, "KeyUsage": usage, "SigningAlgorithms": algorithms}),
    )
}

async fn some_key(algorithm: Algorithm) -> PublicKey {
    let key = InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning).unwrap();
    key.public_key().await.unwrap()
}

async fn failure(reply: Reply) -> (ProviderError, usize) {
    let server = Server::with([reply]).await;
    let error = provider(&server, ID, Algorithm::Ed25519).sign(b"base").await.unwrap_err();
    (error, server.asked().len())
}

/// Everything that an error shows.
fn shown(error: &ProviderError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn an_error_is_told_by_the_code_and_the_call_is_not_repeated() {
    for (status, code, expected) in [
        (400, "AccessDeniedException", Kind::AccessDenied),
        (400, "UnrecognizedClientException", Kind::AccessDenied),
        (400, "ExpiredTokenException", Kind::AccessDenied),
        (400, "InvalidSignatureException", Kind::AccessDenied),
        (400, "InvalidGrantTokenException", Kind::AccessDenied),
        (400, "NotFoundException", Kind::KeyNotFound),
        (400, "DisabledException", Kind::KeyDisabled),
        (400, "KMSInvalidStateException", Kind::KeyDisabled),
        (400, "InvalidKeyUsageException", Kind::AlgorithmMismatch),
        (400, "UnsupportedOperationException", Kind::AlgorithmMismatch),
        (400, "ThrottlingException", Kind::Throttled),
        (400, "LimitExceededException", Kind::Throttled),
        (500, "KeyUnavailableException", Kind::Unavailable),
        (500, "DependencyTimeoutException", Kind::Timeout),
        (500, "KMSInternalException", Kind::Unavailable),
        (400, "ValidationException", Kind::Configuration),
        (400, "UnknownOperationException", Kind::Configuration),
        // Codes that are not known are told by the status.
        (400, "BrandNewException", Kind::Configuration),
        (429, "BrandNewException", Kind::Throttled),
        (503, "BrandNewException", Kind::Unavailable),
    ] {
        let id = "request-id-is-not-shown-unless-it-is-one";
        let body = json!({"__type": format!("com.amazonaws.kms#{code}"), "message": format!("{ARN} is bad")});
        let reply = Reply::json(status, &format!("x-amzn-requestid: {id}\r\n"), &body.to_string());
        let (error, calls) = failure(reply).await;
        assert_eq!((error.kind(), calls), (expected, 1), "{status} {code}");
        let text = shown(&error);
        assert!(text.contains(code), "{text}");
        assert!(
            !text.contains("111122223333") && !text.contains(ID) && !text.contains(id),
            "{text}"
        );
    }
}

#[tokio::test]
async fn answers_without_a_code_are_told_by_their_form() {
    let head = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 6\r\n\r\n");
    let hostile =
        "HTTP/1.1 400 S\r\ncontent-length: 2\r\nx-amzn-errortype: 111122223333 <html>\r\n\r\n{}"
            .to_owned();
    for (what, bytes, expected) in [
        ("a proxy's 503", head("503 S") + "<html>", Kind::Unavailable),
        ("a proxy's 504", head("504 S") + "<html>", Kind::Timeout),
        ("a proxy's 429", head("429 S") + "<html>", Kind::Throttled),
        ("a proxy's 403", head("403 S") + "<html>", Kind::AccessDenied),
        ("a redirect", head("302 S") + "<html>", Kind::InvalidResponse),
        ("a page", head("200 OK") + "<html>", Kind::InvalidResponse),
        ("an empty object", head("200 OK") + "{    }", Kind::InvalidResponse),
        ("not an object", head("200 OK") + "[1, 2]", Kind::InvalidResponse),
        ("a cut body", head("200 OK") + "{", Kind::Unavailable),
        ("a cut head", "HTTP/1.1 200 OK\r\nconte".to_owned(), Kind::Unavailable),
        ("nothing", String::new(), Kind::Unavailable),
        ("not HTTP", "SSH-2.0-OpenSSH_9.6\r\n\r\n\r\n".to_owned(), Kind::InvalidResponse),
        ("a hostile code", hostile, Kind::Configuration),
        (
            "a long reply",
            format!("HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n{}", " ".repeat(300 * 1024)),
            Kind::InvalidResponse,
        ),
        (
            "a long reply without a length",
            format!("HTTP/1.1 200 OK\r\n\r\n{{\"a\":\"{}\"}}", "x".repeat(300 * 1024)),
            Kind::InvalidResponse,
        ),
        (
            "a long refusal",
            format!("HTTP/1.1 400 S\r\n\r\n{}", "x".repeat(300 * 1024)),
            Kind::InvalidResponse,
        ),
    ] {
        let (error, calls) = failure(Reply::bytes(bytes)).await;
        assert_eq!((error.kind(), calls), (expected, 1), "{what}: {error}");
        assert!(
            !shown(&error).contains("html") && !shown(&error).contains("111122223333"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn no_server_is_unavailable() {
    let server = Server::with([Reply::bytes("")]).await;
    let provider = provider(&server, ID, Algorithm::Ed25519);
    drop(server);
    // The listener closes when its task is gone.
    tokio::task::yield_now().await;
    let error = provider.sign(b"base").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    let endpoint = client("http://127.0.0.1:1");
    let provider = AwsKmsProvider::new(
        &endpoint,
        ID.parse().unwrap(),
        "kid-1",
        Algorithm::Ed25519,
        KeyPurpose::RequestSigning,
    );
    let error = provider.unwrap().public_key().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

/// A server that takes a call and never answers, and one whose certificate nobody vouches for.
#[tokio::test]
async fn a_server_that_hangs_is_a_timeout_and_one_that_is_not_trusted_is_unavailable() {
    let nobody = "127.0.0.1:9".parse::<std::net::SocketAddr>().unwrap();
    let hanging = FaultProxy::start(nobody, Traffic::Http).await.unwrap();
    hanging.set(Action::Hang);
    let untrusted = FaultProxy::start_tls("127.0.0.1:9", &[]).await.unwrap();
    for (endpoint, expected) in [
        (format!("http://{}", hanging.address()), Kind::Timeout),
        (format!("https://{}", untrusted.address()), Kind::Unavailable),
    ] {
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_millis(300));
        let config = client(&endpoint).config().to_builder().timeout_config(timeouts.build());
        let client = aws_sdk_kms::Client::from_conf(config.build());
        let (key, purpose) = (ID.parse().unwrap(), KeyPurpose::RequestSigning);
        let provider = AwsKmsProvider::new(&client, key, "kid-1", Algorithm::Ed25519, purpose);
        let error = provider.unwrap().sign(b"base").await.unwrap_err();
        assert_eq!(error.kind(), expected, "{error}");
        assert_eq!(error.to_string().contains("TLS"), expected == Kind::Unavailable, "{error}");
    }
}

#[tokio::test]
async fn missing_credentials_are_a_configuration_error() {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .region(aws_sdk_kms::config::Region::new("us-east-1"))
        .endpoint_url("http://127.0.0.1:1")
        .build();
    let client = aws_sdk_kms::Client::from_conf(config);
    let purpose = KeyPurpose::RequestSigning;
    let provider =
        AwsKmsProvider::new(&client, ID.parse().unwrap(), "kid-1", Algorithm::Ed25519, purpose)
            .unwrap();
    assert_eq!(provider.sign(b"base").await.unwrap_err().kind(), Kind::Configuration);
}

#[tokio::test]
async fn the_pause_that_the_service_asks_for_is_passed_on_where_a_retry_makes_sense() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (code, headers, expected) in [
        ("ThrottlingException", "retry-after: 7\r\n", seconds(7)),
        ("KMSInternalException", "Retry-After: 1\r\n", seconds(1)),
        ("ThrottlingException", "x-amz-retry-after: 1500\r\n", Some(Duration::from_millis(1500))),
        ("ThrottlingException", "retry-after: 99999999999\r\n", seconds(3600)),
        ("ThrottlingException", "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n", seconds(3600)),
        ("ThrottlingException", "retry-after: Thu, 01 Jan 1970 00:00:00 GMT\r\n", None),
        ("ThrottlingException", "retry-after: soon\r\n", None),
        ("ThrottlingException", "retry-after: -1\r\n", None),
        ("ThrottlingException", "", None),
        ("DisabledException", "retry-after: 7\r\n", None),
    ] {
        let (error, _) =
            failure(Reply::json(400, headers, &json!({"__type": code}).to_string())).await;
        assert_eq!(error.retry_after(), expected, "{code} {headers}");
    }
}

#[tokio::test]
async fn the_source_of_an_error_is_the_answer_without_its_text() {
    let headers = "x-amzn-requestid: 2b1a39f8-5a3c-4d0e-9f43-0c2f9a7e6d11\r\n";
    let (error, _) = failure(Reply::json(400, headers, r#"{"__type":"DisabledException"}"#)).await;
    let answer: &ServiceAnswer = error.source().unwrap().downcast_ref().unwrap();
    let id = Some("2b1a39f8-5a3c-4d0e-9f43-0c2f9a7e6d11");
    assert_eq!(
        (answer.code(), answer.status(), answer.request_id()),
        (Some("DisabledException"), Some(400), id)
    );
}

#[tokio::test]
async fn the_request_says_key_algorithm_and_message_type() {
    let ed25519 = signed(ARN, "ED25519_SHA_512", &[7; 64]);
    let server = Server::with([ed25519]).await;
    let signature = provider(&server, ID, Algorithm::Ed25519).sign(b"base").await.unwrap();
    assert_eq!(signature.signature.as_bytes(), [7; 64]);
    assert_eq!(signature.key_version, Some(KeyVersion::new(ARN)));
    let asked = server.asked();
    assert_eq!(asked[0].operation, "Sign");
    let expected = json!({
        "KeyId": ID, "SigningAlgorithm": "ED25519_SHA_512", "MessageType": "RAW",
        "Message": Base64::encode_string(b"base"),
    });
    assert_eq!(asked[0].body, expected);

    // r = 1 and s = 2 come out as 32 bytes each.
    let der = [0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02];
    let server = Server::with([signed(ARN, "ECDSA_SHA_256", &der)]).await;
    let signature = provider(&server, ARN, Algorithm::EcdsaP256Sha256).sign(b"base").await.unwrap();
    assert_eq!(signature.signature.as_bytes().len(), 64);
    let body = &server.asked()[0].body;
    assert_eq!(
        (&body["SigningAlgorithm"], &body["MessageType"]),
        (&json!("ECDSA_SHA_256"), &json!("DIGEST"))
    );
    // SHA-256 of "base".
    assert_eq!(body["Message"], "yuZiFy/UULsM1xCnaQecBb/F2ONe+mV27cfQN3r91KI=");
}

#[tokio::test]
async fn a_reply_that_is_not_the_answer_to_the_request_is_refused() {
    let ed25519 = "ED25519_SHA_512";
    let signature = Base64::encode_string(&[7; 64]);
    for (what, reply, expected) in [
        ("another key", signed(OTHER_ARN, ed25519, &[7; 64]), Kind::PublicKeyMismatch),
        ("not an ARN", signed(ID, ed25519, &[7; 64]), Kind::InvalidResponse),
        (
            "an alias",
            signed("arn:aws:kms:us-east-1:111122223333:alias/a", ed25519, &[7; 64]),
            Kind::InvalidResponse,
        ),
        (
            "no key",
            ok(&json!({"SigningAlgorithm": ed25519, "Signature": signature})),
            Kind::InvalidResponse,
        ),
        (
            "the pre-hashed variant",
            signed(ARN, "ED25519_PH_SHA_512", &[7; 64]),
            Kind::InvalidResponse,
        ),
        ("an unknown algorithm", signed(ARN, "NEW_ALGORITHM", &[7; 64]), Kind::InvalidResponse),
        ("no algorithm", ok(&json!({"KeyId": ARN, "Signature": signature})), Kind::InvalidResponse),
        (
            "no signature",
            ok(&json!({"KeyId": ARN, "SigningAlgorithm": ed25519})),
            Kind::InvalidResponse,
        ),
        ("a short signature", signed(ARN, ed25519, &[7; 63]), Kind::InvalidResponse),
    ] {
        let (error, _) = failure(reply).await;
        assert_eq!(error.kind(), expected, "{what}");
        assert!(!shown(&error).contains("111122223333"), "{error:?}");
    }
}

#[tokio::test]
async fn a_public_key_that_cannot_be_the_declared_one_is_refused() {
    let ed25519 = some_key(Algorithm::Ed25519).await;
    let p256 = some_key(Algorithm::EcdsaP256Sha256).await;
    let name = "ED25519_SHA_512";
    // An SPKI of secp256k1 (RFC 5480 form) needs no valid point to be refused by its OID.
    let k256 = [
        &[
            0x30, 0x56, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
            0x05, 0x2b,
        ][..],
        &[0x81, 0x04, 0x00, 0x0a, 0x03, 0x42, 0x00, 0x04],
        &[1; 64],
    ]
    .concat();
    let k256 =
        json!({"KeyId": ARN, "PublicKey": Base64::encode_string(&k256), "KeyUsage": "SIGN_VERIFY"});
    for (what, reply, expected) in [
        ("the key", public_key(ARN, &ed25519, "SIGN_VERIFY", &["ED25519_PH_SHA_512", name]), None),
        (
            "another type",
            public_key(ARN, &p256, "SIGN_VERIFY", &["ECDSA_SHA_256"]),
            Some(Kind::AlgorithmMismatch),
        ),
        ("a curve not used", ok(&k256), Some(Kind::AlgorithmMismatch)),
        (
            "another usage",
            public_key(ARN, &ed25519, "KEY_AGREEMENT", &[name]),
            Some(Kind::AlgorithmMismatch),
        ),
        (
            "only pre-hashed",
            public_key(ARN, &ed25519, "SIGN_VERIFY", &["ED25519_PH_SHA_512"]),
            Some(Kind::AlgorithmMismatch),
        ),
        (
            "another key",
            public_key(OTHER_ARN, &ed25519, "SIGN_VERIFY", &[name]),
            Some(Kind::PublicKeyMismatch),
        ),
        (
            "no key",
            ok(&json!({"KeyId": ARN, "KeyUsage": "SIGN_VERIFY"})),
            Some(Kind::InvalidResponse),
        ),
        (
            "no SPKI",
            ok(&json!({"KeyId": ARN, "KeyUsage": "SIGN_VERIFY", "PublicKey": "AAAA"})),
            Some(Kind::InvalidResponse),
        ),
    ] {
        let server = Server::with([reply]).await;
        let outcome = provider(&server, ID, Algorithm::Ed25519).public_key().await;
        assert_eq!(outcome.err().map(|error| error.kind()), expected, "{what}");
        assert_eq!(server.asked()[0].operation, "GetPublicKey");
    }
}

#[tokio::test]
async fn what_is_not_given_is_learned_once_and_an_alias_that_moves_then_signs_nothing() {
    let key = some_key(Algorithm::Ed25519).await;
    let server = Server::with([
        public_key(ARN, &key, "SIGN_VERIFY", &["ED25519_SHA_512"]),
        signed(ARN, "ED25519_SHA_512", &[7; 64]),
        signed(OTHER_ARN, "ED25519_SHA_512", &[7; 64]),
    ])
    .await;
    let config = AwsKmsConfig::new("alias/buyer".parse().unwrap(), KeyPurpose::WebhookSigning);
    let provider = config.connect_with_client(&server.client()).await.unwrap();
    assert_eq!(provider.key_id(), key.thumbprint());
    assert_eq!(provider.algorithm(), Algorithm::Ed25519);
    assert_eq!(provider.purpose(), &KeyPurpose::WebhookSigning);
    assert_eq!(provider.public_key().await.unwrap(), key);
    assert!(provider.sign(b"base").await.is_ok());
    assert_eq!(provider.sign(b"base").await.unwrap_err().kind(), Kind::PublicKeyMismatch);
    let operations: Vec<_> = server.asked().into_iter().map(|asked| asked.operation).collect();
    assert_eq!(operations, ["GetPublicKey", "Sign", "Sign"]);
}

#[tokio::test]
async fn a_configuration_that_says_everything_calls_nothing() {
    let server = Server::with([Reply::bytes("")]).await;
    let config = AwsKmsConfig::new(
        ARN.parse().unwrap(),
        KeyOptions::new(KeyPurpose::RequestSigning)
            .with_algorithm(Algorithm::EcdsaP256Sha256)
            .with_key_id("kid-1"),
    );
    let provider = config.connect_with_client(&server.client()).await.unwrap();
    assert!(server.asked().is_empty());
    let text = format!("{provider:?} {config:?} {}", provider.key_ref());
    assert!(!text.contains("111122223333") && !text.contains(ID), "{text}");
    // The base does not fit: nothing is sent either.
    let options = KeyOptions::new(KeyPurpose::RequestSigning);
    let options = options.with_algorithm(Algorithm::Ed25519).with_key_id("kid-1");
    let config = AwsKmsConfig::new(ARN.parse().unwrap(), options);
    let provider = config.connect_with_client(&server.client()).await.unwrap();
    assert_eq!(provider.sign(&[b'x'; 4097]).await.unwrap_err().kind(), Kind::MessageTooLarge);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_ready_client_of_another_region_is_refused() {
    let client = client("http://127.0.0.1:1");
    let options = KeyOptions::new(KeyPurpose::RequestSigning)
        .with_algorithm(Algorithm::Ed25519)
        .with_key_id("k");
    let elsewhere = ARN.replace("us-east-1", "eu-west-1");
    let config = |key: &str| AwsKmsConfig::new(key.parse().unwrap(), options.clone());
    for config in [
        config(&elsewhere),
        config(ID).with_region("eu-west-1"),
        config(ARN).with_region("eu-west-1"),
        config(ID).with_region("eu.west"),
        config(ID).with_profile("p"),
        config(ID).with_endpoint("https://kms.example".parse().unwrap()),
    ] {
        let error = config.connect_with_client(&client).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration, "{error}");
    }
    for (key, kid) in [(elsewhere.as_str(), "k"), (ID, "")] {
        let error = AwsKmsProvider::new(
            &client,
            key.parse().unwrap(),
            kid,
            Algorithm::Ed25519,
            KeyPurpose::RequestSigning,
        );
        assert_eq!(error.unwrap_err().kind(), Kind::Configuration);
    }
}

fn refusal(code: &str) -> Reply {
    let body = json!({"__type": code, "message": format!("{ARN} is bad")});
    Reply::json(400, "", &body.to_string())
}

async fn inspected(replies: impl IntoIterator<Item = Reply>) -> Inspection {
    let server = Server::with(replies).await;
    provider(&server, "alias/a", Algorithm::Ed25519).inspect().await
}

#[tokio::test]
async fn what_the_login_may_not_see_is_reported_with_the_permission() {
    let metadata =
        |origin: &str| ok(&json!({"KeyMetadata": {"KeyId": ID, "Arn": ARN, "Origin": origin}}));
    let policy = ok(&json!({"Policy": json!({"Statement": []}).to_string()}));
    let denied = || refusal("AccessDeniedException");

    let seen = inspected([metadata("AWS_KMS"), policy.clone()]).await;
    let codes = seen.observations().map(|(_, seen)| seen.code());
    assert_eq!(codes, ["ok"; 3], "{seen:?}");
    let seen = inspected([metadata("EXTERNAL"), denied()]).await;
    assert_eq!(seen.export.code(), "key_imported");
    assert_eq!(seen.permissions.code(), "not_permitted");
    assert!(seen.permissions.message().contains("kms:GetKeyPolicy"), "{seen:?}");
    // Without the key's ARN there is no call to make.
    let seen = inspected([denied(), policy]).await;
    for part in [&seen.export, &seen.permissions] {
        assert_eq!(part.code(), "not_permitted", "{seen:?}");
        assert!(part.message().contains("kms:DescribeKey"), "{seen:?}");
    }
    let seen = inspected([refusal("KMSInternalException")]).await;
    assert_eq!(seen.export.code(), "not_answered");
    assert!(!format!("{seen:?}").contains("111122223333"), "{seen:?}");
}

/// What is left of a key is deleted where it gets no name.
#[tokio::test]
async fn a_key_is_made_whole_or_not_at_all() {
    let key = some_key(Algorithm::Ed25519).await;
    let absent = || refusal("NotFoundException");
    let made = || ok(&json!({"KeyMetadata": {"KeyId": ID, "Arn": ARN}}));
    let public = || public_key(ARN, &key, "SIGN_VERIFY", &["ED25519_SHA_512"]);
    let nothing = || ok(&json!({}));
    for (replies, kind, said, operations) in [
        (vec![nothing()], Kind::Configuration, "already", &["DescribeKey"][..]),
        (
            vec![refusal("AccessDeniedException")],
            Kind::AccessDenied,
            "kms:CreateKey",
            &["DescribeKey"],
        ),
        (
            vec![absent(), refusal("LimitExceededException")],
            Kind::Throttled,
            "quota of keys",
            &["DescribeKey", "CreateKey"],
        ),
        (
            vec![absent(), made(), refusal("AccessDeniedException"), nothing()],
            Kind::AccessDenied,
            "kms:GetPublicKey",
            &["DescribeKey", "CreateKey", "GetPublicKey", "ScheduleKeyDeletion"],
        ),
        (
            vec![absent(), made(), public(), refusal("AlreadyExistsException"), nothing()],
            Kind::Configuration,
            "already",
            &["DescribeKey", "CreateKey", "GetPublicKey", "CreateAlias", "ScheduleKeyDeletion"],
        ),
        (
            vec![absent(), made(), public(), refusal("AccessDeniedException")],
            Kind::AccessDenied,
            "could not be deleted",
            &["DescribeKey", "CreateKey", "GetPublicKey", "CreateAlias", "ScheduleKeyDeletion"],
        ),
    ] {
        let server = Server::with(replies).await;
        let config = AwsKmsConfig::new("alias/a".parse().unwrap(), KeyPurpose::RequestSigning);
        let error = config.create_key_with_client(&server.client(), None).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(shown(&error).contains(said), "{error:?}");
        let asked: Vec<_> = server.asked().into_iter().map(|asked| asked.operation).collect();
        assert_eq!(asked, operations);
        assert!(!shown(&error).contains("111122223333"), "{error:?}");
    }
}
