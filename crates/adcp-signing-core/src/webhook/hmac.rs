//! The legacy HMAC-SHA256 scheme for webhooks, deprecated in AdCP 3 and removed in 4.0.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    ModeMismatch, WebhookAuthMode,
    secret::{MIN_SECRET_BYTES, is_weak},
};
use crate::{
    clock::UnixSeconds,
    json::{DuplicateKeys, StrictJsonError, check_no_duplicate_keys},
    profile::{ErrorCode, Fault, MessageKind},
    rfc9421::FieldLine,
};

/// The field of the signature, `sha256=<hex>`.
pub(super) const SIGNATURE: &str = "X-AdCP-Signature";
/// The field of the timestamp, unix seconds in decimal.
pub(super) const TIMESTAMP: &str = "X-AdCP-Timestamp";

const WINDOW_SECONDS: u64 = 300;
const PREFIX: &str = "sha256=";
/// The length of a block of SHA-256, to which HMAC brings every key.
const BLOCK: usize = 64;

/// A shared secret of at least 32 bytes, zeroized when dropped.
#[derive(Clone)]
pub struct HmacSecret {
    /// The secret padded with zeros to a block, or hashed first where it is longer (RFC 2104 §2).
    block: Zeroizing<[u8; BLOCK]>,
}

/// Why a secret is refused when it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HmacSecretError {
    /// Fewer than 32 bytes.
    #[error("the HMAC secret has {bytes} bytes; use at least 32 from a random source")]
    TooShort {
        /// The length of the secret.
        bytes: usize,
    },
    /// Made of a handful of byte values.
    #[error("the HMAC secret repeats a few characters; use at least 32 bytes from a random source")]
    Weak,
}

/// The two headers of a signed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HmacHeaders {
    /// The value of `X-AdCP-Signature`.
    pub signature: String,
    /// The value of `X-AdCP-Timestamp`.
    pub timestamp: String,
}

/// Why a body is not signed. Nothing was computed; the caller must mend the input, not retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HmacSignError {
    /// An object of the body has several members of one name.
    #[error("duplicate object keys: {0}; send every name once per object")]
    DuplicateKeyInput(DuplicateKeys),
    /// The body is not strict JSON, so it cannot be checked for duplicate keys.
    #[error("the webhook body cannot be signed: {0}")]
    NotJson(StrictJsonError),
    /// The time lies before 1970, or is in another unit than seconds.
    #[error(
        "the time {0} is not one in Unix seconds since 1970{unit}; check the clock",
        unit = looks_like(*.0)
    )]
    Time(UnixSeconds),
}

/// Why a delivery is refused. The scheme has no wire codes of its own but for the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HmacRejection {
    /// The delivery carries another kind of authentication than HMAC: `webhook_mode_mismatch`.
    #[error(transparent)]
    ModeMismatch(#[from] ModeMismatch),
    /// A header is missing or empty.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A header was sent more than once.
    #[error("`{0}` was sent more than once")]
    Repeated(&'static str),
    /// The timestamp is not a decimal integer.
    #[error("`X-AdCP-Timestamp` is not a decimal integer of unix seconds")]
    TimestampNotNumeric,
    /// The timestamp is more than 300 s from now.
    #[error(
        "`X-AdCP-Timestamp` is {distance} s from now; 300 s are allowed{}",
        looks_like(*.timestamp)
    )]
    OutsideWindow {
        /// The distance in seconds, either way.
        distance: u64,
        /// The timestamp.
        timestamp: UnixSeconds,
    },
    /// The signature is not `sha256=` and 64 hex digits.
    #[error("`X-AdCP-Signature` is not `sha256=` and 64 hex digits")]
    SignatureMalformed,
    /// The signature is not that of these bytes under the secret.
    #[error(
        "the HMAC does not match; check the secret and that the body is taken raw, before any parse"
    )]
    SignatureMismatch,
    /// The signature is right, and the body is not strict JSON: `webhook_body_malformed`.
    #[error("the signature is right but the body is malformed: {0}")]
    BodyMalformed(StrictJsonError),
}

