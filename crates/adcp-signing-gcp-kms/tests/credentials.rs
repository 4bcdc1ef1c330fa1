//! Credentials that end while the provider runs, and a clock that is wrong when they are made: by
//! the client's own sources, in processes with an environment of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    env, fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderError, ProviderErrorKind as Kind,
    SigningProvider as _,
    provider::{Signed, layers::Stack, toolkit::KeyOptions},
};
use adcp_signing_gcp_kms::{GcpKmsConfig, GcpKmsProvider};
use adcp_signing_testkit::{
    AN_HOUR_OFF, CannedReply, Received, RecordingServer, in_child, in_child_with_own_clock,
    move_clock, say, skip, with_causes,
};
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};
use tokio::time::sleep;

const NAME: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
const ENDPOINT: &str = "ADCP_TEST_CHILD_ENDPOINT";
const ROTATED: &str = "ADCP_TEST_CHILD_SUBJECT_TOKEN_FILE";
const OFF: &str = "ADCP_TEST_CHILD_OFF";
const BASE: &[u8] = b"signature base";
/// Somewhat more than the second for which a token lasts.
const LIFETIME: Duration = Duration::from_millis(1100);
/// A renewal comes at most ten seconds after the end of a token that lasts a second.
const LIMIT: Duration = Duration::from_secs(25);

fn reply(status: u16, body: &Value) -> CannedReply {
    CannedReply::new(status).header("content-type", "application/json").body(body.to_string())
}

/// What Cloud KMS answers to a call whose token it takes.
fn kms(key: &InMemoryProvider, request: &Received) -> CannedReply {
    let body = if request.head.starts_with("GET") {
        let pem = key.verifying_key().to_spki_pem();
        let checksum = crc32c::crc32c(pem.as_bytes()).to_string();
        json!({"name": NAME, "pem": pem, "pemCrc32c": checksum, "algorithm": "EC_SIGN_ED25519"})
    } else {
        let signature = key.sign_now(BASE).unwrap();
        let checksum = crc32c::crc32c(signature.as_bytes()).to_string();
        let signature = Base64::encode_string(signature.as_bytes());
        json!({
            "name": NAME, "signature": signature, "signatureCrc32c": checksum,
            "verifiedDataCrc32c": true,
        })
    };
    reply(200, &body)
}

fn key() -> InMemoryProvider {
    InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap()
}

/// The bearer tokens of the signatures that were asked for.
fn tokens(server: &RecordingServer) -> Vec<String> {
    let received = server.received();
    let signatures = received.iter().filter(|request| request.head.starts_with("POST"));
    let token = |request: &Received| {
        request.header("authorization").unwrap().trim_start_matches("Bearer ").to_owned()
    };
    signatures.map(token).collect()
}

async fn provider() -> GcpKmsProvider {
    let options = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(Algorithm::Ed25519);
    let config = GcpKmsConfig::new(NAME.parse().unwrap(), options.with_key_id("k"));
    let config = config.with_endpoint(env::var(ENDPOINT).unwrap().parse().unwrap());
    config.with_timeout(LIMIT).connect().await.unwrap()
}

/// Google's token service gives two tokens of a second each, refuses the third time, and gives one
/// more that lasts.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_is_renewed_and_a_denied_renewal_is_typed_and_not_for_ever() {
    let key = key();
    let cloud_kms = RecordingServer::start(move |request| kms(&key, request)).await.unwrap();
    let exchanges = AtomicUsize::new(0);
    let sts = RecordingServer::start(move |_| {
        let token = |name: &str, seconds: u32| {
            let kind = "urn:ietf:params:oauth:token-type:access_token";
            reply(
                200,
                &json!({"access_token": name, "issued_token_type": kind, "token_type": "Bearer", "expires_in": seconds}),
            )
        };
        match exchanges.fetch_add(1, Ordering::SeqCst) {
            0 => token("first", 1),
            1 => token("second", 1),
            2 => reply(400, &json!({"error": "invalid_grant", "error_description": "s3cr3t"})),
            _ => token("third", 3600),
        }
    });
    let sts = sts.await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let [subject, account] = ["subject", "account.json"].map(|name| home.path().join(name));
    fs::write(&subject, "subject-1").unwrap();
    let config = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/v1/token", sts.url()),
        "credential_source": {"file": subject},
    });
    fs::write(&account, config.to_string()).unwrap();
    let said = tokio::task::block_in_place(|| {
        in_child("renewing_child", |child| {
            environment(child, home.path(), &account, &cloud_kms);
            child.env(ROTATED, &subject);
        })
    });
    assert_eq!(said, "as expected");
    assert_eq!(
        tokens(&cloud_kms),
        ["first", "second", "third"],
        "nothing goes out with an old one"
    );
    let exchanged: Vec<_> = sts.received().into_iter().map(|request| request.body).collect();
    assert_eq!(exchanged.len(), 4, "a refusal is not asked for twice");
    for (body, subject) in
        exchanged.iter().zip(["subject-1", "subject-2", "subject-2", "subject-2"])
    {
        assert!(body.contains(&format!("subject_token={subject}")), "{body}");
    }
}

