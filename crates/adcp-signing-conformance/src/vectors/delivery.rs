//! A vector's message on its way to a verifier, and what came of it.

use adcp_signing_core::{
    Context, FallbackCredential, Rejection, Request, Transport, Verified, Verifier,
};
use futures_executor::block_on;

/// A message of a vector, and the verifier in the state that the vector wants.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Delivery<'a> {
    /// The endpoint's verifier, with its keys, revocation list, replay cache and clock.
    pub verifier: &'a Verifier,
    /// The message.
    pub request: &'a Request<'a>,
    /// How it names its operation; `None` for a webhook.
    pub transport: Option<&'a Transport>,
    /// Whether another credential of it is accepted.
    pub fallback: FallbackCredential,
}

/// What came of a message.
pub type Answer = Result<Verified, Refusal>;

/// A message that was refused, as far as its sender, or the log, can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, or the reason that is none.
    pub code: String,
    /// What the sender is not told.
    pub inward: Option<Inward>,
}

/// What the log says about a refused message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inward {
    /// The step.
    pub step: String,
    /// The operation.
    pub operation: Option<String>,
    /// Whether shadow mode would have let the message pass with another credential.
    pub is_unauthenticated: bool,
    /// The detail.
    pub detail: String,
}

impl Delivery<'_> {
    /// Calls the verifier, as the command line does.
    pub(super) fn verify(&self) -> Answer {
        let context = match self.transport {
            Some(transport) => Context::request(transport).with_fallback(self.fallback),
            None => Context::webhook(),
        };
        block_on(self.verifier.verify(self.request, &context)).map_err(|error| (&error).into())
    }
}

impl From<&Rejection> for Refusal {
    fn from(rejection: &Rejection) -> Self {
        Self {
            status: rejection.status(),
            code: rejection.reason().to_string(),
            inward: Some(Inward {
                step: rejection.step().to_string(),
                operation: rejection.operation().map(str::to_owned),
                is_unauthenticated: rejection.is_unauthenticated(),
                detail: rejection.detail().to_owned(),
            }),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.code)?;
        match &self.inward {
            Some(Inward { step, detail, .. }) => write!(f, " at step {step}: {detail}"),
            None => Ok(()),
        }
    }
}
