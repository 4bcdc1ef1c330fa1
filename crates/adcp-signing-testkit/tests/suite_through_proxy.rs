//! The provider conformance suite's faults over real sockets: a key service of a few lines, a
//! client of it, and the proxy between them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use adcp_signing_conformance::provider::{
    Case, Faults, Harness, HarnessError, KeySpec, KeyState, Outcome, Suite,
};
use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, KeyRef, ProviderError, ProviderErrorKind, PublicKey,
    Signature, SigningProvider,
    provider::{Capability, Custody, KeyIdentity, Signed},
};
use adcp_signing_testkit::{CannedReply, ProxyFaults, Replies};
use async_trait::async_trait;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const PREFIX: &[u8] = b"signature:";

/// Answers the body of each request with its signature, one request a connection.
async fn key_service(key: Arc<InMemoryProvider>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let key = Arc::clone(&key);
            tokio::spawn(async move {
                // Under a fault the proxy gives up before it has sent a request.
                let Ok(request) = read(&mut client).await else { return };
                let signature = key.sign_now(&request.body).unwrap();
                let answer = CannedReply::new(200).body([PREFIX, signature.as_bytes()].concat());
                client.write_all(&answer.to_bytes()).await.unwrap();
            });
        }
    });
    address
}

struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The longest reply that is read, in bytes.
const MAX_REPLY: u64 = 64 * 1024;

async fn read(from: &mut TcpStream) -> std::io::Result<Message> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await?);
    }
    let mut message = Message { head: String::from_utf8(head).unwrap(), body: Vec::new() };
    let Some(length) = message.field("content-length") else {
        // The end of such a body is the end of the connection, which may never come.
        let read = from.take(MAX_REPLY + 1).read_to_end(&mut message.body).await?;
        assert!(read as u64 > MAX_REPLY, "nothing here ends a body so");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "a reply without end"));
    };
    message.body.resize(length.parse().unwrap(), 0);
    from.read_exact(&mut message.body).await?;
    Ok(message)
}

/// A provider by way of the service.
#[derive(Debug)]
struct Client {
    service: SocketAddr,
    public_key: PublicKey,
    identity: KeyIdentity,
}

impl Client {
    fn new(service: SocketAddr, public_key: PublicKey, purpose: KeyPurpose) -> Self {
        let key_ref = KeyRef::new("service", &public_key.thumbprint());
        let identity = KeyIdentity::new(key_ref, "a-key", public_key.algorithm(), purpose).unwrap();
        Self { service, public_key, identity }
    }
}

#[async_trait]
impl SigningProvider for Client {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        Capability::new(Custody::External, [self.algorithm()])
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        Ok(self.public_key.clone())
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        use ProviderErrorKind::{InvalidResponse, Throttled, Unavailable};
        let lost = |error: std::io::Error| {
            let kind = match error.kind() {
                std::io::ErrorKind::InvalidData => InvalidResponse,
                _ => Unavailable,
            };
            ProviderError::new(kind, "the connection was lost").with_source(error)
        };
        let mut service = TcpStream::connect(self.service).await.map_err(lost)?;
        let head = format!("POST /sign HTTP/1.1\r\ncontent-length: {}\r\n\r\n", message.len());
        service.write_all(&[head.as_bytes(), message].concat()).await.map_err(lost)?;
        let answer = read(&mut service).await.map_err(lost)?;
        if answer.head.starts_with("HTTP/1.1 429 ") {
            let wait = answer.field("retry-after").and_then(|seconds| seconds.parse().ok());
            let error = ProviderError::new(Throttled, "too many requests");
            return Err(match wait {
                Some(wait) => error.with_retry_after(Duration::from_secs(wait)),
                None => error,
            });
        }
        if !answer.head.starts_with("HTTP/1.1 200 ") {
            return Err(ProviderError::new(Unavailable, "the service is down"));
        }
        let signature = answer.body.strip_prefix(PREFIX);
        let signature =
            signature.and_then(|bytes| Signature::from_raw(self.algorithm(), bytes).ok());
        let signature =
            signature.ok_or_else(|| ProviderError::new(InvalidResponse, "not a signature"))?;
        Ok(Signed::new(signature))
    }
}

struct Service {
    address: SocketAddr,
    public_key: PublicKey,
    encrypted: bool,
}

impl Service {
    async fn start(encrypted: bool) -> Self {
        let key =
            InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
        let public_key = key.verifying_key().clone();
        Self { address: key_service(Arc::new(key)).await, public_key, encrypted }
    }

    fn client(&self, address: SocketAddr, purpose: KeyPurpose) -> Arc<dyn SigningProvider> {
        Arc::new(Client::new(address, self.public_key.clone(), purpose))
    }
}

#[async_trait]
impl Harness for Service {
    fn name(&self) -> String {
        format!("a key service through {} faults", if self.encrypted { "byte" } else { "HTTP" })
    }

    fn secrets(&self) -> Vec<String> {
        vec!["not-a-word-of-this".to_owned()]
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        match spec.state {
            KeyState::Ready => Ok(self.client(self.address, spec.purpose.clone())),
            _ => Err(HarnessError::not_applicable("the service has one key")),
        }
    }

    async fn through_faults(
        &self,
    ) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
        let replies = Replies::new(CannedReply::new(503)).throttled(CannedReply::new(429));
        let faults = match self.encrypted {
            true => ProxyFaults::bytes(self.address).await,
            false => ProxyFaults::http(self.address, replies).await,
        }
        .map_err(HarnessError::setup)?;
        Ok((self.client(faults.address(), KeyPurpose::RequestSigning), Box::new(faults)))
    }
}

const BY_BYTES: [Case; 7] = [
    Case::Timeout,
    Case::ConnectionRefused,
    Case::KilledMidCall,
    Case::RetriedThroughOutage,
    Case::DownAtStart,
    Case::BoundedQueue,
    Case::TruncatedReply,
];
const BY_HTTP: [Case; 7] = [
    Case::EndlessReply,
    Case::SlowReply,
    Case::ThrottledWithRetryAfter,
    Case::ThrottledWithoutRetryAfter,
    Case::OneRequestPerCall,
    Case::ServiceFailure,
    Case::GarbageReply,
];

#[tokio::test]
async fn every_fault_case_runs_over_http_and_those_that_say_nothing_over_any_bytes() {
    for encrypted in [false, true] {
        let suite = Suite::default().with_signatures(20).with_concurrency(200);
        let report = suite.run(&Service::start(encrypted).await).await;
        report.assert();
        for case in BY_BYTES {
            assert_eq!(
                report.outcome(case.name()),
                Some(&Outcome::Passed),
                "{case}, encrypted: {encrypted}"
            );
        }
        for case in BY_HTTP {
            let outcome = report.outcome(case.name());
            assert_eq!(matches!(outcome, Some(Outcome::Passed)), !encrypted, "{case}: {outcome:?}");
            assert_eq!(
                matches!(outcome, Some(Outcome::NotApplicable(_))),
                encrypted,
                "{case}: {outcome:?}"
            );
        }
    }
}
