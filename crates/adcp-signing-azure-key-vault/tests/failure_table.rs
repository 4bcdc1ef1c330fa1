//! Every row of the failure table in README.md, provoked, and compared with what is printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use adcp_signing_azure_key_vault::{AzureKeyVaultConfig, AzureKeyVaultProvider, AzureKeyVaultUri};
use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, PublicKey, SigningProvider as _,
    provider::toolkit::{KeyOptions, KeyUriScheme as _},
};
use adcp_signing_testkit::{Action, CannedReply, FailureTable, FaultProxy, in_child, say, shown};
use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, ClientOptions, Context, Request, RetryOptions, StatusCode, Transport,
        headers::Headers,
        policies::{Policy, PolicyResult},
    },
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

const VERSION: &str = "0123456789abcdef0123456789abcdef";
const VAULT: &str = "https://vault.example/keys";
const LIMIT: Duration = Duration::from_millis(800);
const URI: &str = "ADCP_TEST_CHILD_URI";

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_true() -> Result<(), String> {
    let mut table = FailureTable::of_readme(include_str!("../README.md"));
    codes(&mut table).await;
    answers_of_a_server(&mut table).await;
    without_a_code(&mut table).await;
    replies(&mut table).await;
    given_credentials(&mut table).await;
    sources_of_credentials(&mut table).await;
    table.assert()
}

async fn proxy() -> FaultProxy {
    FaultProxy::start_tls("127.0.0.1:9", &[]).await.unwrap()
}

fn options() -> KeyOptions {
    let options = KeyOptions::new(KeyPurpose::RequestSigning);
    options.with_algorithm(Algorithm::EcdsaP256Sha256).with_key_id("k")
}

fn config(server: &FaultProxy) -> AzureKeyVaultConfig {
    let key = format!("https://{}/keys/buyer/{VERSION}", server.address()).parse().unwrap();
    let config = AzureKeyVaultConfig::new(key, options()).with_timeout(LIMIT);
    config.with_root_certificates(server.certificate().unwrap().as_bytes()).unwrap()
}

/// A provider that has its public key already.
async fn ready(server: &FaultProxy) -> AzureKeyVaultProvider {
    let key = InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning);
    server.set(Action::Reply(reply(200, &described(key.unwrap().verifying_key()))));
    let config = config(server).with_access_token("eyJ.token").unwrap();
    let provider = config.connect().await.unwrap();
    provider.public_key().await.unwrap();
    provider
}

fn reply(status: u16, body: &Value) -> CannedReply {
    CannedReply::new(status).header("content-type", "application/json").body(body.to_string())
}

fn kid() -> String {
    format!("{VAULT}/buyer/{VERSION}")
}

fn described(key: &PublicKey) -> Value {
    let spki = key.to_spki_der();
    let (x, y) = spki[spki.len() - 64..].split_at(32);
    let (x, y) = (Base64UrlUnpadded::encode_string(x), Base64UrlUnpadded::encode_string(y));
    let key =
        json!({"kid": kid(), "kty": "EC", "crv": "P-256", "x": x, "y": y, "key_ops": ["sign"]});
    json!({"key": key, "attributes": {"enabled": true}})
}

fn signed(kid: &str, signature: &[u8]) -> Action {
    let value = Base64UrlUnpadded::encode_string(signature);
    Action::Reply(reply(200, &json!({"kid": kid, "value": value})))
}

fn error(status: u16, code: &str, inner: Option<&str>) -> CannedReply {
    let inner = inner.map(|code| json!({"code": code}));
    let error = json!({"code": code, "message": "about a key", "innererror": inner});
    reply(status, &json!({"error": error}))
}

/// What a signature prints that is answered so.
async fn printed(action: Action) -> String {
    let server = proxy().await;
    let provider = ready(&server).await;
    server.set(action);
    shown(provider.sign(b"base").await)
}