/// Signs and verifies deliveries of one registration ("Legacy HMAC-SHA256 fallback" in the security
/// guide).
///
/// ```
/// use adcp_signing_core::{rfc9421::FieldLine, webhook::{HmacSecret, LegacyHmac}, UnixSeconds};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scheme = LegacyHmac::new(HmacSecret::new(b"Xq3v!x8ZpT0wL5rB2nK7yD4hG9cF6mJ1".to_vec())?);
/// let now = UnixSeconds::new(1_776_520_800);
/// let body = br#"{"status":"completed"}"#;
/// let headers = scheme.sign(body, now)?;
/// let fields = [
///     FieldLine::new("X-AdCP-Signature", &headers.signature),
///     FieldLine::new("X-AdCP-Timestamp", &headers.timestamp),
/// ];
/// scheme.verify(&fields, body, now)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LegacyHmac {
    secret: HmacSecret,
    previous: Option<(HmacSecret, UnixSeconds)>,
}

impl HmacSecret {
    /// Takes the secret's bytes as agreed; a hex text is used as text.
    ///
    /// # Errors
    /// [`HmacSecretError`] for fewer than 32 bytes or an evidently weak value; the bytes are zeroized then too.
    pub fn new(bytes: Vec<u8>) -> Result<Self, HmacSecretError> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(HmacSecretError::TooShort { bytes: bytes.len() });
        }
        if is_weak(&bytes) {
            return Err(HmacSecretError::Weak);
        }
        let mut block = Zeroizing::new([0; BLOCK]);
        if bytes.len() > BLOCK {
            fill(&mut block, &Sha256::digest(&bytes));
        } else {
            fill(&mut block, &bytes);
        }
        Ok(Self { block })
    }

    /// The value of `X-AdCP-Signature` for these bytes and nothing else: no check of the body is
    /// made. For running the published vectors; senders call [`LegacyHmac::sign`].
    pub fn bare_signature(&self, timestamp: &str, body: &[u8]) -> String {
        let digest = self.mac(timestamp.as_bytes(), body).finalize().into_bytes();
        format!("{PREFIX}{}", base16ct::lower::encode_string(&digest))
    }

    fn mac(&self, timestamp: &[u8], body: &[u8]) -> Hmac<Sha256> {
        let keyed = Hmac::<Sha256>::new((&*self.block).into());
        keyed.chain_update(timestamp).chain_update(b".").chain_update(body)
    }

    /// Compares in constant time.
    fn matches(&self, timestamp: &[u8], body: &[u8], signature: &[u8; 32]) -> bool {
        self.mac(timestamp, body).verify_slice(signature).is_ok()
    }
}

/// Copies the bytes to the start of the block.
fn fill(block: &mut [u8; BLOCK], bytes: &[u8]) {
    for (to, from) in block.iter_mut().zip(bytes) {
        *to = *from;
    }
}

impl fmt::Debug for HmacSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSecret(..)")
    }
}

impl HmacSignError {
    /// The stable identifier of the refusal; `duplicate_key_input` is the standard's.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DuplicateKeyInput(_) => "duplicate_key_input",
            Self::NotJson(_) | Self::Time(_) => "invalid_input",
        }
    }
}

impl HmacRejection {
    /// What was wrong, in the terms of the webhook profile.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::ModeMismatch(_) => Fault::ModeMismatch,
            Self::Missing(_)
            | Self::Repeated(_)
            | Self::TimestampNotNumeric
            | Self::SignatureMalformed => Fault::HeaderMalformed,
            Self::OutsideWindow { .. } => Fault::WindowInvalid,
            Self::SignatureMismatch => Fault::SignatureInvalid,
            Self::BodyMalformed(_) => Fault::BodyMalformed,
        }
    }

    /// The webhook profile's code for the fault, for receivers that answer and log in one
    /// vocabulary.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::new(MessageKind::Webhook, self.fault())
    }
}

impl LegacyHmac {
    /// The scheme with one secret.
    pub fn new(secret: HmacSecret) -> Self {
        Self { secret, previous: None }
    }

    /// Accepts, when verifying, the previous secret up to and with `until`. The standard wants no
    /// more than 300 s after the rotation. Signing uses the current secret alone. An `until` in a
    /// finer unit than seconds would never come: the previous secret is not accepted then.
    #[must_use]
    pub fn accepting_previous(mut self, secret: HmacSecret, until: UnixSeconds) -> Self {
        self.previous = Some((secret, until));
        self
    }

