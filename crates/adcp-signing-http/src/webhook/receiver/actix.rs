//! [`WebhookReceiver`] as a middleware of actix-web, and its extractor.

use std::{
    future::{Ready, ready},
    panic::resume_unwind,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    Error, FromRequest, HttpMessage as _, HttpRequest, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform},
    error::InternalError,
};

use super::{
    Next, Shared, Webhook, WebhookOrigin, WebhookReceiver, extract::NO_RECEIVER,
    refusals::unavailable,
};
use crate::{
    inbound::{
        Refused,
        actix::{Local, closing, payload, read, respond},
    },
    webhook::Fence,
};

/// The service of [`WebhookReceiver`] in actix-web.
#[derive(Debug)]
pub struct ReceiveMiddleware<S> {
    inner: Rc<S>,
    receiver: WebhookReceiver,
}

impl<S, B> Transform<S, ServiceRequest> for WebhookReceiver
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = ReceiveMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(ReceiveMiddleware { inner: Rc::new(inner), receiver: self.clone() }))
    }
}

impl<S, B> Service<ServiceRequest> for ReceiveMiddleware<S>
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
        let shared = Arc::clone(&self.receiver.0);
        Box::pin(async move {
            let mut unread = request.take_payload();
            let read = async |limits| read(&mut unread, limits).await;
            let next = shared.receive(&mut request, read).await;
            let answer = match next {
                Ok(Next::Handle { body, origin, fence }) => {
                    request.set_payload(payload(body));
                    return handle(shared, inner, request, origin, fence).await;
                }
                Ok(Next::Echo(echo)) => {
                    HttpResponse::Ok().content_type("application/json").body(echo)
                }
                Ok(Next::Known) => HttpResponse::Ok().finish(),
                Err(refused) => closing(respond(&refused), unread),
            };
            Ok(request.into_response(answer).map_into_right_body())
        })
    }
}

/// Runs the handler on a task of its own, which goes on when the sender hangs up: the claim then
/// says what became of the delivery.
async fn handle<S, B>(
    shared: Arc<Shared>,
    inner: Rc<S>,
    request: ServiceRequest,
    origin: WebhookOrigin,
    fence: Fence,
) -> Result<ServiceResponse<EitherBody<B>>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let handler = async move { inner.call(request).await };
    let task = actix_web::rt::spawn(
        shared.run(origin, fence, handler, |response| response.status().is_success()),
    );
    match task.await {
        Ok(outcome) => outcome.map(ServiceResponse::map_into_left_body),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(answered(&unavailable("the runtime shuts down"))),
        },
    }
}

impl<T: FromRequest + 'static> FromRequest for Webhook<T> {
    /// 500 where the route has no receiver, or the answer of the other extractor.
    type Error = Error;
    type Future = Local<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let origin = request.extensions().get::<WebhookOrigin>().cloned();
        let read = T::from_request(request, payload);
        Box::pin(async move {
            let Some(origin) = origin else {
                let refused = Refused::Misconfigured { cure: NO_RECEIVER };
                refused.log();
                return Err(answered(&refused));
            };
            Ok(Self(origin, read.await.map_err(Into::into)?))
        })
    }
}

/// The error whose answer this is.
fn answered(refused: &Refused) -> Error {
    let answer: HttpResponse<BoxBody> = respond(refused);
    InternalError::from_response("the webhook is not handled", answer).into()
}
