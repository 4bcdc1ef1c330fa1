//! A clock that is an hour off, with tokens of a managed identity: those say when they end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use adcp_signing_azure_key_vault::{AzureKeyVaultConfig, AzureKeyVaultProvider};
use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderErrorKind, SigningProvider as _,
    provider::toolkit::KeyOptions,
};
use adcp_signing_testkit::{
    AN_HOUR_OFF, Action, CannedReply, FaultProxy, RecordingServer, in_child_with_own_clock,
    move_clock, say, skip, with_causes,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

const VERSION: &str = "0123456789abcdef0123456789abcdef";
const CHALLENGE: &str =
    r#"Bearer authorization="https://login.example/t", resource="https://vault.example""#;

/// What gives out tokens that last for so long, by a clock that is right.
async fn identity(lifetime: Duration) -> RecordingServer {
    let given = AtomicUsize::new(0);
    let server = RecordingServer::start(move |_| {
        let number = given.fetch_add(1, Ordering::SeqCst);
        let end = (SystemTime::now() + lifetime).duration_since(UNIX_EPOCH).unwrap().as_secs();
        let token = json!({
            "access_token": format!("eyJ.{number}"), "expires_on": end.to_string(),
            "resource": "https://vault.example", "token_type": "Bearer",
        });
        CannedReply::new(200).header("content-type", "application/json").body(token.to_string())
    });
    server.await.unwrap()
}

fn run(child: &str, identity: &RecordingServer) -> Result<(), String> {
    let said = tokio::task::block_in_place(|| {
        in_child_with_own_clock(child, |child: &mut Command| {
            child.env("IDENTITY_ENDPOINT", identity.url()).env("IDENTITY_HEADER", "header");
        })
    });
    assert_eq!(said?, "as expected");
    Ok(())
}

/// A vault that signs, and a provider that has its public key by the credentials of the environment.
async fn vault() -> (FaultProxy, AzureKeyVaultProvider) {
    let vault = FaultProxy::start_tls("127.0.0.1:9", &[]).await.unwrap();
    let kid = format!("https://vault.example/keys/buyer/{VERSION}");
    let key = InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning);
    let spki = key.unwrap().verifying_key().to_spki_der();
    let (x, y) = spki.split_at(spki.len() - 32);
    let (x, y) = (
        Base64UrlUnpadded::encode_string(x.split_at(x.len() - 32).1),
        Base64UrlUnpadded::encode_string(y),
    );
    let key = json!({"kid": kid, "kty": "EC", "crv": "P-256", "x": x, "y": y, "key_ops": ["sign"]});
    vault.next(1, &Action::Reply(CannedReply::new(401).header("www-authenticate", CHALLENGE)));
    vault.next(1, &answer(&json!({"key": key, "attributes": {"enabled": true}})));
    let value = Base64UrlUnpadded::encode_string(&[7; 64]);
    vault.set(answer(&json!({"kid": kid, "value": value})));

    let options = KeyOptions::new(KeyPurpose::RequestSigning).with_key_id("k-1");
    let options = options.with_algorithm(Algorithm::EcdsaP256Sha256);
    let key = format!("https://{}/keys/buyer/{VERSION}", vault.address()).parse().unwrap();
    let config = AzureKeyVaultConfig::new(key, options);
    let config = config.with_root_certificates(vault.certificate().unwrap().as_bytes()).unwrap();
    let provider = config.connect().await.unwrap();
    provider.public_key().await.unwrap();
    (vault, provider)
}

fn answer(body: &Value) -> Action {
    let reply = CannedReply::new(200).header("content-type", "application/json");
    Action::Reply(reply.body(body.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_takes_tokens_for_ended_and_fetches_others() -> Result<(), String> {
    let identity = identity(Duration::from_secs(3600)).await;
    if let Err(reason) = run("child_ahead", &identity) {
        return skip(&reason);
    }
    assert_eq!(identity.received().len(), 3, "one, and one for each call with a wrong clock");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test of this file, with a clock of its own"]
async fn child_ahead() {
    let (_vault, provider) = vault().await;
    let [ahead, _] = AN_HOUR_OFF;
    for off in [0, 0, ahead, ahead, 0] {
        move_clock(off);
        provider.sign(b"base").await.unwrap();
    }
    say("as expected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_behind_is_named_when_a_token_has_ended_and_signing_goes_on_once_it_is_right()
-> Result<(), String> {
    let identity = identity(Duration::from_secs(1)).await;
    if let Err(reason) = run("child_behind", &identity) {
        return skip(&reason);
    }
    assert_eq!(identity.received().len(), 2, "one with each clock");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test of this file, with a clock of its own"]
async fn child_behind() {
    let right = httpdate::fmt_http_date(SystemTime::now());
    let [_, behind] = AN_HOUR_OFF;
    move_clock(behind);
    let (vault, provider) = vault().await;
    provider.sign(b"base").await.unwrap();

    // The token has ended by now, and the vault says so.
    let before = vault.requests();
    let refusal = CannedReply::new(401).header("www-authenticate", CHALLENGE);
    let refusal = refusal.header("content-type", "application/json").header("date", right);
    let body = json!({"error": {"code": "Unauthorized", "message": "s3cr3t"}}).to_string();
    vault.next(2, &Action::Reply(refusal.body(body)));
    let error = provider.sign(b"base").await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::AccessDenied);
    let shown = with_causes(&error);
    let named = shown.contains("this machine's clock is ") && shown.contains("seconds behind");
    assert!(named && shown.contains("HTTP 401 Unauthorized"), "{shown}");
    assert_eq!(vault.requests() - before, 2);

    move_clock(0);
    provider.sign(b"base").await.unwrap();
    say("as expected");
}
