//! Webhook matters beside RFC 9421: which authentication a delivery must carry, and the legacy HMAC
//! scheme.

mod hmac;
mod mode;

pub use hmac::{
    HmacHeaders, HmacRejection, HmacSecret, HmacSecretError, HmacSignError, LegacyHmac,
};
pub use mode::{ModeMismatch, UnknownScheme, WebhookAuthMode, WebhookAuthPresent};
