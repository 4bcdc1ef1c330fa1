//! One request to a fake, over a connection of its own.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// `null` where there is none.
    pub(crate) body: Value,
}

/// Sends a request with this `host`, bearer token and body (none if it is `null`), and reads until
/// the server hangs up.
pub(crate) async fn exchange(
    mut connection: impl AsyncRead + AsyncWrite + Unpin,
    [method, path, host]: [&str; 3],
    token: Option<&str>,
    body: &Value,
) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let authorization =
        token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{authorization}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    Reply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() },
    }
}
