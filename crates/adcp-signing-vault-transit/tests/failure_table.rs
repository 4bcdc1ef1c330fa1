//! Every row of the failure table in README.md, provoked, and compared with what is printed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, SigningProvider as _, provider::toolkit::KeyOptions,
};
use adcp_signing_testkit::{
    Action, CannedReply, FailureTable, FaultProxy, Traffic, in_child, say, shown,
};
use adcp_signing_vault_transit::{
    Product, VaultAuth, VaultClient, VaultClientOptions, VaultTransitConfig, VaultTransitProvider,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};
use support::openbao;

const LIMIT: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_true() -> Result<(), String> {
    let mut table = FailureTable::of_readme(include_str!("../README.md"));
    statuses(&mut table).await;
    answers_of_openbao(&mut table).await;
    without_an_answer(&mut table).await;
    descriptions(&mut table).await;
    replies(&mut table).await;
    settings(&mut table).await;
    table.assert()
}

fn ok(body: &Value) -> Action {
    Action::Reply(CannedReply::new(200).body(body.to_string()))
}

fn answer(status: u16, text: &str) -> Action {
    Action::Reply(CannedReply::new(status).body(json!({"errors": [text]}).to_string()))
}

/// A token that nothing ends.
fn token() -> Action {
    ok(&json!({"data": {"ttl": 0}}))
}

fn description() -> Value {
    let key = InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning);
    let pem = key.unwrap().verifying_key().to_spki_pem();
    json!({"data": {
        "type": "ecdsa-p256", "latest_version": 2, "min_encryption_version": 0,
        "keys": {"1": {"public_key": pem}, "2": {"public_key": pem}},
    }})
}

fn with(pointer: &str, value: Value) -> Action {
    let mut body = description();
    let data = body["data"].as_object_mut().unwrap();
    data.insert(pointer.to_owned(), value);
    ok(&body)
}

async fn proxy() -> FaultProxy {
    FaultProxy::start("127.0.0.1:9".parse().unwrap(), Traffic::Http).await.unwrap()
}

fn options(server: &FaultProxy) -> VaultClientOptions {
    let auth = VaultAuth::token("hvs.token");
    VaultClientOptions::new(format!("http://{}", server.address()), auth).with_timeout(LIMIT)
}

fn key() -> VaultTransitConfig {
    let options = KeyOptions::new(KeyPurpose::RequestSigning);
    VaultTransitConfig::new(
        "buyer",
        options.with_algorithm(Algorithm::EcdsaP256Sha256).with_key_id("k"),
    )
    .with_version(2)
}

fn provider(options: VaultClientOptions) -> VaultTransitProvider {
    VaultTransitProvider::new(VaultClient::new(options).unwrap(), key()).unwrap()
}

/// What a signature prints when the server answers so to the reading of the key, and to the
/// signature.
async fn printed_in(namespace: Option<&str>, read: Action, sign: Action) -> String {
    let server = proxy().await;
    server.next(1, &token());
    server.next(1, &read);
    server.set(sign);
    let options = match namespace {
        Some(namespace) => options(&server).with_namespace(namespace),
        None => options(&server),
    };
    shown(provider(options).sign(b"base").await)
}

async fn signing(answer: Action) -> String {
    printed_in(None, ok(&description()), answer).await
}

async fn reading(answer: Action) -> String {
    printed_in(None, answer, token()).await
}

async fn logging_in(namespace: Option<&str>, answer: Action) -> String {
    let server = proxy().await;
    server.set(answer);
    let auth = VaultAuth::app_role("role", "secret");
    let options = VaultClientOptions::new(format!("http://{}", server.address()), auth);
    let options = match namespace {
        Some(namespace) => options.with_namespace(namespace),
        None => options,
    };
    shown(provider(options).sign(b"base").await)
}

