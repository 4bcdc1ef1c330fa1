//! A clock that is an hour off. Vault says how long a token lasts, and not until when, so that the
//! time of day does not matter.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::env;

use adcp_signing_core::{Algorithm, SigningProvider as _, provider::layers::Stack};
use adcp_signing_testkit::{
    AN_HOUR_OFF, FaultProxy, Traffic, in_child_with_own_clock, move_clock, say, skip,
};
use adcp_signing_vault_transit::{VaultClient, VaultClientOptions, VaultTransitProvider};
use serde_json::json;
use support::{AppRole, Server, Transit, openbao};

/// What the child is told, in the order in which it is told.
const VARIABLES: [&str; 6] =
    ["TEST_ADDR", "TEST_TRANSIT", "TEST_KEY", "TEST_APP_ROLE", "TEST_ROLE_ID", "TEST_SECRET_ID"];

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_changes_nothing_about_a_login() -> Result<(), String> {
    let Some(server) = openbao() else { return Ok(()) };
    let transit = server.transit().await;
    let key = transit.new_key("ed25519").await;
    let policy = server.signing_policy(&transit.mount, &key).await;
    let role = json!({"token_policies": [policy, "default"], "token_ttl": "30m"});
    let AppRole { mount, role_id, secret_id } = server.app_role(role).await;
    let proxy = FaultProxy::start(server.socket().await, Traffic::Http).await.unwrap();
    let address = format!("http://{}", proxy.address());
    let values = [address, transit.mount, key, mount, role_id, secret_id];
    let said = tokio::task::block_in_place(|| {
        in_child_with_own_clock("child", |child| {
            child.envs(VARIABLES.into_iter().zip(values));
        })
    });
    match said {
        Ok(said) => assert_eq!(said, "signed"),
        Err(reason) => return skip(&reason),
    }
    let exchanges = proxy.exchanges();
    let logins = exchanges.iter().filter(|exchange| exchange.head.contains("/login "));
    assert_eq!(logins.count(), 1, "{exchanges:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the other test of this file, with a clock of its own"]
async fn child() {
    let [addr, mount, key, app_role, role_id, secret_id] =
        VARIABLES.map(|name| env::var(name).unwrap());
    let role = AppRole { mount: app_role, role_id, secret_id };
    let client = VaultClient::new(VaultClientOptions::new(&addr, role.auth())).unwrap();
    let server = Server { name: "OpenBao", addr, token: String::new() };
    let key = Transit { server, mount }.key(&key, Algorithm::Ed25519);
    let stack = Stack::default().around(VaultTransitProvider::new(client, key).unwrap());
    let [ahead, behind] = AN_HOUR_OFF;
    for off in [0, ahead, behind, 0] {
        move_clock(off);
        stack.sign(b"base").await.unwrap();
    }
    say("signed");
}
