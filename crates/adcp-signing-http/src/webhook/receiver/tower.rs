//! [`WebhookReceiver`] as a layer for axum, hyper and every other `tower` server.

use std::{
    fmt,
    future::Future,
    mem,
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use super::{Next, Shared, WebhookOrigin, WebhookReceiver, refusals::unavailable};
use crate::{
    inbound::tower::{read, respond},
    webhook::Fence,
};

/// The service of [`WebhookReceiver`].
#[derive(Debug, Clone)]
pub struct ReceiveService<S> {
    inner: S,
    receiver: WebhookReceiver,
}

impl<S> Layer<S> for WebhookReceiver {
    type Service = ReceiveService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ReceiveService { inner, receiver: self.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for ReceiveService<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: fmt::Display,
{
    type Response = Response<Either<R, Full<Bytes>>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.receiver.0);
        // The service that was polled ready is the one to call; a clone need not be.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let next = shared.receive(&mut parts, async |limits| read(body, limits).await).await;
            let next = match next {
                Ok(next) => next,
                Err(refused) => return Ok(respond(&refused).map(Either::Right)),
            };
            match next {
                Next::Handle { body, origin, fence } => {
                    let request = Request::from_parts(parts, Full::new(body));
                    handle(shared, inner, request, origin, fence).await
                }
                Next::Echo(echo) => {
                    let mut response = Response::new(Full::new(Bytes::from(echo)));
                    let json = HeaderValue::from_static("application/json");
                    response.headers_mut().insert(CONTENT_TYPE, json);
                    Ok(response.map(Either::Right))
                }
                Next::Known => Ok(Response::new(Either::Right(Full::default()))),
            }
        })
    }
}

/// Runs the handler on a task of its own, which goes on when the sender hangs up: the claim then
/// says what became of the delivery.
async fn handle<S, R>(
    shared: Arc<Shared>,
    mut inner: S,
    request: Request<Full<Bytes>>,
    origin: WebhookOrigin,
    fence: Fence,
) -> Result<Response<Either<R, Full<Bytes>>>, S::Error>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
{
    let handler = async move { inner.call(request).await };
    let task =
        tokio::spawn(shared.run(origin, fence, handler, |response| response.status().is_success()));
    match task.await {
        Ok(outcome) => Ok(outcome?.map(Either::Left)),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Ok(respond(&unavailable("the runtime shuts down")).map(Either::Right)),
        },
    }
}