async fn codes(table: &mut FailureTable) {
    for (row, named) in table.codes() {
        let first = &*named[0];
        let mut answers: Vec<(String, CannedReply)> = Vec::new();
        match first {
            "Forbidden" if named.len() > 1 => {
                let inner = named[1..].iter();
                answers.extend(inner.map(|inner| (inner.clone(), error(403, first, Some(inner)))));
            }
            "Forbidden" => {
                answers.push(("an unknown code".to_owned(), error(403, first, Some("New"))));
                answers.push(("no code".to_owned(), error(403, first, None)));
            }
            "AccessDenied" => {
                table.check(&row, first, &printed_by_hsm(403, first).await);
                continue;
            }
            "insufficient_claims" => {
                let challenge = r#"Bearer error="insufficient_claims", claims="e30=""#;
                let refused = error(401, "Unauthorized", None);
                answers.push((row.clone(), refused.header("www-authenticate", challenge)));
            }
            _ => {
                let status = |code: &str| match code {
                    "Unauthorized" => 401,
                    "KeyNotFound" => 404,
                    "BadParameter" => 400,
                    "Conflict" => 409,
                    "Throttled" | "TooManyRequests" => 429,
                    "InternalServerError" => 500,
                    _ => 503,
                };
                answers.extend(
                    named.iter().map(|code| (code.clone(), error(status(code), code, None))),
                );
            }
        }
        if row.contains("404 with any other code") {
            answers.push(("another code".to_owned(), error(404, "com.example.Gone", None)));
        }
        for (how, answer) in answers {
            table.check(&row, how, &printed(Action::Reply(answer)).await);
        }
    }
}

/// Answers in the place of a host that only Azure has.
#[derive(Debug)]
struct Answering {
    status: u16,
    body: String,
}

#[allow(elided_lifetimes_in_paths, reason = "the macro of the trait wants them elided")]
#[async_trait]
impl Policy for Answering {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let status = StatusCode::from(self.status);
        Ok(AsyncRawResponse::from_bytes(status, Headers::new(), self.body.clone()))
    }
}

async fn printed_by_hsm(status: u16, code: &str) -> String {
    let body = json!({"error": {"code": code}}).to_string();
    let client_options = ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::with_policy(Arc::new(Answering { status, body }))),
        ..ClientOptions::default()
    };
    let options = KeyClientOptions { client_options, ..KeyClientOptions::default() };
    let host = "https://ads.managedhsm.azure.net";
    let client = KeyClient::new(host, Arc::new(Failing::with(401)), Some(options)).unwrap();
    let key = format!("{host}/keys/buyer/{VERSION}").parse().unwrap();
    let config = AzureKeyVaultConfig::new(key, self::options());
    let provider = config.connect_with_client(Arc::new(client)).await.unwrap();
    shown(provider.sign(b"base").await)
}

/// What the server of the environment answers.
async fn answers_of_a_server(table: &mut FailureTable) {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let not_found = "`KeyNotFound`, and 404 with any other code";
    let (Some(url), Some(token), Some(roots)) = (
        variable("ADCP_TEST_AZURE_KEY_VAULT_URL"),
        variable("ADCP_TEST_AZURE_KEY_VAULT_TOKEN"),
        variable("ADCP_TEST_AZURE_KEY_VAULT_CA"),
    ) else {
        let why = "ADCP_TEST_AZURE_KEY_VAULT_URL, _TOKEN and _CA are not set";
        return table.not_run(not_found, why);
    };
    let sign = async |token: &str| {
        let key = format!("{url}/keys/of-nobody/{VERSION}").parse().unwrap();
        let config = AzureKeyVaultConfig::new(key, options());
        let config = config.with_root_certificates(&fs::read(&roots).unwrap()).unwrap();
        let provider = config.with_access_token(token).unwrap().connect().await.unwrap();
        shown(provider.sign(b"base").await)
    };
    table.check(not_found, "a server", &sign(&token).await);
    if !variable("ADCP_TEST_AZURE_KEY_VAULT_LACKS").is_some_and(|lacks| lacks.contains("tokens")) {
        table.check("`Unauthorized`", "a server", &sign("not-a-token").await);
    }
}

