//! `AgentUrl`: the URL of an agent in the form in which agents are compared.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use adcp_signing_core::{resolver::canonical_url, target_uri::TargetUriError};

use crate::guard::{PublicUrl, PublicUrlError};

/// The URL of an agent, in its canonical form: the identity of a verified signer ("Canonical
/// signed-Agent identity", security guide). A trailing slash on a path that is not empty counts.
///
/// ```
/// use adcp_signing_trust::brand::AgentUrl;
///
/// let agent: AgentUrl = "https://Buyer.example.com:443/adcp".parse()?;
/// assert_eq!(agent.as_str(), "https://buyer.example.com/adcp");
/// assert_eq!(agent.public().registrable_domain(), Some("example.com"));
/// # Ok::<(), adcp_signing_trust::brand::AgentUrlError>(())
/// ```
#[derive(Clone)]
pub struct AgentUrl(Arc<Inner>);

struct Inner {
    public: PublicUrl,
    written: String,
}

/// Why a URL is not that of an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentUrlError {
    /// The URL has no canonical form.
    #[error("the URL of the agent has no canonical form: {0}")]
    Canonical(#[from] TargetUriError),
    /// Nothing is fetched from the URL.
    #[error("the URL of the agent is not one to fetch from: {0}")]
    Url(#[from] PublicUrlError),
}

impl AgentUrl {
    /// The canonical form.
    pub fn as_str(&self) -> &str {
        self.0.public.as_str()
    }

    /// The URL to fetch from.
    pub fn public(&self) -> &PublicUrl {
        &self.0.public
    }

    /// The text that was parsed, which contracts before 3.3 compare. Two spellings are one agent.
    pub fn written(&self) -> &str {
        &self.0.written
    }
}

impl PartialEq for AgentUrl {
    fn eq(&self, other: &Self) -> bool {
        self.0.public == other.0.public
    }
}

impl Eq for AgentUrl {}

impl Hash for AgentUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.public.hash(state);
    }
}

impl FromStr for AgentUrl {
    type Err = AgentUrlError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let canonical = canonical_url(url)?;
        let public: PublicUrl = canonical.as_str().parse()?;
        Ok(Self(Arc::new(Inner { public, written: url.to_owned() })))
    }
}

impl fmt::Display for AgentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AgentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentUrl({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_compared_in_their_canonical_form() {
        let parse = |url: &str| url.parse::<AgentUrl>().unwrap();
        let agent = parse("https://buyer.example.com/adcp");
        for same in ["HTTPS://BUYER.example.com:443/x/../adcp", "https://buyer.example.com/%61dcp"]
        {
            assert_eq!(parse(same), agent, "{same}");
        }
        for other in [
            "https://buyer.example.com/adcp/",
            "https://buyer.example.com/ADCP",
            "https://buyer.example.com:8443/adcp",
            "https://buyer.example.com/adcp?x",
        ] {
            assert_ne!(parse(other), agent, "{other}");
        }
        assert_eq!(parse("https://buyer.example.com").as_str(), "https://buyer.example.com/");
    }

    #[test]
    fn what_is_not_fetched_from_is_no_agent() {
        for url in ["http://buyer.example.com/", "https://10.0.0.1/", "https://[::1]/"] {
            assert!(matches!(url.parse::<AgentUrl>(), Err(AgentUrlError::Url(_))), "{url}");
        }
        for url in ["buyer", "https://buyer.example.com:099/"] {
            assert!(matches!(url.parse::<AgentUrl>(), Err(AgentUrlError::Canonical(_))), "{url}");
        }
    }
}
