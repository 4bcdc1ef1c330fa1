//! `WebhookReceiver`: the layer in front of the handler of a webhook registration.

use std::{
    fmt,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use adcp_signing_core::{
    Clock, ErrorCode, FieldLine, Profile, SystemClock, Verified, VerifiedSigner,
    webhook::{HmacRejection, LegacyHmac, WebhookAuthMode},
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE, request::Parts};
use http_body::Body;
use http_body_util::{Either, Full};
use serde_json::Value;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Claim, DedupStore, DeliveryName, Fence, Fingerprint, IdempotencyKey, Payload, PayloadError,
    Retention, Subscription, challenge,
};
use crate::{
    Verify,
    inbound::{
        Refused, Route,
        refused::{RefusedWebhook, TWO_LAYERS},
        tower::{admit, read, respond},
    },
};

/// How long a body may take to arrive where the mode is HMAC.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// When a sender may try again what cannot be decided now.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Receives the webhooks of one registration: authenticates each by the one mode that the
/// registration selects, and hands it to the handler once.
///
/// | the delivery | is answered |
/// |---|---|
/// | new | by the handler |
/// | handled before, or handled now with 2xx | 200 |
/// | at this moment with the handler | 503 and `Retry-After` |
/// | of a known key with another payload | 409 |
/// | authenticated by another mode | 401 `webhook_mode_mismatch` |
///
/// A handler that answers with another status than 2xx, or panics, has not handled the delivery:
/// the sender's next attempt reaches it again. A handler whose client hangs up is run to its end.
///
/// It is a layer of `tower`. The handler gets the verified bytes, and [`WebhookOrigin`] as an
/// extension; in axum the extractor `Webhook` has both.
#[derive(Clone)]
pub struct WebhookReceiver(Arc<Shared>);

struct Shared {
    mode: Mode,
    dedup: Arc<dyn DedupStore>,
    retention: Retention,
    clock: Arc<dyn Clock>,
    activation: Option<Subscription>,
}

/// What the registration selects. The other is never tried.
enum Mode {
    Rfc9421(Arc<Route>),
    LegacyHmac { scheme: LegacyHmac, sender: Arc<str> },
}

/// Who sent a webhook, and its key: an extension of the request that reaches the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookOrigin {
    source: WebhookSource,
    idempotency_key: IdempotencyKey,
}

/// By what a sender is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookSource {
    /// An RFC 9421 signature.
    Signed(VerifiedSigner),
    /// The shared secret of the registration: the name that you gave to its other holder.
    LegacyHmac(Arc<str>),
}

impl WebhookReceiver {
    /// Receives what is signed by RFC 9421: the registration has no `authentication`. The verifier
    /// is one [`for_webhooks`](adcp_signing_core::Verifier::for_webhooks).
    ///
    /// Share the store of claims (an `Arc` of it) among all endpoints that a sender can reach.
    pub fn rfc9421(verify: &Verify, dedup: impl DedupStore + 'static) -> Self {
        Self::new(Mode::Rfc9421(verify.webhooks().route), dedup)
    }

    /// Receives what is authenticated by the legacy HMAC-SHA256, which AdCP 4.0 removes: the
    /// registration has `authentication` with that scheme.
    ///
    /// `sender` names the one who shares the secret. Give the URL of its agent: when it changes to
    /// RFC 9421, what it has sent before is still recognized.
    pub fn legacy_hmac(scheme: LegacyHmac, sender: &str, dedup: impl DedupStore + 'static) -> Self {
        let sender = challenge::agent_name(sender).into();
        Self::new(Mode::LegacyHmac { scheme, sender }, dedup)
    }

    fn new(mode: Mode, dedup: impl DedupStore + 'static) -> Self {
        Self(Arc::new(Shared {
            mode,
            dedup: Arc::new(dedup),
            retention: Retention::default(),
            clock: Arc::new(SystemClock),
            activation: None,
        }))
    }

    /// How long deliveries are remembered, and how long the handler may take, in place of a week
    /// and 5 minutes.
    #[must_use]
    pub fn retention(self, retention: Retention) -> Self {
        self.with(|shared| shared.retention = retention)
    }

