//! What becomes of credentials that cannot be had, by the SDK's own sources: profiles, processes,
//! roles and sessions, in an environment of the test's own.
//!
//! The environment belongs to the process, so each case is a child: this test program again, with
//! the one test that is otherwise ignored.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::time::{Duration, SystemTime};

use adcp_signing_testkit::{Action, CannedReply, FaultProxy, RecordingServer, Traffic};
use aws_sdk_kms::primitives::{DateTime, DateTimeFormat as Format};
use base64ct::{Base64, Encoding as _};
use serde_json::json;

use self::support::{
    credentials::{
        LOGIN, NOWHERE, ROLE, SIGNATURES, SSO, STS, signed_with, sts_error, with_web_identity,
    },
    server::{Reply, Server},
};

/// The child: signs once, and prints what came of it.
#[tokio::test]
#[ignore = "run by the other tests of this file, in an environment of its own"]
async fn child() {
    support::credentials::child().await;
}

#[test]
fn a_source_that_fails_by_itself_is_told_by_what_failed() {
    let process = |command: &str| format!("[profile p]\ncredential_process = {command}\n");
    let expired = r#"echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s3cr3t","Expiration":"2020-01-01T00:00:00Z"}'"#;
    let (sso, login) = (cfg!(feature = "sso"), cfg!(feature = "credentials-login"));
    let sso = if sso { "access_denied: |`aws sso login`" } else { "configuration: |`aws-kms-sso`" };
    let login = match login {
        true => "access_denied: |`aws login`",
        false => "configuration: |`aws-kms-login`",
    };
    let chained =
        "[profile p]\nrole_arn = arn:aws:iam::111122223333:role/s3cr3t\nsource_profile = gone\n";
    let web_identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/s3cr3t"),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/s3cr3t"),
    ];
    for (config, query, variables, expected) in [
        (
            &*process("sh -c 'echo s3cr3t >&2; exit 3'"),
            "&profile=p",
            &[][..],
            "access_denied: |credential_process of the AWS profile",
        ),
        (&process("echo s3cr3t"), "&profile=p", &[], "configuration: |printed no credentials"),
        (&process(expired), "&profile=p", &[], "access_denied: |a session that has expired"),
        (SSO, "&profile=p", &[], sso),
        (LOGIN, "&profile=p", &[], login),
        (LOGIN, "&profile=nope", &[], "configuration: |no AWS profile `nope`"),
        (LOGIN, "", &[("AWS_PROFILE", "nope")], "configuration: |no AWS profile `nope`"),
        ("", "&profile=nope", &[], "configuration: |the AWS profile `nope` holds no credentials"),
        ("[profile p]\n", "&profile=p", &[], "configuration: |the AWS profile `p` holds no"),
        (chained, "&profile=p", &[], "configuration: |no AWS profile `gone`"),
        ("", "", &[], "configuration: |no AWS credentials were found"),
        ("", "", &web_identity, "configuration: |the file with the web identity token"),
    ] {
        let outcome = signed_with(config, query, variables);
        let (kind, says) = expected.split_once('|').unwrap();
        assert!(outcome.starts_with(kind) && outcome.contains(says), "{expected}: {outcome}");
        if [SSO, LOGIN].contains(&config) && query == "&profile=p" {
            // The one of its two rows that is true of this build; a suite runs this test with the
            // features, and another without them.
            let (kind, message) = outcome.lines().next().unwrap().split_once(": ").unwrap();
            let row = format!(" | `{kind}` | no | {message} |\n");
            assert!(include_str!("../README.md").contains(&row), "{row}");
        }
    }
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html> has the codes, and the
/// form is that of every Query service.
#[tokio::test]
async fn a_role_that_is_refused_is_told_by_the_code_of_sts_and_asked_for_once() {
    let id = "c6104cbe-af31-11e0-8154-cbc7ccf896c7";
    for (status, code, kind, says) in [
        (403, "AccessDenied", "access_denied", "allow sts:AssumeRole"),
        (403, "InvalidClientTokenId", "access_denied", "does not know these credentials"),
        (403, "ExpiredToken", "access_denied", "session by which the role is assumed has expired"),
        (403, "SignatureDoesNotMatch", "access_denied", "this machine's clock"),
        (403, "RegionDisabledException", "configuration", "not activated in the Region"),
        (400, "ValidationError", "configuration", "configured wrong"),
        (400, "Throttling", "throttled", "too often"),
        (503, "ServiceUnavailable", "unavailable", "failed for now"),
        (500, "BrandNew", "unavailable", "failed for now"),
    ] {
        let nobody = "127.0.0.1:9".parse::<std::net::SocketAddr>().unwrap();
        let sts = FaultProxy::start(nobody, Traffic::Http).await.unwrap();
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>arn:aws:iam::111122223333:role/s3cr3t</Message></Error>\
             <RequestId>{id}</RequestId></ErrorResponse>"
        );
        let reply = CannedReply::new(status).header("content-type", "text/xml");
        sts.set(Action::Reply(reply.header("x-amzn-requestid", id).body(body)));
        let url = format!("http://{}", sts.address());
        let outcome =
            tokio::task::spawn_blocking(move || signed_with(ROLE, "&profile=p", &[(STS, &url)]));
        let outcome = outcome.await.unwrap();
        let source = format!("caused by AWS STS answered HTTP {status} {code}, request {id}");
        let told = outcome.starts_with(&format!("{kind}: {code}: ")) && outcome.contains(says);
        assert!(!outcome.contains("KMS"), "{outcome}");
        assert!(told && outcome.ends_with(&source), "{code}: {outcome}");
        assert_eq!(sts.requests(), 1, "{code}");
    }
    let unreachable = signed_with(ROLE, "&profile=p", &[(STS, NOWHERE)]);
    assert!(
        unreachable
            .starts_with("unavailable: the source of the AWS credentials could not be reached")
    );
    assert!(unreachable.ends_with("caused by connection refused"), "{unreachable}");
}

