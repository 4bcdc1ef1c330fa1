//! Webhooks: a sender that retries until a receiver has them, and a receiver that handles each one
//! once.
//!
//! - A seller: [`WebhookSender`], over a [`DeliveryStore`], to [`WebhookTarget`]s.
//! - A buyer: [`WebhookReceiver`], over a [`DedupStore`].
//!
//! The guide is
//! [docs/webhooks.md](https://github.com/adcp-signing/adcp-signing/blob/main/docs/webhooks.md).

mod backoff;
mod challenge;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dedup;
mod delivery;
mod failure;
mod measured;
mod outcome;
mod payload;
mod post;
mod published;
mod receiver;
mod recipient;
mod registration;
mod sender;
mod store;
mod target;

#[cfg(any(feature = "axum", feature = "actix"))]
pub use self::receiver::Webhook;
pub use self::{
    backoff::{Backoff, HorizonError},
    challenge::{
        ActivationError, ChallengeMismatch, DeliveryAuth, Subscriber, SubscriberError, Subscription,
    },
    dedup::{
        Claim, ClaimError, DedupStore, DeliveryName, Fence, InMemoryDedup, Retention,
        RetentionError,
    },
    delivery::{Delivery, DeliveryId},
    failure::AttemptFailure,
    outcome::{DeliveryEvent, DeliveryObserver, Outcome},
    payload::{Fingerprint, IdempotencyKey, IdempotencyKeyError, Payload, PayloadError},
    published::{PublishedKey, PublishedKeyError},
    receiver::{ReceiveService, WebhookOrigin, WebhookReceiver, WebhookSource},
    recipient::{Recipient, RegistrationId},
    registration::{
        Authentication, InMemoryRegistrations, LookupFailure, Registration, RegistrationError,
        Registrations,
    },
    sender::{EnqueueError, SenderError, WebhookSender, WebhookSenderBuilder},
    store::{DeliveryStore, InMemoryDeliveries, StoreFailure},
    target::{TargetError, WebhookTarget},
};