async fn statuses(table: &mut FailureTable) {
    for status in [400, 401, 403, 404] {
        let printed = logging_in(None, answer(status, "")).await;
        table.check("400, 401, 403, 404 to a login", status, &printed);
        let printed = logging_in(Some("team"), answer(status, "")).await;
        table.check("400, 401, 403, 404 to a login in a namespace", status, &printed);
    }
    for status in [401, 403] {
        let printed = signing(answer(status, "permission denied")).await;
        table.check("401, 403, after a login that did not help", status, &printed);
        let printed = printed_in(Some("team"), answer(status, ""), token()).await;
        table.check("401, 403, in a namespace", status, &printed);
    }
    let row = "404 `namespace not found`, or in a namespace `no handler for route`";
    table.check(row, "", &reading(answer(404, "namespace not found")).await);
    let nowhere = || answer(404, "no handler for route");
    table.check(row, "a route", &printed_in(Some("team"), nowhere(), token()).await);
    table.check("404 `no handler for route`", "", &reading(nowhere()).await);
    table.check("404 to reading the key", "", &reading(answer(404, "")).await);
    for (row, statuses, text) in [
        ("400 `signing key not found`", &[400][..], "signing key not found"),
        (
            "500 `… higher than the latest key version`",
            &[500],
            "requested version for signing is higher than the latest key version",
        ),
        (
            "500 `… less than the minimum encryption key version`",
            &[500],
            "requested version for signing is less than the minimum encryption key version",
        ),
        ("500 `… soft-deleted …`", &[500], "refusing to use soft-deleted key"),
        (
            "500 `… active cluster node not found`",
            &[500],
            "local node not active but active cluster node not found",
        ),
        ("400 `… does not support signing`", &[400], "key type x does not support signing"),
        ("407", &[407], ""),
        ("408, 504", &[408, 504], ""),
        ("413", &[413], ""),
        ("other 4xx", &[400, 405, 422], ""),
        ("429", &[429], ""),
        ("3xx", &[301, 307], ""),
        ("412", &[412], ""),
        ("503", &[503], ""),
        ("other 5xx", &[500, 502], ""),
        ("another 2xx than 200", &[201, 204], ""),
    ] {
        for &status in statuses {
            table.check(row, status, &signing(answer(status, text)).await);
        }
    }
}

/// What the server of the environment answers.
async fn answers_of_openbao(table: &mut FailureTable) {
    let Some(server) = openbao() else {
        let why = "ADCP_TEST_OPENBAO_ADDR and ADCP_TEST_OPENBAO_TOKEN are not set";
        return table.not_run("404 to reading the key", why);
    };
    let transit = server.transit().await;
    let name = transit.new_key("ed25519").await;
    let root = || VaultAuth::token(&*server.token);
    let sign = async |config: VaultTransitConfig, options: VaultClientOptions| {
        let client = VaultClient::new(options).unwrap();
        shown(VaultTransitProvider::new(client, config).unwrap().sign(b"base").await)
    };
    let key = || transit.key(&name, Algorithm::Ed25519);
    let at_server = |auth| server.options(auth);
    let how = "OpenBao";
    let missing = transit.key("of-nobody", Algorithm::Ed25519);
    table.check("404 to reading the key", how, &sign(missing, at_server(root())).await);
    let elsewhere = key().with_mount("of-nobody");
    table.check("404 `no handler for route`", how, &sign(elsewhere, at_server(root())).await);
    let row = "404 `namespace not found`, or in a namespace `no handler for route`";
    let no_namespace = at_server(root()).with_namespace("of-nobody");
    table.check(row, how, &sign(key(), no_namespace).await);
    let row = "a version that the key does not have yet";
    table.check(row, how, &sign(key().with_version(9), at_server(root())).await);
    transit.rotate(&name).await;
    let provider = |version| {
        let client = server.client(root());
        VaultTransitProvider::new(client, key().with_version(version)).unwrap()
    };
    let running = provider(1);
    running.sign(b"base").await.unwrap();
    transit.configure(&name, json!({"min_encryption_version": 2})).await;
    let row = "500 `… less than the minimum encryption key version`";
    table.check(row, how, &shown(running.sign(b"base").await));
    let row = "a version below `min_encryption_version`";
    table.check(row, how, &shown(provider(1).sign(b"base").await));
    let powerless = server.new_token(json!({"policies": ["default"]})).await;
    let row = "401, 403, after a login that did not help";
    table.check(row, how, &sign(key(), at_server(VaultAuth::token(powerless))).await);
    let role = server.app_role(json!({})).await;
    let wrong = VaultAuth::app_role(&role.role_id, "wrong").with_mount(&role.mount);
    table.check("400, 401, 403, 404 to a login", how, &sign(key(), at_server(wrong)).await);
    let running = provider(2);
    running.sign(b"base").await.unwrap();
    server
        .call("DELETE", &format!("{}/soft-delete", transit.path("keys", &name)), Value::Null)
        .await;
    table.check("500 `… soft-deleted …`", how, &shown(running.sign(b"base").await));
    table.check("a soft-deleted key", how, &shown(provider(2).sign(b"base").await));
    let aes = transit.new_key("aes256-gcm96").await;
    let aes = transit.key(&aes, Algorithm::Ed25519);
    let row = "a key of a type that signs nothing here";
    table.check(row, how, &sign(aes, at_server(root())).await);
}

