//! A server whose name is unknown at first, and then known: DNS that fails and returns.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{env, fs, path::Path, sync::Arc, time::Duration};

use adcp_signing_core::{ProviderErrorKind as Kind, SigningProvider, provider::layers::Stack};
use tokio::time::timeout;

use crate::{
    child::{in_child_with_files, say},
    skip,
    watched::{Failures, Watched, with_causes},
};

/// The name: one that each configuration admits with plain HTTP, and that test certificates have.
pub const UNKNOWN_NAME: &str = "localhost";
/// The child's file of hosts.
const HOSTS: &str = "ADCP_TEST_CHILD_HOSTS";
const SIGNED: &str = "signed";
const BASE: &[u8] = b"signature base";
/// Longer than the pauses between two attempts.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs the ignored test `name` of this test program in a process in which [`UNKNOWN_NAME`] does not
/// resolve, and which has these variables. The child builds its provider for a server of that name,
/// and calls [`signs_once_its_name_resolves`].
///
/// # Errors
/// As [`skip`], where no such process can be had: it takes Linux, and root.
///
/// # Panics
/// When the child fails.
pub async fn survives_an_unknown_name(
    name: &'static str,
    variables: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<(), String> {
    let variables: Vec<_> = variables.into_iter().collect();
    let run = move || run_without_name(name, &variables);
    match tokio::task::spawn_blocking(run).await.unwrap() {
        Ok(said) => {
            assert_eq!(said, SIGNED);
            Ok(())
        }
        Err(reason) => skip(&reason),
    }
}

fn run_without_name(name: &str, variables: &[(&str, String)]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let [hosts, switch] = ["hosts", "nsswitch.conf"].map(|name| folder.path().join(name));
    fs::write(&hosts, "127.0.0.1 this-machine\n").unwrap();
    // No server of names is asked: the file is all that there is.
    fs::write(&switch, "hosts: files\n").unwrap();
    let covered = [(&*hosts, Path::new("/etc/hosts")), (&*switch, Path::new("/etc/nsswitch.conf"))];
    in_child_with_files(name, &covered, |child| {
        child.envs(variables.iter().map(|(name, value)| (name, value))).env(HOSTS, &hosts);
    })
}

/// Signs through the layers of production while the name is unknown, makes it known after the second
/// failed attempt, and signs again with the same provider.
///
/// # Panics
/// When an attempt fails in another way, is not tried again, or no signature comes.
pub async fn signs_once_its_name_resolves(bare: impl SigningProvider + 'static) {
    let bare = Arc::new(bare);
    let error = bare.sign(BASE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let shown = with_causes(&error);
    assert!(shown.contains("failed to lookup address information: "), "{shown}");

    let failures = Arc::<Failures>::default();
    let mut seen = failures.subscribe();
    let stack = Stack::default().around(Watched { inner: Arc::clone(&bare), failures });
    let signing = tokio::spawn(async move { stack.sign(BASE).await });
    // The second failure shows that the first was retried.
    let twice = seen.wait_for(|failures| failures.values().sum::<usize>() >= 2);
    timeout(LIMIT, twice).await.expect("two attempts").unwrap();
    assert!(!signing.is_finished());
    let hosts = env::var(HOSTS).unwrap();
    fs::write(hosts, format!("127.0.0.1 {UNKNOWN_NAME}\n")).unwrap();
    let signed = timeout(LIMIT, signing).await.expect("an end").unwrap().unwrap();
    let key = bare.public_key().await.unwrap();
    key.verify(BASE, &signed.signature).unwrap();
    key.verify(BASE, &bare.sign(BASE).await.unwrap().signature).unwrap();
    say(SIGNED);
}
