//! What a webhook carries: a JSON object with its idempotency key, and the fingerprint by which two
//! deliveries are the same.

use std::{fmt, ops::RangeInclusive};

use adcp_signing_core::{
    Profile, StrictJsonError,
    json::{JsonLimits, check_no_duplicate_keys_within},
};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The member of every payload that names the delivery.
const KEY: &str = "idempotency_key";
/// Up to here a double holds every integer.
const MAX_EXACT: u64 = 1 << 53;

/// The body of a webhook, as it is signed and sent: a JSON object with an `idempotency_key`.
///
/// A retry sends the same bytes. Give each event a key of its own ([`IdempotencyKey::random`]) when
/// the event happens, and never give the key to another payload: receivers answer that with 409.
///
/// ```
/// use adcp_signing_http::webhook::{IdempotencyKey, Payload};
/// use serde_json::json;
///
/// let key = IdempotencyKey::random()?; // once for each event
/// let payload = Payload::from_json(&json!({
///     "idempotency_key": key,
///     "task_id": "task-7",
///     "status": "completed",
/// }))?;
/// assert_eq!(payload.idempotency_key(), &key);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    bytes: Bytes,
    key: IdempotencyKey,
    fingerprint: Fingerprint,
}

/// The `idempotency_key` of a delivery: 16 to 255 letters, digits, `_`, `.`, `:` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct IdempotencyKey(String);

/// A hash of the payload's meaning: equal for payloads that differ in the order of members, in
/// white space and in how a number or a string is written, as RFC 8785 has it.
///
/// Integers beyond 2^53, which RFC 8785 rounds, count as different where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// Why a body is not the payload of a webhook.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// More bytes than receivers read.
    #[error("the webhook has {length} bytes, and receivers read {limit}; send a reference instead")]
    TooLarge {
        /// The length of the payload.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The body is not strict JSON, or has a key twice.
    #[error("the webhook is not strict JSON: {0}")]
    NotJson(StrictJsonError),
    /// The value cannot be written as JSON.
    #[error("the webhook cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The body is JSON, and not an object.
    #[error("the webhook is not a JSON object; send the envelope, not its result")]
    NotAnObject,
    /// There is no idempotency key.
    #[error("the webhook has no `idempotency_key`; give each event a random one")]
    KeyMissing,
    /// The idempotency key is malformed.
    #[error(transparent)]
    KeyMalformed(#[from] IdempotencyKeyError),
}

/// A text that is not an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdempotencyKeyError {
    /// The text is too short, too long, or has other characters.
    #[error(
        "`idempotency_key` is not a string of 16 to 255 letters, digits, `_`, `.`, `:` and `-`; \
         use a random UUID"
    )]
    Malformed,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness for an idempotency key; try again")]
    NoRandomness,
}