async fn without_an_answer(table: &mut FailureTable) {
    table.check("no answer in time", "", &signing(Action::Hang).await);
    let drip = Action::Drip(Duration::from_millis(50));
    table.check("no answer in time", "a byte at a time", &signing(drip).await);
    let nowhere = VaultClientOptions::new("https://of-nobody.invalid", VaultAuth::token("hvs.x"));
    let nowhere = shown(provider(nowhere.with_timeout(LIMIT * 10)).sign(b"base").await);
    table.check("not reached", "a name without an address", &nowhere);
    table.check("cut off", "", &signing(Action::Cut).await);
    let server = proxy().await;
    server.refuse().await.unwrap();
    table.check("not reached", "", &shown(provider(options(&server)).sign(b"base").await));
    let long = Action::Reply(CannedReply::new(200).body(vec![b'x'; 2 * 1024 * 1024]));
    table.check("a reply of more than 1 MiB", "", &signing(long).await);
}

async fn descriptions(table: &mut FailureTable) {
    for (row, read) in [
        ("a description of the key that cannot be read", ok(&json!({"data": 1}))),
        ("a version that the key does not have yet", with("latest_version", json!(1))),
        ("a version below `min_encryption_version`", with("min_encryption_version", json!(3))),
        ("a version below `min_decryption_version`", with("keys", json!({}))),
        ("a soft-deleted key", with("soft_deleted", json!(true))),
        ("a derived key", with("derived", json!(true))),
        ("a key of a type that signs nothing here", with("type", json!("aes256-gcm96"))),
        ("a key of another type than declared", with("type", json!("ed25519"))),
    ] {
        table.check(row, "", &reading(read).await);
    }
}

async fn replies(table: &mut FailureTable) {
    let signed = |version: u32, signature: &[u8]| {
        let signature = Base64UrlUnpadded::encode_string(signature);
        ok(&json!({"data": {"signature": format!("vault:v{version}:{signature}")}}))
    };
    for (row, answer) in [
        ("a reply without a signature", ok(&json!({"data": {}}))),
        ("a signature of the wrong length", signed(2, &[7; 63])),
        ("a signature by another version than asked for", signed(3, &[7; 64])),
    ] {
        table.check(row, "", &signing(answer).await);
    }
}

async fn settings(table: &mut FailureTable) {
    const ADDR: (&str, &str) = ("BAO_ADDR", "https://bao.example");
    const TOKEN: (&str, &str) = ("BAO_TOKEN", "hvs.x");
    let no_pem = tempfile::NamedTempFile::new().unwrap();
    let no_pem = no_pem.path().to_str().unwrap();
    let nowhere = "/nowhere/file";
    for (row, variables) in [
        ("no address", &[][..]),
        ("no login", &[ADDR]),
        ("more than one login", &[ADDR, TOKEN, ("BAO_ROLE_ID", "r")]),
        ("a CA file that is not PEM", &[ADDR, TOKEN, ("BAO_CACERT", no_pem)]),
        (
            "a secret in a file that cannot be read",
            &[ADDR, ("BAO_ROLE_ID", "r"), ("BAO_SECRET_ID_FILE", nowhere)],
        ),
        ("a token with characters that no token has", &[ADDR, ("BAO_TOKEN", "a\tb\u{7f}")]),
        ("`http://` to another machine", &[("BAO_ADDR", "http://bao.example"), TOKEN]),
        ("`VAULT_SKIP_VERIFY`", &[ADDR, TOKEN, ("BAO_SKIP_VERIFY", "true")]),
        ("a mount or a namespace that is no path", &[ADDR, TOKEN, ("BAO_NAMESPACE", "a//b")]),
        ("a mount or a namespace that is no path", &[ADDR, TOKEN, ("BAO_AUTH_MOUNT", "a//b")]),
    ] {
        let printed = tokio::task::block_in_place(|| {
            in_child("child", |child| {
                child.envs(variables.iter().copied());
            })
        });
        table.check(row, variables.len(), &printed);
    }
    let server = proxy().await;
    for (row, key) in [
        ("a name that no key has", VaultTransitConfig::new("a/b", KeyPurpose::RequestSigning)),
        ("a mount or a namespace that is no path", key().with_mount("/a")),
    ] {
        let opened = key.with_server(options(&server)).connect().await;
        table.check(row, "a key", &shown(opened));
    }
    let nothing = ok(&json!({"auth": {"client_token": "", "lease_duration": 0}}));
    table.check("a login that gives no token", "", &logging_in(None, nothing).await);
}

/// Signs with the settings of its environment, and prints what came of it.
#[tokio::test]
#[ignore = "run by the other test of this file, in an environment of its own"]
async fn child() {
    let printed = match VaultClient::from_environment(Product::OpenBao) {
        Ok(client) => {
            let provider = VaultTransitProvider::new(client, key()).unwrap();
            shown(provider.sign(b"base").await)
        }
        Err(error) => error.to_string(),
    };
    say(&printed);
}
