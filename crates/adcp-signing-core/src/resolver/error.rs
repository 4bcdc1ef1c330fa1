//! Why a `keyid` could not be resolved: the discovery step that failed, and its fault.

use std::fmt;

use crate::profile::{ErrorCode, Fault, MessageKind};

/// Why a `keyid` could not be resolved at all.
///
/// `Display` ends with the name of the cause in the request taxonomy. Webhooks answer
/// `webhook_signature_key_unknown` for every cause, and AdCP asks their receivers to log that name.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({failure})")]
pub struct ResolveError {
    failure: DiscoveryFailure,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The discovery step that failed. Each has a code of its own on requests and is `key_unknown` on
/// webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiscoveryFailure {
    /// The capabilities name no brand.json.
    BrandJsonUrlMissing,
    /// The capabilities could not be fetched.
    CapabilitiesUnreachable,
    /// brand.json could not be fetched.
    BrandJsonUnreachable,
    /// brand.json is not what it must be.
    BrandJsonMalformed,
    /// brand.json lies on another registrable domain.
    BrandOriginMismatch,
    /// brand.json does not list the agent.
    AgentNotInBrandJson,
    /// brand.json lists the agent more than once, or several agents that may have signed have a
    /// key with this `keyid`.
    BrandJsonAmbiguous,
    /// The JWKS is on another origin than the one declared for the purpose.
    KeyOriginMismatch,
    /// No origin is declared for the purpose.
    KeyOriginMissing,
    /// The JWKS could not be fetched.
    JwksUnavailable,
    /// The JWKS address must not be fetched from.
    JwksUntrusted,
}

impl ResolveError {
    /// A failure of this kind; the message is for the log and must hold no credential.
    pub fn new(failure: DiscoveryFailure, message: impl Into<String>) -> Self {
        Self { failure, message: message.into(), source: None }
    }

    /// Chains the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The step that failed.
    pub fn failure(&self) -> DiscoveryFailure {
        self.failure
    }

    pub(crate) fn fault(&self) -> Fault {
        self.failure.fault()
    }
}

impl DiscoveryFailure {
    /// The stable code on requests, which also names the cause in a webhook receiver's log.
    pub const fn request_code(self) -> &'static str {
        ErrorCode::new(MessageKind::Request, self.fault()).as_str()
    }

    /// The one table from a failed discovery step to the fault that a profile gives a code.
    pub(crate) const fn fault(self) -> Fault {
        match self {
            Self::BrandJsonUrlMissing => Fault::BrandJsonUrlMissing,
            Self::CapabilitiesUnreachable => Fault::CapabilitiesUnreachable,
            Self::BrandJsonUnreachable => Fault::BrandJsonUnreachable,
            Self::BrandJsonMalformed => Fault::BrandJsonMalformed,
            Self::BrandOriginMismatch => Fault::BrandOriginMismatch,
            Self::AgentNotInBrandJson => Fault::AgentNotInBrandJson,
            Self::BrandJsonAmbiguous => Fault::BrandJsonAmbiguous,
            Self::KeyOriginMismatch => Fault::KeyOriginMismatch,
            Self::KeyOriginMissing => Fault::KeyOriginMissing,
            Self::JwksUnavailable => Fault::JwksUnavailable,
            Self::JwksUntrusted => Fault::JwksUntrusted,
        }
    }
}

impl fmt::Display for DiscoveryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.request_code())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn each_failure_keeps_its_code_on_requests_and_is_key_unknown_on_webhooks() {
        use DiscoveryFailure as F;
        let table = [
            (F::BrandJsonUrlMissing, "request_signature_brand_json_url_missing"),
            (F::CapabilitiesUnreachable, "request_signature_capabilities_unreachable"),
            (F::BrandJsonUnreachable, "request_signature_brand_json_unreachable"),
            (F::BrandJsonMalformed, "request_signature_brand_json_malformed"),
            (F::BrandOriginMismatch, "request_signature_brand_origin_mismatch"),
            (F::AgentNotInBrandJson, "request_signature_agent_not_in_brand_json"),
            (F::BrandJsonAmbiguous, "request_signature_brand_json_ambiguous"),
            (F::KeyOriginMismatch, "request_signature_key_origin_mismatch"),
            (F::KeyOriginMissing, "request_signature_key_origin_missing"),
            (F::JwksUnavailable, "request_signature_jwks_unavailable"),
            (F::JwksUntrusted, "request_signature_jwks_untrusted"),
        ];
        for (failure, code) in table {
            let error = ResolveError::new(failure, "reason");
            let of = |kind| ErrorCode::new(kind, error.fault()).as_str();
            assert_eq!(of(MessageKind::Request), code);
            assert_eq!(of(MessageKind::Webhook), "webhook_signature_key_unknown", "{code}");
            assert_eq!(error.to_string(), format!("reason ({code})"));
        }
    }

    #[test]
    fn the_cause_is_chained() {
        let error = ResolveError::new(DiscoveryFailure::JwksUnavailable, "no answer");
        assert!(error.source().is_none());
        let error = error.with_source("connection refused");
        assert_eq!(error.source().unwrap().to_string(), "connection refused");
        assert_eq!(error.failure(), DiscoveryFailure::JwksUnavailable);
    }
}
