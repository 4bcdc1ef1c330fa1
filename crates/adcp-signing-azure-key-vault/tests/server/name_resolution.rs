//! A server whose name is unknown at first, and then known: DNS that fails and returns.

use std::env;

use adcp_signing_azure_key_vault::{AzureKeyVaultConfig, KeyIdentifier};
use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
use adcp_signing_testkit::{
    FaultProxy, UNKNOWN_NAME, signs_once_its_name_resolves, skip, survives_an_unknown_name,
};

use crate::keys::Server;

/// What the child is told, in the order in which it is told.
const VARIABLES: [&str; 3] = ["TEST_KEY", "TEST_TOKEN", "TEST_ROOTS"];

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_unavailable_and_is_looked_up_again() -> Result<(), String>
{
    let server = match Server::from_env() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    let Some(roots) = &server.roots else { return skip("the server is one of Azure's") };
    let kid = server.create_key("name", Algorithm::EcdsaP256Sha256).await.unwrap();
    // Its certificate is for the name, whatever that of the server is for.
    let named = FaultProxy::start_tls(server.authority(), roots).await.unwrap();
    let key: KeyIdentifier = kid.parse().unwrap();
    let (name, version) = (key.name(), key.version().unwrap());
    let key = format!("https://{UNKNOWN_NAME}:{}/keys/{name}/{version}", named.address().port());
    let values = [key, server.token.clone(), named.certificate().unwrap().to_owned()];
    survives_an_unknown_name("name_resolution::child", VARIABLES.into_iter().zip(values)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the other test of this file, with files of its own"]
async fn child() {
    let [key, token, roots] = VARIABLES.map(|name| env::var(name).unwrap());
    let options = KeyOptions::new(KeyPurpose::RequestSigning).with_key_id("k-1");
    let options = options.with_algorithm(Algorithm::EcdsaP256Sha256);
    let config = AzureKeyVaultConfig::new(key.parse().unwrap(), options);
    let config = config.with_access_token(&token).unwrap();
    let config = config.with_root_certificates(roots.as_bytes()).unwrap();
    signs_once_its_name_resolves(config.connect().await.unwrap()).await;
}
