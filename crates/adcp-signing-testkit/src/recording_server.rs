//! A server that a test writes in a few lines: it answers by what it is asked, and keeps that.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::CannedReply;

/// A request, whose body has a `content-length` or is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The request line and the header.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Received {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Listens on loopback, and closes each connection after one answer. Dropping it ends it.
#[derive(Debug)]
pub struct RecordingServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl RecordingServer {
    /// Answers each request with what `answer` gives for it.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn start(
        mut answer: impl FnMut(&Received) -> CannedReply + Send + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&received);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let Ok(Some(request)) = read(&mut client).await else { continue };
                let reply = answer(&request).header("connection", "close");
                record.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                // Whoever has gone meanwhile needs no answer.
                let _ = client.write_all(&reply.to_bytes()).await;
                let _ = client.shutdown().await;
            }
        });
        Ok(Self { address, received, task })
    }

    /// Where it listens, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for RecordingServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(client: &mut TcpStream) -> io::Result<Option<Received>> {
    let mut bytes = Vec::new();
    loop {
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let request = Received { head: head.to_owned(), body: body.to_owned() };
        let len = request.header("content-length").map_or(Ok(0), str::parse);
        if request.body.len() >= len.map_err(io::Error::other)? {
            return Ok(Some(request));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_answered_by_what_it_is_and_kept() {
        let server =
            RecordingServer::start(|request| CannedReply::new(200).body(request.body.clone()));
        let server = server.await.unwrap();
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client
            .write_all(b"POST /t HTTP/1.1\r\nContent-Length: 4\r\nX-A: b\r\n\r\nro")
            .await
            .unwrap();
        client.write_all(b"le").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nrole"),
            "{answer}"
        );
        let [request] = &server.received()[..] else { panic!("one request") };
        assert_eq!((request.header("x-a"), &*request.body), (Some("b"), "role"));
        assert_eq!(request.header("x-b"), None);
    }
}
