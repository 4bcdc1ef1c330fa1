//! A clock that is an hour off. AWS takes no request that was signed more than five minutes before
//! or after its own time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    env,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use adcp_signing_aws_kms::AwsKmsConfig;
use adcp_signing_core::{
    Algorithm, KeyPurpose, ProviderErrorKind, SigningProvider as _,
    provider::{layers::Stack, toolkit::KeyOptions},
};
use adcp_signing_testkit::{
    AN_HOUR_OFF, DurableServer, OwnProcess, Ready, free_address, in_child_with_own_clock,
    move_clock, named_program, say, skip, with_causes,
};

use self::support::emulator::{Emulator, key_spec};

/// What the child is told, in the order in which it is told.
const VARIABLES: [&str; 3] = ["TEST_KEY", "TEST_ENDPOINT", "TEST_OFF"];
const ALGORITHM: Algorithm = Algorithm::Ed25519;
/// A call that is retried takes longer: the layers retry for 30 seconds.
const NOT_RETRIED: Duration = Duration::from_secs(10);

/// ministack that checks signatures as AWS does, their time included.
async fn checking(address: SocketAddr, program: &Path) -> DurableServer {
    let mut process = OwnProcess::new(program).unwrap();
    process.command().env("GATEWAY_PORT", address.port().to_string()).envs([
        ("AUTH", "true"),
        ("BIND_HOST", "127.0.0.1"),
        ("SERVICES", "kms,sts,iam"),
        ("IOT_MTLS_ENABLED", "0"),
        ("LOG_LEVEL", "WARNING"),
    ]);
    DurableServer::start(process, address, Ready::Path("/_ministack/health")).await.unwrap()
}

/// The keys of a session. The time of a request that is signed with the account's own keys is not
/// looked at by ministack.
async fn session(address: SocketAddr) -> [(&'static str, String); 3] {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let config = aws_sdk_sts::config::Builder::from(&config)
        .endpoint_url(format!("http://{address}"))
        .build();
    let session = aws_sdk_sts::Client::from_conf(config).get_session_token().send().await.unwrap();
    let keys = session.credentials.unwrap();
    [
        ("AWS_ACCESS_KEY_ID", keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key),
        ("AWS_SESSION_TOKEN", keys.session_token),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_of_a_clock_that_is_off_names_the_clock_until_it_is_right() -> Result<(), String>
{
    let Some(program) = named_program("ADCP_TEST_MINISTACK_BIN") else { return Ok(()) };
    let address = free_address().unwrap();
    let _server = checking(address, &program).await;
    let key = Emulator::at("ministack", address).new_key(key_spec(ALGORITHM)).await;
    let session = session(address).await;
    for off in AN_HOUR_OFF {
        let values = [key.expose().to_owned(), format!("http://{address}"), off.to_string()];
        let said = tokio::task::block_in_place(|| {
            in_child_with_own_clock("child", |child| {
                child.envs(VARIABLES.into_iter().zip(values)).envs(session.clone());
            })
        });
        match said {
            Ok(said) => assert_eq!(said, "signed"),
            Err(reason) => return skip(&reason),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the other test of this file, with a clock of its own"]
async fn child() {
    let [key, endpoint, off] = VARIABLES.map(|name| env::var(name).unwrap());
    let off: i64 = off.parse().unwrap();
    let options = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(ALGORITHM);
    let config = AwsKmsConfig::new(key.parse().unwrap(), options.with_key_id("k-1"));
    let config = config.with_endpoint(endpoint.parse().unwrap());
    let provider = Stack::default().around(config.connect().await.unwrap());
    provider.sign(b"base").await.unwrap();
    move_clock(off);
    let side = if off > 0 { "ahead of" } else { "behind" };
    // What was learned from the first refusal must not let the second call pass: its message would
    // have a time that no verifier takes.
    for _ in 0..2 {
        let begun = Instant::now();
        let error = provider.sign(b"base").await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::AccessDenied);
        let shown = with_causes(&error);
        let names = ["InvalidSignatureException: ", "this machine's clock is ", side, "HTTP 400"];
        assert!(names.iter().all(|part| shown.contains(part)), "{shown}");
        assert!(begun.elapsed() < NOT_RETRIED, "{:?}", begun.elapsed());
    }
    move_clock(0);
    provider.sign(b"base").await.unwrap();
    say("signed");
}
