//! Why an attempt to deliver a webhook failed, and whether another one can help.

use std::{error::Error as StdError, time::Duration};

use adcp_signing_core::SignError;

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
}

impl AttemptFailure {
    /// Whether no further attempt of the same delivery can succeed.
    ///
    /// A key that cannot sign is not a reason: an operator can mend that within the horizon.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Conflict => true,
            Self::Sign(error) => !matches!(error, SignError::Provider(_) | SignError::Nonce(_)),
            Self::Status { .. }
            | Self::ReservedAddress { .. }
            | Self::Unreachable(_)
            | Self::TimedOut => false,
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