    /// The clock, in place of the system's. That of RFC 9421 signatures is the verifier's.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        self.with(|shared| shared.clock = Arc::new(clock))
    }

    /// Answers the challenge by which the seller makes sure that this endpoint is yours, where it
    /// is about this subscription. Without it, and for any other subscription, a challenge is
    /// refused.
    ///
    /// The challenge is signed by RFC 9421 in any mode, so only a receiver of that mode answers it.
    #[must_use]
    pub fn activating(self, subscription: Subscription) -> Self {
        self.with(|shared| shared.activation = Some(subscription))
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let Shared { mode, dedup, retention, clock, activation } = &*self.0;
        let mut shared = Shared {
            mode: match mode {
                Mode::Rfc9421(route) => Mode::Rfc9421(Arc::clone(route)),
                Mode::LegacyHmac { scheme, sender } => {
                    Mode::LegacyHmac { scheme: scheme.clone(), sender: Arc::clone(sender) }
                }
            },
            dedup: Arc::clone(dedup),
            retention: *retention,
            clock: Arc::clone(clock),
            activation: activation.clone(),
        };
        change(&mut shared);
        Self(Arc::new(shared))
    }
}

impl fmt::Debug for WebhookReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match &self.0.mode {
            Mode::Rfc9421(_) => WebhookAuthMode::Rfc9421,
            Mode::LegacyHmac { .. } => WebhookAuthMode::LegacyHmac,
        };
        f.debug_struct("WebhookReceiver").field("mode", &mode).finish_non_exhaustive()
    }
}

impl WebhookOrigin {
    /// By what the sender is known.
    pub fn source(&self) -> &WebhookSource {
        &self.source
    }

    /// Who sent the webhook: the URL of its agent where the resolver of keys knows it, or the name
    /// that you gave to the holder of the secret. Never taken from the body.
    pub fn sender(&self) -> &str {
        self.source.sender()
    }

    /// The key of the event.
    pub fn idempotency_key(&self) -> &IdempotencyKey {
        &self.idempotency_key
    }
}

impl WebhookSource {
    fn sender(&self) -> &str {
        match self {
            // Without an agent, a `keyid` is unique among the keys of the resolver.
            Self::Signed(signer) => signer.agent_url().unwrap_or(signer.keyid()),
            Self::LegacyHmac(name) => name,
        }
    }
}

/// An authentic webhook that is claimed.
struct Admitted {
    parts: Parts,
    body: Bytes,
    origin: WebhookOrigin,
    fence: Fence,
}

/// What is to be done with an authentic webhook.
enum Next {
    Handle(Box<Admitted>),
    /// A challenge, answered with this body.
    Echo(String),
    /// It was handled before.
    Known,
}

impl Shared {
    async fn receive<B>(&self, request: Request<B>) -> Result<Next, Refused>
    where
        B: Body,
        B::Error: fmt::Display,
    {
        let (parts, body, source) = self.authenticate(request).await?;
        let value = super::payload::read(&body).map_err(|error| malformed(&error))?;
        if challenge::is_challenge(&value) {
            return self.answer(&source, value).map(Next::Echo);
        }
        // Its bytes are within the bounds of the verifier already.
        let payload = Payload::of(body.clone(), &value).map_err(|error| malformed(&error))?;
        let origin = WebhookOrigin { source, idempotency_key: payload.idempotency_key().clone() };
        match self.claim(&origin, payload.fingerprint()).await? {
            Claim::Yours(fence) => {
                Ok(Next::Handle(Box::new(Admitted { parts, body, origin, fence })))
            }
            Claim::Completed => Ok(Next::Known),
            Claim::Running => {
                Err(refused(503, "delivery_in_progress", Some(RETRY_AFTER), "a handler is at it"))
            }
            Claim::Conflict => Err(refused(
                409,
                "idempotency_conflict",
                None,
                "the sender gave the idempotency key to another payload before",
            )),
            Claim::Full => Err(refused(
                429,
                "too_many_deliveries",
                Some(RETRY_AFTER),
                "the store of claims keeps no more deliveries of this sender, or of all",
            )),
        }
    }

