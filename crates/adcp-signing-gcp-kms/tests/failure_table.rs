//! Every row of the failure table in README.md, provoked, and compared with what is printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, SigningProvider as _, provider::toolkit::KeyOptions,
};
use adcp_signing_gcp_kms::{GcpKmsConfig, GcpKmsProvider};
use adcp_signing_testkit::{
    Action, CannedReply, FailureTable, FaultProxy, Traffic, in_child, say, shown,
};
use base64ct::{Base64, Encoding as _};
use google_cloud_auth::{
    credentials::{CacheableResource, CredentialsProvider},
    errors::CredentialsError,
};
use http::{Extensions, HeaderMap};
use serde_json::{Value, json};

const NAME: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
const LIMIT: Duration = Duration::from_millis(500);
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const PRECONDITION: &str = "type.googleapis.com/google.rpc.PreconditionFailure";

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_true() -> Result<(), String> {
    let mut table = FailureTable::of_readme(include_str!("../README.md"));
    codes(&mut table).await;
    answers_of_a_server(&mut table).await;
    without_a_code(&mut table).await;
    replies(&mut table).await;
    sources_of_credentials(&mut table).await;
    table.assert()
}

async fn proxy() -> FaultProxy {
    FaultProxy::start("127.0.0.1:9".parse().unwrap(), Traffic::Http).await.unwrap()
}

fn config(endpoint: &str, algorithm: Algorithm) -> GcpKmsConfig {
    let options = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(algorithm);
    GcpKmsConfig::new(NAME.parse().unwrap(), options.with_key_id("k"))
        .with_endpoint(endpoint.parse().unwrap())
        .with_timeout(LIMIT)
}

async fn provider(server: &FaultProxy) -> GcpKmsProvider {
    let config = config(&format!("http://{}", server.address()), Algorithm::Ed25519);
    config.with_access_token("ya29.token").unwrap().connect().await.unwrap()
}

/// A provider that has its public key already.
async fn ready(server: &FaultProxy) -> GcpKmsProvider {
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    let pem = key.verifying_key().to_spki_pem();
    server.set(Action::Reply(public_key(&pem, "EC_SIGN_ED25519")));
    let provider = provider(server).await;
    provider.public_key().await.unwrap();
    provider
}

fn reply(status: u16, body: &Value) -> CannedReply {
    CannedReply::new(status).header("content-type", "application/json").body(body.to_string())
}

fn public_key(pem: &str, algorithm: &str) -> CannedReply {
    let checksum = crc32c::crc32c(pem.as_bytes()).to_string();
    let body = json!({"name": NAME, "pem": pem, "pemCrc32c": checksum, "algorithm": algorithm});
    reply(200, &body)
}

fn signed() -> Value {
    json!({
        "name": NAME,
        "signature": Base64::encode_string(&[7; 64]),
        "signatureCrc32c": crc32c::crc32c(&[7; 64]).to_string(),
        "verifiedDataCrc32c": true,
    })
}

/// What a signature prints that is answered so.
async fn printed(action: Action) -> String {
    let server = proxy().await;
    let provider = ready(&server).await;
    server.set(action);
    provider.sign(b"base").await.unwrap_err().to_string()
}

fn error(status: u16, code: &str, message: &str, details: &[Value]) -> Action {
    let error = json!({"code": status, "status": code, "message": message, "details": details});
    Action::Reply(reply(status, &json!({ "error": error })))
}

fn reason(reason: &str) -> Value {
    json!({"@type": ERROR_INFO, "reason": reason, "domain": "googleapis.com"})
}

fn violation(kind: &str) -> Value {
    json!({"@type": PRECONDITION, "violations": [{"type": kind, "subject": "s"}]})
}

