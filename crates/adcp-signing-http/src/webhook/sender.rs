//! `WebhookSender`: signs and sends webhooks until they are delivered, refused or out of time.

use std::{fmt, sync::Arc, time::Duration};

use adcp_signing_core::{
    Clock, FieldLine, Request, SignError, Signer, SystemClock, profile::MessageKind,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use reqwest::{Proxy, dns::Resolve};
use tokio::{sync::Notify, task::JoinSet, time};

use super::{
    AttemptFailure, Backoff, Delivery, DeliveryEvent, DeliveryId, DeliveryObserver, DeliveryStore,
    Outcome, Payload, StoreFailure, WebhookTarget, outcome,
    post::{Guard, Post, Reply},
};

const JSON: &str = "application/json";
/// How long an attempt may take, with the signature.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(30);
/// How long a delivery is claimed for: longer than any attempt.
const CLAIM_SECONDS: i64 = 90;
/// How often the store is asked for what other processes have put there.
const POLL: Duration = Duration::from_secs(1);
/// How many attempts are made at a time.
const CONCURRENCY: usize = 64;

/// Sends webhooks: signs each attempt anew, sends it to public addresses alone, and repeats it
/// until the receiver accepts it, refuses it for good, or the horizon ends.
///
/// - [`enqueue`](Self::enqueue) stores a webhook; [`run`](Self::run) delivers what is stored, after
///   a restart as well. Call it once in each process that shall send.
/// - [`send_once`](Self::send_once) is one attempt, for programs with a queue of their own.
///
/// A clone is the same sender.
///
/// ```
/// use std::sync::Arc;
///
/// use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose, Signer};
/// use adcp_signing_http::webhook::{InMemoryDeliveries, WebhookSender};
///
/// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
/// let sender = WebhookSender::builder(Signer::for_webhooks(key)?)
///     .store(InMemoryDeliveries::default()) // production: a `DeliveryStore` over your database
///     .observer(|event| println!("{event:?}"))
///     .build()?;
/// # let _ = sender;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct WebhookSender(Arc<Inner>);

struct Inner {
    signer: Signer,
    post: Box<dyn Post>,
    store: Box<dyn DeliveryStore>,
    observer: Box<dyn DeliveryObserver>,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    concurrency: usize,
    enqueued: Notify,
}

/// Builds a [`WebhookSender`]; `build` appears once a store is given.
#[must_use = "a builder does nothing until it is built"]
pub struct WebhookSenderBuilder<S = ()> {
    signer: Signer,
    store: S,
    observer: Box<dyn DeliveryObserver>,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    concurrency: usize,
    resolver: Option<Arc<dyn Resolve>>,
    proxy: Option<Proxy>,
}

/// Why a sender cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SenderError {
    /// The signer signs requests.
    #[error("the signer is for requests; make one by `Signer::for_webhooks`")]
    NotForWebhooks,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: the TLS library does not start")]
    Client(#[source] reqwest::Error),
}

impl WebhookSender {
    /// A sender that signs with this signer. It needs a store, for which there is no default: one
    /// in memory loses what waits when the process ends.
    pub fn builder(signer: Signer) -> WebhookSenderBuilder {
        WebhookSenderBuilder {
            signer,
            store: (),
            observer: Box::new(|_| {}),
            clock: Arc::new(SystemClock),
            backoff: Backoff::default(),
            concurrency: CONCURRENCY,
            resolver: None,
            proxy: None,
        }
    }

    /// Stores a webhook to be delivered. When this returns, [`run`](Self::run) delivers it, in this
    /// process or in another with the same store.
    ///
    /// The same payload for the same target is one delivery, however often it is enqueued while it
    /// waits.
    ///
    /// # Errors
    /// [`StoreFailure`]; the webhook is not stored.
    pub async fn enqueue(
        &self,
        target: &WebhookTarget,
        payload: Payload,
    ) -> Result<DeliveryId, StoreFailure> {
        let delivery = Delivery::new(target.clone(), payload, self.0.clock.now());
        self.0.store.add(&delivery).await?;
        self.0.enqueued.notify_one();
        Ok(delivery.id().clone())
    }

    /// Delivers what is stored, and goes on until the future is dropped. Attempts under way are
    /// dropped with it; their deliveries stay in the store.
    pub async fn run(&self) {
        let mut attempts = JoinSet::new();
        loop {
            let room = self.0.concurrency.saturating_sub(attempts.len());
            if room > 0 {
                let now = self.0.clock.now();
                match self.0.store.claim_due(now, now.plus(CLAIM_SECONDS), room).await {
                    Ok(due) => {
                        for delivery in due {
                            let sender = self.clone();
                            attempts.spawn(async move { sender.deliver(delivery).await });
                        }
                    }
                    Err(failure) => log_store(&failure, "claim"),
                }
            }
            tokio::select! {
                Some(_) = attempts.join_next() => {}
                () = self.0.enqueued.notified() => {}
                () = time::sleep(POLL) => {}
            }
        }
    }

    /// Signs the payload and sends it, once.
    ///
    /// # Errors
    /// [`AttemptFailure`], which says whether to try again and when.
    pub async fn send_once(
        &self,
        target: &WebhookTarget,
        payload: &Payload,
    ) -> Result<(), AttemptFailure> {
        self.post(target, payload.bytes().clone()).await?.accepted().map(drop)
    }

    /// Signs these bytes and sends them.
    pub(super) async fn post(
        &self,
        target: &WebhookTarget,
        body: Bytes,
    ) -> Result<Reply, AttemptFailure> {
        let attempt = async {
            let fields = self.sign(target, &body).await.map_err(AttemptFailure::Sign)?;
            self.0.post.post(target, fields, body).await
        };
        time::timeout(ATTEMPT_LIMIT, attempt).await.unwrap_or(Err(AttemptFailure::TimedOut))
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.0.signer
    }

    async fn sign(&self, target: &WebhookTarget, body: &[u8]) -> Result<HeaderMap, SignError> {
        let content_type = [FieldLine::new("Content-Type", JSON)];
        let request = Request::new("POST", target.as_str(), &content_type, body);
        let signed = self.0.signer.sign(&request).await?;
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        for (name, value) in signed.iter() {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| SignError::TooManyFields)?;
            fields.insert(name, HeaderValue::from_str(value).map_err(SignError::from)?);
        }
        Ok(fields)
    }

    /// Makes one attempt, and leaves the store with what came of it.
    async fn deliver(&self, delivery: Delivery) {
        let result = self.send_once(delivery.target(), delivery.payload()).await;
        let attempts = delivery.attempts().saturating_add(1);
        let now = self.0.clock.now();
        let outcome = match result {
            Ok(()) => Outcome::Delivered,
            Err(failure) if failure.is_terminal() => Outcome::Refused { failure },
            Err(failure) => {
                let asked = failure.retry_after().unwrap_or_default();
                let wait = self.0.backoff.pause(attempts).max(asked);
                let spent = u64::try_from(now.since(delivery.enqueued_at())).unwrap_or_default();
                let left = self.0.backoff.horizon().saturating_sub(Duration::from_secs(spent));
                if wait < left {
                    Outcome::Retrying { failure, wait }
                } else {
                    Outcome::GaveUp { failure }
                }
            }
        };
        let event = DeliveryEvent {
            id: delivery.id().clone(),
            target: delivery.target().clone(),
            idempotency_key: delivery.payload().idempotency_key().clone(),
            attempts,
            outcome,
        };
        let stored = match &event.outcome {
            Outcome::Retrying { wait, .. } => {
                let due = now.plus(i64::try_from(ceil_seconds(*wait)).unwrap_or(i64::MAX));
                self.0.store.put_back(&delivery.failed(due)).await
            }
            _ => self.0.store.done(delivery.id()).await,
        };
        outcome::log(&event);
        match stored {
            Ok(()) => self.0.observer.heard(event),
            Err(failure) => log_store(&failure, "record the outcome of a delivery"),
        }
    }
}