    async fn authenticate<B>(
        &self,
        request: Request<B>,
    ) -> Result<(Parts, Bytes, WebhookSource), Refused>
    where
        B: Body,
        B::Error: fmt::Display,
    {
        if request.extensions().get::<WebhookOrigin>().is_some() {
            return Err(Refused::Misconfigured { cure: TWO_LAYERS });
        }
        if request.headers().get_all(CONTENT_TYPE).iter().any(|value| !is_json(value)) {
            return Err(not_json());
        }
        match &self.mode {
            Mode::Rfc9421(route) => {
                let (parts, body) = admit(route, request).await?;
                let signer = parts.extensions.get::<VerifiedSigner>().cloned();
                // Everything has to be signed where the verifier is for webhooks.
                let signer = signer.ok_or(Refused::Misconfigured { cure: NOT_FOR_WEBHOOKS })?;
                Ok((parts, body, WebhookSource::Signed(signer)))
            }
            Mode::LegacyHmac { scheme, sender } => {
                let (parts, body) = self.check_hmac(scheme, request).await?;
                Ok((parts, body, WebhookSource::LegacyHmac(Arc::clone(sender))))
            }
        }
    }

    async fn check_hmac<B>(
        &self,
        scheme: &LegacyHmac,
        request: Request<B>,
    ) -> Result<(Parts, Bytes), Refused>
    where
        B: Body,
        B::Error: fmt::Display,
    {
        let (mut parts, body) = request.into_parts();
        if parts.extensions.get::<Verified>().is_some() {
            return Err(Refused::Misconfigured { cure: TWO_LAYERS });
        }
        parts.extensions.remove::<VerifiedSigner>();
        let headers = parts.headers.iter();
        let fields: Vec<_> = headers
            .map(|(name, value)| FieldLine { name: name.as_str(), value: value.as_bytes() })
            .collect();
        // What the head decides is decided before the body is read.
        WebhookAuthMode::LegacyHmac
            .check(&fields)
            .map_err(|mismatch| not_authentic(&mismatch.into()))?;
        if !WebhookAuthMode::detect(&fields).legacy_hmac {
            scheme
                .verify(&fields, b"", self.clock.now())
                .map_err(|rejection| not_authentic(&rejection))?;
        }
        if parts.headers.get(CONTENT_TYPE).is_none() {
            return Err(not_json());
        }
        let limit = Profile::webhook().bounds().max_body_bytes();
        let body = read(body, limit, READ_TIMEOUT).await?;
        scheme
            .verify(&fields, &body, self.clock.now())
            .map_err(|rejection| not_authentic(&rejection))?;
        drop(fields);
        Ok((parts, body))
    }

    fn answer(&self, source: &WebhookSource, value: Value) -> Result<String, Refused> {
        let refuse = |detail: String| refused(403, "challenge_refused", None, detail);
        let Some(subscription) = &self.activation else {
            return Err(refuse("no activation is expected here; set `activating`".to_owned()));
        };
        let WebhookSource::Signed(signer) = source else {
            return Err(refuse("a challenge has to be signed by RFC 9421".to_owned()));
        };
        subscription
            .answer_value(signer.agent_url(), value)
            .map_err(|mismatch| refuse(mismatch.to_string()))
    }

    async fn claim(
        &self,
        origin: &WebhookOrigin,
        fingerprint: Fingerprint,
    ) -> Result<Claim, Refused> {
        let name = DeliveryName::new(origin.sender(), &origin.idempotency_key);
        let claim = self.dedup.claim(name, fingerprint, self.clock.now(), self.retention).await;
        claim.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let detail = format!("{error}: {}", cause.unwrap_or_default());
            refused(503, "receiver_unavailable", Some(RETRY_AFTER), detail)
        })
    }

    /// Records what the handler made of a delivery.
    async fn finish(&self, origin: &WebhookOrigin, fence: Fence, handled: bool) {
        let name = DeliveryName::new(origin.sender(), &origin.idempotency_key);
        let recorded = if handled {
            self.dedup.complete(name, fence).await
        } else {
            self.dedup.release(name, fence).await
        };
        if let Err(error) = recorded {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(target: "adcp_signing::webhook", %error, cause, handled, "claim");
        }
    }
}

/// A receiver whose verifier is for requests.
const NOT_FOR_WEBHOOKS: &str = "a receiver of webhooks has a verifier for requests; make one by \
                                `Verifier::for_webhooks`";

