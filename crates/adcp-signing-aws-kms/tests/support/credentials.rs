//! A signature in an environment of its own, with credentials that cannot be had.
//!
//! The environment belongs to the process, so each case is a child: the test program again, with
//! the one test `child`, which is otherwise ignored.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    error::Error as _,
    process::{Command, Stdio},
};

use adcp_signing_aws_kms::{AwsKmsProvider, AwsKmsUri};
use adcp_signing_core::{
    ProviderError, SigningProvider as _, provider::toolkit::KeyUriScheme as _,
};
use adcp_signing_testkit::CannedReply;

/// How many signatures the child makes: one unless set.
pub(crate) const SIGNATURES: &str = "ADCP_TEST_CHILD_SIGNATURES";
pub(crate) const URI: &str = "ADCP_TEST_CHILD_URI";
pub(crate) const KEY: &str = "awskms:///1234abcd?region=us-east-1&alg=ed25519&kid=k";
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";
pub(crate) const STS: &str = "AWS_ENDPOINT_URL_STS";

/// The child: signs once, and prints what came of it.
pub(crate) async fn child() {
    let uri: AwsKmsUri = std::env::var(URI).unwrap().parse().unwrap();
    let count = std::env::var(SIGNATURES).map_or(1, |count| count.parse().unwrap());
    let outcome = match uri.connect().await {
        Ok(provider) => sign(&provider, count).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => println!("\nchild: signed"),
        Err(error) => {
            println!("\nchild: {error}");
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            causes.for_each(|cause| println!("child: caused by {cause}"));
            assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
        }
    }
}

/// Signs so many times, until one fails.
async fn sign(provider: &AwsKmsProvider, count: u32) -> Result<(), ProviderError> {
    for _ in 0..count {
        provider.sign(b"base").await?;
        println!("\nsigned once");
    }
    Ok(())
}

/// What became of a signature with this `~/.aws/config`, these members of the key URI, and these
/// variables.
pub(crate) fn signed_with(config: &str, query: &str, variables: &[(&str, &str)]) -> String {
    signed_at_home(&[(".aws/config", config)], query, variables)
}

/// The same with these files in the home directory.
pub(crate) fn signed_at_home(
    files: &[(&str, &str)],
    query: &str,
    variables: &[(&str, &str)],
) -> String {
    let home = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL_KMS", NOWHERE)
        .env(URI, format!("{KEY}{query}"))
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout).into_owned();
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("child: ")).collect();
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && !lines.is_empty(), "{text} {errors}");
    let home = home.path().to_str().unwrap();
    let lines = lines.join("\n");
    assert!(!lines.contains("111122223333") && !lines.contains(home), "{lines}");
    lines
}

/// A profile that assumes a role with the keys of another.
pub(crate) const ROLE: &str = "[profile p]\nrole_arn = arn:aws:iam::111122223333:role/s3cr3t\nsource_profile = b\n\
                    [profile b]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s3cr3t\n";
pub(crate) const SSO: &str = "[profile p]\nsso_session = s\nsso_account_id = 111122223333\nsso_role_name = R\n\
                   [sso-session s]\nsso_region = us-east-1\nsso_start_url = https://s3cr3t.awsapps.com/start\n";
pub(crate) const LOGIN: &str =
    "[profile p]\nlogin_session = arn:aws:iam::111122223333:user/s3cr3t\n";

/// The variables of a role that is assumed with the token in a file.
pub(crate) fn with_web_identity<'a>(token: &'a str, sts: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/s3cr3t"),
        (STS, sts),
    ]
}

/// How AWS STS refuses: <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>.
pub(crate) fn sts_error(status: u16, code: &str) -> CannedReply {
    let body = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
    CannedReply::new(status).header("content-type", "text/xml").body(body)
}