fn environment(child: &mut Command, home: &Path, account: &Path, cloud_kms: &RecordingServer) {
    child.env("HOME", home).env("GOOGLE_APPLICATION_CREDENTIALS", account);
    child.env(ENDPOINT, cloud_kms.url());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test of this file, in an environment of its own"]
async fn renewing_child() {
    let stack = Stack::default().around(provider().await);
    stack.sign(BASE).await.unwrap();
    // As a kubelet does.
    fs::write(env::var(ROTATED).unwrap(), "subject-2").unwrap();
    sleep(LIFETIME).await;
    stack.sign(BASE).await.unwrap();
    sleep(LIFETIME).await;
    let error = stack.sign(BASE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::AccessDenied);
    let shown = with_causes(&error);
    let cause = "the source of the Google credentials answered HTTP 400 invalid_grant";
    assert!(shown.ends_with(cause) && !shown.contains("s3cr3t"), "{shown}");
    stack.sign(BASE).await.unwrap();
    say("as expected");
}

/// A service account signs its tokens itself, for an hour each and with the time of this machine.
/// The server holds them to its own, as Google does.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_named_and_signing_goes_on_once_it_is_right() -> Result<(), String> {
    for off in AN_HOUR_OFF {
        let key = key();
        let refused = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&refused);
        let cloud_kms = RecordingServer::start(move |request| {
            if is_valid_now(request.header("authorization").unwrap()) {
                return kms(&key, request);
            }
            seen.store(true, Ordering::SeqCst);
            let error = json!({"code": 401, "status": "UNAUTHENTICATED", "message": "s3cr3t"});
            reply(401, &json!({"error": error})).header("date", now())
        });
        let cloud_kms = cloud_kms.await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let account = home.path().join("account.json");
        fs::write(&account, service_account().to_string()).unwrap();
        let said = tokio::task::block_in_place(|| {
            in_child_with_own_clock("child_with_a_wrong_clock", |child| {
                environment(child, home.path(), &account, &cloud_kms);
                child.env(OFF, off.to_string());
            })
        });
        match said {
            Ok(said) => assert_eq!(said, "as expected"),
            Err(reason) => return skip(&reason),
        }
        assert!(refused.load(Ordering::SeqCst));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test of this file, with a clock of its own"]
async fn child_with_a_wrong_clock() {
    let off: i64 = env::var(OFF).unwrap().parse().unwrap();
    move_clock(off);
    let stack = Stack::default().around(provider().await);
    assert_names_the_clock(stack.sign(BASE).await, off);
    move_clock(0);
    stack.sign(BASE).await.unwrap();
    say("as expected");
}

#[track_caller]
fn assert_names_the_clock(outcome: Result<Signed, ProviderError>, off: i64) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), Kind::AccessDenied);
    let shown = with_causes(&error);
    let side = if off > 0 { "seconds ahead of" } else { "seconds behind" };
    let named = shown.contains("this machine's clock is ") && shown.contains(side);
    assert!(named && shown.contains("HTTP 401 UNAUTHENTICATED"), "{shown}");
}

/// The time of this machine, which is right, as a `Date`.
fn now() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

/// Whether the time is between those of the token, which is a JWT.
fn is_valid_now(authorization: &str) -> bool {
    let token = authorization.strip_prefix("Bearer ").unwrap();
    let claims = Base64UrlUnpadded::decode_vec(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let [from, to] = ["iat", "exp"].map(|claim| claims.get(claim).unwrap().as_u64().unwrap());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    (from..to).contains(&now)
}

fn service_account() -> Value {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let pem = Base64::encode_string(der.as_ref());
    json!({
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"),
        "client_email": "a@p.iam.gserviceaccount.com",
        "client_id": "1",
    })
}
