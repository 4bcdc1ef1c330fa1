//! The discovery as a chain of steps over what was fetched. Nothing here waits.
//!
//! Each state can only be made from the one before it, so no step can be left out:
//! [`Named`] (steps 1 and 2) → [`Bound`] (step 3, which takes the brand.json of step 4) →
//! [`Resolution`] (steps 5 and 6), which compares key origins (step 7) for each purpose.

use std::sync::Arc;

use adcp_signing_core::{UnixSeconds, profile::AgentMatch};

use super::{capabilities::AgentCapabilities, error::DiscoveryError, purpose::KeyOriginPurpose};
use crate::{
    brand::{AgentEntry, AgentType, AgentUrl, BrandJson, Candidates, FindError},
    guard::PublicUrl,
    jwks::{Agent, AgentError},
};

/// The agent names its operator's record (steps 1 and 2).
#[derive(Debug, Clone)]
pub struct Named {
    agent: AgentUrl,
    brand_json_url: PublicUrl,
    capabilities: Arc<AgentCapabilities>,
}

/// The record may speak for the agent (step 3).
#[derive(Debug)]
pub struct Bound<'r> {
    named: Named,
    record: &'r BrandJson,
    by: Binding,
}

/// Why a record may speak for an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Binding {
    /// Both are on one registrable domain.
    SameDomain,
    /// The record's `authorized_operators` list the agent's registrable domain.
    AuthorizedOperator,
    /// The verifier chose the record.
    RelyingParty,
}

/// Where the keys of an agent are, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    agent: AgentUrl,
    kind: AgentType,
    id: Option<String>,
    jwks_uri: PublicUrl,
    binding: Binding,
    operator: Option<Operator>,
}

/// The operator record of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Operator {
    brand_json_url: PublicUrl,
    capabilities: Arc<AgentCapabilities>,
}

impl Named {
    /// Step 2: the agent has to name its record. There is no other place to look for one, and none
    /// is taken where the value is not an https URL.
    ///
    /// # Errors
    /// [`DiscoveryError::BrandJsonUrlMissing`].
    pub fn of(
        agent: &AgentUrl,
        capabilities: Arc<AgentCapabilities>,
    ) -> Result<Self, DiscoveryError> {
        let named = capabilities.brand_json_url().and_then(|url| url.parse::<PublicUrl>().ok());
        let Some(brand_json_url) = named else {
            return Err(DiscoveryError::BrandJsonUrlMissing { agent_url: agent.clone() });
        };
        Ok(Self { agent: agent.clone(), brand_json_url, capabilities })
    }

    /// Where the record is.
    pub fn brand_json_url(&self) -> &PublicUrl {
        &self.brand_json_url
    }

    /// Whether both are on one registrable domain, so that the record need not list the agent's.
    pub fn is_on_the_agents_domain(&self) -> bool {
        let of_agent = self.agent.public().registrable_domain();
        of_agent.is_some() && of_agent == self.brand_json_url.registrable_domain()
    }

    /// Step 3: the record is on the agent's registrable domain, or is a House Portfolio that lists
    /// it among its `authorized_operators`.
    ///
    /// # Errors
    /// [`DiscoveryError::BrandOriginMismatch`].
    pub fn bind(self, record: &BrandJson, now: UnixSeconds) -> Result<Bound<'_>, DiscoveryError> {
        if self.is_on_the_agents_domain() {
            return Ok(Bound { named: self, record, by: Binding::SameDomain });
        }
        let of_agent = self.agent.public().registrable_domain();
        if of_agent.is_some_and(|domain| record.delegates_to(domain, now)) {
            return Ok(Bound { named: self, record, by: Binding::AuthorizedOperator });
        }
        Err(DiscoveryError::BrandOriginMismatch {
            agent_etld1: of_agent.map(str::to_owned),
            brand_json_url_etld1: self.brand_json_url.registrable_domain().map(str::to_owned),
            agent_url: self.agent,
        })
    }
}

impl Bound<'_> {
    /// Steps 5 and 6: the one entry that lists the agent, and where its keys are.
    ///
    /// # Errors
    /// [`DiscoveryError::AgentNotInBrandJson`], [`DiscoveryError::BrandJsonAmbiguous`],
    /// [`DiscoveryError::JwksUntrusted`].
    pub fn find(self, matching: AgentMatch) -> Result<Resolution, DiscoveryError> {
        let Self { named: Named { agent, brand_json_url, capabilities }, record, by } = self;
        let found = record.find_by(matching, &agent, Candidates::OperatorRecord, None);
        let (entry, jwks_uri) = usable(found)
            .map_err(|reason| DiscoveryError::of_find(&agent, Some(&brand_json_url), reason))?;
        let operator = Some(Operator { brand_json_url, capabilities });
        Ok(Resolution::new(agent, entry, jwks_uri, by, operator))
    }
}

