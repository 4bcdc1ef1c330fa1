//! The answers to webhooks that do not reach their handler.

use std::time::Duration;

use adcp_signing_core::webhook::{BearerRejection, HmacRejection};

use crate::{
    inbound::{Refused, refused::RefusedWebhook},
    webhook::PayloadError,
};

/// When a sender may try again what cannot be decided now.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A receiver whose verifier is for requests.
pub(super) const NOT_FOR_WEBHOOKS: &str = "a receiver of webhooks has a verifier for requests; make one by \
                                `Verifier::for_webhooks`";

pub(super) fn not_json() -> Refused {
    refused(415, "content_type_unsupported", None, "Content-Type is not application/json")
}

pub(super) fn refused(
    status: u16,
    reason: &'static str,
    retry_after: Option<Duration>,
    detail: impl Into<String>,
) -> Refused {
    Refused::Webhook(RefusedWebhook {
        status,
        reason,
        challenge: None,
        retry_after,
        detail: detail.into(),
    })
}

/// The receiver cannot decide now.
pub(super) fn unavailable(detail: impl Into<String>) -> Refused {
    refused(503, "receiver_unavailable", Some(RETRY_AFTER), detail)
}

/// The HMAC does not authenticate the webhook.
pub(super) fn by_hmac(rejection: &HmacRejection) -> Refused {
    let code = rejection.code();
    not_authentic(code.as_str(), code.www_authenticate(), rejection.to_string())
}

/// The bearer token does not authenticate the webhook.
pub(super) fn by_bearer(rejection: &BearerRejection) -> Refused {
    let reason = match rejection.code() {
        Some(code) => code.as_str(),
        None => "bearer_token_invalid",
    };
    not_authentic(reason, rejection.www_authenticate(), rejection.to_string())
}

fn not_authentic(reason: &'static str, challenge: String, detail: String) -> Refused {
    Refused::Webhook(RefusedWebhook {
        status: 401,
        reason,
        challenge: Some(challenge),
        retry_after: None,
        detail,
    })
}

/// An authentic webhook that cannot be handled.
pub(super) fn malformed(error: &PayloadError) -> Refused {
    let (status, reason) = match error {
        PayloadError::TooLarge { .. } => (413, "body_too_large"),
        PayloadError::NotJson(json) if json.exceeds_limit() => (413, "body_too_complex"),
        PayloadError::NotJson(_) | PayloadError::Unwritable(_) => (400, "webhook_not_json"),
        PayloadError::NotAnObject => (400, "webhook_not_an_object"),
        PayloadError::KeyMissing => (400, "idempotency_key_missing"),
        PayloadError::KeyMalformed(_) => (400, "idempotency_key_malformed"),
    };
    refused(status, reason, None, error.to_string())
}
