//! The mode Bearer: the one that a token authenticates.

use adcp_signing_core::{UnixSeconds, http_message::RequestHead, webhook::LegacyBearer};
use bytes::Bytes;

use super::refusals::{by_bearer, not_json};
use crate::inbound::Refused;

/// Authenticates a delivery by its head, and reads its body then.
pub(super) async fn authenticate(
    scheme: &LegacyBearer,
    head: &impl RequestHead,
    read: impl AsyncFnOnce() -> Result<Bytes, Refused>,
    now: UnixSeconds,
) -> Result<Bytes, Refused> {
    let fields: Vec<_> = head.fields().collect();
    scheme.verify(&fields, now).map_err(|rejection| by_bearer(&rejection))?;
    if !fields.iter().any(|field| field.is("Content-Type")) {
        return Err(not_json());
    }
    read().await
}