impl Resolution {
    /// Resolves an agent by a record that the verifier trusts already, such as the brand.json of an
    /// authenticated buyer: steps 5 and 6 alone.
    ///
    /// # Errors
    /// As [`Bound::find`].
    pub fn by_relying_party(
        agent: &AgentUrl,
        record: &BrandJson,
        candidates: Candidates<'_>,
        needed: Option<&AgentType>,
    ) -> Result<Self, DiscoveryError> {
        let found = record.find(agent, candidates, needed);
        let (entry, jwks_uri) =
            usable(found).map_err(|reason| DiscoveryError::of_find(agent, None, reason))?;
        Ok(Self::new(agent.clone(), entry, jwks_uri, Binding::RelyingParty, None))
    }

    fn new(
        agent: AgentUrl,
        entry: &AgentEntry,
        jwks_uri: PublicUrl,
        binding: Binding,
        operator: Option<Operator>,
    ) -> Self {
        let (kind, id) = (entry.kind().clone(), entry.id().map(str::to_owned));
        Self { agent, kind, id, jwks_uri, binding, operator }
    }

    /// The identity: the canonical URL of the entry that lists the agent.
    pub fn agent(&self) -> &AgentUrl {
        &self.agent
    }

    /// The role that the entry gives the agent.
    pub fn kind(&self) -> &AgentType {
        &self.kind
    }

    /// The `id` of the entry.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Where the agent's keys are.
    pub fn jwks_uri(&self) -> &PublicUrl {
        &self.jwks_uri
    }

    /// Why the record may speak for the agent.
    pub fn binding(&self) -> Binding {
        self.binding
    }

    /// Where the operator's record is. Its host is the agent's operator, and its origin issues the
    /// revocation list of the agent's keys. None of a relying-party record.
    pub fn brand_json_url(&self) -> Option<&PublicUrl> {
        self.operator.as_ref().map(|operator| &operator.brand_json_url)
    }

    /// Step 7: the JWKS is on the host that the agent declares for this purpose. An agent that
    /// declares that it signs for the purpose has to declare a host. A relying-party record has no
    /// such step.
    ///
    /// # Errors
    /// [`DiscoveryError::KeyOriginMismatch`], [`DiscoveryError::KeyOriginMissing`].
    pub fn check_key_origin(&self, purpose: KeyOriginPurpose) -> Result<(), DiscoveryError> {
        let Some(Operator { capabilities, .. }) = &self.operator else { return Ok(()) };
        match capabilities.key_origin(purpose) {
            Some(declared) if is_on(&self.jwks_uri, declared) => Ok(()),
            Some(declared) => Err(DiscoveryError::KeyOriginMismatch {
                purpose,
                expected_origin: declared.to_owned(),
                actual_origin: self.jwks_uri.origin(),
            }),
            None if capabilities.signs(purpose) => {
                Err(DiscoveryError::KeyOriginMissing { purpose })
            }
            None => Ok(()),
        }
    }

    /// The agent as [`JwksResolver`](crate::jwks::JwksResolver) takes it.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn to_agent(&self) -> Result<Agent, AgentError> {
        let agent = Agent::new(self.agent.as_str())?.with_jwks_uri(self.jwks_uri.as_str())?;
        match self.brand_json_url() {
            Some(brand_json_url) => agent.with_revocation_issuer(&brand_json_url.origin()),
            None => Ok(agent),
        }
    }
}

fn usable(found: Result<&AgentEntry, FindError>) -> Result<(&AgentEntry, PublicUrl), FindError> {
    let entry = found?;
    let jwks_uri = entry.jwks().cloned().ok_or(FindError::UnusableJwks)?;
    Ok((entry, jwks_uri))
}

/// Whether a JWKS is on a declared origin. Hosts are compared, in lower case and A-labels; ports
/// too, where the declaration names one. What is not an https origin is nobody's.
fn is_on(jwks_uri: &PublicUrl, declared: &str) -> bool {
    let has_scheme = declared.contains("://");
    let written = if has_scheme { declared.to_owned() } else { format!("https://{declared}") };
    let Ok(declared) = adcp_signing_core::resolver::canonical_url(&written) else { return false };
    let Ok(declared_url) = declared.as_str().parse::<PublicUrl>() else { return false };
    let has_port = declared.authority() != declared_url.host();
    declared_url.host() == jwks_uri.host() && (!has_port || declared_url.port() == jwks_uri.port())
}
