//! The hashes that a governance token states: of the request that it authorizes, and of the plan.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};

use crate::jcs::{CanonicalJsonError, canonical, read_object_without};

/// The members that carry governance, and are no part of what it authorizes.
const GOVERNANCE_METADATA: [&str; 2] = ["governance_context", "context"];
/// What a governance agent adds to the plans that it keeps. The list is closed: every other member
/// is hashed.
const BOOKKEEPING: [&str; 6] =
    ["version", "status", "syncedAt", "revisionHistory", "committedBudget", "committedByType"];

/// A SHA-256 over canonical JSON (RFC 8785), written in Base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JsonHash([u8; 32]);

impl JsonHash {
    /// The hash of a request that `authorized_payload_hash` states: of its body without
    /// `governance_context` and `context` at the top level.
    ///
    /// # Errors
    /// [`CanonicalJsonError`] where the body has more than one meaning.
    pub fn of_request(body: &[u8]) -> Result<Self, CanonicalJsonError> {
        Self::without(body, &GOVERNANCE_METADATA)
    }

    /// The hash of a plan that `plan_hash` states: of the plan as it was supplied, without the
    /// bookkeeping that a governance agent adds to it.
    ///
    /// # Errors
    /// [`CanonicalJsonError`] where the plan has more than one meaning.
    pub fn of_plan(plan: &[u8]) -> Result<Self, CanonicalJsonError> {
        Self::without(plan, &BOOKKEEPING)
    }

    fn without(json: &[u8], excluded: &[&str]) -> Result<Self, CanonicalJsonError> {
        let kept = canonical(&read_object_without(json, excluded)?.into())?;
        Ok(Self(Sha256::digest(kept).into()))
    }

    /// The hash that a claim states: 32 bytes in Base64url without padding.
    pub fn from_claim(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let decoded = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        (decoded.len() == 32).then_some(Self(bytes))
    }

    /// As a claim states it.
    pub fn to_claim(self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }
}

impl std::fmt::Debug for JsonHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JsonHash({})", self.to_claim())
    }
}
