//! The examples, run as programs against each other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
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

/// The key of whoever signs, as files.
struct Key {
    _folder: tempfile::TempDir,
    private: PathBuf,
    public: PathBuf,
}

impl Key {
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

/// A program that serves until the test ends.
struct Server {
    _running: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Server {
    /// Starts a server that trusts a key, and returns once it listens.
    async fn start(name: &str, trusted: &Key) -> Self {
        let mut command = example(name);
        command.arg("127.0.0.1:0").arg(&trusted.public).stdout(Stdio::piped());
        let mut running = command.spawn().unwrap();
        let lines = BufReader::new(running.stdout.take().unwrap()).lines();
        let mut server = Self { _running: running, lines, url: String::new() };
        server.url = server.line().await.strip_prefix("listening on ").unwrap().to_owned();
        server
    }

    /// The next line that it prints.
    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("the server prints a line in time").unwrap().unwrap()
    }
}

/// Runs a client to its end, and returns what it prints.
async fn run(name: &str, url: &str, key: &Key) -> (ExitStatus, String) {
    let run = example(name).arg(url).arg(&key.private).output();
    let output = tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn buyer_and_seller() {
    let (buyer, stranger) = (Key::new(), Key::new());
    let seller = Server::start("seller", &buyer).await;
    let (status, answer) = run("buyer", &seller.url, &buyer).await;
    assert!(status.success(), "{answer}");
    assert_eq!(
        answer,
        "200 OK {\"budget\":1000,\"buyer\":\"https://buyer.example.com/adcp\",\"status\":\"accepted\"}\n"
    );
    let (status, answer) = run("buyer", &seller.url, &stranger).await;
    assert!(!status.success() && answer.contains("request_signature_key_unknown"), "{answer}");
}

#[tokio::test]
async fn mcp_buyer_and_seller() {
    let (buyer, stranger) = (Key::new(), Key::new());
    let seller = Server::start("mcp_seller", &buyer).await;
    let (status, answer) = run("mcp_buyer", &format!("{}/mcp", seller.url), &buyer).await;
    assert!(status.success(), "{answer}");
    assert!(answer.contains("https://buyer.example.com/adcp bought for 1000"), "{answer}");
    let (status, answer) = run("mcp_buyer", &format!("{}/mcp", seller.url), &stranger).await;
    assert!(!status.success() && answer.contains("request_signature_key_unknown"), "{answer}");
}

#[tokio::test]
async fn webhook_sender_and_receiver() {
    let (seller, stranger) = (Key::new(), Key::new());
    let mut buyer = Server::start("webhook_receiver", &seller).await;
    let url = format!("{}/hooks/7", buyer.url);
    let (status, printed) = run("webhook_sender", &url, &stranger).await;
    assert!(!status.success() && printed.contains("webhook_signature_key_unknown"), "{printed}");
    let (status, printed) = run("webhook_sender", &url, &seller).await;
    assert!(status.success(), "{printed}");
    assert_eq!(printed, format!("{} has it\n", buyer.url));
    let reported = r#"https://seller.example.com/adcp reports "completed" of "task-7""#;
    assert_eq!(buyer.line().await, reported);
}

#[tokio::test]
async fn a2a_buyer_and_seller() {
    let (buyer, stranger) = (Key::new(), Key::new());
    let seller = Server::start("a2a_seller", &buyer).await;
    let (status, answer) = run("a2a_buyer", &seller.url, &buyer).await;
    assert!(status.success(), "{answer}");
    assert!(answer.contains("https://buyer.example.com/adcp bought media"), "{answer}");
    let (status, answer) = run("a2a_buyer", &seller.url, &stranger).await;
    assert!(!status.success() && answer.contains("request_signature_key_unknown"), "{answer}");
    assert!(answer.contains("Correctable"), "{answer}");
}
