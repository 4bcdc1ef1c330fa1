//! Why the keys of an agent were not found, with the code and the details of the specification.

use std::borrow::Cow;

use adcp_signing_core::{ResolveError, UnixSeconds, resolver::DiscoveryFailure};

use super::purpose::KeyOriginPurpose;
use crate::{
    brand::{AgentUrl, BrandJsonError, FindError, MatchedEntry},
    fetch::FetchError,
    guard::PublicUrl,
    text::shown,
};

/// Why the keys of an agent were not found ("Rejection codes for this discovery chain", security
/// guide). [`code`](Self::code) is the code on requests; webhooks answer
/// `webhook_signature_key_unknown` for all of them and log this one.
///
/// The message and the details are for the operator of the verifier. Details from a document of a
/// counterparty are printable and short, and have to be escaped before they are shown in HTML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// Step 1.
    #[error("the capabilities of the agent are not to be had: {cause}")]
    CapabilitiesUnreachable {
        /// Of which agent.
        agent_url: AgentUrl,
        /// What failed.
        cause: Box<FetchFailure>,
    },
    /// Step 2.
    #[error(
        "the capabilities of the agent have no `identity.brand_json_url` that is an https URL which \
         the internet reaches; its operator has to set it to that of the operator's brand.json"
    )]
    BrandJsonUrlMissing {
        /// Of which agent.
        agent_url: AgentUrl,
    },
    /// Step 3.
    #[error(
        "brand.json lies on another registrable domain ({}) than the agent ({}), and its \
         `authorized_operators` do not list the agent's; its operator has to add it, or to move \
         the agent",
        domain(brand_json_url_etld1),
        domain(agent_etld1)
    )]
    BrandOriginMismatch {
        /// Of which agent.
        agent_url: AgentUrl,
        /// The agent's registrable domain. None of an address, or under an unknown suffix.
        agent_etld1: Option<String>,
        /// The registrable domain of brand.json.
        brand_json_url_etld1: Option<String>,
    },
    /// Step 4: brand.json could not be fetched.
    #[error("brand.json is not to be had: {cause}")]
    BrandJsonUnreachable {
        /// Where it should be.
        brand_json_url: PublicUrl,
        /// What failed.
        cause: Box<FetchFailure>,
    },
    /// Step 4: brand.json is not what it must be, or too large.
    #[error("brand.json cannot be read: {parse_error}")]
    BrandJsonMalformed {
        /// Where it is.
        brand_json_url: PublicUrl,
        /// What is wrong.
        parse_error: String,
    },
    /// Step 5: brand.json does not list the agent.
    #[error("brand.json does not list the agent: {reason}")]
    AgentNotInBrandJson {
        /// Which agent.
        agent_url: AgentUrl,
        /// Where the record is. None of a record that the caller gave.
        brand_json_url: Option<PublicUrl>,
        /// What is wrong.
        reason: Box<FindError>,
    },
    /// Step 5: brand.json lists the agent more than once.
    #[error("brand.json is ambiguous: {reason}")]
    BrandJsonAmbiguous {
        /// Which agent.
        agent_url: AgentUrl,
        /// Where the record is. None of a record that the caller gave.
        brand_json_url: Option<PublicUrl>,
        /// What is wrong.
        reason: Box<FindError>,
    },
    /// Steps 6 and 8: nothing is fetched from where the keys should be, or what is there is no
    /// published JWKS.
    #[error("the JWKS is not to be trusted: {reason}")]
    JwksUntrusted {
        /// Of which agent.
        agent_url: AgentUrl,
        /// What is wrong.
        reason: String,
    },
    /// Step 8: the JWKS could not be fetched, or is none.
    #[error("the JWKS is not to be had: {cause}")]
    JwksUnavailable {
        /// Of which agent.
        agent_url: AgentUrl,
        /// What failed.
        cause: Box<FetchFailure>,
    },
    /// Step 7: the JWKS is on another host than the one that is declared for the purpose.
    #[error(
        "the JWKS is on another host than `identity.key_origins.{purpose}` declares; its operator \
         has to align them"
    )]
    KeyOriginMismatch {
        /// For what.
        purpose: KeyOriginPurpose,
        /// What is declared.
        expected_origin: String,
        /// Where the JWKS is.
        actual_origin: String,
    },
    /// Step 7: the agent declares that it signs for the purpose, and no origin of the keys.
    #[error(
        "the agent declares that it signs, but not `identity.key_origins.{purpose}`; its operator \
         has to add it"
    )]
    KeyOriginMissing {
        /// For what.
        purpose: KeyOriginPurpose,
    },
}