fn is_json(value: &HeaderValue) -> bool {
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn not_json() -> Refused {
    refused(415, "content_type_unsupported", None, "Content-Type is not application/json")
}

fn refused(
    status: u16,
    reason: &'static str,
    retry_after: Option<Duration>,
    detail: impl Into<String>,
) -> Refused {
    Refused::Webhook(RefusedWebhook {
        status,
        reason,
        code: None,
        retry_after,
        detail: detail.into(),
    })
}

fn not_authentic(rejection: &HmacRejection) -> Refused {
    let code: ErrorCode = rejection.code();
    Refused::Webhook(RefusedWebhook {
        status: 401,
        reason: code.as_str(),
        code: Some(code),
        retry_after: None,
        detail: rejection.to_string(),
    })
}

/// An authentic webhook that cannot be handled.
fn malformed(error: &PayloadError) -> Refused {
    let (status, reason) = match error {
        PayloadError::TooLarge { .. } => (413, "body_too_large"),
        PayloadError::NotJson(json) if json.exceeds_limit() => (413, "body_too_complex"),
        PayloadError::NotJson(_) | PayloadError::Unwritable(_) => (400, "webhook_not_json"),
        PayloadError::NotAnObject => (400, "webhook_not_an_object"),
        PayloadError::KeyMissing => (400, "idempotency_key_missing"),
        PayloadError::KeyMalformed(_) => (400, "idempotency_key_malformed"),
    };
    refused(status, reason, None, error.to_string())
}

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
            let next = match shared.receive(request).await {
                Ok(next) => next,
                Err(refused) => {
                    refused.log();
                    return Ok(respond(&refused).map(Either::Right));
                }
            };
            match next {
                Next::Handle(admitted) => handle(shared, inner, *admitted).await,
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
    admitted: Admitted,
) -> Result<Response<Either<R, Full<Bytes>>>, S::Error>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
{
    let Admitted { mut parts, body, origin, fence } = admitted;
    parts.extensions.insert(origin.clone());
    let request = Request::from_parts(parts, Full::new(body));
    let task = tokio::spawn(async move {
        let handled = AssertUnwindSafe(async move { inner.call(request).await });
        let outcome = handled.catch_unwind().await;
        let success = matches!(&outcome, Ok(Ok(response)) if response.status().is_success());
        shared.finish(&origin, fence, success).await;
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    });
    match task.await {
        Ok(outcome) => Ok(outcome?.map(Either::Left)),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime shuts down.
            Err(_) => {
                let refused = refused(503, "receiver_unavailable", Some(RETRY_AFTER), "shut down");
                Ok(respond(&refused).map(Either::Right))
            }
        },
    }
}

#[cfg(feature = "axum")]
pub use self::extract::Webhook;

#[cfg(feature = "axum")]
mod extract {
    //! The extractor for axum.

    use axum::{
        extract::{FromRequest, Request},
        response::{IntoResponse, Response},
    };

    use super::{Bytes, Refused, WebhookOrigin, respond};

    /// Who sent a webhook, and the webhook as another extractor reads it. An extractor of axum.
    ///
    /// ```
    /// use adcp_signing_http::webhook::Webhook;
    /// use axum::Json;
    /// use serde_json::Value;
    ///
    /// async fn on_event(Webhook(origin, Json(event)): Webhook<Json<Value>>) {
    ///     println!("{} reports {}", origin.sender(), event["status"]);
    /// }
    /// ```
    #[derive(Debug, Clone)]
    pub struct Webhook<T = Bytes>(
        /// Who sent it, and its key.
        pub WebhookOrigin,
        /// The webhook, as the extractor reads it.
        pub T,
    );

    /// An extractor without a layer.
    const NO_RECEIVER: &str = "a handler asks for a webhook, and its route has no \
                               `WebhookReceiver`; add one to the route";

    impl<S, T> FromRequest<S> for Webhook<T>
    where
        S: Send + Sync,
        T: FromRequest<S>,
    {
        /// 500 where the route has no receiver, or the answer of the other extractor.
        type Rejection = Response;

        async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
            let Some(origin) = request.extensions().get::<WebhookOrigin>().cloned() else {
                let refused = Refused::Misconfigured { cure: NO_RECEIVER };
                refused.log();
                return Err(respond(&refused).into_response());
            };
            let read = T::from_request(request, state).await;
            Ok(Self(origin, read.map_err(IntoResponse::into_response)?))
        }
    }
}
