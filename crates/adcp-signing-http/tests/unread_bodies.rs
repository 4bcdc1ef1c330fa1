//! An unsigned request costs no more than its head, whatever its body.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use adcp_signing_core::InMemoryProvider;
use adcp_signing_http::Verify;
use support::{
    PATIENCE, key, required, resident_bytes,
    servers::{self, PATH},
    verifier,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const BODY_BYTES: usize = 32 << 20;
static CHUNK: [u8; 64 << 10] = [b'x'; 64 << 10];
/// The buffers of the sockets on both sides. A server that reads on takes all of the body.
const BUFFERED_BYTES: usize = 8 << 20;
/// The buffer into which a server reads a head, at most.
const READ_BYTES: u64 = 512 << 10;
const MORE_BYTES: u64 = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked,
    /// The length, and the client waits for leave to send the body.
    Expect,
}

/// Sends the head, and the body until the server has had enough; gives the answer, and how many
/// bytes of body were sent. It returns only when the server has closed the connection.
async fn flood(server: SocketAddr, path: &str, framing: Framing) -> (String, usize) {
    let fields = match framing {
        Framing::Length => format!("Content-Length: {BODY_BYTES}\r\n"),
        Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        Framing::Expect => format!("Content-Length: {BODY_BYTES}\r\nExpect: 100-continue\r\n"),
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n{fields}\r\n"
    );
    let stream = TcpStream::connect(server).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    writing.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    if framing == Framing::Expect {
        let mut first = [0; 1024];
        let length = timeout(PATIENCE, reading.read(&mut first)).await.unwrap().unwrap();
        answer.extend(&first[..length]);
    }
    let mut sent = 0;
    if framing != Framing::Expect || answer.starts_with(b"HTTP/1.1 100 ") {
        while sent < BODY_BYTES {
            let prefix = format!("{:x}\r\n", CHUNK.len());
            let parts: [&[u8]; 3] = match framing {
                Framing::Chunked => [prefix.as_bytes(), &CHUNK, b"\r\n"],
                _ => [b"", &CHUNK, b""],
            };
            let write = async {
                for part in parts {
                    writing.write_all(part).await?;
                }
                io::Result::Ok(())
            };
            match timeout(PATIENCE, write).await.expect("the server reads on or closes") {
                Ok(()) => sent += CHUNK.len(),
                Err(_) => break,
            }
        }
    }
    // A reset is an end as well.
    let _ = timeout(PATIENCE, reading.read_to_end(&mut answer)).await.expect("the server closes");
    (String::from_utf8_lossy(&answer).into_owned(), sent)
}

/// A listener of axum that counts what its connections read.
struct Counting {
    listener: TcpListener,
    read: Arc<AtomicU64>,
}

struct Counted {
    stream: TcpStream,
    read: Arc<AtomicU64>,
}

impl axum::serve::Listener for Counting {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counted, SocketAddr) {
        let (stream, peer) = self.listener.accept().await.unwrap();
        (Counted { stream, read: Arc::clone(&self.read) }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        self.read.fetch_add(read as u64, Ordering::SeqCst);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

async fn counting_axum(key: &InMemoryProvider) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let base: adcp_signing_http::BaseUrl = format!("http://{address}").parse().unwrap();
    let app = servers::axum_app(&Verify::new(verifier(key, required()), base));
    let read = Arc::<AtomicU64>::default();
    let counting = Counting { listener, read: Arc::clone(&read) };
    tokio::spawn(async move { axum::serve(counting, app).await.unwrap() });
    (address, read)
}

#[tokio::test]
async fn an_unsigned_request_costs_no_more_than_its_head() {
    let key = key();
    let (axum, read) = counting_axum(&key).await;
    let actix = servers::actix(&key, |verify| verify);
    for (server, has_leave) in [(axum, false), (actix.address, true)] {
        let before = resident_bytes();
        for (framing, refusal) in [
            (Framing::Length, "HTTP/1.1 413 "),
            (Framing::Chunked, "HTTP/1.1 401 "),
            (Framing::Expect, "HTTP/1.1 413 "),
        ] {
            let (answer, sent) = flood(server, PATH, framing).await;
            let shown = format!("{framing:?}: {sent} bytes, {answer}");
            assert!(sent <= BUFFERED_BYTES, "{shown}");
            // The reset of a connection can overtake the answer.
            assert!(answer.contains(refusal) || sent > 0, "{shown}");
            if framing == Framing::Expect {
                // actix-web gives leave before any middleware sees the request.
                assert_eq!(answer.starts_with("HTTP/1.1 100 "), has_leave, "{shown}");
            }
            let read = read.swap(0, Ordering::SeqCst);
            assert!(read <= READ_BYTES, "{read} bytes: {shown}");
        }
        if let Some((before, after)) = before.zip(resident_bytes()) {
            let more = after.saturating_sub(before);
            assert!(more <= MORE_BYTES, "{more} bytes more");
        }
    }
}

#[cfg(feature = "webhooks")]
#[tokio::test]
async fn nor_does_an_unsigned_webhook() {
    use actix_web::{HttpResponse, web};
    use adcp_signing_http::webhook::{InMemoryDedup, WebhookReceiver};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let verify = support::webhooks::verify(&key(), base);
    let receiver = WebhookReceiver::rfc9421(&verify, InMemoryDedup::default());
    let server = support::actix::serve(listener, move |app| {
        let route = web::post().to(HttpResponse::Ok);
        app.service(web::resource("/webhooks").wrap(receiver.clone()).route(route));
    });
    for (framing, refusal) in
        [(Framing::Length, "HTTP/1.1 413 "), (Framing::Chunked, "HTTP/1.1 401 ")]
    {
        let (answer, sent) = flood(server.address, "/webhooks", framing).await;
        let shown = format!("{framing:?}: {sent} bytes, {answer}");
        assert!(sent <= BUFFERED_BYTES, "{shown}");
        assert!(answer.contains(refusal) || sent > 0, "{shown}");
    }
}