/// Why something could not be fetched, and when that was tried last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct FetchFailure {
    /// The status, where the server answered with another one than 200.
    pub http_status: Option<u16>,
    /// Why the name could not be resolved, where it could not.
    pub dns_error: Option<String>,
    /// When it was tried last.
    pub last_attempt_at: UnixSeconds,
    pub(super) message: String,
}

fn domain(domain: &Option<String>) -> &str {
    domain.as_deref().unwrap_or("none that is known")
}

impl FetchFailure {
    pub(super) fn of(error: &FetchError, at: UnixSeconds) -> Self {
        let message = match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let (http_status, dns_error) = match error {
            FetchError::Status { status } => (Some(*status), None),
            FetchError::Unreachable(cause) if cause.is_dns() => (None, Some(cause.to_string())),
            _ => (None, None),
        };
        Self { http_status, dns_error, last_attempt_at: at, message }
    }

    pub(super) fn other(message: String, at: UnixSeconds) -> Self {
        Self { http_status: None, dns_error: None, last_attempt_at: at, message }
    }
}

/// The name of a detail of the specification, and its value.
pub type Detail = (&'static str, Cow<'static, str>);

impl DiscoveryError {
    /// What a document that could not be fetched as brand.json means.
    pub(super) fn of_brand_fetch(url: &PublicUrl, error: &FetchError, at: UnixSeconds) -> Self {
        let brand_json_url = url.clone();
        match error {
            FetchError::Json(_) | FetchError::TooLarge { .. } => {
                Self::BrandJsonMalformed { brand_json_url, parse_error: error.to_string() }
            }
            _ => Self::BrandJsonUnreachable {
                brand_json_url,
                cause: FetchFailure::of(error, at).into(),
            },
        }
    }

    pub(super) fn of_brand_json(url: &PublicUrl, error: &BrandJsonError) -> Self {
        Self::BrandJsonMalformed { brand_json_url: url.clone(), parse_error: error.to_string() }
    }

    /// What it means that a record does not answer for an agent.
    pub(super) fn of_find(
        agent_url: &AgentUrl,
        brand_json_url: Option<&PublicUrl>,
        reason: FindError,
    ) -> Self {
        let (agent_url, brand_json_url) = (agent_url.clone(), brand_json_url.cloned());
        match reason {
            FindError::Ambiguous { .. } => {
                let reason = Box::new(reason);
                Self::BrandJsonAmbiguous { agent_url, brand_json_url, reason }
            }
            FindError::UnusableJwks => {
                Self::JwksUntrusted { agent_url, reason: reason.to_string() }
            }
            reason => {
                let reason = Box::new(reason);
                Self::AgentNotInBrandJson { agent_url, brand_json_url, reason }
            }
        }
    }

    /// Which step failed, as the verifier's pipeline knows it.
    pub fn failure(&self) -> DiscoveryFailure {
        match self {
            Self::CapabilitiesUnreachable { .. } => DiscoveryFailure::CapabilitiesUnreachable,
            Self::BrandJsonUrlMissing { .. } => DiscoveryFailure::BrandJsonUrlMissing,
            Self::BrandOriginMismatch { .. } => DiscoveryFailure::BrandOriginMismatch,
            Self::BrandJsonUnreachable { .. } => DiscoveryFailure::BrandJsonUnreachable,
            Self::BrandJsonMalformed { .. } => DiscoveryFailure::BrandJsonMalformed,
            Self::AgentNotInBrandJson { .. } => DiscoveryFailure::AgentNotInBrandJson,
            Self::BrandJsonAmbiguous { .. } => DiscoveryFailure::BrandJsonAmbiguous,
            Self::JwksUntrusted { .. } => DiscoveryFailure::JwksUntrusted,
            Self::JwksUnavailable { .. } => DiscoveryFailure::JwksUnavailable,
            Self::KeyOriginMismatch { .. } => DiscoveryFailure::KeyOriginMismatch,
            Self::KeyOriginMissing { .. } => DiscoveryFailure::KeyOriginMissing,
        }
    }

