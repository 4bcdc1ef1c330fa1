//! [`VerifyLayer`] for axum, tonic, rmcp, hyper and every other `tower` server.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

#[cfg(feature = "a2a-server")]
use adcp_signing_core::Verified;
use adcp_signing_core::http_message::RequestHead;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt as _, Either, Full};
use tower_layer::Layer;
use tower_service::Service;

#[cfg(feature = "a2a-server")]
use super::AcceptedCredential;
use super::{Held, Inbound, Limits, PeerAddress, Refused, Route, VerifyLayer, admit};

/// The service of [`VerifyLayer`].
#[derive(Debug, Clone)]
pub struct VerifyService<S> {
    inner: S,
    route: Arc<Route>,
}

impl<S> Layer<S> for VerifyLayer {
    type Service = VerifyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifyService { inner, route: Arc::clone(&self.route) }
    }
}

impl<S, B, R> Service<Request<B>> for VerifyService<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: std::fmt::Display,
{
    type Response = Response<Either<R, Full<Bytes>>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let route = Arc::clone(&self.route);
        // The service that was polled ready is the one to call; a clone need not be.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match admit(&route, &mut parts, async |limits| read(body, limits).await).await {
                Ok(body) => {
                    #[cfg(feature = "a2a-server")]
                    let called = called(&route, &parts);
                    let serving = inner.call(Request::from_parts(parts, Full::new(body)));
                    #[cfg(feature = "a2a-server")]
                    let serving = super::a2a::serve(called, serving);
                    Ok(serving.await?.map(Either::Left))
                }
                Err(refused) => {
                    refused.log();
                    Ok(respond(&refused).map(Either::Right))
                }
            }
        })
    }
}

impl Inbound for Parts {
    fn head(&self) -> impl RequestHead {
        self
    }

    fn original_path(&self) -> Option<&str> {
        #[cfg(feature = "axum")]
        return super::axum::original_path(self);
        #[cfg(not(feature = "axum"))]
        return None;
    }

    fn peer(&self) -> Option<PeerAddress> {
        #[cfg(feature = "axum")]
        return super::axum::peer(self);
        #[cfg(not(feature = "axum"))]
        return None;
    }

    fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.extensions.get().cloned()
    }

    fn set_extension<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.extensions.insert(value);
    }

    fn remove_extension<T: Clone + Send + Sync + 'static>(&mut self) {
        self.extensions.remove::<T>();
    }
}

/// What a handler of the A2A SDK, which sees no extensions, has to know.
#[cfg(feature = "a2a-server")]
fn called(route: &Route, parts: &Parts) -> Option<super::a2a::Called> {
    let verified = parts.extensions.get::<Verified>().filter(|_| route.is_a2a())?;
    Some(super::a2a::Called::of(verified, parts.extensions.get::<AcceptedCredential>()))
}

/// The whole body, within the limits.
pub(crate) async fn read<B>(body: B, limits: Limits) -> Result<(Bytes, Held), Refused>
where
    B: Body,
    B::Error: std::fmt::Display,
{
    let time = limits.time;
    match tokio::time::timeout(time, collect(body, limits)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refused::BodyTooSlow { limit: time }),
    }
}

async fn collect<B>(body: B, mut limits: Limits) -> Result<(Bytes, Held), Refused>
where
    B: Body,
    B::Error: std::fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refused::BodyUnreadable { error: error.to_string() })?;
        let Ok(mut data) = frame.into_data() else { continue };
        let length = bytes::Buf::remaining(&data);
        limits.admit(length, whole.len())?;
        // The only frame is handed on as it is.
        let chunk = bytes::Buf::copy_to_bytes(&mut data, length);
        if whole.is_empty() && body.is_end_stream() {
            return Ok((chunk, limits.into_held()));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok((whole.freeze(), limits.into_held()))
}

/// The answer to a refused request.
pub(crate) fn respond(refused: &Refused) -> Response<Full<Bytes>> {
    let answer = refused.answer();
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    for (name, value) in answer.fields {
        // Made of stable codes and numbers, so it is always a field value.
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