async fn without_a_code(table: &mut FailureTable) {
    for (row, statuses) in [
        ("HTTP 401", &[401][..]),
        ("HTTP 403", &[403]),
        ("HTTP 407", &[407]),
        ("HTTP 408, 504", &[408, 504]),
        ("HTTP 409", &[409]),
        ("HTTP 429", &[429]),
        ("other HTTP 5xx", &[500, 502, 503]),
        ("other HTTP 4xx", &[400, 404, 413]),
        ("any other status, or a reply that cannot be read", &[200, 204, 301]),
    ] {
        for &status in statuses {
            let answer = Action::Reply(CannedReply::new(status).body("<html>"));
            table.check(row, status, &printed(answer).await);
        }
    }
    let row = "the access token was refused, and the `Date` of the answer is four minutes or more from this machine's clock";
    for answer in [error(401, "Unauthorized", None), CannedReply::new(401).body("<html>")] {
        let answer = Action::Reply(answer.header("date", "Thu, 01 Jan 1970 00:00:00 GMT"));
        table.check(row, "", &printed(answer).await);
    }
    table.check("the connection broke off", "", &printed(Action::Cut).await);
    table.check("no answer in time", "", &printed(Action::Hang).await);
    let drip = Action::Drip(Duration::from_millis(50));
    table.check("no answer in time", "a byte at a time", &printed(drip).await);
    let server = proxy().await;
    let provider = ready(&server).await;
    server.refuse().await.unwrap();
    // The first call may still find the connection that was cut. Behind it there is none.
    let _ = provider.sign(b"base").await;
    let row = "no connection, or no TLS connection";
    table.check(row, "refused", &shown(provider.sign(b"base").await));
    let (server, other) = (proxy().await, proxy().await);
    let trusting = config(&server).with_access_token("eyJ.token").unwrap();
    let roots = other.certificate().unwrap().as_bytes().to_vec();
    let provider = trusting.with_root_certificates(&roots).unwrap().connect().await.unwrap();
    table.check(row, "another root", &shown(provider.sign(b"base").await));
}

async fn replies(table: &mut FailureTable) {
    let long = json!({"kid": kid(), "value": "A".repeat(300 * 1024)});
    let other_service =
        r#"Bearer authorization="https://login.example/t", resource="https://graph.example""#;
    for (row, action) in [
        ("a reply of more than 256 KiB", Action::Reply(reply(200, &long))),
        (
            "a signature by another version than asked for",
            signed(&kid().replace('1', "2"), &[7; 64]),
        ),
        ("a signature of the wrong length", signed(&kid(), &[7; 63])),
        (
            "a reply that does not say which key signed",
            Action::Reply(reply(200, &json!({"value": "AAAA"}))),
        ),
    ] {
        table.check(row, "", &printed(action).await);
    }
    let key = InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning);
    let described = described(key.unwrap().verifying_key());
    let mut about_another = described.clone();
    about_another["key"]["kid"] = json!(kid().replace("buyer", "seller"));
    let mut of_another_type = described;
    of_another_type["key"]["crv"] = json!("P-384");
    for (row, body) in [
        ("a reply about another key", about_another),
        ("another type of key than declared", of_another_type),
    ] {
        let server = proxy().await;
        server.set(Action::Reply(reply(200, &body)));
        let provider = config(&server).with_access_token("eyJ.token").unwrap().connect().await;
        table.check(row, "", &shown(provider.unwrap().public_key().await));
    }
    let server = proxy().await;
    let ed25519 = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(Algorithm::Ed25519);
    let config = config(&server).with_options(ed25519.with_key_id("k"));
    let config = config.with_access_token("eyJ.token").unwrap();
    table.check("Ed25519", "", &shown(config.connect().await));
    // A host of Azure's is held to its own service.
    let row = "a 401 that asks for a token of another service than the host's";
    table.check(row, "", &printed_by_vault_that_asks_for(other_service).await);
}

#[derive(Debug)]
struct Challenging(&'static str);

#[allow(elided_lifetimes_in_paths, reason = "the macro of the trait wants them elided")]
#[async_trait]
impl Policy for Challenging {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let mut headers = Headers::new();
        headers.insert("www-authenticate", self.0);
        Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, ""))
    }
}

async fn printed_by_vault_that_asks_for(challenge: &'static str) -> String {
    let client_options = ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::with_policy(Arc::new(Challenging(challenge)))),
        ..ClientOptions::default()
    };
    let options = KeyClientOptions { client_options, ..KeyClientOptions::default() };
    let host = "https://ads.vault.azure.net";
    let client = KeyClient::new(host, Arc::new(Failing::with(401)), Some(options)).unwrap();
    let key = format!("{host}/keys/buyer/{VERSION}").parse().unwrap();
    let config = AzureKeyVaultConfig::new(key, self::options());
    let provider = config.connect_with_client(Arc::new(client)).await.unwrap();
    shown(provider.sign(b"base").await)
}

/// A source of tokens that is answered with an error.
#[derive(Debug)]
struct Failing(u16);

