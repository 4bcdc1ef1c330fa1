//! A buyer, a seller on a real socket, and what the seller saw.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

#[cfg(feature = "actix")]
pub(crate) mod actix;
#[cfg(all(feature = "actix", feature = "axum"))]
pub(crate) mod servers;
#[cfg(all(feature = "axum", feature = "webhooks"))]
pub(crate) mod webhooks;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, InMemoryReplayStore, InMemoryRevocation, JwkSet, KeyPurpose,
    RequestSigningCapability, Signer, StaticKeys, Verifier, WireVersion,
    operation::{DigestPolicy, List},
};
use adcp_signing_http::{BaseUrl, Verify};
use axum::Router;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

pub(crate) const BUYER: &str = "https://buyer.example.com/adcp";
pub(crate) const OPERATION: &str = "create_media_buy";
/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn key() -> Arc<InMemoryProvider> {
    Arc::new(InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap())
}

pub(crate) fn signer(key: &Arc<InMemoryProvider>) -> Signer {
    Signer::for_requests(Arc::clone(key)).unwrap()
}

pub(crate) fn required() -> RequestSigningCapability {
    RequestSigningCapability::supported_with(DigestPolicy::Required)
        .with_operations(List::Required, [OPERATION])
        .unwrap()
}

pub(crate) fn verifier(key: &InMemoryProvider, capability: RequestSigningCapability) -> Verifier {
    verifier_of(WireVersion::V3_2, key, capability)
}

pub(crate) fn verifier_of(
    wire: WireVersion,
    key: &InMemoryProvider,
    capability: RequestSigningCapability,
) -> Verifier {
    let jwks = serde_json::json!({ "keys": [key.jwk()] }).to_string();
    let jwks = JwkSet::parse(jwks.as_bytes()).unwrap();
    let keys = StaticKeys::from_jwks_of(BUYER, &jwks).unwrap();
    Verifier::for_requests(wire, capability)
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
        .build()
}

/// A server on loopback, which stops with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Serves what `app` makes of the server's own base URL.
    pub(crate) async fn start(app: impl FnOnce(BaseUrl) -> Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = app(format!("http://{address}").parse().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, task }
    }

    /// A server that another framework runs, until the task ends.
    pub(crate) fn of(address: SocketAddr, task: tokio::task::JoinHandle<()>) -> Self {
        Self { address, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends bytes, and reads until the server has answered a whole head and nothing more comes.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        let read = async {
            while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut chunk).await.unwrap() {
                    0 => break,
                    length => answer.extend_from_slice(&chunk[..length]),
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the server answers in time");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn verify(key: &InMemoryProvider, base: BaseUrl) -> Verify {
    Verify::new(verifier(key, required()), base)
}

/// Counts what reached a handler.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reached(Arc<std::sync::atomic::AtomicUsize>);

impl Reached {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// The bytes of this process that are in memory, on Linux.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// A signed request for the operation, as bytes: its head, with a nonce of its own. The body has to
/// be the one given.
pub(crate) async fn signed_head(
    signer: &Signer,
    address: SocketAddr,
    path: &str,
    body: &[u8],
) -> Vec<u8> {
    use adcp_signing_core::{FieldLine, Request};

    let url = format!("http://{address}{path}");
    let fields = [FieldLine::new("content-type", "application/json")];
    let signed = signer.sign(&Request::new("POST", &url, &fields, body)).await.unwrap();
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    for (name, value) in signed.iter() {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    head.into_bytes()
}
