//! `WebhookSender`: signs and sends webhooks until they are delivered, refused or out of time.

mod authenticate;
mod builder;
#[cfg(test)]
mod tests;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use adcp_signing_core::{Clock, Signer};
use bytes::Bytes;
use tokio::{sync::Notify, task::JoinSet, time};

pub use self::builder::{SenderError, WebhookSenderBuilder};
use super::{
    AttemptFailure, Authentication, Backoff, Delivery, DeliveryEvent, DeliveryId, DeliveryObserver,
    DeliveryStore, Outcome, Payload, Recipient, Registration, Registrations, StoreFailure,
    WebhookTarget, measured, outcome,
    post::{Post, Reply},
};

/// How long an attempt may take, with the signature.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(30);
/// How long a delivery is claimed for: longer than any attempt.
const CLAIM_SECONDS: i64 = 90;
/// How often the store is asked for what other processes have put there.
const POLL: Duration = Duration::from_secs(1);

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
    registrations: Option<Box<dyn Registrations>>,
    observer: Box<dyn DeliveryObserver>,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    concurrency: usize,
    enqueued: Notify,
}

/// Why a webhook is not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// The store failed, or has no room.
    #[error(transparent)]
    Store(#[from] StoreFailure),
    /// The recipient is a registration, and the sender was built without any.
    #[error(
        "the webhook is for a registration, and the sender knows none; give the builder \
         `registrations`"
    )]
    NoRegistrations,
    /// The recipient is a registration, which can select HMAC, and the payload has white space
    /// between its tokens.
    #[error(
        "the payload has white space between its tokens, and receivers that write the JSON anew \
         compute another HMAC; make it by `Payload::from_json`"
    )]
    NotCompact,
}

impl WebhookSender {
    /// A sender that signs with this signer. It needs a store, for which there is no default: one
    /// in memory loses what waits when the process ends.
    pub fn builder(signer: Signer) -> WebhookSenderBuilder {
        WebhookSenderBuilder::new(signer)
    }

    /// Stores a webhook to be delivered. When this returns, [`run`](Self::run) delivers it, in this
    /// process or in another with the same store.
    ///
    /// A recipient is the URL of a registration, and the delivery is signed by RFC 9421, or the name
    /// of a registration, which is looked up for each attempt. The same payload for the same
    /// recipient is one delivery, however often it is enqueued while it waits.
    ///
    /// # Errors
    /// [`EnqueueError`]; the webhook is not stored.
    pub async fn enqueue(
        &self,
        recipient: impl Into<Recipient>,
        payload: Payload,
    ) -> Result<DeliveryId, EnqueueError> {
        let recipient = recipient.into();
        if let Recipient::Registration(_) = &recipient {
            if self.0.registrations.is_none() {
                return Err(EnqueueError::NoRegistrations);
            }
            // Whichever scheme the registration will select when the delivery is sent.
            if !payload.is_compact() {
                return Err(EnqueueError::NotCompact);
            }
        }
        let delivery = Delivery::new(recipient, payload, self.0.clock.now());
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

    /// Authenticates the payload and sends it, once.
    ///
    /// # Errors
    /// [`AttemptFailure`], which says whether to try again and when.
    pub async fn send_once(
        &self,
        recipient: impl Into<Recipient>,
        payload: &Payload,
    ) -> Result<(), AttemptFailure> {
        let recipient = recipient.into();
        within_limit(async {
            let registration = self.registration(&recipient).await?;
            if let Authentication::LegacyHmac(_) = registration.authentication()
                && !payload.is_compact()
            {
                return Err(AttemptFailure::NotCompact);
            }
            self.post_authentic(&registration, payload.bytes().clone()).await
        })
        .await?
        .accepted()
        .map(drop)
    }

    /// Signs these bytes by RFC 9421 and sends them.
    pub(super) async fn post_signed(
        &self,
        target: &WebhookTarget,
        body: Bytes,
    ) -> Result<Reply, AttemptFailure> {
        let registration = Registration::new(target.clone(), Authentication::Rfc9421);
        within_limit(self.post_authentic(&registration, body)).await
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.0.signer
    }

    async fn registration(&self, recipient: &Recipient) -> Result<Registration, AttemptFailure> {
        match recipient {
            Recipient::Target(target) => {
                Ok(Registration::new(target.clone(), Authentication::Rfc9421))
            }
            Recipient::Registration(id) => {
                let registrations =
                    self.0.registrations.as_ref().ok_or(AttemptFailure::NoRegistrations)?;
                let found = registrations.find(id).await.map_err(AttemptFailure::Lookup)?;
                found.ok_or(AttemptFailure::Withdrawn)
            }
        }
    }

    async fn post_authentic(
        &self,
        registration: &Registration,
        body: Bytes,
    ) -> Result<Reply, AttemptFailure> {
        let target = registration.target();
        let fields = match registration.authentication() {
            Authentication::Rfc9421 => authenticate::sign(&self.0.signer, target, &body).await?,
            Authentication::LegacyHmac(scheme) => {
                authenticate::hmac(scheme, &body, self.0.clock.now())?
            }
            Authentication::Bearer(token) => authenticate::bearer(token)?,
        };
        self.0.post.post(target, fields, body).await
    }

    /// Makes one attempt, and leaves the store with what came of it.
    async fn deliver(&self, delivery: Delivery) {
        let end_of_attempt = self.0.clock.now().plus(ATTEMPT_LIMIT.as_secs().cast_signed());
        if end_of_attempt > delivery.due() {
            // The process stood still since it claimed the delivery; another one may have it soon.
            tracing::warn!(target: "adcp_signing::webhook", id = %delivery.id(), "claim ran out");
            return;
        }
        let measured = measured::Attempt::begin();
        let result = self.send_once(delivery.recipient(), delivery.payload()).await;
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
        measured.end(&outcome);
        let event = DeliveryEvent {
            id: delivery.id().clone(),
            recipient: delivery.recipient().clone(),
            idempotency_key: delivery.payload().idempotency_key().clone(),
            attempts,
            outcome,
        };
        let stored = match &event.outcome {
            Outcome::Retrying { wait, .. } => {
                let due = now.plus(i64::try_from(ceil_seconds(*wait)).unwrap_or(i64::MAX));
                self.0.store.put_back(&delivery, due).await
            }
            _ => self.0.store.done(&delivery).await,
        };
        outcome::log(&event);
        match stored {
            Ok(()) => self.0.observer.heard(event),
            Err(failure) => log_store(&failure, "record the outcome of a delivery"),
        }
    }
}

/// What the attempt answers, unless it takes too long.
async fn within_limit<T>(
    attempt: impl Future<Output = Result<T, AttemptFailure>>,
) -> Result<T, AttemptFailure> {
    time::timeout(ATTEMPT_LIMIT, attempt).await.unwrap_or(Err(AttemptFailure::TimedOut))
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
