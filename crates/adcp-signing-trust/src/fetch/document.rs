//! What may be fetched: the documents of the trust chain with their bounds.

use adcp_signing_core::{
    StrictJsonError,
    json::{JsonLimits, check_no_duplicate_keys_within},
    revocation::RevocationList,
};

use super::redirect::Redirects;

/// A document of the trust chain, and within which bounds it is fetched ("Webhook URL validation
/// (SSRF)" and the fetch budgets of the security guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    pub(super) max_bytes: usize,
    /// Whether the document is always JSON.
    pub(super) is_json: bool,
    pub(super) redirects: Redirects,
    pub(super) accept: &'static str,
}

const JSON: &str = "application/json";
/// Of trust roots.
const MAX_DEPTH: usize = 32;

impl Document {
    /// A JWKS: 64 KiB. No redirects.
    pub const JWKS: Self = Self {
        max_bytes: 64 * 1024,
        is_json: true,
        redirects: Redirects::Never,
        accept: "application/jwk-set+json, application/json",
    };

    /// A signed revocation list, which may be a compact JWS: the payload that core reads, in
    /// Base64, and 64 KiB for the rest. No redirects.
    pub const REVOCATION_LIST: Self = Self {
        max_bytes: RevocationList::MAX_BYTES / 3 * 4 + 64 * 1024,
        is_json: false,
        redirects: Redirects::Never,
        accept: "application/jose+json, application/json, application/jose",
    };

    /// The brand.json that somebody named by URL: 2 MiB since contract 3.3, 32 levels deep. No
    /// redirects.
    pub const BRAND_JSON: Self = Self {
        max_bytes: 2 * 1024 * 1024,
        is_json: true,
        redirects: Redirects::Never,
        accept: JSON,
    };

    /// `/.well-known/brand.json` of a domain: as [`BRAND_JSON`](Self::BRAND_JSON). At most three
    /// redirects are followed, between the host and its `www.` twin.
    pub const WELL_KNOWN_BRAND_JSON: Self =
        Self { redirects: Redirects::WwwTwin, ..Self::BRAND_JSON };

    /// The adagents.json that somebody named by URL, such as an `authoritative_location`: 20 MiB. No
    /// redirects.
    pub const ADAGENTS_JSON: Self = Self {
        max_bytes: 20 * 1024 * 1024,
        is_json: true,
        redirects: Redirects::Never,
        accept: JSON,
    };

    /// `/.well-known/adagents.json` of a domain: 5 MiB. At most three redirects are followed,
    /// within the registrable domain.
    pub const WELL_KNOWN_ADAGENTS_JSON: Self =
        Self { max_bytes: 5 * 1024 * 1024, redirects: Redirects::SameSite, ..Self::ADAGENTS_JSON };

    /// How many bytes are read at most.
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The document with another bound on its bytes, such as 256 KiB for the brand.json of a peer
    /// before contract 3.3.
    #[must_use]
    pub const fn with_max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Refuses what is not strict JSON within the bounds, where the document is JSON.
    pub(super) fn check(&self, body: &[u8]) -> Result<(), StrictJsonError> {
        if !self.is_json {
            return Ok(());
        }
        // The bytes bound the members.
        let limits =
            JsonLimits::default().with_max_depth(MAX_DEPTH).with_max_members(self.max_bytes);
        check_no_duplicate_keys_within(body, &limits)
    }
}
