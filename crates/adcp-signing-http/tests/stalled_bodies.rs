//! Connections that send half a body and stop: others are served, and the connections end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod support;

use std::{env, io::ErrorKind, net::SocketAddr, process::Command, sync::Arc, time::Duration};

use adcp_signing_core::InMemoryProvider;
use support::{
    PATIENCE, key, resident_bytes,
    servers::{self, PATH},
    signed_head, signer,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const CONNECTIONS: usize = 1_000;
const OTHERS: usize = 20;
/// How long a body may take here: longer than a busy machine needs for one of the others.
const LIMIT: Duration = Duration::from_secs(4);
const BODY_BYTES: usize = 256 << 10;
const SMALL: &[u8] = br#"{"budget":1000}"#;
const WAVES: usize = 2;
/// What fragments of an allocator may keep. The half bodies of one wave are twice as much.
const MORE_BYTES: u64 = 64 << 20;

fn body() -> Vec<u8> {
    let mut body = br#"{"note":""#.to_vec();
    body.resize(BODY_BYTES - 2, b'x');
    body.extend(br#""}"#);
    body
}

/// A connection on which a request was sent, but for the end of its body, and which stays open.
async fn send(server: SocketAddr, head: &[u8], body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(head).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream
}

/// What the server says until it closes the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    match read.expect("the server ends the connection") {
        Ok(_) => {}
        // It did not read all that was sent.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

async fn wave(key: &Arc<InMemoryProvider>, server: SocketAddr, body: &[u8]) {
    // A nonce is remembered only once its body is there, so one head does for all.
    let head = signed_head(&signer(key), server, PATH, body).await;
    let mut stalled = Vec::new();
    for _ in 0..CONNECTIONS {
        stalled.push(send(server, &head, &body[..body.len() / 2]).await);
    }
    for other_number in 0..OTHERS {
        let head = signed_head(&signer(key), server, PATH, SMALL).await;
        let mut other = send(server, &head, SMALL).await;
        let mut answer = vec![0; 1024];
        let length = timeout(PATIENCE, other.read(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        if other_number == 0 {
            let waiting = stalled.last().unwrap().try_read(&mut [0]);
            let waiting = waiting.unwrap_err().kind();
            assert_eq!(waiting, ErrorKind::WouldBlock, "the first of the others did not wait");
        }
    }
    for stream in stalled {
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
}

/// Runs in a process of its own, for the allocator's settings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the next test runs it"]
async fn waves_of_half_bodies() {
    let key = key();
    let body = body();
    let axum = servers::axum(&key, |verify| verify.read_timeout(LIMIT)).await;
    let actix = servers::actix(&key, |verify| verify.read_timeout(LIMIT));
    for server in [axum.address, actix.address] {
        // Buffers, tasks and tables get the size that they keep.
        wave(&key, server, &body).await;
        let before = resident_bytes();
        for _ in 0..WAVES {
            wave(&key, server, &body).await;
        }
        if let Some((before, after)) = before.zip(resident_bytes()) {
            let more = after.saturating_sub(before);
            assert!(more <= MORE_BYTES, "{WAVES} waves left {more} bytes");
        }
    }
}

#[test]
fn a_thousand_half_bodies_end_and_leave_nothing() {
    let waves = Command::new(env::current_exe().unwrap())
        .args(["--exact", "waves_of_half_bodies", "--ignored", "--nocapture"])
        // The allocator of glibc gives memory back only where it is told to.
        .env("MALLOC_MMAP_THRESHOLD_", "16384")
        .env("MALLOC_TRIM_THRESHOLD_", "16384")
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&waves.stdout);
    println!("{said}");
    let errors = String::from_utf8_lossy(&waves.stderr);
    assert!(waves.status.success() && said.contains("1 passed"), "{said}{errors}");
}

#[tokio::test]
async fn nobody_but_a_signer_has_the_server_wait_for_a_body() {
    let key = key();
    let body = body();
    let axum = servers::axum(&key, |verify| verify).await;
    let actix = servers::actix(&key, |verify| verify);
    for address in [axum.address, actix.address] {
        let head = signed_head(&signer(&key), address, PATH, &body).await;
        let head = String::from_utf8(head).unwrap();
        // The keyid and all else of a signed message, but not the signature.
        let (before, after) = head.split_once("sig1=:").unwrap();
        let forged = format!("{before}sig1=:{}{}", "A".repeat(86), &after[86..]);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(forged.as_bytes()).await.unwrap();
        stream.write_all(&body[..body.len() / 2]).await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("request_signature_invalid"), "{answer}");
    }
}
