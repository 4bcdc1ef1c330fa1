//! The mode HMAC-SHA256: the one that a shared secret authenticates.

use adcp_signing_core::{
    UnixSeconds,
    http_message::RequestHead,
    webhook::{LegacyHmac, WebhookAuthMode},
};
use bytes::Bytes;

use super::refusals::{by_hmac, not_json};
use crate::inbound::Refused;

/// Authenticates a delivery. What the head decides is decided before the body is read.
pub(super) async fn authenticate(
    scheme: &LegacyHmac,
    head: &impl RequestHead,
    read: impl AsyncFnOnce() -> Result<Bytes, Refused>,
    now: impl Fn() -> UnixSeconds,
) -> Result<Bytes, Refused> {
    let fields: Vec<_> = head.fields().collect();
    WebhookAuthMode::LegacyHmac.check(&fields).map_err(|mismatch| by_hmac(&mismatch.into()))?;
    if !WebhookAuthMode::detect(&fields).legacy_hmac {
        scheme.verify(&fields, b"", now()).map_err(|rejection| by_hmac(&rejection))?;
    }
    if !fields.iter().any(|field| field.is("Content-Type")) {
        return Err(not_json());
    }
    let body = read().await?;
    scheme.verify(&fields, &body, now()).map_err(|rejection| by_hmac(&rejection))?;
    Ok(body)
}