    /// The code on requests, such as `request_signature_brand_origin_mismatch`.
    pub fn code(&self) -> &'static str {
        self.failure().request_code()
    }

    /// The code of a governance token whose issuer could not be resolved: it may be tried again
    /// where a fetch failed, its place is not trusted, or the issuer is not authorized.
    pub fn governance_code(&self) -> &'static str {
        match self {
            Self::CapabilitiesUnreachable { .. }
            | Self::BrandJsonUnreachable { .. }
            | Self::JwksUnavailable { .. } => "governance_jwks_unavailable",
            Self::JwksUntrusted { .. }
            | Self::KeyOriginMismatch { .. }
            | Self::KeyOriginMissing { .. } => "governance_jwks_untrusted",
            Self::BrandJsonUrlMissing { .. }
            | Self::BrandOriginMismatch { .. }
            | Self::BrandJsonMalformed { .. }
            | Self::AgentNotInBrandJson { .. }
            | Self::BrandJsonAmbiguous { .. } => "governance_issuer_not_authorized",
        }
    }

    /// Whether the same question may have another answer soon.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::CapabilitiesUnreachable { .. }
                | Self::BrandJsonUnreachable { .. }
                | Self::JwksUnavailable { .. }
        )
    }

    /// The detail fields that the specification has for the code.
    pub fn details(&self) -> Vec<Detail> {
        let agent = |agent: &AgentUrl| ("agent_url", agent.as_str().to_owned().into());
        let brand = |url: &PublicUrl| ("brand_json_url", url.as_str().to_owned().into());
        match self {
            Self::CapabilitiesUnreachable { agent_url, cause }
            | Self::JwksUnavailable { agent_url, cause } => {
                let mut details = vec![agent(agent_url)];
                details.extend(cause.details());
                details
            }
            Self::BrandJsonUrlMissing { agent_url } => vec![agent(agent_url)],
            Self::BrandOriginMismatch { agent_url, agent_etld1, brand_json_url_etld1 } => vec![
                agent(agent_url),
                ("agent_etld1", agent_etld1.clone().unwrap_or_default().into()),
                ("brand_json_url_etld1", brand_json_url_etld1.clone().unwrap_or_default().into()),
            ],
            Self::BrandJsonUnreachable { brand_json_url, cause } => {
                let mut details = vec![brand(brand_json_url)];
                details.extend(cause.details());
                details
            }
            Self::BrandJsonMalformed { brand_json_url, parse_error } => {
                vec![brand(brand_json_url), ("parse_error", parse_error.clone().into())]
            }
            Self::AgentNotInBrandJson { agent_url, brand_json_url, .. } => {
                let mut details = vec![agent(agent_url)];
                details.extend(brand_json_url.as_ref().map(brand));
                details
            }
            Self::BrandJsonAmbiguous { agent_url, brand_json_url, reason } => {
                let mut details = vec![agent(agent_url)];
                details.extend(brand_json_url.as_ref().map(brand));
                if let FindError::Ambiguous { count, entries } = &**reason {
                    details.push(("matched_count", count.to_string().into()));
                    let entries = entries.iter().map(entry).collect::<Vec<_>>().join(", ");
                    details.push(("matched_entries", entries.into()));
                }
                details
            }
            Self::JwksUntrusted { agent_url, .. } => vec![agent(agent_url)],
            Self::KeyOriginMismatch { purpose, expected_origin, actual_origin } => vec![
                ("purpose", purpose.as_str().into()),
                ("expected_origin", shown(expected_origin).into()),
                ("actual_origin", actual_origin.clone().into()),
            ],
            Self::KeyOriginMissing { purpose } => {
                vec![("purpose", purpose.as_str().into()), ("posture", purpose.as_str().into())]
            }
        }
    }
}

impl FetchFailure {
    fn details(&self) -> impl Iterator<Item = Detail> {
        let status = self.http_status.map(|status| ("http_status", status.to_string().into()));
        let dns = self.dns_error.clone().map(|error| ("dns_error", error.into()));
        let at = ("last_attempt_at", self.last_attempt_at.as_i64().to_string().into());
        status.into_iter().chain(dns).chain([at])
    }
}

fn entry(entry: &MatchedEntry) -> String {
    let id = entry.id.as_deref().unwrap_or("-");
    let jwks = entry.jwks_origin.as_deref().unwrap_or("-");
    format!("{id} ({}, {jwks})", entry.kind)
}

impl From<&DiscoveryError> for ResolveError {
    fn from(error: &DiscoveryError) -> Self {
        Self::new(error.failure(), error.to_string())
    }
}
