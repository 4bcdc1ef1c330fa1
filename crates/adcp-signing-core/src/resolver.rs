//! From a `keyid` to the key that verifies: the trait, and a fixed set of keys.

use std::{collections::HashMap, fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    keys::{
        Algorithm, KeyPurpose, PublicKey,
        jwk::{Jwk, JwkSet, JwkSetError},
    },
    profile::Fault,
};

/// Finds the published key of a `keyid` (AdCP verifier checklist, step 7).
///
/// An implementation over the network refetches at once on a miss, and at most once in 30 seconds.
#[async_trait]
pub trait KeyResolver: Send + Sync + fmt::Debug {
    /// The key that `keyid` stands for, or `None` where no published key has that name.
    ///
    /// # Errors
    /// [`ResolveError`] when the question could not be answered.
    async fn resolve(&self, keyid: &str) -> Result<Option<Arc<VerificationKey>>, ResolveError>;
}

/// Why a `keyid` could not be resolved at all.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ResolveError {
    failure: DiscoveryFailure,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The discovery step that failed. Each has a code of its own on requests and is `key_unknown` on
/// webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiscoveryFailure {
    /// The capabilities name no brand.json.
    BrandJsonUrlMissing,
    /// The capabilities could not be fetched.
    CapabilitiesUnreachable,
    /// brand.json could not be fetched.
    BrandJsonUnreachable,
    /// brand.json is not what it must be.
    BrandJsonMalformed,
    /// brand.json lies on another registrable domain.
    BrandOriginMismatch,
    /// brand.json does not list the agent.
    AgentNotInBrandJson,
    /// brand.json lists the agent more than once.
    BrandJsonAmbiguous,
    /// The JWKS is on another origin than the one declared for the purpose.
    KeyOriginMismatch,
    /// No origin is declared for the purpose.
    KeyOriginMissing,
    /// The JWKS could not be fetched.
    JwksUnavailable,
    /// The JWKS address must not be fetched from.
    JwksUntrusted,
}

impl ResolveError {
    /// A failure of this kind; the message is for the log.
    pub fn new(failure: DiscoveryFailure, message: impl Into<String>) -> Self {
        Self { failure, message: message.into(), source: None }
    }

    /// Chains the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The step that failed.
    pub fn failure(&self) -> DiscoveryFailure {
        self.failure
    }

    pub(crate) fn fault(&self) -> Fault {
        match self.failure {
            DiscoveryFailure::BrandJsonUrlMissing => Fault::BrandJsonUrlMissing,
            DiscoveryFailure::CapabilitiesUnreachable => Fault::CapabilitiesUnreachable,
            DiscoveryFailure::BrandJsonUnreachable => Fault::BrandJsonUnreachable,
            DiscoveryFailure::BrandJsonMalformed => Fault::BrandJsonMalformed,
            DiscoveryFailure::BrandOriginMismatch => Fault::BrandOriginMismatch,
            DiscoveryFailure::AgentNotInBrandJson => Fault::AgentNotInBrandJson,
            DiscoveryFailure::BrandJsonAmbiguous => Fault::BrandJsonAmbiguous,
            DiscoveryFailure::KeyOriginMismatch => Fault::KeyOriginMismatch,
            DiscoveryFailure::KeyOriginMissing => Fault::KeyOriginMissing,
            DiscoveryFailure::JwksUnavailable => Fault::JwksUnavailable,
            DiscoveryFailure::JwksUntrusted => Fault::JwksUntrusted,
        }
    }
}

/// A published key as a verifier needs it: parsed once, with what it is declared for.
///
/// A JWK that cannot be used is still a key with a name, so it resolves at step 7 and is refused at
/// step 8 with the reason.
#[derive(Debug, Clone)]
pub struct VerificationKey {
    kid: String,
    declared: Result<Declared, Unusable>,
    agent_url: Option<String>,
}

#[derive(Debug, Clone)]
struct Declared {
    public: PublicKey,
    purpose: KeyPurpose,
}

/// Why a published key cannot verify anything (AdCP verifier checklist, step 8).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// `use` is absent or not `sig`.
    #[error("the JWK's `use` is {}, not \"sig\"", shown(.0.as_deref()))]
    Use(Option<String>),
    /// `key_ops` is absent or lacks `verify`.
    #[error("the JWK's `key_ops` does not include \"verify\"")]
    KeyOps,
    /// `adcp_use` is absent or not one string.
    #[error("the JWK has no `adcp_use`; it must be one string")]
    Purpose,
    /// `alg`, `kty`, `crv` or the key material is wrong.
    #[error("the JWK is unusable: {0}")]
    Material(String),
    /// Another key of the same set has the same `kid`.
    #[error("the JWKS holds more than one key with this `kid`")]
    AmbiguousKid,
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(
        || "absent".to_owned(),
        |value| format!("{:?}", value.chars().take(32).collect::<String>()),
    )
}