impl IdempotencyKey {
    /// A random UUID (version 4), so that nobody can guess a key and burn it.
    ///
    /// # Errors
    /// [`IdempotencyKeyError::NoRandomness`].
    pub fn random() -> Result<Self, IdempotencyKeyError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| IdempotencyKeyError::NoRandomness)?;
        let bits = u128::from_be_bytes(bytes);
        let bits = bits & !(0xf << 76) | (0x4 << 76);
        let bits = bits & !(0b11 << 62) | (0b10 << 62);
        Ok(Self(format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            bits >> 96,
            (bits >> 80) & 0xffff,
            (bits >> 64) & 0xffff,
            (bits >> 48) & 0xffff,
            bits & 0xffff_ffff_ffff
        )))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for IdempotencyKey {
    type Error = IdempotencyKeyError;

    fn try_from(text: &str) -> Result<Self, IdempotencyKeyError> {
        if is_name(text, 16..=255) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdempotencyKeyError::Malformed)
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Payload {
    /// The payload that these bytes are. They are sent unchanged.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self, PayloadError> {
        let bytes = bytes.into();
        let limit = Profile::webhook().bounds().max_body_bytes();
        if bytes.len() > limit {
            return Err(PayloadError::TooLarge { length: bytes.len(), limit });
        }
        let value = read(&bytes)?;
        Self::of(bytes, &value)
    }

    /// The payload of these bytes, of which this is the value.
    pub(super) fn of(bytes: Bytes, value: &Value) -> Result<Self, PayloadError> {
        Ok(Self { key: key_of(value)?, fingerprint: Fingerprint::of(value), bytes })
    }

    /// The payload that this value is, in compact JSON.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn from_json(value: &impl Serialize) -> Result<Self, PayloadError> {
        Self::from_bytes(serde_json::to_vec(value).map_err(PayloadError::Unwritable)?)
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The key of the delivery.
    pub fn idempotency_key(&self) -> &IdempotencyKey {
        &self.key
    }

    /// Whether no white space stands between the tokens of the JSON text, as HMAC requires.
    pub(super) fn is_compact(&self) -> bool {
        let (mut in_string, mut escaped) = (false, false);
        self.bytes.iter().all(|byte| {
            if in_string {
                in_string = escaped || *byte != b'"';
                escaped = !escaped && *byte == b'\\';
                return true;
            }
            in_string = *byte == b'"';
            !byte.is_ascii_whitespace()
        })
    }

    /// What the payload means.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// Shows the key and the length: payloads hold the business of two parties.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("idempotency_key", &self.key)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// Whether a text has the alphabet of AdCP's names and challenges, and one of these lengths.
pub(super) fn is_name(text: &str, lengths: RangeInclusive<usize>) -> bool {
    let is_fit =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    lengths.contains(&text.len()) && text.bytes().all(is_fit)
}

/// The JSON value of a body, which has no key twice and no more than the bounds allow.
pub(super) fn read(body: &[u8]) -> Result<Value, PayloadError> {
    let bounds = Profile::webhook().bounds();
    let limits = JsonLimits::default()
        .with_max_depth(bounds.max_depth())
        .with_max_members(bounds.max_members());
    check_no_duplicate_keys_within(body, &limits).map_err(PayloadError::NotJson)?;
    // The strict reader has passed it, so this fails for nothing but a number that no double holds.
    serde_json::from_slice(body).map_err(|_| {
        PayloadError::NotJson(StrictJsonError::Invalid {
            offset: 0,
            what: "a number is out of range, so that it has no one meaning",
        })
    })
}

fn key_of(value: &Value) -> Result<IdempotencyKey, PayloadError> {
    let members = value.as_object().ok_or(PayloadError::NotAnObject)?;
    let key = members.get(KEY).ok_or(PayloadError::KeyMissing)?;
    let key = key.as_str().ok_or(IdempotencyKeyError::Malformed)?;
    Ok(IdempotencyKey::try_from(key)?)
}

impl Fingerprint {
    pub(super) fn of(value: &Value) -> Self {
        let mut hasher = Sha256::new();
        add(&mut hasher, value);
        Self(hasher.finalize().into())
    }

    /// A fingerprint that was stored.
    pub const fn restore(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash, the same in every process: to store it.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Each value has a tag, and each text and collection its length in front, so that no two documents
/// are read as one.
fn add(hasher: &mut Sha256, value: &Value) {
    let text = |hasher: &mut Sha256, text: &str| {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    };
    match value {
        Value::Null => hasher.update(b"0"),
        Value::Bool(false) => hasher.update(b"f"),
        Value::Bool(true) => hasher.update(b"t"),
        Value::Number(number) => {
            let exact = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if exact.is_some_and(|magnitude| magnitude > MAX_EXACT) {
                hasher.update(b"i");
                text(hasher, &number.to_string());
            } else {
                // Adding zero makes -0 and 0 one number.
                let double = number.as_f64().unwrap_or(f64::NAN) + 0.0;
                hasher.update(b"n");
                hasher.update(double.to_bits().to_be_bytes());
            }
        }
        Value::String(string) => {
            hasher.update(b"s");
            text(hasher, string);
        }
        Value::Array(elements) => {
            hasher.update(b"a");
            hasher.update((elements.len() as u64).to_be_bytes());
            elements.iter().for_each(|element| add(hasher, element));
        }
        Value::Object(members) => {
            hasher.update(b"o");
            hasher.update((members.len() as u64).to_be_bytes());
            // Another crate of the build may make `serde_json` keep the order of the text.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            for (name, member) in members {
                text(hasher, name);
                add(hasher, member);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "whk_20260526_000031";

    fn fingerprint(json: &str) -> Fingerprint {
        Fingerprint::of(&read(json.as_bytes()).unwrap())
    }

    #[test]
    fn payloads_that_mean_the_same_have_one_fingerprint_and_no_others() {
        for (one, other) in [
            (r#"{"a":1,"b":[true,null]}"#, "{ \"b\" : [true, null],\n\"a\":1 }"),
            (r#"{"a":10}"#, r#"{"a":1e1}"#),
            (r#"{"a":1}"#, r#"{"a":1.0}"#),
            (r#"{"a":0}"#, r#"{"a":-0.0}"#),
            (r#"{"a":"\u0041/"}"#, r#"{"a":"A\/"}"#),
        ] {
            assert_eq!(fingerprint(one), fingerprint(other), "{one} {other}");
        }
        for (one, other) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            (r#"{"a":"1"}"#, r#"{"a":1}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
            (r#"{"a":[[1],2]}"#, r#"{"a":[[1,2]]}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{},"b":1}"#),
            (r#"{"a":9007199254740993}"#, r#"{"a":9007199254740995}"#),
            (r#"{"a":null}"#, r#"{"a":false}"#),
            (r#"{"a":true}"#, r#"{"a":false}"#),
        ] {
            assert_ne!(fingerprint(one), fingerprint(other), "{one} {other}");
        }
    }

    #[test]
    fn a_payload_is_a_strict_object_with_a_key() {
        let payload = Payload::from_bytes(format!(r#"{{"idempotency_key":"{ID}"}}"#)).unwrap();
        assert_eq!(payload.idempotency_key().as_str(), ID);
        for (body, part) in [
            ("[]".to_owned(), "not a JSON object"),
            ("{}".to_owned(), "no `idempotency_key`"),
            (r#"{"idempotency_key":7}"#.to_owned(), "16 to 255"),
            (r#"{"idempotency_key":"short"}"#.to_owned(), "16 to 255"),
            (format!(r#"{{"idempotency_key":"{ID} {ID}"}}"#), "16 to 255"),
            (format!(r#"{{"idempotency_key":"{}"}}"#, "k".repeat(256)), "16 to 255"),
            (format!(r#"{{"idempotency_key":"{ID}","a":1,"a":2}}"#), "duplicate object keys"),
            (format!(r#"{{"idempotency_key":"{ID}","a":1e999}}"#), "no one meaning"),
            (format!(r#"{{"idempotency_key":"{ID}","a":{}}}"#, "[".repeat(70)), "deeper"),
            (" ".repeat(1024 * 1024 + 1), "receivers read"),
        ] {
            let error = Payload::from_bytes(body.clone()).unwrap_err().to_string();
            assert!(error.contains(part), "{}: {error}", body.get(..60).unwrap_or(&body));
        }
    }

    #[test]
    fn white_space_counts_between_tokens_alone() {
        let compact = |text: &str| {
            let body = format!(r#"{{"idempotency_key":"{ID}",{text}}}"#);
            Payload::from_bytes(body).unwrap().is_compact()
        };
        for text in [r#""a":[1,"b c"]"#, r#""a\" :":" ""#, r#""a":"\\","b":" ""#] {
            assert!(compact(text), "{text}");
        }
        for text in [r#""a": 1"#, r#" "a":1"#, "\"a\":[1,\n2]", "\"a\":1\t", r#""a":"\\" "#] {
            assert!(!compact(text), "{text}");
        }
    }

    #[test]
    fn random_keys_are_uuids_of_version_4_and_differ() {
        let (one, other) = (IdempotencyKey::random().unwrap(), IdempotencyKey::random().unwrap());
        assert_ne!(one, other);
        let text = one.as_str();
        let parts: Vec<_> = text.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(text.as_bytes()[14], b'4');
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
        assert_eq!(IdempotencyKey::try_from(text), Ok(one.clone()));
    }

    #[test]
    fn debug_shows_no_content() {
        let payload =
            Payload::from_bytes(format!(r#"{{"idempotency_key":"{ID}","budget":"secret"}}"#));
        assert!(!format!("{payload:?}").contains("secret"));
    }
}
