//! A fixed set of keys, each under its agent and its `kid`.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use super::{
    DiscoveryFailure, KeyQuery, KeyResolver, ResolveError, VerificationKey, canonical_url,
};
use crate::{
    answer::Answer,
    keys::jwk::{JwkError, JwkSet},
    target_uri::TargetUriError,
};

/// A fixed set of keys, such as the JWKS of each counterparty read from disk.
///
/// A key is known by its agent and its `kid` together, so keys of two agents with one `kid` never
/// meet:
///
/// - A query with a counterparty is answered with a key of that agent and of nobody else. A key
///   whose agent is not named is no answer to it. Agent URLs are compared in their canonical form;
///   a trailing slash on a path that is not empty counts.
/// - A query without one is answered where a single agent has a key of that name. Where several
///   have, nobody can tell who signed: the answer is [`DiscoveryFailure::BrandJsonAmbiguous`]
///   (`request_signature_brand_json_ambiguous`, and `webhook_signature_key_unknown` on webhooks),
///   the code that contract 3.3 has for a `keyid` under several candidates. That holds even where
///   all of them publish the same public key.
///
/// Within one agent a `kid` that occurs more than once stands for no usable key
/// ([`Unusable::AmbiguousKid`](super::Unusable::AmbiguousKid)). Nothing that was added is ever
/// replaced.
///
/// ```
/// use adcp_signing_core::{JwkSet, resolver::StaticKeys};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (buyer_jwks, agency_jwks) = (br#"{"keys":[]}"#, br#"{"keys":[]}"#);
/// let mut keys =
///     StaticKeys::from_jwks_of("https://buyer.example.com/adcp", &JwkSet::parse(buyer_jwks)?)?;
/// keys.add_agent("https://agency.example.com/", &JwkSet::parse(agency_jwks)?)?;
/// # assert!(keys.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct StaticKeys {
    by_kid: HashMap<String, Namesakes>,
}

/// The keys of one `kid`. At least one.
#[derive(Debug, Clone, Default)]
struct Namesakes {
    unnamed: Option<Arc<VerificationKey>>,
    /// By canonical agent URL.
    by_agent: HashMap<String, Arc<VerificationKey>>,
}

/// Why keys were not added to a [`StaticKeys`]. The set is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticKeysError {
    /// The agent's URL has no canonical form.
    #[error("the URL of the agent has no canonical form: {0}")]
    AgentUrl(#[from] TargetUriError),
    /// The agent has a key of this name already.
    #[error(
        "{} has a key with the kid {kid:?} already; a key is never replaced, so make a new set",
        agent_url.as_deref().unwrap_or("the agent without a name")
    )]
    AlreadyKnown {
        /// The key's name.
        kid: String,
        /// The agent, where it is named.
        agent_url: Option<String>,
    },
}

impl StaticKeys {
    /// The keys of a JWKS whose agent is not named, for a verifier with one counterparty. Keys
    /// without a `kid` cannot be asked for and are left out.
    ///
    /// A verified signer then has no `agent_url`. Use [`from_jwks_of`](Self::from_jwks_of) where
    /// the identity of the signer matters.
    pub fn from_jwks(set: &JwkSet) -> Self {
        let mut keys = Self::default();
        for key in keys_of(set).into_values() {
            keys.place(key);
        }
        keys
    }

    /// The keys that an agent publishes as its JWKS. Keys without a `kid` are left out.
    ///
    /// # Errors
    /// [`StaticKeysError::AgentUrl`].
    pub fn from_jwks_of(agent_url: &str, set: &JwkSet) -> Result<Self, StaticKeysError> {
        // First, so that an empty set does not hide a URL that is wrong.
        canonical_url(agent_url)?;
        let mut keys = Self::default();
        for key in keys_of(set).into_values() {
            keys.place(key.with_agent_url(agent_url)?);
        }
        Ok(keys)
    }

    /// The keys of a JWKS document whose agent is not named.
    ///
    /// # Errors
    /// [`JwkError`] when the document is not a JWKS.
    pub fn from_jwks_json(json: &[u8]) -> Result<Self, JwkError> {
        Ok(Self::from_jwks(&JwkSet::parse(json)?))
    }

    /// Adds the keys that an agent publishes as its JWKS, or none of them.
    ///
    /// # Errors
    /// [`StaticKeysError::AgentUrl`], or [`StaticKeysError::AlreadyKnown`] where the agent has a
    /// key of one of these names.
    pub fn add_agent(&mut self, agent_url: &str, set: &JwkSet) -> Result<(), StaticKeysError> {
        self.merge(Self::from_jwks_of(agent_url, set)?)
    }

