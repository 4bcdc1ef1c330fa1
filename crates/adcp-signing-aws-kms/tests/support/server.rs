//! A server that answers what it is told to, and keeps what it was asked.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use aws_sdk_kms::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// One answer: bytes, after which the connection is closed.
#[derive(Clone)]
pub(crate) struct Reply(Vec<u8>);

impl Reply {
    pub(crate) fn json(status: u16, headers: &str, body: &str) -> Self {
        let len = body.len();
        Self::bytes(format!(
            "HTTP/1.1 {status} S\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {len}\r\n\
             connection: close\r\n{headers}\r\n{body}"
        ))
    }

    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }
}

/// A request: the operation, its signature, and the JSON of the body.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) operation: String,
    pub(crate) authorization: String,
    pub(crate) body: serde_json::Value,
}

pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Gives each connection the next reply; the last one is repeated.
    pub(crate) async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        let record = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read_request(&mut stream).await else { continue };
                record.lock().push(request);
                let reply =
                    if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
                let _ = stream.write_all(&reply.unwrap().0).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { address, asked, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    /// A client that would try five times if it were left to.
    pub(crate) fn client(&self) -> Client {
        client(&self.url())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn client(endpoint: &str) -> Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

async fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        let read = stream.read_buf(&mut bytes).await.ok()?;
        if read == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let field = |name: &str| {
            head.lines().find_map(|line| {
                let (field, value) = line.split_once(':')?;
                field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let len: usize = field("content-length")?.parse().ok()?;
        if body.len() >= len {
            let operation = field("x-amz-target")?.trim_start_matches("TrentService.").to_owned();
            let authorization = field("authorization").unwrap_or_default();
            return Some(Asked {
                operation,
                authorization,
                body: serde_json::from_str(body).ok()?,
            });
        }
    }
}
