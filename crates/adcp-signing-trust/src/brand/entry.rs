//! One entry of an `agents[]`: an agent's URL, its role, and where its keys are.

use std::{fmt, str::FromStr};

use adcp_signing_core::{json::Value, resolver::canonical_url};

use super::{
    error::BrandJsonError,
    reader::{Path, optional_text, required_text},
};
use crate::{guard::PublicUrl, jwks::WELL_KNOWN_JWKS};

/// The role of an agent (`enums/brand-agent-type.json`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AgentType {
    /// Answers for the identity of a brand.
    Brand,
    /// Clears rights.
    Rights,
    /// Measures.
    Measurement,
    /// Enforces policy, and signs governance tokens.
    Governance,
    /// Makes creatives.
    Creative,
    /// Sells.
    Sales,
    /// Buys.
    Buying,
    /// Finds and activates audiences.
    Signals,
    /// A role that this version does not know. It is never one that a surface asks for.
    Other(String),
}

/// One entry of an `agents[]`. `Debug` shows its `id` and role.
#[derive(Clone)]
pub struct AgentEntry {
    written: String,
    /// None where the URL has no canonical form, and equals nobody's.
    canonical: Option<String>,
    kind: AgentType,
    id: Option<String>,
    declared_jwks: Option<String>,
    /// None where nothing is fetched from the place.
    jwks: Option<PublicUrl>,
}

impl AgentType {
    /// The name as brand.json has it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Brand => "brand",
            Self::Rights => "rights",
            Self::Measurement => "measurement",
            Self::Governance => "governance",
            Self::Creative => "creative",
            Self::Sales => "sales",
            Self::Buying => "buying",
            Self::Signals => "signals",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for AgentType {
    fn from(name: &str) -> Self {
        match name {
            "brand" => Self::Brand,
            "rights" => Self::Rights,
            "measurement" => Self::Measurement,
            "governance" => Self::Governance,
            "creative" => Self::Creative,
            "sales" => Self::Sales,
            "buying" => Self::Buying,
            "signals" => Self::Signals,
            name => Self::Other(name.to_owned()),
        }
    }
}

impl FromStr for AgentType {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(name.into())
    }
}

impl fmt::Display for AgentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AgentEntry {
    pub(super) fn read(value: Value<'_, '_>, path: &Path<'_>) -> Result<Self, BrandJsonError> {
        let written = required_text(value, path, "url")?;
        let kind = AgentType::from(required_text(value, path, "type")?.as_str());
        let id = optional_text(value, path, "id")?;
        let declared_jwks = optional_text(value, path, "jwks_uri")?;
        let canonical = canonical_url(&written).ok().map(|url| url.as_str().to_owned());
        let jwks = match (&declared_jwks, &canonical) {
            (Some(declared), _) => declared.parse().ok(),
            (None, Some(canonical)) => canonical
                .parse::<PublicUrl>()
                .and_then(|agent| agent.at_origin(WELL_KNOWN_JWKS))
                .ok(),
            (None, None) => None,
        };
        Ok(Self { written, canonical, kind, id, declared_jwks, jwks })
    }

    /// The URL as the document has it.
    pub fn url(&self) -> &str {
        &self.written
    }

    /// The canonical URL, or `None` where the document has one that equals nobody's.
    pub fn canonical_url(&self) -> Option<&str> {
        self.canonical.as_deref()
    }

    /// The role.
    pub fn kind(&self) -> &AgentType {
        &self.kind
    }

    /// The `id`, where the entry has one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Where the agent's keys are: its `jwks_uri`, else `/.well-known/jwks.json` at the origin of
    /// its URL. `None` where nothing is fetched from there.
    pub fn jwks(&self) -> Option<&PublicUrl> {
        self.jwks.as_ref()
    }

    /// The `jwks_uri` as the document has it, or `None` where it is absent. A client-only signer
    /// has to have one.
    pub fn declared_jwks_uri(&self) -> Option<&str> {
        self.declared_jwks.as_deref()
    }

    /// What two entries for one agent have to agree on to count as one: the role and the resolved
    /// JWKS source.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        self.kind == other.kind && self.source() == other.source()
    }

    /// The JWKS source in its canonical form; as it is written where it has none.
    fn source(&self) -> Option<String> {
        match (&self.jwks, &self.declared_jwks) {
            (Some(jwks), _) => {
                let canonical = canonical_url(jwks.as_str()).ok();
                Some(canonical.map_or_else(|| jwks.as_str().into(), |url| url.as_str().into()))
            }
            (None, declared) => declared.clone(),
        }
    }
}

impl fmt::Debug for AgentEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentEntry")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