    /// Signs the body bytes as they go out. Serialize with compact separators first and send these
    /// bytes unchanged.
    ///
    /// # Errors
    /// [`HmacSignError::DuplicateKeyInput`] (`duplicate_key_input`) where an object has a name twice, at any depth, and
    /// the other kinds where the body cannot be checked for that. An empty body is signed.
    pub fn sign(&self, body: &[u8], now: UnixSeconds) -> Result<HmacHeaders, HmacSignError> {
        check_body(body).map_err(|error| match error {
            StrictJsonError::Duplicate(keys) => HmacSignError::DuplicateKeyInput(keys),
            other => HmacSignError::NotJson(other),
        })?;
        if now < UnixSeconds::new(0) || now.finer_unit().is_some() {
            return Err(HmacSignError::Time(now));
        }
        let timestamp = now.to_string();
        Ok(HmacHeaders { signature: self.secret.bare_signature(&timestamp, body), timestamp })
    }

    /// Verifies a delivery over the raw body bytes: mode, headers, timestamp, window, HMAC, then
    /// duplicate keys. A delivery that carries RFC 9421 fields, or a bearer token in place of the
    /// HMAC, is refused as [`WebhookAuthMode::check`] refuses it. A `signature` member in the body has no say. The scheme has no nonce: within
    /// the 300 s a delivery can be repeated, which the receiver's idempotency must catch.
    ///
    /// # Errors
    /// [`HmacRejection`]. `BodyMalformed` means that the signature is right.
    pub fn verify(
        &self,
        fields: &[FieldLine<'_>],
        body: &[u8],
        now: UnixSeconds,
    ) -> Result<(), HmacRejection> {
        WebhookAuthMode::LegacyHmac.check(fields)?;
        self.verify_signature(fields, body, now)?;
        check_body(body).map_err(HmacRejection::BodyMalformed)
    }

    /// All of [`verify`](Self::verify) but the checks of the mode and of the body.
    fn verify_signature(
        &self,
        fields: &[FieldLine<'_>],
        body: &[u8],
        now: UnixSeconds,
    ) -> Result<(), HmacRejection> {
        let signature = sole(fields, SIGNATURE)?;
        let timestamp = sole(fields, TIMESTAMP)?;
        let seconds = seconds(timestamp).ok_or(HmacRejection::TimestampNotNumeric)?;
        let distance = now.as_i64().abs_diff(seconds);
        if distance > WINDOW_SECONDS {
            let timestamp = UnixSeconds::new(seconds);
            return Err(HmacRejection::OutsideWindow { distance, timestamp });
        }
        let signature = digest(signature).ok_or(HmacRejection::SignatureMalformed)?;
        let by_current = self.secret.matches(timestamp, body, &signature);
        let by_previous = self.previous.as_ref().is_some_and(|(secret, until)| {
            now <= *until
                && until.finer_unit().is_none()
                && secret.matches(timestamp, body, &signature)
        });
        if by_current || by_previous { Ok(()) } else { Err(HmacRejection::SignatureMismatch) }
    }
}

/// Names the unit of a time that is not in seconds.
fn looks_like(time: UnixSeconds) -> String {
    match time.finer_unit() {
        Some(unit) => format!("; it looks like {unit}, and Unix seconds are wanted"),
        None => String::new(),
    }
}

/// An empty body has no keys; any other must be strict JSON, or two parsers could read different
/// keys from it.
fn check_body(body: &[u8]) -> Result<(), StrictJsonError> {
    if body.is_empty() { Ok(()) } else { check_no_duplicate_keys(body) }
}

fn sole<'a>(fields: &[FieldLine<'a>], name: &'static str) -> Result<&'a [u8], HmacRejection> {
    let mut values = fields.iter().filter(|field| field.is(name)).map(|field| field.value);
    match (values.next(), values.next()) {
        (None | Some(b""), None) => Err(HmacRejection::Missing(name)),
        (Some(value), None) => Ok(value),
        _ => Err(HmacRejection::Repeated(name)),
    }
}

/// Digits only: `str::parse` would also take a sign.
fn seconds(timestamp: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(timestamp).ok()?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn digest(signature: &[u8]) -> Option<[u8; 32]> {
    let hex = signature.strip_prefix(PREFIX.as_bytes())?;
    let mut digest = [0; 32];
    let decoded = base16ct::mixed::decode(hex, &mut digest).ok()?;
    (decoded.len() == 32).then_some(digest)
}

#[cfg(test)]
mod tests;
