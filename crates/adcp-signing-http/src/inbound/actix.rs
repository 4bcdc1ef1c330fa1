//! [`VerifyLayer`] as a middleware of actix-web, and its extractors.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    Error, FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, EitherBody, MessageBody},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform},
    error::PayloadError,
    http::StatusCode,
};
use adcp_signing_core::{FieldLine, http_message::RequestHead};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};

use super::{
    Caller, Held, Inbound, Limits, NotVerified, PeerAddress, Refused, Route, Verified, VerifyLayer,
    admit,
};

pub(crate) type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// The service of [`VerifyLayer`] in actix-web.
#[derive(Debug)]
pub struct VerifyMiddleware<S> {
    inner: Rc<S>,
    route: Arc<Route>,
}

impl<S, B> Transform<S, ServiceRequest> for VerifyLayer
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = VerifyMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(VerifyMiddleware { inner: Rc::new(inner), route: Arc::clone(&self.route) }))
    }
}

impl<S, B> Service<ServiceRequest> for VerifyMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Local<Result<Self::Response, Error>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let inner = Rc::clone(&self.inner);
        let route = Arc::clone(&self.route);
        Box::pin(async move {
            let mut unread = request.take_payload();
            let read = async |limits| read(&mut unread, limits).await;
            match admit(&route, &mut request, read).await {
                Ok(body) => {
                    request.set_payload(payload(body));
                    inner.call(request).await.map(ServiceResponse::map_into_left_body)
                }
                Err(refused) => {
                    refused.log();
                    let answer = closing(respond(&refused), unread);
                    Ok(request.into_response(answer).map_into_right_body())
                }
            }
        })
    }
}

/// An answer to a request whose body may be unread: the connection closes after it.
///
/// A server of actix-web reads on for as long as chunks come where nobody holds the payload any
/// more when the answer is sent, and closes the connection where somebody does.
pub(crate) fn closing(answer: HttpResponse, payload: Payload) -> HttpResponse {
    answer.map_body(|_, body| Holding { body, _payload: payload }).map_into_boxed_body()
}

/// A body that holds the payload of the request until it is sent.
struct Holding {
    body: BoxBody,
    _payload: Payload,
}

impl MessageBody for Holding {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

impl Inbound for ServiceRequest {
    fn head(&self) -> impl RequestHead {
        Head(self.request())
    }

    fn original_path(&self) -> Option<&str> {
        None
    }

    fn peer(&self) -> Option<PeerAddress> {
        self.peer_addr().map(PeerAddress::from)
    }

    fn extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.extensions().get().cloned()
    }

    fn set_extension<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.extensions_mut().insert(value);
    }

    fn remove_extension<T: Clone + Send + Sync + 'static>(&mut self) {
        self.extensions_mut().remove::<T>();
    }
}

/// The whole body, within the limits.
pub(crate) async fn read(payload: &mut Payload, limits: Limits) -> Result<(Bytes, Held), Refused> {
    let time = limits.time;
    match tokio::time::timeout(time, collect(payload, limits)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refused::BodyTooSlow { limit: time }),
    }
}

async fn collect(payload: &mut Payload, mut limits: Limits) -> Result<(Bytes, Held), Refused> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Refused::BodyUnreadable { error: error.to_string() })?;
        limits.admit(chunk.len(), whole.len())?;
        whole.extend_from_slice(&chunk);
    }
    Ok((whole.freeze(), limits.into_held()))
}

/// The bytes as what a handler reads.
pub(crate) fn payload(body: Bytes) -> Payload {
    let chunks = (!body.is_empty()).then_some(Ok::<_, PayloadError>(body));
    Payload::Stream { payload: Box::pin(stream::iter(chunks)) }
}

/// The head of a request, whose types are of version 0.2 of the `http` crate.
struct Head<'a>(&'a HttpRequest);

impl RequestHead for Head<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn scheme(&self) -> Option<&str> {
        self.0.uri().scheme_str()
    }

    fn authority(&self) -> Option<&str> {
        self.0.uri().authority().map(|authority| authority.as_str())
    }

    fn path_and_query(&self) -> Option<&str> {
        self.0.uri().path_and_query().map(|path| path.as_str())
    }

    fn fields(&self) -> impl Iterator<Item = FieldLine<'_>> {
        let headers = self.0.headers().iter();
        headers.map(|(name, value)| FieldLine { name: name.as_str(), value: value.as_bytes() })
    }
}

impl<T: FromRequest + 'static> FromRequest for Verified<T> {
    type Error = Error;
    type Future = Local<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signer = caller(request).and_then(Caller::signer);
        let read = T::from_request(request, payload);
        Box::pin(async move { Ok(Self(signer?, read.await.map_err(Into::into)?)) })
    }
}

impl FromRequest for Caller {
    type Error = NotVerified;
    type Future = Ready<Result<Self, NotVerified>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

fn caller(request: &HttpRequest) -> Result<Caller, NotVerified> {
    Caller::of(request.extensions().get())
}

impl ResponseError for NotVerified {
    fn status_code(&self) -> StatusCode {
        status(self.0.answer().status)
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        respond(&self.0)
    }
}

/// The answer to a refused request.
pub(crate) fn respond(refused: &Refused) -> HttpResponse {
    let answer = refused.answer();
    let mut response = HttpResponse::build(status(answer.status));
    for (name, value) in answer.fields {
        response.insert_header((name.as_str(), value));
    }
    response.body(answer.body)
}

fn status(status: http::StatusCode) -> StatusCode {
    StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