impl Failing {
    fn with(status: u16) -> Self {
        Self(status)
    }
}

#[async_trait]
impl TokenCredential for Failing {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let status = StatusCode::from(self.0);
        let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response: None };
        Err(Error::new(ErrorKind::Credential, kind.into_error()))
    }
}

async fn given_credentials(table: &mut FailureTable) {
    let challenge =
        r#"Bearer authorization="https://login.example/t", resource="https://vault.example""#;
    let for_now = "Entra or the metadata service cannot be reached, or answers 408, 429 or 5xx";
    for (row, statuses) in [
        ("Entra or the metadata service refuses", &[400, 401, 403][..]),
        (for_now, &[408, 429, 500, 503]),
    ] {
        for &status in statuses {
            let server = proxy().await;
            let answer = CannedReply::new(401).header("www-authenticate", challenge);
            server.set(Action::Reply(answer));
            let config = config(&server).with_credential(Arc::new(Failing::with(status)));
            let provider = config.connect().await.unwrap();
            table.check(row, status, &shown(provider.sign(b"base").await));
        }
    }
    let server = proxy().await;
    let row = "an access token that a header cannot hold";
    table.check(row, "", &config(&server).with_access_token("a b").err().unwrap().to_string());
    let row = "root certificates that are not PEM";
    let key = format!("https://{}/keys/buyer", server.address()).parse().unwrap();
    let config = AzureKeyVaultConfig::new(key, options());
    let refused = config.clone().with_root_certificates(b"no PEM");
    table.check(row, "", &refused.err().unwrap().to_string());
    let row = "the host is none of Azure's, and no root certificates are given";
    table.check(row, "", &shown(config.connect().await));
}

/// What a process with these variables prints.
async fn child(path: &Path, variables: &[(&str, &str)]) -> String {
    // Whoever asks for a token is answered by whom it asks, and never by Azure.
    let server = proxy().await;
    let challenge =
        r#"Bearer authorization="https://login.example/t", resource="https://vault.example""#;
    server.set(Action::Reply(CannedReply::new(401).header("www-authenticate", challenge)));
    let ca = tempfile::NamedTempFile::new().unwrap();
    fs::write(ca.path(), server.certificate().unwrap()).unwrap();
    let uri = format!("azurekeyvault://{}/keys/buyer/{VERSION}", server.address());
    tokio::task::block_in_place(|| {
        in_child("in_a_process_of_its_own", |child| {
            child.env("PATH", path).env("ADCP_AZURE_KEY_VAULT_CA_FILE", ca.path());
            child.env(URI, format!("{uri}?alg=ecdsa-p256-sha256&kid=k"));
            child.envs(variables.iter().copied());
        })
    })
}

#[tokio::test]
#[ignore = "run by the other test of this file, in an environment of its own"]
async fn in_a_process_of_its_own() {
    let uri: AzureKeyVaultUri = std::env::var(URI).unwrap().parse().unwrap();
    let printed = match uri.connect().await {
        Ok(provider) => shown(provider.sign(b"base").await),
        Err(error) => error.to_string(),
    };
    say(&printed);
}

async fn sources_of_credentials(table: &mut FailureTable) {
    let nothing = tempfile::tempdir().unwrap();
    table.check("none were found", "", &child(nothing.path(), &[]).await);
    let half = [("AZURE_CLIENT_SECRET", "s"), ("AZURE_CLIENT_ID", "c")];
    table.check("they are set by halves", "", &child(nothing.path(), &half).await);
    for (tool, credential, says) in [
        ("az", "AzureCliCredential", "ERROR: Please run 'az login' to setup account."),
        (
            "azd",
            "AzureDeveloperCliCredential",
            "ERROR: not logged in, run `azd auth login` to login",
        ),
    ] {
        let asked = [("AZURE_TOKEN_CREDENTIALS", credential)];
        let row = "`az` or `azd` is asked for and not installed";
        table.check(row, tool, &child(nothing.path(), &asked).await);
        let tools = tempfile::tempdir().unwrap();
        let script = tools.path().join(tool);
        fs::write(&script, format!("#!/bin/sh\necho \"{}\" >&2\nexit 1\n", says.replace('`', "'")))
            .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let row = "`az` or `azd` has no login";
        table.check(row, tool, &child(tools.path(), &asked).await);
    }
}