    /// Adds the keys of another set, or none of them.
    ///
    /// # Errors
    /// [`StaticKeysError::AlreadyKnown`] where an agent has a key of one name in both.
    pub fn merge(&mut self, other: Self) -> Result<(), StaticKeysError> {
        other.keys().try_for_each(|key| self.check_new(key))?;
        for key in other.by_kid.into_values().flat_map(Namesakes::into_keys) {
            self.put(key);
        }
        Ok(())
    }

    /// Adds one key.
    ///
    /// # Errors
    /// [`StaticKeysError::AlreadyKnown`] where its agent has a key of this name.
    pub fn insert(&mut self, key: VerificationKey) -> Result<(), StaticKeysError> {
        self.check_new(&key)?;
        self.place(key);
        Ok(())
    }

    /// Every key, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &VerificationKey> {
        self.by_kid.values().flat_map(Namesakes::keys)
    }

    /// The keys with this `kid`, one of each agent that has one.
    pub fn named(&self, kid: &str) -> impl Iterator<Item = &VerificationKey> {
        self.by_kid.get(kid).into_iter().flat_map(Namesakes::keys)
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.by_kid.values().map(Namesakes::len).sum()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.by_kid.is_empty()
    }

    fn check_new(&self, key: &VerificationKey) -> Result<(), StaticKeysError> {
        match self.by_kid.get(key.kid()).and_then(|keys| keys.of(key.agent_url())) {
            None => Ok(()),
            Some(known) => Err(StaticKeysError::AlreadyKnown {
                kid: known.kid().to_owned(),
                agent_url: known.agent_url().map(str::to_owned),
            }),
        }
    }

    fn place(&mut self, key: VerificationKey) {
        self.put(Arc::new(key));
    }

    fn put(&mut self, key: Arc<VerificationKey>) {
        let namesakes = self.by_kid.entry(key.kid().to_owned()).or_default();
        match key.agent_url().map(str::to_owned) {
            None => namesakes.unnamed = Some(key),
            Some(agent_url) => drop(namesakes.by_agent.insert(agent_url, key)),
        }
    }
}

/// The keys of one set by `kid`; a `kid` that occurs more than once is ambiguous.
fn keys_of(set: &JwkSet) -> HashMap<&str, VerificationKey> {
    let mut keys = HashMap::new();
    for jwk in set.keys() {
        let Some(kid) = jwk.kid() else { continue };
        match keys.entry(kid) {
            Entry::Vacant(entry) => {
                entry.insert(VerificationKey::from_jwk(kid, jwk));
            }
            Entry::Occupied(mut entry) => {
                entry.insert(VerificationKey::ambiguous(kid.to_owned()));
            }
        }
    }
    keys
}

impl Namesakes {
    fn of(&self, agent_url: Option<&str>) -> Option<&Arc<VerificationKey>> {
        match agent_url {
            None => self.unnamed.as_ref(),
            Some(agent_url) => self.by_agent.get(agent_url),
        }
    }

    /// The key, where there is a single one.
    fn sole(&self) -> Option<&Arc<VerificationKey>> {
        let mut keys = self.unnamed.iter().chain(self.by_agent.values());
        keys.next().filter(|_| keys.next().is_none())
    }

    fn len(&self) -> usize {
        usize::from(self.unnamed.is_some()) + self.by_agent.len()
    }

    fn keys(&self) -> impl Iterator<Item = &VerificationKey> {
        self.unnamed.iter().chain(self.by_agent.values()).map(|key| &**key)
    }

    fn into_keys(self) -> impl Iterator<Item = Arc<VerificationKey>> {
        self.unnamed.into_iter().chain(self.by_agent.into_values())
    }
}

impl KeyResolver for StaticKeys {
    /// # Errors
    /// [`DiscoveryFailure::BrandJsonAmbiguous`] where no counterparty is named and several agents
    /// have a key of this name; [`DiscoveryFailure::AgentNotInBrandJson`] where the URL of the
    /// counterparty has no canonical form, so that it is nobody's.
    fn resolve<'a>(
        &'a self,
        query: KeyQuery<'a>,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError> {
        Answer::now(self.find(&query))
    }
}