/// Whole seconds, so that no attempt comes before its pause has ended.
fn ceil_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

fn log_store(failure: &StoreFailure, action: &str) {
    let cause = std::error::Error::source(failure).map(ToString::to_string);
    tracing::error!(target: "adcp_signing::webhook", %failure, cause, action, "webhook store");
}

impl fmt::Debug for WebhookSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSender")
            .field("signer", &self.0.signer)
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for WebhookSenderBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSenderBuilder").field("signer", &self.signer).finish_non_exhaustive()
    }
}

impl<S> WebhookSenderBuilder<S> {
    /// Where deliveries wait.
    pub fn store<T: DeliveryStore + 'static>(self, store: T) -> WebhookSenderBuilder<T> {
        let Self { signer, observer, clock, backoff, concurrency, resolver, proxy, .. } = self;
        WebhookSenderBuilder {
            signer,
            store,
            observer,
            clock,
            backoff,
            concurrency,
            resolver,
            proxy,
        }
    }

    /// Who hears what becomes of deliveries.
    pub fn observer(mut self, observer: impl DeliveryObserver + 'static) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// The pauses and the horizon, in place of 10 seconds to an hour, for a day.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How many attempts are made at a time, in place of 64.
    pub fn concurrency(mut self, attempts: std::num::NonZeroUsize) -> Self {
        self.concurrency = attempts.get();
        self
    }

    /// The clock of deliveries, in place of the system's. That of signatures is the signer's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Resolves names, in place of the system's resolver. Its answers are checked in the same way.
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Sends through this proxy. A proxy resolves the names of receivers by itself, so it has to
    /// refuse reserved addresses: this sender cannot. Without it no proxy is used, not even one of
    /// the environment.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }
}

impl<S: DeliveryStore + 'static> WebhookSenderBuilder<S> {
    /// The sender.
    ///
    /// # Errors
    /// [`SenderError`].
    pub fn build(mut self) -> Result<WebhookSender, SenderError> {
        let post = Guard::new(self.resolver.take(), self.proxy.take());
        self.build_on(post.map_err(SenderError::Client)?)
    }

    fn build_on(self, post: impl Post + 'static) -> Result<WebhookSender, SenderError> {
        if self.signer.profile().kind() != MessageKind::Webhook {
            return Err(SenderError::NotForWebhooks);
        }
        Ok(WebhookSender(Arc::new(Inner {
            signer: self.signer,
            post: Box::new(post),
            store: Box::new(self.store),
            observer: self.observer,
            clock: self.clock,
            backoff: self.backoff,
            concurrency: self.concurrency,
            enqueued: Notify::new(),
        })))
    }
}

#[cfg(test)]
mod tests;
