//! What a verifier says about a message: the checklist's result composed with the endpoint's
//! capability.

use super::{Rejection, Verified};
use crate::operation::Transport;

/// What the caller of a verifier knows about a message besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// How the message came, and so where its operation is named.
    pub transport: Transport,
    /// Whether another authenticator accepted a credential of the message.
    pub fallback: FallbackCredential,
}

impl Default for Caller {
    /// REST, operation taken from the path, no other credential.
    fn default() -> Self {
        Self {
            transport: Transport::Rest { operation: None },
            fallback: FallbackCredential::Absent,
        }
    }
}

/// A credential besides the signature: bearer token, API key or mTLS, already checked by the
/// caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FallbackCredential {
    /// None was presented, or the one presented is not accepted for the operation.
    #[default]
    Absent,
    /// One was presented and is valid for the operation.
    Valid,
}

/// A message that may be processed, and as whose.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acceptance {
    /// Who signed the message. Only a signature that passed the whole checklist gives an identity.
    pub signer: Option<Verified>,
    /// Whether the fallback credential is what authenticates the message.
    pub by_fallback: bool,
    /// What a shadow-mode endpoint (`warn_for`) has to record.
    pub warning: Option<Warning>,
    /// The AdCP operation, where the message carries one.
    pub operation: Option<String>,
}

/// What shadow mode let pass on the strength of a fallback credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The message was unsigned.
    Unsigned,
    /// The signature was well-formed and failed.
    Failed(Rejection),
}

/// A message that must not be processed: answer 401 with [`ErrorCode::www_authenticate`].
///
/// [`ErrorCode::www_authenticate`]: crate::profile::ErrorCode::www_authenticate
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Whether the signature was refused or the caller is unknown.
    pub kind: RefusalKind,
    /// The code, the step and the reason.
    pub rejection: Rejection,
    /// The AdCP operation, where it could be told.
    pub operation: Option<String>,
}

/// How a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The rules for the operation refuse the message.
    Reject,
    /// Shadow mode would have let it pass, but no other credential authenticates it.
    Unauthenticated,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.rejection.fmt(f)
    }
}

impl std::error::Error for Refusal {}
