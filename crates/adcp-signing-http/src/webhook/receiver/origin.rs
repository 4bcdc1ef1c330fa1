//! `WebhookOrigin`: what a handler learns about the sender of a webhook.

use std::sync::Arc;

use adcp_signing_core::VerifiedSigner;

use crate::webhook::IdempotencyKey;

/// Who sent a webhook, and its key: an extension of the request that reaches the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookOrigin {
    pub(super) source: WebhookSource,
    pub(super) idempotency_key: IdempotencyKey,
}

/// By what a sender is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookSource {
    /// An RFC 9421 signature.
    Signed(VerifiedSigner),
    /// The shared secret of the registration: the name that you gave to its other holder.
    LegacyHmac(Arc<str>),
    /// The bearer token of the registration: the name that you gave to its other holder. Nothing
    /// proves that the body is the sender's.
    LegacyBearer(Arc<str>),
}

impl WebhookOrigin {
    /// By what the sender is known.
    pub fn source(&self) -> &WebhookSource {
        &self.source
    }

    /// Who sent the webhook: the URL of its agent where the resolver of keys knows it, or the name
    /// that you gave to the holder of the secret or token. Never taken from the body.
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
            Self::LegacyHmac(name) | Self::LegacyBearer(name) => name,
        }
    }
}
