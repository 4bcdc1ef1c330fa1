//! `Agent`: whose keys are trusted, and where they are published.

use adcp_signing_core::{resolver::canonical_url, target_uri::TargetUriError};

use super::source::{JwksSource, Owner};
use crate::guard::{PublicUrl, PublicUrlError};

/// Where an agent publishes its JWKS when it says nothing else.
pub(crate) const WELL_KNOWN_JWKS: &str = "/.well-known/jwks.json";

/// An agent whose keys are trusted: its URL, where its JWKS is, and whose revocation list speaks for
/// its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    url: String,
    jwks_uri: PublicUrl,
    revocation_issuer: Option<String>,
}

/// Why an agent's keys cannot be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The URL of the agent or of its JWKS is not fetched from.
    #[error(transparent)]
    Url(#[from] PublicUrlError),
    /// The agent's URL, or the revocation issuer, has no canonical form.
    #[error("the URL has no canonical form: {0}")]
    Canonical(#[from] TargetUriError),
}

impl Agent {
    /// An agent with its JWKS at `/.well-known/jwks.json` of the origin of its URL, and its
    /// revocation list at the same origin.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn new(url: &str) -> Result<Self, AgentError> {
        let jwks_uri = url.parse::<PublicUrl>()?.at_origin(WELL_KNOWN_JWKS)?;
        let url = canonical_url(url)?.as_str().to_owned();
        Ok(Self { url, jwks_uri, revocation_issuer: None })
    }

    /// The JWKS is here: the `jwks_uri` of the agent's entry in brand.json.
    ///
    /// # Errors
    /// [`AgentError::Url`].
    pub fn with_jwks_uri(self, jwks_uri: &str) -> Result<Self, AgentError> {
        Ok(Self { jwks_uri: jwks_uri.parse()?, ..self })
    }

    /// The revocation list of this issuer speaks for the agent's keys: the origin of the operator's
    /// brand.json.
    ///
    /// # Errors
    /// [`AgentError::Canonical`].
    pub fn with_revocation_issuer(self, issuer: &str) -> Result<Self, AgentError> {
        let issuer = canonical_url(issuer)?.as_str().to_owned();
        Ok(Self { revocation_issuer: Some(issuer), ..self })
    }

    /// The canonical URL of the agent.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its JWKS is.
    pub fn jwks_uri(&self) -> &PublicUrl {
        &self.jwks_uri
    }

    pub(super) fn owner(&self) -> Owner {
        Owner::Agent { url: self.url.clone(), revocation_issuer: self.revocation_issuer.clone() }
    }

    pub(super) fn into_source(self) -> JwksSource {
        let owner = Owner::Agent { url: self.url, revocation_issuer: self.revocation_issuer };
        JwksSource::new(self.jwks_uri, owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jwks_is_at_the_well_known_place_unless_it_is_named() {
        let agent = Agent::new("https://buyer.example.com:8443/adcp").unwrap();
        let well_known = "https://buyer.example.com:8443/.well-known/jwks.json";
        assert_eq!(agent.url(), "https://buyer.example.com:8443/adcp");
        assert_eq!(agent.jwks_uri().as_str(), well_known);
        let agent = agent.with_jwks_uri("https://keys.example.net/a").unwrap();
        assert_eq!(agent.jwks_uri().as_str(), "https://keys.example.net/a");
        assert_eq!(
            Agent::new("https://buyer.example.com").unwrap().url(),
            "https://buyer.example.com/"
        );
    }

    #[test]
    fn what_is_not_fetched_from_is_no_agent() {
        for url in ["http://buyer.example.com/", "https://10.0.0.1/", "buyer"] {
            assert!(matches!(Agent::new(url), Err(AgentError::Url(_))), "{url}");
            let agent = Agent::new("https://buyer.example.com/").unwrap();
            assert!(matches!(agent.with_jwks_uri(url), Err(AgentError::Url(_))), "{url}");
        }
        let agent = Agent::new("https://buyer.example.com/").unwrap();
        assert!(matches!(agent.with_revocation_issuer("x"), Err(AgentError::Canonical(_))));
    }
}
