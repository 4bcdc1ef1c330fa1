//! What an endpoint knows about a message besides its bytes.

use crate::operation::Transport;

/// What an endpoint knows about a message besides its bytes. It comes from the endpoint's
/// configuration and its other authenticators, never from the message.
///
/// ```
/// use adcp_signing_core::{
///     operation::Transport,
///     verify::{Context, FallbackCredential},
/// };
///
/// let route = Transport::Rest { operation: "create_media_buy".into() };
/// let context = Context::request(&route).with_fallback(FallbackCredential::Valid);
/// # let _ = context;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub(super) transport: Option<&'a Transport>,
    pub(super) fallback: FallbackCredential,
    pub(super) counterparty: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
}

/// A credential other than the signature: bearer token, API key or mTLS, already checked by its own
/// authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FallbackCredential {
    /// None was presented, or the one presented is not accepted for the operation.
    #[default]
    Absent,
    /// One was presented and is valid for the operation.
    Valid,
}

impl<'a> Context<'a> {
    /// A request over this transport, with no other credential, from a counterparty that only its
    /// key will tell.
    pub fn request(transport: &'a Transport) -> Self {
        Self {
            transport: Some(transport),
            fallback: FallbackCredential::Absent,
            counterparty: None,
            subject: None,
        }
    }

    /// A webhook delivery: its route takes signatures alone, and names no operation.
    pub fn webhook() -> Self {
        Self {
            transport: None,
            fallback: FallbackCredential::Absent,
            counterparty: None,
            subject: None,
        }
    }

    /// Whether another authenticator accepted a credential of the message.
    #[must_use]
    pub fn with_fallback(self, fallback: FallbackCredential) -> Self {
        Self { fallback, ..self }
    }

    /// Your name for the owner of the other credential, which the check of A2A tasks is told.
    #[must_use]
    pub fn with_subject(self, subject: &'a str) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// The URL of the agent that the message comes from, where something other than the message
    /// proves it: mTLS, or the webhook's own route. Only keys of this agent are accepted.
    #[must_use]
    pub fn with_counterparty(self, agent_url: &'a str) -> Self {
        Self { counterparty: Some(agent_url), ..self }
    }
}
