//! `WebhookReceiver`: the layer in front of the handler of a webhook registration.

mod bearer;
mod hmac;
mod origin;
mod refusals;
mod tower;

#[cfg(feature = "actix")]
mod actix;
#[cfg(feature = "axum")]
mod axum;
#[cfg(any(feature = "axum", feature = "actix"))]
mod extract;

use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
    time::Duration,
};

use adcp_signing_core::{
    Clock, Profile, SystemClock, Verified, VerifiedSigner,
    http_message::RequestHead,
    webhook::{LegacyBearer, LegacyHmac, WebhookAuthMode},
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::Value;

#[cfg(any(feature = "axum", feature = "actix"))]
pub use self::extract::Webhook;
use self::refusals::{NOT_FOR_WEBHOOKS, RETRY_AFTER, malformed, not_json, refused, unavailable};
pub use self::{
    origin::{WebhookOrigin, WebhookSource},
    tower::ReceiveService,
};
use super::{
    Claim, DedupStore, DeliveryName, Fence, Fingerprint, Payload, Retention, Subscription,
    challenge, measured,
};
use crate::{
    Verify,
    inbound::{BodyBudget, Held, Inbound, Limits, Refused, Route, admit, refused::TWO_LAYERS},
};

/// How long a body may take to arrive where no verifier limits it.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

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
/// It is a layer of `tower`, and a middleware of actix-web (feature `actix`). The handler gets the
/// verified bytes, and [`WebhookOrigin`] as an extension; the extractor `Webhook` has both.
#[derive(Clone)]
pub struct WebhookReceiver(Arc<Shared>);

struct Shared {
    mode: Mode,
    dedup: Arc<dyn DedupStore>,
    retention: Retention,
    clock: Arc<dyn Clock>,
    activation: Option<Subscription>,
    /// For bodies that a verifier does not bound.
    budget: BodyBudget,
}

/// What the registration selects. No other is tried.
#[derive(Clone)]
enum Mode {
    Rfc9421(Arc<Route>),
    LegacyHmac { scheme: LegacyHmac, sender: Arc<str> },
    LegacyBearer { scheme: LegacyBearer, sender: Arc<str> },
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

    /// Receives what is authenticated by a bearer token, which AdCP 4.0 removes: the registration has
    /// `authentication` with that scheme. The token protects nothing of the body, so read the state
    /// that a webhook reports from the seller before you act on it.
    ///
    /// `sender` names the one who holds the token. Give the URL of its agent: when it changes to RFC
    /// 9421, what it has sent before is still recognized.
    pub fn legacy_bearer(
        scheme: LegacyBearer,
        sender: &str,
        dedup: impl DedupStore + 'static,
    ) -> Self {
        let sender = challenge::agent_name(sender).into();
        Self::new(Mode::LegacyBearer { scheme, sender }, dedup)
    }

    fn new(mode: Mode, dedup: impl DedupStore + 'static) -> Self {
        Self(Arc::new(Shared {
            mode,
            dedup: Arc::new(dedup),
            retention: Retention::default(),
            clock: Arc::new(SystemClock),
            activation: None,
            budget: BodyBudget::default(),
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

    /// How many bytes of bodies are held at once over all connections, in place of 256 MiB, in a
    /// legacy mode. In the mode of RFC 9421 it is [`Verify::body_budget`] that counts.
    #[must_use]
    pub fn body_budget(self, bytes: usize) -> Self {
        self.with(|shared| shared.budget = BodyBudget::of(bytes))
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let Shared { mode, dedup, retention, clock, activation, budget } = &*self.0;
        let mut shared = Shared {
            mode: mode.clone(),
            dedup: Arc::clone(dedup),
            retention: *retention,
            clock: Arc::clone(clock),
            activation: activation.clone(),
            budget: budget.clone(),
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
            Mode::LegacyBearer { .. } => WebhookAuthMode::Bearer,
        };
        f.debug_struct("WebhookReceiver").field("mode", &mode).finish_non_exhaustive()
    }
}

/// What is to be done with an authentic webhook.
enum Next {
    /// Hand it to the handler. Its origin is an extension of the request already.
    Handle { body: Bytes, origin: WebhookOrigin, fence: Fence },
    /// A challenge, answered with this body.
    Echo(String),
    /// It was handled before.
    Known,
}

impl Shared {
    /// Authenticates and claims a webhook, and counts it where it ends here. `read` reads its body.
    async fn receive(
        &self,
        request: &mut impl Inbound,
        read: impl AsyncFnOnce(Limits) -> Result<(Bytes, Held), Refused>,
    ) -> Result<Next, Refused> {
        let next = self.judge(request, read).await;
        match &next {
            Ok(Next::Handle { .. }) => {}
            Ok(Next::Echo(_)) => measured::received(measured::CHALLENGE),
            Ok(Next::Known) => measured::received(measured::REPEATED),
            Err(refused) => {
                measured::received(refused.reason());
                refused.log();
            }
        }
        next
    }

    async fn judge(
        &self,
        request: &mut impl Inbound,
        read: impl AsyncFnOnce(Limits) -> Result<(Bytes, Held), Refused>,
    ) -> Result<Next, Refused> {
        let (body, source) = self.authenticate(request, read).await?;
        let value = super::payload::read(&body).map_err(|error| malformed(&error))?;
        if challenge::is_challenge(&value) {
            return self.answer(&source, value).map(Next::Echo);
        }
        // Its bytes are within the bounds of the verifier already.
        let payload = Payload::of(body.clone(), &value).map_err(|error| malformed(&error))?;
        let origin = WebhookOrigin { source, idempotency_key: payload.idempotency_key().clone() };
        match self.claim(&origin, payload.fingerprint()).await? {
            Claim::Yours(fence) => {
                request.set_extension(origin.clone());
                Ok(Next::Handle { body, origin, fence })
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

    async fn authenticate(
        &self,
        request: &mut impl Inbound,
        read: impl AsyncFnOnce(Limits) -> Result<(Bytes, Held), Refused>,
    ) -> Result<(Bytes, WebhookSource), Refused> {
        if request.extension::<WebhookOrigin>().is_some() {
            return Err(Refused::Misconfigured { cure: TWO_LAYERS });
        }
        if has_other_type(&request.head()) {
            return Err(not_json());
        }
        match &self.mode {
            Mode::Rfc9421(route) => {
                let body = admit(route, request, read).await?;
                // Everything has to be signed where the verifier is for webhooks.
                let signer = request.extension::<VerifiedSigner>();
                let signer = signer.ok_or(Refused::Misconfigured { cure: NOT_FOR_WEBHOOKS })?;
                Ok((body, WebhookSource::Signed(signer)))
            }
            Mode::LegacyHmac { scheme, sender } => {
                not_verified_before(request)?;
                let read = async || Ok(read(self.limits()).await?.0);
                let now = || self.clock.now();
                let body = hmac::authenticate(scheme, &request.head(), read, now).await?;
                Ok((body, WebhookSource::LegacyHmac(Arc::clone(sender))))
            }
            Mode::LegacyBearer { scheme, sender } => {
                not_verified_before(request)?;
                let read = async || Ok(read(self.limits()).await?.0);
                let now = self.clock.now();
                let body = bearer::authenticate(scheme, &request.head(), read, now).await?;
                Ok((body, WebhookSource::LegacyBearer(Arc::clone(sender))))
            }
        }
    }

    /// The limits of a body that a verifier does not bound.
    fn limits(&self) -> Limits {
        let bytes = Profile::webhook().bounds().max_body_bytes();
        Limits::new(bytes, READ_TIMEOUT, &self.budget)
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
            unavailable(detail)
        })
    }

    /// Runs the handler, and records whether it has handled the delivery.
    async fn run<T, E>(
        self: Arc<Self>,
        origin: WebhookOrigin,
        fence: Fence,
        handler: impl Future<Output = Result<T, E>>,
        is_success: fn(&T) -> bool,
    ) -> Result<T, E> {
        let outcome = AssertUnwindSafe(handler).catch_unwind().await;
        let handled = matches!(&outcome, Ok(Ok(response)) if is_success(response));
        self.finish(&origin, fence, handled).await;
        measured::received(if handled { measured::HANDLED } else { measured::HANDLER_FAILED });
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
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

/// Refuses a request that a layer in front has verified, and forgets a signer that nothing verified.
fn not_verified_before(request: &mut impl Inbound) -> Result<(), Refused> {
    if request.extension::<Verified>().is_some() {
        return Err(Refused::Misconfigured { cure: TWO_LAYERS });
    }
    request.remove_extension::<VerifiedSigner>();
    Ok(())
}

/// Whether the content is announced as something else than JSON.
fn has_other_type(head: &impl RequestHead) -> bool {
    head.fields().any(|field| field.is("Content-Type") && !is_json(field.value))
}

fn is_json(value: &[u8]) -> bool {
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}
