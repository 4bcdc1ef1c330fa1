//! The spans around a verification, `adcp_signing.verify` and `adcp_signing.verify_head`.
//!
//! `error.type` is the stable code, as OpenTelemetry calls it. A `kid` is recorded only once the
//! signature was verified, since before that its sender chose it.

use tracing::{Span, field::Empty};

use super::{Rejection, Verified, Verifier, measured::outcome_of};
use crate::profile::MessageKind;

impl Verifier {
    pub(super) fn span(&self) -> Span {
        tracing::info_span!(
            target: "adcp_signing::verify",
            "adcp_signing.verify",
            kind = self.kind_name(),
            outcome = Empty,
            kid = Empty,
            step = Empty,
            "error.type" = Empty,
        )
    }

    pub(super) fn head_span(&self) -> Span {
        tracing::info_span!(
            target: "adcp_signing::verify",
            "adcp_signing.verify_head",
            kind = self.kind_name(),
            step = Empty,
            "error.type" = Empty,
        )
    }

    fn kind_name(&self) -> &'static str {
        match self.profile.kind() {
            MessageKind::Request => "request",
            MessageKind::Webhook => "webhook",
        }
    }
}

/// Records what a verification came to.
pub(super) fn end(span: &Span, outcome: &Result<Verified, Rejection>) {
    if span.is_disabled() {
        return;
    }
    span.record("outcome", outcome_of(outcome));
    match outcome {
        Ok(Verified::Signed(signer)) => {
            span.record("kid", signer.keyid());
        }
        Ok(_) => {}
        Err(rejection) => refused(span, rejection),
    }
}

/// Records why a message was refused.
pub(super) fn refused(span: &Span, rejection: &Rejection) {
    span.record("step", rejection.step().as_str());
    span.record("error.type", rejection.reason().as_str());
}