impl VerificationKey {
    /// The key that a published JWK declares.
    pub fn from_jwk(kid: impl Into<String>, jwk: &Jwk) -> Self {
        Self { kid: kid.into(), declared: Declared::from_jwk(jwk), agent_url: None }
    }

    /// A key that the caller trusts for a purpose without a JWK.
    pub fn trusted(kid: impl Into<String>, public: PublicKey, purpose: KeyPurpose) -> Self {
        Self { kid: kid.into(), declared: Ok(Declared { public, purpose }), agent_url: None }
    }

    /// Names the agent that published the key.
    #[must_use]
    pub fn with_agent_url(mut self, agent_url: impl Into<String>) -> Self {
        self.agent_url = Some(agent_url.into());
        self
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The agent that published the key, where the resolver knows it.
    pub fn agent_url(&self) -> Option<&str> {
        self.agent_url.as_deref()
    }

    /// The declared purpose, of a usable key.
    pub fn purpose(&self) -> Option<&KeyPurpose> {
        self.declared.as_ref().ok().map(|declared| &declared.purpose)
    }

    /// The key's algorithm, of a usable key.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.declared.as_ref().ok().map(|declared| declared.public.algorithm())
    }

    /// The public key and its purpose, or why there is none.
    pub(crate) fn usable(&self) -> Result<(&PublicKey, &KeyPurpose), &Unusable> {
        self.declared.as_ref().map(|declared| (&declared.public, &declared.purpose))
    }
}

impl Declared {
    fn from_jwk(jwk: &Jwk) -> Result<Self, Unusable> {
        if jwk.key_use() != Some("sig") {
            return Err(Unusable::Use(jwk.key_use().map(str::to_owned)));
        }
        if !jwk.key_ops().is_some_and(|ops| ops.iter().any(|op| op == "verify")) {
            return Err(Unusable::KeyOps);
        }
        let purpose = jwk.purpose().cloned().ok_or(Unusable::Purpose)?;
        let public = jwk.public_key().map_err(|error| Unusable::Material(error.to_string()))?;
        Ok(Self { public, purpose })
    }
}

/// A fixed set of keys, such as a JWKS read from disk.
///
/// ```
/// use adcp_signing_core::resolver::{KeyResolver as _, StaticKeys};
///
/// let keys = StaticKeys::from_jwks_json(br#"{"keys":[]}"#)?;
/// assert!(keys.is_empty());
/// # Ok::<(), adcp_signing_core::JwkSetError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct StaticKeys {
    keys: HashMap<String, Arc<VerificationKey>>,
}

impl StaticKeys {
    /// The keys of a JWKS. Keys without a `kid` cannot be asked for and are left out; a `kid` that
    /// occurs more than once stands for no usable key.
    pub fn from_jwks(set: &JwkSet) -> Self {
        let mut keys: HashMap<String, Arc<VerificationKey>> = HashMap::new();
        for jwk in set.keys() {
            let Some(kid) = jwk.kid() else { continue };
            keys.entry(kid.to_owned())
                .and_modify(|key| {
                    *key = Arc::new(VerificationKey {
                        kid: kid.to_owned(),
                        declared: Err(Unusable::AmbiguousKid),
                        agent_url: None,
                    });
                })
                .or_insert_with(|| Arc::new(VerificationKey::from_jwk(kid, jwk)));
        }
        Self { keys }
    }

    /// The keys of a JWKS document.
    ///
    /// # Errors
    /// [`JwkSetError`] when the document is not a JWKS.
    pub fn from_jwks_json(json: &[u8]) -> Result<Self, JwkSetError> {
        Ok(Self::from_jwks(&JwkSet::parse(json)?))
    }

    /// Adds one key, in place of any of the same name.
    pub fn insert(&mut self, key: VerificationKey) {
        self.keys.insert(key.kid.clone(), Arc::new(key));
    }

    /// How many names are known.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no name is known.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[async_trait]
impl KeyResolver for StaticKeys {
    async fn resolve(&self, keyid: &str) -> Result<Option<Arc<VerificationKey>>, ResolveError> {
        Ok(self.keys.get(keyid).cloned())
    }
}