impl StaticKeys {
    fn find(&self, query: &KeyQuery<'_>) -> Result<Option<Arc<VerificationKey>>, ResolveError> {
        let Some(namesakes) = self.by_kid.get(query.keyid()) else { return Ok(None) };
        let Some(counterparty) = query.counterparty() else {
            return match namesakes.sole() {
                Some(key) => Ok(Some(Arc::clone(key))),
                None => Err(ResolveError::new(
                    DiscoveryFailure::BrandJsonAmbiguous,
                    format!(
                        "{} agents have a key with this keyid; name the counterparty",
                        namesakes.len()
                    ),
                )),
            };
        };
        // Exactly first: callers that keep the canonical form spare the second look.
        if let Some(key) = namesakes.of(Some(counterparty)) {
            return Ok(Some(Arc::clone(key)));
        }
        let canonical = canonical_url(counterparty).map_err(|error| {
            ResolveError::new(
                DiscoveryFailure::AgentNotInBrandJson,
                "the URL of the counterparty has no canonical form",
            )
            .with_source(error)
        })?;
        Ok(namesakes.of(Some(canonical.as_str())).map(Arc::clone))
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::{
        keys::{Algorithm, KeyPurpose},
        profile::{Profile, WireVersion},
        provider::InMemoryProvider,
        resolver::Unusable,
    };

    const A: &str = "https://a.example/adcp";
    const B: &str = "https://b.example/adcp";

    /// A JWKS with a fresh key for each name.
    fn jwks(kids: &[&str]) -> JwkSet {
        let jwk = |kid: &&str| {
            let key =
                InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
            let mut json = serde_json::to_value(key.jwk()).unwrap();
            json["kid"] = (*kid).into();
            json
        };
        let keys: Vec<_> = kids.iter().map(jwk).collect();
        JwkSet::parse(serde_json::json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn ask(
        keys: &dyn KeyResolver,
        keyid: &str,
        counterparty: Option<&str>,
    ) -> Result<Option<Arc<VerificationKey>>, DiscoveryFailure> {
        let profile = Profile::request(WireVersion::V3_2);
        let query = KeyQuery::new(keyid, &profile);
        let query = counterparty.map_or(query, |agent_url| query.with_counterparty(agent_url));
        block_on(keys.resolve(query)).map_err(|error| error.failure())
    }

    #[test]
    fn the_key_of_each_agent_answers_for_that_agent_alone() {
        let sets = [jwks(&["same", "only-a"]), jwks(&["same", "only-b"]), jwks(&["same", "only"])];
        let [of_a, of_b, unnamed] = &sets;
        let mut keys = StaticKeys::from_jwks_of(A, of_a).unwrap();
        keys.add_agent(B, of_b).unwrap();
        keys.merge(StaticKeys::from_jwks(unnamed)).unwrap();
        assert_eq!((keys.len(), keys.named("same").count()), (6, 3));

        let public = |set: &JwkSet, at: usize| set.keys()[at].public_key().unwrap();
        let ambiguous = Err(DiscoveryFailure::BrandJsonAmbiguous);
        // (keyid, counterparty, the agent that the key belongs to and the key).
        let cases = [
            ("same", Some(A), Ok(Some((Some(A), public(of_a, 0))))),
            ("same", Some(B), Ok(Some((Some(B), public(of_b, 0))))),
            ("same", Some("https://c.example/adcp"), Ok(None)),
            ("same", None, ambiguous),
            ("only-a", Some(A), Ok(Some((Some(A), public(of_a, 1))))),
            ("only-a", Some(B), Ok(None)),
            ("only-a", None, Ok(Some((Some(A), public(of_a, 1))))),
            ("only-b", None, Ok(Some((Some(B), public(of_b, 1))))),
            ("only", Some(A), Ok(None)),
            ("only", None, Ok(Some((None, public(unnamed, 1))))),
            ("none", None, Ok(None)),
            ("none", Some(A), Ok(None)),
        ];
        for (keyid, counterparty, expected) in cases {
            let found = ask(&keys, keyid, counterparty).map(|found| {
                let found = found?;
                let agent = [A, B].into_iter().find(|url| found.agent_url() == Some(*url));
                Some((agent, found.public_key().unwrap().clone()))
            });
            assert_eq!(found, expected, "{keyid} of {counterparty:?}");
        }
    }

    #[test]
    fn one_key_under_two_agents_is_ambiguous_as_well() {
        let set = jwks(&["shared"]);
        let mut keys = StaticKeys::from_jwks_of(A, &set).unwrap();
        keys.add_agent(B, &set).unwrap();
        assert_eq!(ask(&keys, "shared", None).unwrap_err(), DiscoveryFailure::BrandJsonAmbiguous);
        assert_eq!(ask(&keys, "shared", Some(B)).unwrap().unwrap().agent_url(), Some(B));
    }

    #[test]
    fn agents_match_by_their_canonical_url() {
        let keys = StaticKeys::from_jwks_of("HTTPS://A.example:443/x/../adcp", &jwks(&["k"]));
        let keys = keys.unwrap();
        let same = [
            A,
            "https://a.EXAMPLE/adcp",
            "https://a.example./%61dcp#top",
            "https://u@a.example/adcp",
        ];
        for agent_url in same {
            assert!(ask(&keys, "k", Some(agent_url)).unwrap().is_some(), "{agent_url}");
        }
        let others = [
            "https://a.example/adcp/",
            "https://a.example/ADCP",
            "http://a.example/adcp",
            "https://a.example:8443/adcp",
            "https://a.example/adcp?x",
            "https://a.example/",
        ];
        for agent_url in others {
            assert!(ask(&keys, "k", Some(agent_url)).unwrap().is_none(), "{agent_url}");
        }
        let root = StaticKeys::from_jwks_of("https://a.example", &jwks(&["k"])).unwrap();
        assert!(ask(&root, "k", Some("https://a.example/")).unwrap().is_some());
        for malformed in ["", "a.example/adcp", "https://a..example/adcp"] {
            assert_eq!(
                ask(&keys, "k", Some(malformed)).unwrap_err(),
                DiscoveryFailure::AgentNotInBrandJson,
                "{malformed}"
            );
        }
    }

    #[test]
    fn nothing_is_replaced() {
        let first = jwks(&["k"]);
        let mut keys = StaticKeys::from_jwks_of(A, &first).unwrap();
        let known = |agent_url: Option<&str>| StaticKeysError::AlreadyKnown {
            kid: "k".to_owned(),
            agent_url: agent_url.map(str::to_owned),
        };
        // Not even in part.
        assert_eq!(keys.add_agent(A, &jwks(&["new", "k"])), Err(known(Some(A))));
        assert_eq!(keys.len(), 1);
        let second = jwks(&["k"]);
        let key = VerificationKey::from_jwk("k", &second.keys()[0]);
        let of_a = key.clone().with_agent_url(A).unwrap();
        assert_eq!(keys.insert(of_a), Err(known(Some(A))));
        assert_eq!(keys.insert(key.clone()), Ok(()), "another agent's key of that name");
        assert_eq!(keys.insert(key), Err(known(None)));
        let found = ask(&keys, "k", Some(A)).unwrap().unwrap();
        assert_eq!(found.public_key(), Some(&first.keys()[0].public_key().unwrap()));
    }

    #[test]
    fn a_kid_twice_in_one_set_is_unusable_for_that_agent_alone() {
        let mut keys = StaticKeys::from_jwks_of(A, &jwks(&["k", "k", "fine"])).unwrap();
        keys.add_agent(B, &jwks(&["k"])).unwrap();
        let found = ask(&keys, "k", Some(A)).unwrap().unwrap();
        assert_eq!(found.unusable(), Some(&Unusable::AmbiguousKid));
        assert_eq!(found.agent_url(), Some(A));
        assert!(ask(&keys, "k", Some(B)).unwrap().unwrap().unusable().is_none());
        assert!(ask(&keys, "fine", None).unwrap().unwrap().unusable().is_none());
        let unnamed = StaticKeys::from_jwks(&jwks(&["k", "k"]));
        let found = ask(&unnamed, "k", None).unwrap().unwrap();
        assert_eq!(found.unusable(), Some(&Unusable::AmbiguousKid));
    }

    #[test]
    fn an_agent_without_a_canonical_url_is_refused_even_with_an_empty_set() {
        for set in [jwks(&[]), jwks(&["k"])] {
            let refused = StaticKeys::from_jwks_of("a.example", &set);
            assert!(matches!(refused, Err(StaticKeysError::AgentUrl(_))), "{refused:?}");
        }
    }

    #[test]
    fn a_document_is_read_and_its_keys_are_counted() {
        let key =
            InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
        let document = serde_json::json!({ "keys": [key.jwk()] }).to_string();
        let keys = StaticKeys::from_jwks_json(document.as_bytes()).unwrap();
        assert_eq!((keys.len(), keys.is_empty()), (1, false));
        assert!(StaticKeys::default().is_empty());
        assert!(StaticKeys::from_jwks_json(b"[]").is_err());
    }

    #[test]
    fn shared_keys_resolve() {
        let keys = Arc::new(StaticKeys::from_jwks_of(A, &jwks(&["k"])).unwrap());
        let shared: Arc<dyn KeyResolver> = keys.clone();
        for resolver in [&keys as &dyn KeyResolver, &shared] {
            assert_eq!(ask(resolver, "k", Some(A)).unwrap().unwrap().kid(), "k");
            assert!(ask(resolver, "k", Some(B)).unwrap().is_none());
        }
    }
}
