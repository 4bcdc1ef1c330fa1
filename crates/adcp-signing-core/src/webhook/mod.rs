//! Webhook matters beside RFC 9421: which authentication a delivery must carry, and the legacy
//! schemes, HMAC-SHA256 and bearer tokens.

mod bearer;
mod hmac;
mod mode;
mod secret;

pub use bearer::{BearerRejection, BearerToken, BearerTokenError, LegacyBearer};
pub use hmac::{
    HmacHeaders, HmacRejection, HmacSecret, HmacSecretError, HmacSignError, LegacyHmac,
};
pub use mode::{ModeMismatch, UnknownScheme, WebhookAuthMode, WebhookAuthPresent};
