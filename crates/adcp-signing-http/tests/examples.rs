//! The examples, run as programs against each other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// The built program of an example.
fn example(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "the example {name} is not built; `cargo test --package adcp-signing-http --all-features` \
         builds all of them, a run with a target option does not"
    );
    let mut command = Command::new(path);
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// A key of a buyer, as files.
struct Buyer {
    _folder: tempfile::TempDir,
    private: PathBuf,
    public: PathBuf,
}

impl Buyer {
    fn new() -> Self {
        let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning);
        let key = key.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = (folder.path().join("jwk.json"), folder.path().join("jwks.json"));
        std::fs::write(&private, key.to_private_jwk().to_json().as_bytes()).unwrap();
        std::fs::write(&public, serde_json::json!({ "keys": [key.jwk()] }).to_string()).unwrap();
        Self { _folder: folder, private, public }
    }
}

/// Starts a seller, and returns its URL once it listens.
async fn seller(name: &str, trusted: &Buyer) -> (Child, String) {
    let mut command = example(name);
    command.arg("127.0.0.1:0").arg(&trusted.public).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    (child, line.strip_prefix("listening on ").unwrap().to_owned())
}

async fn buy(name: &str, url: &str, buyer: &Buyer) -> (ExitStatus, String) {
    let run = example(name).arg(url).arg(&buyer.private).output();
    let output = tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn buyer_and_seller() {
    let (buyer, stranger) = (Buyer::new(), Buyer::new());
    let (_running, url) = seller("seller", &buyer).await;
    let (status, answer) = buy("buyer", &url, &buyer).await;
    assert!(status.success(), "{answer}");
    assert_eq!(
        answer,
        "200 OK {\"budget\":1000,\"buyer\":\"https://buyer.example.com/adcp\",\"status\":\"accepted\"}\n"
    );
    let (status, answer) = buy("buyer", &url, &stranger).await;
    assert!(!status.success() && answer.contains("request_signature_key_unknown"), "{answer}");
}

#[tokio::test]
async fn mcp_buyer_and_seller() {
    let (buyer, stranger) = (Buyer::new(), Buyer::new());
    let (_running, url) = seller("mcp_seller", &buyer).await;
    let (status, answer) = buy("mcp_buyer", &format!("{url}/mcp"), &buyer).await;
    assert!(status.success(), "{answer}");
    assert!(answer.contains("https://buyer.example.com/adcp bought for 1000"), "{answer}");
    let (status, answer) = buy("mcp_buyer", &format!("{url}/mcp"), &stranger).await;
    assert!(!status.success() && answer.contains("request_signature_key_unknown"), "{answer}");
}
