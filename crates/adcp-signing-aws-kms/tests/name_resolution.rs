//! A server whose name is unknown at first, and then known: DNS that fails and returns.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::env;

use adcp_signing_aws_kms::AwsKmsConfig;
use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
use adcp_signing_testkit::{UNKNOWN_NAME, signs_once_its_name_resolves, survives_an_unknown_name};

use self::support::emulator::{Emulator, key_spec};

const KEY: &str = "ADCP_TEST_CHILD_KEY";
const ENDPOINT: &str = "ADCP_TEST_CHILD_ENDPOINT";
const ALGORITHM: Algorithm = Algorithm::EcdsaP256Sha256;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_unavailable_and_is_looked_up_again() -> Result<(), String>
{
    for emulator in Emulator::all() {
        let key = emulator.new_key(key_spec(ALGORITHM)).await;
        let endpoint = format!("http://{UNKNOWN_NAME}:{}", emulator.socket().port());
        let variables = [
            (KEY, key.expose().to_owned()),
            (ENDPOINT, endpoint),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ];
        survives_an_unknown_name("child", variables).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the other test of this file, with files of its own"]
async fn child() {
    let variable = |name| env::var(name).unwrap();
    let options = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(ALGORITHM);
    let config = AwsKmsConfig::new(variable(KEY).parse().unwrap(), options.with_key_id("k-1"));
    let config = config.with_endpoint(variable(ENDPOINT).parse().unwrap());
    signs_once_its_name_resolves(config.connect().await.unwrap()).await;
}