async fn codes(table: &mut FailureTable) {
    let status = |code: &str| match code {
        "PERMISSION_DENIED" => 403,
        "UNAUTHENTICATED" => 401,
        "NOT_FOUND" => 404,
        "RESOURCE_EXHAUSTED" => 429,
        "UNAVAILABLE" => 503,
        _ => 400,
    };
    for (row, named) in table.codes() {
        let code = &named[0];
        let mut answers = Vec::new();
        match code.as_str() {
            "PERMISSION_DENIED" => {
                let reasons = &named[1..];
                if row.contains("without a reason") {
                    answers.push(("no reason".to_owned(), error(403, code, "", &[])));
                }
                if row.contains("any other reason") {
                    answers.push(("new".to_owned(), error(403, code, "", &[reason("BRAND_NEW")])));
                }
                for name in reasons {
                    let detail = match name.as_str() {
                        "VPC_SERVICE_CONTROLS" => violation(name),
                        name => reason(name),
                    };
                    answers.push((name.clone(), error(403, code, "", &[detail])));
                }
            }
            "FAILED_PRECONDITION" => {
                if row.contains("without a state") {
                    answers.push(("no state".to_owned(), error(400, code, "", &[])));
                }
                for state in &named[1..] {
                    let by_detail = error(400, code, "", &[violation(&format!("KEY_{state}"))]);
                    let by_text = error(400, code, &format!("x, current state is: {state}."), &[]);
                    answers.push((format!("{state} in the details"), by_detail));
                    answers.push((format!("{state} in the text"), by_text));
                }
            }
            "INVALID_ARGUMENT" if row.contains("checksum") => {
                answers.push((code.clone(), error(400, code, "the crc32c does not match", &[])));
            }
            _ => {
                for code in named {
                    answers.push((code.clone(), error(status(&code), &code, "", &[])));
                }
            }
        }
        assert!(!answers.is_empty(), "{row}");
        for (how, answer) in answers {
            table.check(&row, how, &printed(answer).await);
        }
    }
}

/// What the server of the environment answers.
async fn answers_of_a_server(table: &mut FailureTable) {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(endpoint), Some(token), Some(parent)) = (
        variable("ADCP_TEST_GCP_KMS_ENDPOINT"),
        variable("ADCP_TEST_GCP_KMS_TOKEN"),
        variable("ADCP_TEST_GCP_KMS_PARENT"),
    ) else {
        let why = "ADCP_TEST_GCP_KMS_ENDPOINT, _TOKEN and _PARENT are not set";
        return table.not_run("`NOT_FOUND`", why);
    };
    let sign = async |token: &str| {
        let key = format!("{parent}/keyRings/none/cryptoKeys/none/cryptoKeyVersions/1");
        let options = KeyOptions::new(KeyPurpose::RequestSigning);
        let options = options.with_algorithm(Algorithm::Ed25519).with_key_id("k");
        let config = GcpKmsConfig::new(key.parse().unwrap(), options);
        let config = config.with_endpoint(endpoint.parse().unwrap());
        let provider = config.with_access_token(token).unwrap().connect().await.unwrap();
        provider.sign(b"base").await.unwrap_err().to_string()
    };
    table.check("`NOT_FOUND`", "a server", &sign(&token).await);
    table.check("`UNAUTHENTICATED`", "a server", &sign("not-a-token").await);
}

async fn without_a_code(table: &mut FailureTable) {
    for (row, statuses) in [
        ("HTTP 401", &[401][..]),
        ("HTTP 403, 407", &[403, 407]),
        ("HTTP 408, 504", &[408, 504]),
        ("HTTP 429", &[429]),
        ("other HTTP 5xx", &[500, 502, 503]),
        ("other HTTP 4xx", &[400, 404, 413]),
    ] {
        for &status in statuses {
            let answer = Action::Reply(CannedReply::new(status).body("<html>"));
            table.check(row, status, &printed(answer).await);
        }
    }
    let row = "the credentials were refused, and the `Date` of the answer is four minutes or more from this machine's clock";
    let date = ("date", "Thu, 01 Jan 1970 00:00:00 GMT");
    let body = json!({"error": {"code": 401, "status": "UNAUTHENTICATED"}});
    for answer in [reply(401, &body), CannedReply::new(401).body("<html>")] {
        let answer = Action::Reply(answer.header(date.0, date.1));
        table.check(row, "", &printed(answer).await);
    }
    let unknown = error(500, "UNKNOWN", "", &[]);
    table.check("other HTTP 5xx", "UNKNOWN", &printed(unknown).await);
    table.check("the connection broke off", "", &printed(Action::Cut).await);
    table.check("no answer in time", "", &printed(Action::Hang).await);
    let drip = Action::Drip(Duration::from_millis(50));
    table.check("no answer in time", "a byte at a time", &printed(drip).await);
    let nowhere = config("https://of-nobody.invalid", Algorithm::Ed25519);
    let nowhere = nowhere.with_access_token("ya29.token").unwrap().connect().await.unwrap();
    let row = "no connection";
    table.check(row, "a name without an address", &shown(nowhere.sign(b"base").await));
    let server = proxy().await;
    let provider = ready(&server).await;
    server.refuse().await.unwrap();
    // The first call may still find the connection that was cut. Behind it there is none.
    let _ = provider.sign(b"base").await;
    table.check("no connection", "", &shown(provider.sign(b"base").await));
    table.check("an empty message", "", &shown(provider.sign(b"").await));
}

