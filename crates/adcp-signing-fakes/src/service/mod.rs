//! What the fakes of services share: an HTTP server, with or without TLS, which tells that it is
//! up, and planned outages.

mod key_pair;
mod outage;
mod tls;

use std::{convert::Infallible, future::Future, io, time::Duration};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

pub(crate) use self::tls::serve_tls;
pub(crate) use self::{
    key_pair::{KeyPair, Kind},
    outage::{Failure, Outage, Refusal},
};

const MAX_BODY_LEN: usize = 1 << 20;

/// A fake of a service.
pub(crate) trait Service: Clone + Send + Sync + 'static {
    /// The answer to a request; a body that is too long is none.
    fn answer(&self, head: Parts, body: Option<Bytes>) -> impl Future<Output = Reply> + Send;
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Option<Value>,
}

impl Reply {
    /// An answer with this body.
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, headers: HeaderMap::new(), body: Some(body) }
    }

    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: None }
    }

    /// With `Retry-After`, if there is a pause to tell.
    pub(crate) fn with_retry_after(mut self, pause: Option<Duration>) -> Self {
        if let Some(pause) = pause {
            self.headers.insert(header::RETRY_AFTER, pause.as_secs().into());
        }
        self
    }

    /// With this header as well.
    pub(crate) fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let body = self.body.map(|body| body.to_string()).unwrap_or_default();
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// Answers every connection until dropped.
pub(crate) async fn serve(service: impl Service, listener: TcpListener) -> io::Result<()> {
    accept(listener, move |connection| serve_connection(service.clone(), connection)).await
}

async fn accept<F>(
    listener: TcpListener,
    handle: impl Fn(tokio::net::TcpStream) -> F,
) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let (connection, _) = listener.accept().await?;
        // Answers are small, and a client waits for each.
        let _ = connection.set_nodelay(true);
        tokio::spawn(handle(connection));
    }
}

async fn serve_connection<C>(service: impl Service, connection: C)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(respond(&service, request).await.into_response()) }
    });
    // A client that goes away is no failure of the server.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

async fn respond(service: &impl Service, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    if head.uri.path() == "/_fake/health" {
        return Reply::json(StatusCode::OK, json!({"status": "ok"}));
    }
    let body = Limited::new(body, MAX_BODY_LEN).collect().await.ok();
    service.answer(head, body.map(http_body_util::Collected::to_bytes)).await
}