/// The session of IAM Identity Center is in a file, named by the SHA-1 of its name.
#[cfg(feature = "sso")]
#[tokio::test]
async fn a_session_that_ended_or_is_refused_asks_for_a_login() {
    const SESSION: &str = ".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json";
    let token = |end: &str| format!(r#"{{"accessToken":"s3cr3t","expiresAt":"{end}"}}"#);
    for (end, status, body, kind, says) in [
        ("2020-01-01T00:00:00Z", 200, "{}", "access_denied", "aws sso login"),
        (
            "2099-01-01T00:00:00Z",
            401,
            r#"{"__type":"UnauthorizedException","message":"Session token not found or invalid"}"#,
            "access_denied: UnauthorizedException",
            "aws sso login",
        ),
        (
            "2099-01-01T00:00:00Z",
            403,
            r#"{"__type":"ForbiddenException","message":"No access"}"#,
            "access_denied: ForbiddenException",
            "sso_role_name",
        ),
        (
            "2099-01-01T00:00:00Z",
            429,
            r#"{"__type":"TooManyRequestsException","message":"HTTP 429"}"#,
            "throttled: TooManyRequestsException",
            "too often",
        ),
    ] {
        let nobody = "127.0.0.1:9".parse::<std::net::SocketAddr>().unwrap();
        let center = FaultProxy::start(nobody, Traffic::Http).await.unwrap();
        let reply = CannedReply::new(status).header("content-type", "application/json");
        center.set(Action::Reply(reply.body(body)));
        let url = format!("http://{}", center.address());
        let token = token(end);
        let outcome = tokio::task::spawn_blocking(move || {
            use support::credentials::signed_at_home;

            let files = [(".aws/config", SSO), (SESSION, token.as_str())];
            signed_at_home(&files, "&profile=p", &[("AWS_ENDPOINT_URL_SSO", &url)])
        });
        let outcome = outcome.await.unwrap();
        assert!(outcome.starts_with(kind) && outcome.contains(says), "{body}: {outcome}");
        let called = u64::from(end.starts_with("2099"));
        assert_eq!(center.requests(), called, "{body}");
        let source = format!("caused by AWS IAM Identity Center answered HTTP {status}");
        assert_eq!(outcome.contains(&source), called == 1, "{outcome}");
    }
}

#[tokio::test]
async fn a_role_service_that_never_answers_is_a_timeout_of_the_credentials() {
    let nobody = "127.0.0.1:9".parse::<std::net::SocketAddr>().unwrap();
    let sts = FaultProxy::start(nobody, Traffic::Http).await.unwrap();
    sts.set(Action::Hang);
    let url = format!("http://{}", sts.address());
    let outcome =
        tokio::task::spawn_blocking(move || signed_with(ROLE, "&profile=p", &[(STS, &url)]));
    let outcome = outcome.await.unwrap();
    assert!(outcome.starts_with("timeout: the source of the AWS credentials"), "{outcome}");
    assert_eq!(sts.requests(), 1);
}

#[tokio::test]
async fn a_container_s_endpoint_that_refuses_is_a_refusal() {
    // The SDK asks again by itself where the endpoint has trouble of its own, and cannot be told not
    // to. It is bounded: three times, within the time limit of the credentials.
    for (status, kind, requests) in [
        (403, "access_denied", 1),
        (404, "access_denied", 1),
        (429, "unavailable", 1),
        (503, "unavailable", 3),
    ] {
        let nobody = "127.0.0.1:9".parse::<std::net::SocketAddr>().unwrap();
        let endpoint = FaultProxy::start(nobody, Traffic::Http).await.unwrap();
        endpoint.set(Action::Reply(CannedReply::new(status).body("{}")));
        let url = format!("http://{}/", endpoint.address());
        let outcome = tokio::task::spawn_blocking(move || {
            signed_with("", "", &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)])
        });
        let outcome = outcome.await.unwrap();
        assert!(outcome.starts_with(kind), "{status}: {outcome}");
        assert_eq!(endpoint.requests(), requests, "{status}");
    }
}