async fn replies(table: &mut FailureTable) {
    let with = |member: &str, value: Value| {
        let mut body = signed();
        body[member] = value;
        Action::Reply(reply(200, &body))
    };
    for (row, action) in [
        ("a reply that cannot be read", Action::Reply(reply(200, &json!("x")))),
        ("a reply about another key version", with("name", json!(NAME.replace('1', "2")))),
        ("a signature without its checksum", with("signatureCrc32c", json!("1"))),
        ("the service did not check the request", with("verifiedDataCrc32c", json!(false))),
    ] {
        table.check(row, "", &printed(action).await);
    }
    let key = InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning);
    let pem = key.unwrap().verifying_key().to_spki_pem();
    let mut damaged = json!({"name": NAME, "pem": pem, "algorithm": "EC_SIGN_P256_SHA256"});
    damaged["pemCrc32c"] = json!("1");
    for (row, answer) in [
        ("another algorithm than declared", public_key(&pem, "EC_SIGN_P256_SHA256")),
        ("an algorithm that is not used here", public_key(&pem, "EC_SIGN_P384_SHA384")),
        ("a public key without its checksum", reply(200, &damaged)),
    ] {
        let server = proxy().await;
        server.set(Action::Reply(answer));
        table.check(row, "", &shown(provider(&server).await.public_key().await));
    }
}

/// A source of tokens that fails.
#[derive(Debug)]
struct Broken {
    for_now: bool,
}

impl CredentialsProvider for Broken {
    async fn headers(
        &self,
        _: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        Err(CredentialsError::from_msg(self.for_now, "secret"))
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

async fn sources_of_credentials(table: &mut FailureTable) {
    for (row, for_now) in
        [("the source failed for now", true), ("they give no access token", false)]
    {
        let config = config("http://127.0.0.1:9", Algorithm::Ed25519);
        let provider = config.with_credentials(Broken { for_now }.into()).connect().await.unwrap();
        table.check(row, "", &shown(provider.sign(b"base").await));
    }
    let row = "an access token that a header cannot hold";
    let refused = config("http://127.0.0.1:9", Algorithm::Ed25519).with_access_token("a b");
    table.check(row, "", &shown(refused));

    let home = tempfile::tempdir().unwrap();
    let of_another_universe = home.path().join("account.json");
    let pem = {
        let key = "-----BEGIN PRIVATE KEY-----";
        format!("{key}\\nAAAA\\n-----END PRIVATE KEY-----\\n")
    };
    let account = format!(
        r#"{{"type":"service_account","project_id":"p","private_key_id":"1","private_key":"{pem}",
        "client_email":"a@p.iam.gserviceaccount.com","client_id":"1","universe_domain":"example.com"}}"#
    );
    std::fs::write(&of_another_universe, account).unwrap();
    let missing = home.path().join("missing.json");
    for (row, how, file) in [
        ("the source failed for now", "a metadata service that is not there", None),
        (
            "none were found, or the file that is named cannot be used",
            "a file that is not there",
            Some(&missing),
        ),
        ("they are for another universe domain than the endpoint", "", Some(&of_another_universe)),
    ] {
        let printed = tokio::task::block_in_place(|| {
            in_child("child", |child| {
                child.env("HOME", home.path()).env("GCE_METADATA_HOST", "127.0.0.1:9");
                if let Some(file) = file {
                    child.env("GOOGLE_APPLICATION_CREDENTIALS", file);
                }
            })
        });
        table.check(row, how, &printed);
    }
}

/// Signs with the credentials of its environment, and prints what came of it.
#[tokio::test]
#[ignore = "run by the other test of this file, in an environment of its own"]
async fn child() {
    let key = NAME.parse().unwrap();
    let options = KeyOptions::new(KeyPurpose::RequestSigning);
    let options = options.with_algorithm(Algorithm::Ed25519).with_key_id("k");
    let printed = match GcpKmsConfig::new(key, options).connect().await {
        Ok(provider) => shown(provider.sign(b"base").await),
        Err(error) => error.to_string(),
    };
    say(&printed);
}
