//! A server on this machine with a certificate of its own, names that lead to it, and a fetcher
//! that trusts it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

pub(crate) mod operator;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adcp_signing_testkit::{CannedReply, LoopbackIdentity};
use adcp_signing_trust::fetch::{Fetcher, FetcherBuilder};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};

/// The names that the certificate is for. All of them lead to this machine.
pub(crate) const NAMES: [&str; 5] = [
    "buyer.example.com",
    "www.buyer.example.com",
    "cdn.buyer.example.com",
    "seller.example.com",
    "brand.example.net",
];

/// How the server answers a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With this.
    Reply(CannedReply),
    /// With these bytes again and again, after a head, until the client is gone.
    Endless(Vec<u8>),
    /// With these bytes, one after the other, this far apart.
    Slowly(Vec<u8>, Duration),
    /// Not at all, with an open connection.
    Never,
    /// With this, on a connection that stays open.
    Open(CannedReply),
    /// With a reply after this time.
    Late(Duration, CannedReply),
}

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// The value of a field of the request.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

type Handler = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// A server that ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    identity: LoopbackIdentity,
    asked: Arc<Mutex<Vec<Asked>>>,
    open: Arc<Open>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    /// A server that answers by this function.
    pub(crate) async fn start(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::with_identity(LoopbackIdentity::with_names(&NAMES).unwrap(), handler).await
    }

    /// A server with this certificate.
    pub(crate) async fn with_identity(
        identity: LoopbackIdentity,
        handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler: Handler = Arc::new(handler);
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let open = Arc::<Open>::default();
        let counted = Arc::clone(&open);
        let (acceptor, seen) = (identity.acceptor(), Arc::clone(&asked));
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else { continue };
                let (acceptor, handler, seen) =
                    (acceptor.clone(), Arc::clone(&handler), Arc::clone(&seen));
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let _open = counted.one_more();
                    if let Ok(connection) = acceptor.accept(socket).await {
                        serve(connection, &handler, &seen).await;
                    }
                });
            }
        });
        Self { address, identity, asked, open, accepting }
    }

    /// A server that gives the same body to everybody.
    pub(crate) async fn of(body: impl Into<Vec<u8>>) -> Self {
        let reply = CannedReply::new(200).body(body);
        Self::start(move |_| Answer::Reply(reply.clone())).await
    }

    /// `https://NAME:PORT` and this path.
    pub(crate) fn url(&self, name: &str, path: &str) -> String {
        format!("https://{name}:{}{path}", self.address.port())
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many connections were served at once, at most.
    pub(crate) fn most_open(&self) -> usize {
        self.open.most.load(Ordering::Relaxed)
    }

    /// A fetcher that trusts the server, and knows its names.
    pub(crate) fn fetcher(&self) -> FetcherBuilder {
        let root = reqwest::Certificate::from_pem(self.identity.ca_pem().as_bytes()).unwrap();
        Fetcher::builder()
            .root(root)
            .resolver(Arc::new(Names::of_this_machine()))
            .loopback_for_development()
            .timeouts(Duration::from_secs(5), Duration::from_secs(10))
    }
}

/// How many connections are served.
#[derive(Default)]
struct Open {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct OneOpen(Arc<Open>);

impl Open {
    fn one_more(self: &Arc<Self>) -> OneOpen {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        OneOpen(Arc::clone(self))
    }
}

impl Drop for OneOpen {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut connection: impl AsyncRead + AsyncWrite + Unpin,
    handler: &Handler,
    seen: &Mutex<Vec<Asked>>,
) {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match connection.read(&mut buffer).await {
            Ok(read) if read > 0 => head.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let end = head.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let body = head.split_off(end);
    let head = String::from_utf8(head).unwrap();
    let mut asked = Asked {
        host: String::new(),
        path: head.split(' ').nth(1).unwrap_or_default().to_owned(),
        head,
        body,
    };
    asked.host = asked.field("host").unwrap_or_default();
    let length = asked.field("content-length").map_or(0, |length| length.parse().unwrap());
    while asked.body.len() < length {
        match connection.read(&mut buffer).await {
            Ok(read) if read > 0 => asked.body.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    seen.lock().unwrap().push(asked.clone());
    match handler(&asked) {
        Answer::Reply(reply) => {
            write(&mut connection, &reply.to_bytes()).await;
        }
        Answer::Open(reply) => {
            write(&mut connection, &reply.to_bytes()).await;
            std::future::pending::<()>().await;
        }
        Answer::Late(after, reply) => {
            tokio::time::sleep(after).await;
            write(&mut connection, &reply.to_bytes()).await;
        }
        Answer::Endless(bytes) => {
            let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            let mut is_open = write(&mut connection, head).await;
            while is_open {
                is_open = write(&mut connection, &bytes).await;
            }
        }
        Answer::Slowly(bytes, pause) => {
            for byte in bytes {
                if !write(&mut connection, &[byte]).await {
                    break;
                }
                tokio::time::sleep(pause).await;
            }
        }
        // Until the client is gone.
        Answer::Never => while connection.read(&mut buffer).await.is_ok_and(|read| read > 0) {},
    }
    let _ = connection.shutdown().await;
}

/// Whether the client took the bytes.
async fn write(connection: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> bool {
    connection.write_all(bytes).await.is_ok() && connection.flush().await.is_ok()
}

/// What names resolve to, and how often they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The answers of a name, one after the other; the last one stays.
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn of_this_machine() -> Self {
        let names = Self::default();
        for name in NAMES {
            names.set(name, &[&["127.0.0.1"]]);
        }
        names
    }

    pub(crate) fn set(&self, name: &str, answers: &[&[&str]]) {
        let parse =
            |addresses: &&[&str]| addresses.iter().map(|one| one.parse().unwrap()).collect();
        let answers = answers.iter().map(parse).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), answers);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        self.asked.lock().unwrap().push(name.as_str().to_owned());
        let mut answers = self.answers.lock().unwrap();
        let addresses = answers
            .get_mut(name.as_str())
            .map(|answers| if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() });
        let addresses = addresses.unwrap_or_default();
        Box::pin(async move {
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
