//! Why a document is not a brand.json, and why it does not answer for an agent.

use adcp_signing_core::StrictJsonError;

use super::{AgentEntry, AgentType};
use crate::text::shown;

/// How many entries that match are described.
const MAX_SHOWN: usize = 4;

/// Why a document is not a brand.json (`request_signature_brand_json_malformed`). No message holds
/// a byte of the document, but for the sanitized names of duplicate members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrandJsonError {
    /// The document is larger than what is read of it.
    #[error("brand.json has {bytes} bytes, and at most {max} are read; its owner has to split it")]
    TooLarge {
        /// How many bytes it has.
        bytes: usize,
        /// How many are read.
        max: usize,
    },
    /// The document is not strict JSON, nests too deep, or has too many members.
    #[error("brand.json is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// A member has the wrong type, or is missing.
    #[error("brand.json breaks its schema: `{path}` {what}")]
    Member {
        /// Where, such as `agents[2].url`.
        path: String,
        /// What is wrong there.
        what: &'static str,
    },
    /// The document is none of the variants of the schema, or two of them at once.
    #[error("brand.json is not one variant of its schema: {0}")]
    Variant(&'static str),
    /// There are more entries than are read.
    #[error("brand.json lists more than {max} {what}; its owner has to split it")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are read.
        max: usize,
    },
}

/// Why a brand.json does not answer for an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The document points elsewhere, and lists nobody. It is not followed.
    #[error(
        "the document only points to another brand.json, which is not followed; name the final \
         document"
    )]
    Redirects,
    /// The document has no brand of this `id`.
    #[error("the document has no brand of that id")]
    NoSuchBrand,
    /// No entry that counts has the agent's URL.
    #[error("no entry of the document has the agent's URL; its owner has to add it to `agents`")]
    NotListed,
    /// The entries with the agent's URL have other roles than the one that is needed.
    #[error("the document lists the agent, but not as one of type \"{needed}\"")]
    WrongType {
        /// The role that is needed.
        needed: AgentType,
    },
    /// Several entries have the agent's URL, and differ in role or in where its keys are; or several
    /// brands have the `id`.
    #[error(
        "{count} entries of the document have the agent's URL and differ in type or JWKS; its owner \
         has to keep one"
    )]
    Ambiguous {
        /// How many.
        count: usize,
        /// Some of them.
        entries: Vec<MatchedEntry>,
    },
    /// Nothing is fetched from where the entry says that the keys are.
    #[error(
        "the entry of the agent says that its keys are at a place that nothing is fetched from; its \
         owner has to publish an https `jwks_uri` that the internet reaches"
    )]
    UnusableJwks,
}

/// One of several entries for one agent, for the detail `matched_entries[]`. The texts come from the
/// document: printable, and cut to 64 characters. Escape them before you show them in HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MatchedEntry {
    /// The `id`, where there is one.
    pub id: Option<String>,
    /// The role.
    pub kind: String,
    /// The origin of the JWKS, where one is fetched from.
    pub jwks_origin: Option<String>,
}

impl MatchedEntry {
    pub(super) fn some_of(entries: &[&AgentEntry]) -> Vec<Self> {
        let described = entries.iter().take(MAX_SHOWN).map(|entry| Self {
            id: entry.id().map(shown),
            kind: shown(entry.kind().as_str()),
            jwks_origin: entry.jwks().map(|jwks| jwks.origin()),
        });
        described.collect()
    }
}
