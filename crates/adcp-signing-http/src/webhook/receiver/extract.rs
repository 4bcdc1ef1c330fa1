//! `Webhook`: the extractor for handlers.

use bytes::Bytes;

use super::WebhookOrigin;

/// Who sent a webhook, and the webhook as another extractor reads it. An extractor of axum and of
/// actix-web.
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use adcp_signing_http::webhook::Webhook;
/// use axum::Json;
/// use serde_json::Value;
///
/// async fn on_event(Webhook(origin, Json(event)): Webhook<Json<Value>>) {
///     println!("{} reports {}", origin.sender(), event["status"]);
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Webhook<T = Bytes>(
    /// Who sent it, and its key.
    pub WebhookOrigin,
    /// The webhook, as the extractor reads it.
    pub T,
);

/// An extractor without a layer.
pub(super) const NO_RECEIVER: &str = "a handler asks for a webhook, and its route has no \
                                      `WebhookReceiver`; add one to the route";