/// A session that ends while the provider runs is replaced by the next call, and a source that then
/// refuses is told as one: nothing is signed with what has ended, and nothing is tried twice.
#[tokio::test]
async fn a_session_that_ends_in_use_is_renewed_and_a_denied_renewal_is_typed() {
    // Two sessions of some seconds each, and no third.
    let source = r#"echo x >> "$HOME/asked"
[ "$(wc -l < "$HOME/asked")" -le 2 ] || exit 1
printf '{"Version":1,"AccessKeyId":"A%s","SecretAccessKey":"s","Expiration":"%s"}' \
    "$(wc -l < "$HOME/asked" | tr -d ' ')" "$(date -u -d '+5 seconds' +%Y-%m-%dT%H:%M:%SZ)"
"#;
    let config = "[profile p]\ncredential_process = sh \"$HOME/source.sh\"\n";
    let server = signing_server().await;
    let url = server.url();
    let outcome = tokio::task::spawn_blocking(move || {
        let files = [(".aws/config", config), ("source.sh", source)];
        let variables = [("AWS_ENDPOINT_URL_KMS", url.as_str()), (SIGNATURES, "4")];
        support::credentials::signed_at_home(&files, "&profile=p", &variables)
    });
    let outcome = outcome.await.unwrap();
    assert!(outcome.starts_with("access_denied: the credential_process of"), "{outcome}");
    assert_eq!(access_keys(&server), ["A1", "A2"]);
}

