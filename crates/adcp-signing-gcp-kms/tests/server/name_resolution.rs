//! A server whose name is unknown at first, and then known: DNS that fails and returns.

use std::env;

use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
use adcp_signing_gcp_kms::GcpKmsConfig;
use adcp_signing_testkit::{
    UNKNOWN_NAME, signs_once_its_name_resolves, skip, survives_an_unknown_name,
};
use google_cloud_kms_v1::model::crypto_key_version::CryptoKeyVersionAlgorithm;

use crate::keys::Server;

/// What the child is told, in the order in which it is told.
const VARIABLES: [&str; 3] = ["TEST_VERSION", "TEST_ENDPOINT", "TEST_TOKEN"];

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_unavailable_and_is_looked_up_again() -> Result<(), String>
{
    let server = match Server::from_env() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    // A server elsewhere has a name that no file of hosts may take from it.
    let Some(port) = server.endpoint.strip_prefix("http://127.0.0.1:") else {
        return skip("the server is not on this machine, over plain HTTP");
    };
    let algorithm = CryptoKeyVersionAlgorithm::EcSignP256Sha256;
    let key = server.create_key("name", algorithm).await.unwrap();
    let endpoint = format!("http://{UNKNOWN_NAME}:{port}");
    let values = [format!("{key}/cryptoKeyVersions/1"), endpoint, server.token.clone()];
    survives_an_unknown_name("name_resolution::child", VARIABLES.into_iter().zip(values)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the other test of this file, with files of its own"]
async fn child() {
    let [version, endpoint, token] = VARIABLES.map(|name| env::var(name).unwrap());
    let options = KeyOptions::new(KeyPurpose::RequestSigning).with_key_id("k-1");
    let options = options.with_algorithm(Algorithm::EcdsaP256Sha256);
    let config = GcpKmsConfig::new(version.parse().unwrap(), options);
    let config = config.with_endpoint(endpoint.parse().unwrap()).with_access_token(&token).unwrap();
    signs_once_its_name_resolves(config.connect().await.unwrap()).await;
}
