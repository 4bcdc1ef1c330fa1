//! Bodies that are not there yet hold no more memory than the budget has, over all connections.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use adcp_signing_core::{
    Answer, InMemoryProvider, InMemoryReplayStore, InMemoryRevocation, JwkSet, StaticKeys,
    UnixSeconds, Verifier, WireVersion,
    replay::{InsertOutcome, ReplayEntry, ReplayStore, StoreError},
};
use adcp_signing_http::Verify;
use support::{
    BUYER, PATIENCE, Server, key, required,
    servers::{self, PATH},
    signed_head, signer,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    time::{Instant, sleep},
};

/// What two half bodies fill.
const BUDGET: usize = 64 << 10;
const SMALL: &[u8] = br#"{"budget":1000}"#;

fn settings(verify: Verify) -> Verify {
    verify.body_budget(BUDGET).read_timeout(Duration::from_millis(60_500))
}

fn body(length: usize) -> Vec<u8> {
    let mut body = br#"{"note":""#.to_vec();
    body.resize(length - 2, b'x');
    body.extend(br#""}"#);
    body
}

/// Sends a signed request with as many bytes of its body.
async fn send(
    key: &Arc<InMemoryProvider>,
    server: SocketAddr,
    body: &[u8],
    bytes: usize,
) -> TcpStream {
    let head = signed_head(&signer(key), server, PATH, body).await;
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(&head).await.unwrap();
    // A server that refuses early may have closed the connection.
    let _ = stream.write_all(&body[..bytes]).await;
    stream
}

async fn answer(key: &Arc<InMemoryProvider>, server: SocketAddr, body: &[u8]) -> String {
    let mut stream = send(key, server, body, body.len()).await;
    let mut answer = vec![0; 1024];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer));
    let length = read.await.expect("the server answers").unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// The first answer to a small request with this status line.
async fn first(key: &Arc<InMemoryProvider>, server: SocketAddr, status: &str) -> String {
    let started = Instant::now();
    loop {
        let answer = answer(key, server, SMALL).await;
        if answer.starts_with(status) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{answer}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn bodies_of_other_connections_use_up_the_budget_and_give_it_back() {
    let key = key();
    let axum = servers::axum(&key, settings).await;
    let actix = servers::actix(&key, settings);
    for server in [axum.address, actix.address] {
        let large = body(BUDGET);
        let whole = answer(&key, server, &large).await;
        assert!(whole.starts_with("HTTP/1.1 200 "), "{whole}");

        let stalled = [
            send(&key, server, &large, BUDGET / 2).await,
            send(&key, server, &large, BUDGET / 2).await,
        ];
        let refused = first(&key, server, "HTTP/1.1 503 ").await;
        let refused = refused.to_ascii_lowercase();
        assert!(refused.contains("\r\nretry-after: 61\r\n"), "{refused}");
        assert!(refused.contains(r#"{"error":"body_budget_used_up"}"#), "{refused}");

        drop(stalled);
        first(&key, server, "HTTP/1.1 200 ").await;
        let whole = answer(&key, server, &large).await;
        assert!(whole.starts_with("HTTP/1.1 200 "), "{whole}");
    }
}

#[tokio::test]
async fn a_body_larger_than_the_whole_budget_is_too_large() {
    let key = key();
    let axum = servers::axum(&key, |verify| verify.body_budget(SMALL.len() - 1)).await;
    let actix = servers::actix(&key, |verify| verify.body_budget(SMALL.len() - 1));
    for server in [axum.address, actix.address] {
        let refused = answer(&key, server, SMALL).await;
        assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
        assert!(refused.contains(r#"{"error":"body_too_large"}"#), "{refused}");
    }
}

/// A replay store that answers when the test lets it.
#[derive(Debug)]
struct Waiting {
    store: InMemoryReplayStore,
    arrived: Semaphore,
    leave: Semaphore,
}

impl ReplayStore for Waiting {
    fn insert<'a>(
        &'a self,
        entry: ReplayEntry<'a>,
        now: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError> {
        Answer::later(async move {
            self.arrived.add_permits(1);
            self.leave.acquire().await.unwrap().forget();
            self.store.insert(entry, now).await
        })
    }
}

#[tokio::test]
async fn a_body_counts_until_its_request_is_verified() {
    let key = key();
    let jwks = serde_json::json!({ "keys": [key.jwk()] }).to_string();
    let keys = JwkSet::parse(jwks.as_bytes()).unwrap();
    let replay = Arc::new(Waiting {
        store: InMemoryReplayStore::default(),
        arrived: Semaphore::new(0),
        leave: Semaphore::new(0),
    });
    let verifier = Verifier::for_requests(WireVersion::V3_2, required())
        .keys(StaticKeys::from_jwks_of(BUYER, &keys).unwrap())
        .revocation(InMemoryRevocation::default())
        .replay(Arc::clone(&replay))
        .build();
    let server = Server::start(|base| {
        servers::axum_app(&Verify::new(verifier, base).body_budget(SMALL.len()))
    });
    let server = server.await;
    let mut waits = send(&key, server.address, SMALL, SMALL.len()).await;
    replay.arrived.acquire().await.unwrap().forget();
    let refused = answer(&key, server.address, SMALL).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    replay.leave.add_permits(2);
    let mut verified = vec![0; 1024];
    let length = waits.read(&mut verified).await.unwrap();
    let verified = String::from_utf8_lossy(&verified[..length]);
    assert!(verified.starts_with("HTTP/1.1 200 "), "{verified}");
    let next = answer(&key, server.address, SMALL).await;
    assert!(next.starts_with("HTTP/1.1 200 "), "{next}");
}