/// A pod's role: the file with its token is replaced while the provider runs, and the third renewal
/// is denied.
#[tokio::test]
async fn a_web_identity_session_is_renewed_with_the_token_of_the_day_and_a_denied_renewal_is_typed()
{
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "token-1").unwrap();
    let token = file.to_str().unwrap().to_owned();
    let mut sessions = 0;
    let sts = RecordingServer::start(move |_| {
        sessions += 1;
        if sessions > 2 {
            return sts_error(400, "ExpiredTokenException");
        }
        std::fs::write(&file, "token-2").unwrap();
        // Less than the time before its end at which the SDK renews a session.
        let end = DateTime::from(SystemTime::now() + Duration::from_secs(5));
        let end = end.fmt(Format::DateTime).unwrap();
        CannedReply::new(200).header("content-type", "text/xml").body(format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>A{sessions}</AccessKeyId>\
             <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>{end}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        ))
    });
    let sts = sts.await.unwrap();
    let kms = signing_server().await;
    let (sts_url, url) = (sts.url(), kms.url());
    let outcome = tokio::task::spawn_blocking(move || {
        let endpoint = ("AWS_ENDPOINT_URL_KMS", url.as_str());
        let variables = with_web_identity(&token, &sts_url);
        signed_with("", "", &[&variables[..], &[endpoint, (SIGNATURES, "4")]].concat())
    });
    let outcome = outcome.await.unwrap();
    let says = "access_denied: ExpiredTokenException: the web identity token has expired";
    let cause = "caused by AWS STS answered HTTP 400 ExpiredTokenException";
    assert!(outcome.starts_with(says) && outcome.ends_with(cause), "{outcome}");
    assert_eq!(access_keys(&kms), ["A1", "A2"], "nothing is signed with a session that has ended");
    let asked = sts.received();
    assert_eq!(asked.len(), 3, "a refusal is not asked for twice");
    for (request, token) in asked.iter().zip(["token-1", "token-2", "token-2"]) {
        assert!(request.body.contains(&format!("WebIdentityToken={token}")), "{}", request.body);
    }
}

/// An AWS KMS that signs.
async fn signing_server() -> Server {
    let arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
    let body = json!({
        "KeyId": arn, "SigningAlgorithm": "ED25519_SHA_512",
        "Signature": Base64::encode_string(&[7; 64]),
    });
    Server::with([Reply::json(200, "", &body.to_string())]).await
}

/// The access keys by which it was asked.
fn access_keys(server: &Server) -> Vec<String> {
    let key = |authorization: &str| {
        let (_, key) = authorization.split_once("Credential=").unwrap();
        key.split('/').next().unwrap().to_owned()
    };
    server.asked().iter().map(|asked| key(&asked.authorization)).collect()
}

/// The SDK by itself prefers what the environment holds.
#[tokio::test]
async fn a_profile_that_is_named_comes_before_credentials_of_the_environment() {
    let config = "[profile p]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n";
    let environment = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    for (query, expected) in [("&profile=p", "AKIDPROFILE"), ("", "AKIDENV")] {
        let server = signing_server().await;
        let url = server.url();
        let outcome = tokio::task::spawn_blocking(move || {
            let endpoint = ("AWS_ENDPOINT_URL_KMS", url.as_str());
            signed_with(config, query, &[&environment[..], &[endpoint]].concat())
        });
        assert_eq!(outcome.await.unwrap(), "signed");
        assert_eq!(access_keys(&server), [expected]);
    }
}

#[test]
fn an_endpoint_that_is_named_and_a_fips_endpoint_exclude_each_other() {
    let fips = ("AWS_USE_FIPS_ENDPOINT", "true");
    let keys = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s"), fips];
    for query in ["&endpoint=http://127.0.0.1:1", ""] {
        let outcome = signed_with("", query, &keys);
        let told =
            outcome.starts_with("configuration: ") && outcome.contains("AWS_USE_FIPS_ENDPOINT");
        assert!(told, "{query}: {outcome}");
    }
}
