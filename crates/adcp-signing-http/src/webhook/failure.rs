//! Why an attempt to deliver a webhook failed, and whether another one can help.

use std::{error::Error as StdError, time::Duration};

use adcp_signing_core::{SignError, webhook::HmacSignError};

use super::LookupFailure;
use crate::Refusal;

/// Why an attempt to deliver a webhook failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptFailure {
    /// The receiver refused the signature with a `webhook_*` code. Each attempt would end so.
    #[error("the receiver refused the webhook with {}: an operator has to look", .0.code())]
    Refused(Refusal),
    /// The receiver knows the idempotency key with another payload (409).
    #[error(
        "the receiver knows the idempotency key with another payload; give each event a key of its \
         own"
    )]
    Conflict,
    /// The receiver did not accept the webhook.
    #[error("the receiver answered HTTP {status}")]
    Status {
        /// The status. A redirect is one: it is not followed.
        status: u16,
        /// How long the receiver asked to wait.
        retry_after: Option<Duration>,
    },
    /// The name of the receiver leads to an address that no public receiver has. Nothing was sent.
    #[error(
        "nothing was sent: the receiver's name leads to a reserved address ({range}); its owner \
         has to correct the DNS records"
    )]
    ReservedAddress {
        /// What the address is reserved for.
        range: &'static str,
    },
    /// The receiver could not be reached.
    #[error("the receiver could not be reached")]
    Unreachable(#[source] Box<dyn StdError + Send + Sync>),
    /// The attempt took too long.
    #[error("the receiver did not answer in time")]
    TimedOut,
    /// The webhook could not be signed. Nothing was sent.
    #[error("nothing was sent: {0}")]
    Sign(SignError),
    /// The webhook could not be authenticated by HMAC. Nothing was sent.
    #[error("nothing was sent: {0}")]
    Hmac(HmacSignError),
    /// The payload has white space between its tokens, and the registration selects HMAC: receivers
    /// that write the JSON anew would compute another signature. Nothing was sent.
    #[error(
        "nothing was sent: the registration selects HMAC, and the payload has white space between \
         its tokens; make it by `Payload::from_json`"
    )]
    NotCompact,
    /// The registration is withdrawn. Nothing was sent.
    #[error("nothing was sent: the registration is withdrawn, and its deliveries end with it")]
    Withdrawn,
    /// The registration could not be looked up. Nothing was sent.
    #[error("nothing was sent: the registration could not be looked up")]
    Lookup(#[source] LookupFailure),
    /// The delivery is for a registration, and this sender has none. Nothing was sent.
    #[error(
        "nothing was sent: the delivery is for a registration, and this sender knows none; give \
         the builder `registrations`"
    )]
    NoRegistrations,
}

impl AttemptFailure {
    /// Whether no further attempt of the same delivery can succeed.
    ///
    /// A key that cannot sign is not a reason, nor is a sender without registrations: an operator can
    /// mend that within the horizon.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Conflict | Self::NotCompact | Self::Withdrawn => true,
            Self::Sign(error) => !matches!(error, SignError::Provider(_) | SignError::Nonce(_)),
            Self::Hmac(error) => !matches!(error, HmacSignError::Time(_)),
            Self::Status { .. }
            | Self::ReservedAddress { .. }
            | Self::Unreachable(_)
            | Self::TimedOut
            | Self::Lookup(_)
            | Self::NoRegistrations => false,
        }
    }

    /// How long the receiver, or the key service, asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Sign(SignError::Provider(error)) => error.retry_after(),
            _ => None,
        }
    }
}
