//! The published vector format, with the few optional members that our own vectors add.

use std::collections::BTreeMap;

use adcp_signing_core::rfc9421::FieldLine;
use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The longest body that is written out of its runs, in bytes.
const MAX_BODY: usize = 16 << 20;

/// One message vector.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Vector {
    #[serde(default)]
    pub(super) name: String,
    /// `request` or `webhook`, in our own vectors; published ones tell by their folder.
    pub(super) kind: Option<String>,
    /// `rest`, `mcp` or `a2a`, in our own vectors.
    pub(super) transport: Option<String>,
    pub(super) operation: Option<String>,
    /// Whether a fallback credential is valid, in our own vectors; else an `Authorization` field
    /// stands for one.
    pub(super) fallback_valid: Option<bool>,
    pub(super) signing_profile_version: Option<String>,
    /// The contract version, in our own vectors.
    pub(super) contract: Option<String>,
    pub(super) reference_now: i64,
    pub(super) request: Message,
    pub(super) verifier_capability: Option<Value>,
    #[serde(default)]
    pub(super) jwks_ref: Vec<String>,
    pub(super) jwks_override: Option<Value>,
    #[serde(default)]
    pub(super) test_harness_state: HarnessState,
    pub(super) expected_signature_base: Option<String>,
    pub(super) expected_outcome: Expected,
    /// What the same verifier receives next, in our own vectors.
    #[serde(default)]
    pub(super) then: Vec<Delivery>,
    #[serde(default)]
    pub(super) tier: Option<String>,
}

/// One more message to the verifier of a vector, and what has to come of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Delivery {
    pub(super) request: Message,
    pub(super) expected_outcome: Expected,
}

/// The message as received.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Message {
    pub(super) method: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) pseudo_authority: Option<String>,
    pub(super) headers: Headers,
    #[serde(default)]
    pub(super) body: Option<String>,
    /// A body that is not text, in our own vectors.
    pub(super) body_b64: Option<String>,
    /// A body too large to write out, in our own vectors: texts, and how often each is repeated.
    pub(super) body_runs: Option<Vec<(String, usize)>>,
}

/// An object as published, or pairs in wire order, where a name may repeat.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Headers {
    Object(BTreeMap<String, String>),
    Pairs(Vec<(String, String)>),
}

/// What has to be true of the verifier before the message arrives.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct HarnessState {
    #[serde(default)]
    pub(super) replay_cache_entries: Vec<ReplayCacheEntry>,
    pub(super) replay_cache_per_keyid_cap_hit: Option<KeyidOnly>,
    pub(super) per_keyid_cap_filled_for: Option<String>,
    pub(super) revocation_list: Option<RevokedKids>,
    #[serde(default)]
    pub(super) revoked_kids: Vec<String>,
    pub(super) revocation_list_stale_seconds: Option<i64>,
    /// The per-key cap, in our own vectors.
    pub(super) replay_cap: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ReplayCacheEntry {
    pub(super) keyid: String,
    pub(super) nonce: String,
    pub(super) ttl_seconds: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct KeyidOnly {
    pub(super) keyid: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct RevokedKids {
    pub(super) revoked_kids: Vec<String>,
}

/// What has to come of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Expected {
    pub(super) success: bool,
    pub(super) error_code: Option<String>,
    pub(super) failed_step: Option<Value>,
    pub(super) sub_step: Option<String>,
    /// `verified` or `unsigned`.
    pub(super) status: Option<String>,
    /// The HTTP status of the answer, in our own vectors.
    pub(super) http_status: Option<u16>,
    /// Absent, or the operation, or `null` for none.
    #[serde(default, deserialize_with = "present")]
    pub(super) resolved_operation: Option<Option<String>>,
    /// `accept`, `accept_with_warning`, `reject` or `reject_unauthenticated`, in our own vectors.
    pub(super) action: Option<String>,
}

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Headers {
    /// The field lines in wire order.
    pub(super) fn lines(&self) -> Vec<FieldLine<'_>> {
        match self {
            Self::Object(members) => {
                members.iter().map(|(name, value)| FieldLine::new(name, value)).collect()
            }
            Self::Pairs(pairs) => {
                pairs.iter().map(|(name, value)| FieldLine::new(name, value)).collect()
            }
        }
    }
}

impl Message {
    /// The body's bytes.
    pub(super) fn body_bytes(&self) -> Result<Vec<u8>, String> {
        match (&self.body, &self.body_b64, &self.body_runs) {
            (None, None, None) => Ok(Vec::new()),
            (Some(text), None, None) => Ok(text.clone().into_bytes()),
            (None, Some(encoded), None) => {
                Base64::decode_vec(encoded).map_err(|error| format!("body_b64: {error}"))
            }
            (None, None, Some(runs)) => expand(runs),
            _ => Err("a message has one of body, body_b64 and body_runs".to_owned()),
        }
    }
}

/// Writes out the runs of a body.
fn expand(runs: &[(String, usize)]) -> Result<Vec<u8>, String> {
    let length = runs.iter().try_fold(0_usize, |sum, (text, count)| {
        text.len().checked_mul(*count).and_then(|length| sum.checked_add(length))
    });
    match length {
        Some(length) if length <= MAX_BODY => Ok(runs
            .iter()
            .map(|(text, count)| text.repeat(*count))
            .collect::<String>()
            .into_bytes()),
        _ => Err(format!("body_runs: the body is longer than {MAX_BODY} bytes")),
    }
}

impl Expected {
    /// The step as the checklist writes it: `9a` also where a vector says 9 and `a`.
    pub(super) fn step(&self) -> Option<String> {
        let step = match self.failed_step.as_ref()? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(step + self.sub_step.as_deref().unwrap_or_default())
    }
}
