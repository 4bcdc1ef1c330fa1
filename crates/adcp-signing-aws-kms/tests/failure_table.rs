//! Every row of the failure table in README.md, provoked, and compared with what is printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::time::Duration;

use adcp_signing_aws_kms::{AwsKmsConfig, AwsKmsProvider};
use adcp_signing_core::{
    Algorithm, KeyPurpose, SigningProvider as _, provider::toolkit::KeyOptions,
};
use adcp_signing_testkit::{Action, CannedReply, FailureTable, FaultProxy, FullListener, Traffic};
use aws_sdk_kms::{Client, config::timeout::TimeoutConfig, types::KeySpec};
use base64ct::{Base64, Encoding as _};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use self::support::{
    credentials::{LOGIN, NOWHERE, ROLE, SSO, STS, signed_with, sts_error, with_web_identity},
    emulator::Emulator,
    server::{Reply, Server, client},
};

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OTHER_ARN: &str =
    "arn:aws:kms:us-east-1:111122223333:key/99999999-12ab-34cd-56ef-1234567890ab";

const CLOCK_ROW: &str = "the signature was refused, and the `Date` of the answer is four minutes or more from this machine's clock";

#[tokio::test]
#[ignore = "run by the other test of this file, in an environment of its own"]
async fn child() {
    support::credentials::child().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_true() -> Result<(), String> {
    let mut table = FailureTable::of_readme(include_str!("../README.md"));
    codes(&mut table).await;
    answers_of_a_server(&mut table).await;
    without_a_code(&mut table).await;
    settings(&mut table).await;
    sources_of_credentials(&mut table).await;
    roles_and_containers(&mut table).await;
    table.assert()
}

/// A proxy that nothing is behind.
async fn proxy(action: Action) -> FaultProxy {
    let proxy = FaultProxy::start("127.0.0.1:9".parse().unwrap(), Traffic::Http).await.unwrap();
    proxy.set(action);
    proxy
}

fn answer(status: u16, body: &str) -> Action {
    let reply = CannedReply::new(status).header("content-type", "application/x-amz-json-1.1");
    Action::Reply(reply.body(body))
}

/// What a signature through the client prints.
async fn printed_by(client: &Client, message: &[u8]) -> String {
    let purpose = KeyPurpose::RequestSigning;
    let key = ARN.parse().unwrap();
    let provider = AwsKmsProvider::new(client, key, "k", Algorithm::Ed25519, purpose).unwrap();
    provider.sign(message).await.unwrap_err().to_string()
}

async fn printed(action: Action) -> String {
    let proxy = proxy(action).await;
    printed_by(&client(&format!("http://{}", proxy.address())), b"base").await
}

/// Every code that is named.
async fn codes(table: &mut FailureTable) {
    for (row, codes) in table.codes() {
        for code in codes {
            let printed = printed(answer(400, &format!(r#"{{"__type":"{code}"}}"#))).await;
            let after_code = printed.replacen(&format!("{code}: "), "", 1);
            assert_ne!(printed, after_code, "the message begins with the code");
            table.check(&row, code, &after_code);
        }
    }
}

/// What a server answers that this project did not write.
async fn answers_of_a_server(table: &mut FailureTable) {
    for emulator in Emulator::all() {
        let key = emulator.new_key(KeySpec::EccNistP256).await;
        let admin = emulator.admin().await;
        let sign = |key: String| {
            let purpose = KeyPurpose::RequestSigning;
            let algorithm = Algorithm::EcdsaP256Sha256;
            let key = key.parse().unwrap();
            let provider = AwsKmsProvider::new(&admin, key, "k", algorithm, purpose).unwrap();
            async move { provider.sign(b"base").await.unwrap_err().to_string() }
        };
        let mut check = |code: &str, printed: String| {
            let rows = table.codes();
            let row = rows.iter().find(|(_, codes)| codes.iter().any(|known| known == code));
            let printed = printed.replacen(&format!("{code}: "), "", 1);
            table.check(&row.unwrap().0, emulator.name, &printed);
        };
        let gone = "00000000-0000-0000-0000-000000000000".to_owned();
        check("NotFoundException", sign(gone).await);
        admin.disable_key().key_id(key.expose()).send().await.unwrap();
        check("DisabledException", sign(key.expose().to_owned()).await);
        let deletion = admin.schedule_key_deletion().key_id(key.expose());
        deletion.pending_window_in_days(7).send().await.unwrap();
        check("KMSInvalidStateException", sign(key.expose().to_owned()).await);
    }
}

async fn without_a_code(table: &mut FailureTable) {
    for (row, statuses) in [
        ("HTTP 401, 403, 407", &[401, 403, 407][..]),
        ("HTTP 408, 504", &[408, 504]),
        ("HTTP 429", &[429]),
        ("other HTTP 5xx", &[500, 502, 503]),
        ("other HTTP 4xx", &[400, 404, 413]),
        ("HTTP 2xx that is no reply", &[204]),
        ("HTTP 3xx", &[301, 304]),
    ] {
        for &status in statuses {
            table.check(row, status, &printed(answer(status, "")).await);
        }
    }
    table.check(
        "other HTTP 5xx",
        "an unknown code",
        &printed(answer(500, r#"{"__type":"New"}"#)).await,
    );

    for code in ["InvalidSignatureException", "RequestTimeTooSkewed"] {
        let reply = CannedReply::new(400).header("date", "Thu, 01 Jan 1970 00:00:00 GMT");
        let reply = reply.header("content-type", "application/x-amz-json-1.1");
        let reply = reply.body(format!(r#"{{"__type":"{code}"}}"#));
        let printed = printed(Action::Reply(reply)).await.replacen(&format!("{code}: "), "", 1);
        table.check(CLOCK_ROW, code, &printed);
    }

    let reply = |arn: &str, signature: &[u8]| {
        let signature = Base64::encode_string(signature);
        let body =
            json!({"KeyId": arn, "SigningAlgorithm": "ED25519_SHA_512", "Signature": signature});
        answer(200, &body.to_string())
    };
    for (row, action) in [
        ("a reply of more than 256 KiB", answer(200, &"x".repeat(300 * 1024))),
        ("a signature of the wrong length", reply(ARN, &[7; 63])),
        ("a reply about another key", reply(OTHER_ARN, &[7; 64])),
        ("the connection broke off before the answer", Action::Cut),
    ] {
        table.check(row, "", &printed(action).await);
    }
    let other = Server::with([Reply::bytes("SSH-2.0-OpenSSH\r\n")]).await;
    let printed_by_other = printed_by(&other.client(), b"base").await;
    table.check("an answer that is not HTTP", "", &printed_by_other);
    let cut = CannedReply::new(200).header("content-length", "100").body("{");
    let within = proxy(Action::Reply(cut)).await;
    let call = client(&format!("http://{}", within.address()));
    let call = printed_by(&call, b"base");
    let (printed, _) = tokio::join!(call, async {
        while within.requests() == 0 {
            tokio::task::yield_now().await;
        }
        within.refuse().await
    });
    table.check("the connection broke off within the answer", "", &printed);

    let raw = FaultProxy::start("127.0.0.1:9".parse().unwrap(), Traffic::Http).await.unwrap();
    raw.refuse().await.unwrap();
    let nobody = client(&format!("http://{}", raw.address()));
    table.check("no connection", "", &printed_by(&nobody, b"base").await);
    let nowhere = client("http://of-nobody.invalid");
    table.check("no connection", "a name without an address", &printed_by(&nowhere, b"base").await);
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = client(&format!("https://{}", plain.local_addr().unwrap()));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    table.check("no TLS connection", "plain HTTP", &printed_by(&tls, b"base").await);

    let full = FullListener::start().await.unwrap();
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_millis(300)).build();
    let full_client = client(&format!("http://{}", full.address()));
    let config = full_client.config().to_builder().timeout_config(timeouts).build();
    let row = "no connection in a ready client's own time";
    table.check(row, "", &printed_by(&Client::from_conf(config), b"base").await);

    let silent = proxy(Action::Hang).await;
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_millis(300)).build();
    let silent = client(&format!("http://{}", silent.address()));
    let config = silent.config().to_builder().timeout_config(timeouts).build();
    table.check("no answer in time", "", &printed_by(&Client::from_conf(config), b"base").await);

    let too_long = printed_by(&nobody, &[b'x'; 4097]).await;
    table.check("a message of more than 4096 bytes for an Ed25519 key", "", &too_long);
    let spki = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==";
    let body = json!({"KeyId": ARN, "PublicKey": spki, "KeyUsage": "SIGN_VERIFY",
        "KeySpec": "ECC_NIST_P256", "SigningAlgorithms": ["ECDSA_SHA_256"]});
    let other = proxy(answer(200, &body.to_string())).await;
    let other = client(&format!("http://{}", other.address()));
    let options = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(Algorithm::Ed25519);
    let config = AwsKmsConfig::new(ARN.parse().unwrap(), options);
    let error = config.connect_with_client(&other).await.unwrap_err().to_string();
    table.check("another key spec than declared", "", &error);
}

async fn settings(table: &mut FailureTable) {
    let config = AwsKmsConfig::new(ARN.parse().unwrap(), KeyPurpose::RequestSigning);
    let error = config.with_region("eu-west-1").connect().await.unwrap_err();
    table.check("a Region that contradicts the ARN", "", &error.to_string());
    let keys = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let fips = [&keys[..], &[("AWS_USE_FIPS_ENDPOINT", "true")]].concat();
    let row = "an endpoint is named, and a FIPS endpoint is asked for";
    let printed = signed_with("", "&endpoint=http://127.0.0.1:1", &fips);
    table.check(row, "in the URI", first_line(&printed));
    let uri = [("ADCP_TEST_CHILD_URI", "awskms:///1234abcd?alg=ed25519&kid=k")];
    table.check("no Region", "", first_line(&signed_with("", "", &uri)));
}

fn first_line(printed: &str) -> &str {
    printed.lines().next().unwrap_or_default()
}

async fn sources_of_credentials(table: &mut FailureTable) {
    let process = |command: &str| format!("[profile p]\ncredential_process = {command}\n");
    let expired = r#"echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"2020-01-01T00:00:00Z"}'"#;
    let web_identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/r"),
    ];
    for (row, config, query, variables) in [
        ("none were found", "", "", &[][..]),
        ("a profile that is not there", LOGIN, "&profile=nope", &[]),
        ("a profile that holds none", "[profile p]\n", "&profile=p", &[]),
        ("the `credential_process` fails", &*process("false"), "&profile=p", &[]),
        ("the `credential_process` prints no credentials", &process("echo x"), "&profile=p", &[]),
        ("the source gives a session that has expired", &process(expired), "&profile=p", &[]),
        ("the web identity token file cannot be read", "", "", &web_identity),
        ("the source is not reached", ROLE, "&profile=p", &[(STS, NOWHERE)]),
    ] {
        table.check(row, "", first_line(&signed_with(config, query, variables)));
    }
    let without_sso = "a profile with IAM Identity Center, in a build without the feature `sso`";
    let with_sso = "no valid session of IAM Identity Center";
    let without_login =
        "a profile with `aws login`, in a build without the feature `credentials-login`";
    let with_login = "no valid session of `aws login`";
    for (config, built, with, without) in [
        (SSO, cfg!(feature = "sso"), with_sso, without_sso),
        (LOGIN, cfg!(feature = "credentials-login"), with_login, without_login),
    ] {
        let printed = signed_with(config, "&profile=p", &[]);
        let (row, other) = if built { (with, without) } else { (without, with) };
        table.check(row, "", first_line(&printed));
        table.elsewhere(other, "tests/credentials.rs, in a build with other features");
    }
}

async fn roles_and_containers(table: &mut FailureTable) {
    for (row, status, code) in [
        ("the role may not be assumed (`AccessDenied` of AWS STS)", 403, "AccessDenied"),
        (
            "the session by which the role is assumed has expired (`ExpiredToken` of AWS STS)",
            403,
            "ExpiredToken",
        ),
        ("AWS STS knows no such access key (`InvalidClientTokenId`)", 403, "InvalidClientTokenId"),
        (
            "AWS STS is not activated in the Region (`RegionDisabledException`)",
            403,
            "RegionDisabledException",
        ),
        ("AWS STS refuses the request (`ValidationError`)", 400, "ValidationError"),
        ("AWS STS is asked too often (`Throttling`)", 400, "Throttling"),
        ("AWS STS has trouble of its own (`ServiceUnavailable`)", 503, "ServiceUnavailable"),
    ] {
        let sts = proxy(Action::Reply(sts_error(status, code))).await;
        let printed = child_with(ROLE, "&profile=p", STS, &sts).await;
        let after_code = printed.replacen(&format!("{code}: "), "", 1);
        table.check(row, code, first_line(&after_code));
    }
    let token = tempfile::NamedTempFile::new().unwrap();
    let token = token.path().to_str().unwrap().to_owned();
    std::fs::write(&token, "token").unwrap();
    let refused =
        "AWS STS refuses the web identity token (`InvalidIdentityToken`, `IDPRejectedClaim`)";
    let expired = "the web identity token has expired (`ExpiredTokenException` of AWS STS)";
    for (row, status, code) in [
        (expired, 400, "ExpiredTokenException"),
        (refused, 400, "InvalidIdentityToken"),
        (refused, 403, "IDPRejectedClaim"),
    ] {
        let sts = proxy(Action::Reply(sts_error(status, code))).await;
        let (url, token) = (format!("http://{}/", sts.address()), token.clone());
        let child = move || signed_with("", "", &with_web_identity(&token, &url));
        let printed = tokio::task::spawn_blocking(child).await.unwrap();
        let after_code = printed.replacen(&format!("{code}: "), "", 1);
        table.check(row, code, first_line(&after_code));
    }
    let silent = proxy(Action::Hang).await;
    let printed = child_with(ROLE, "&profile=p", STS, &silent).await;
    table.check("the source does not answer in time", "", first_line(&printed));
    let refuses = "the metadata service of a container refuses (HTTP 400 to 428)";
    let busy = "the metadata service of a container is busy or has trouble of its own";
    for (row, status) in [(refuses, 403), (refuses, 404), (busy, 429), (busy, 503)] {
        let container = proxy(answer(status, "{}")).await;
        let printed = child_with("", "", "AWS_CONTAINER_CREDENTIALS_FULL_URI", &container).await;
        table.check(row, status, first_line(&printed));
    }
}

async fn child_with(
    config: &'static str,
    query: &'static str,
    variable: &'static str,
    proxy: &FaultProxy,
) -> String {
    let url = format!("http://{}/", proxy.address());
    let child = move || signed_with(config, query, &[(variable, &url)]);
    tokio::task::spawn_blocking(child).await.unwrap()
}
