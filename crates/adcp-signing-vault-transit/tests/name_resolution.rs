//! A server whose name is unknown at first, and then known: DNS that fails and returns.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::{env, fs, path::Path, sync::Arc, time::Duration};

use adcp_signing_core::{
    Algorithm, ProviderErrorKind as Kind, SigningProvider as _, provider::layers::Stack,
};
use adcp_signing_testkit::{in_child_with_files, say, skip};
use adcp_signing_vault_transit::{
    VaultAuth, VaultClient, VaultClientOptions, VaultTransitProvider,
};
use support::{
    Server, Transit, openbao,
    watched::{Failures, Watched, with_causes},
};
use tokio::time::timeout;

const BASE: &[u8] = b"signature base";
const NAME: &str = "openbao.adcp.test";
/// What the child is told, in the order in which it is told.
const VARIABLES: [&str; 5] = ["TEST_HOSTS", "TEST_ADDR", "TEST_TOKEN", "TEST_MOUNT", "TEST_KEY"];

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_unavailable_and_is_looked_up_again() -> Result<(), String>
{
    let Some(server) = openbao() else { return Ok(()) };
    let transit = server.transit().await;
    let key = transit.new_key("ed25519").await;
    let port = server.socket().await.port();
    let folder = tempfile::tempdir().unwrap();
    let [hosts, switch] = ["hosts", "nsswitch.conf"].map(|name| folder.path().join(name));
    fs::write(&hosts, "127.0.0.1 localhost\n").unwrap();
    // No server of names is asked: the file is all that there is.
    fs::write(&switch, "hosts: files\n").unwrap();
    let address = format!("http://{NAME}:{port}");
    let values = [hosts.to_str().unwrap(), &address, &server.token, &transit.mount, &key];
    let covered = [(&*hosts, Path::new("/etc/hosts")), (&*switch, Path::new("/etc/nsswitch.conf"))];
    let said = tokio::task::block_in_place(|| {
        in_child_with_files("child", &covered, |child| {
            child.envs(VARIABLES.into_iter().zip(values));
        })
    });
    match said {
        Ok(said) => {
            assert_eq!(said, "signed");
            Ok(())
        }
        Err(reason) => skip(&reason),
    }
}

/// Signs while the name is unknown, writes it into the file of hosts, and signs again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the other test of this file, with files of its own"]
async fn child() {
    let [hosts, addr, token, mount, key] = VARIABLES.map(|name| env::var(name).unwrap());
    let auth = VaultAuth::token(&*token);
    let options = VaultClientOptions::new(&addr, auth).allow_plaintext();
    let transit = Transit { server: Server { name: "OpenBao", addr, token }, mount };
    let client = VaultClient::new(options).unwrap();
    let bare = VaultTransitProvider::new(client, transit.key(&key, Algorithm::Ed25519)).unwrap();
    let bare = Arc::new(bare);

    let error = bare.sign(BASE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let shown = with_causes(&error);
    assert!(shown.contains("failed to lookup address information"), "{shown}");

    let failures = Arc::<Failures>::default();
    let mut seen = failures.subscribe();
    let stack = Stack::default().around(Watched { inner: Arc::clone(&bare), failures });
    let signing = tokio::spawn(async move { stack.sign(BASE).await });
    // The second failure shows that the first was retried.
    let twice = seen.wait_for(|failures| failures.values().sum::<usize>() >= 2);
    timeout(Duration::from_secs(10), twice).await.unwrap().unwrap();
    assert!(!signing.is_finished());
    fs::write(hosts, format!("127.0.0.1 localhost {NAME}\n")).unwrap();
    let signed = signing.await.unwrap().unwrap();
    let key = bare.public_key().await.unwrap();
    key.verify(BASE, &signed.signature).unwrap();
    key.verify(BASE, &bare.sign(BASE).await.unwrap().signature).unwrap();
    say("signed");
}
