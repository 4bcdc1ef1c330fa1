//! A server whose name is unknown at first, and then known: DNS that fails and returns.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::env;

use adcp_signing_core::Algorithm;
use adcp_signing_testkit::{UNKNOWN_NAME, signs_once_its_name_resolves, survives_an_unknown_name};
use adcp_signing_vault_transit::{
    VaultAuth, VaultClient, VaultClientOptions, VaultTransitProvider,
};
use support::{Server, Transit, openbao};

/// What the child is told, in the order in which it is told.
const VARIABLES: [&str; 4] = ["TEST_ADDR", "TEST_TOKEN", "TEST_MOUNT", "TEST_KEY"];

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_unavailable_and_is_looked_up_again() -> Result<(), String>
{
    let Some(server) = openbao() else { return Ok(()) };
    let transit = server.transit().await;
    let key = transit.new_key("ed25519").await;
    let address = format!("http://{UNKNOWN_NAME}:{}", server.socket().await.port());
    let values = [address, server.token.clone(), transit.mount, key];
    survives_an_unknown_name("child", VARIABLES.into_iter().zip(values)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the other test of this file, with files of its own"]
async fn child() {
    let [addr, token, mount, key] = VARIABLES.map(|name| env::var(name).unwrap());
    let options = VaultClientOptions::new(&addr, VaultAuth::token(&*token)).allow_plaintext();
    let transit = Transit { server: Server { name: "OpenBao", addr, token }, mount };
    let client = VaultClient::new(options).unwrap();
    let key = transit.key(&key, Algorithm::Ed25519);
    signs_once_its_name_resolves(VaultTransitProvider::new(client, key).unwrap()).await;
}
