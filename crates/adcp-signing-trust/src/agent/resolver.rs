//! `AgentResolver`: the verifier's key query, answered for agents that are known by their URL alone.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use adcp_signing_core::{
    Answer, Clock, KeyQuery, KeyResolver, ResolveError, SystemClock, UnixSeconds, VerificationKey,
    resolver::DiscoveryFailure, revocation::RevocationPolicy,
};
use futures_util::{StreamExt as _, stream};
use parking_lot::{Mutex, RwLock};

use super::{
    chain::Resolution, discovery::AgentDiscovery, error::DiscoveryError, purpose::KeyOriginPurpose,
};
use crate::{
    brand::AgentUrl,
    fetch::Fetcher,
    jwks::{AddAgentError, ByAgent, JwksResolver, add_agent, of_agent, within},
};

const MAX_AGENTS: usize = 100_000;
/// How many agents are looked for at once.
const MAX_AT_ONCE: usize = 16;
/// For how many seconds all agents count as looked for.
const CONFIRMED_FOR: i64 = 30;

type Found = Result<Option<Arc<VerificationKey>>, ResolveError>;

/// Resolves keys of the agents that it was told of by their URL alone: [`AgentDiscovery`] finds
/// where each publishes its keys, and a [`JwksResolver`] holds them (AdCP verifier checklist,
/// step 7).
///
/// - The key that is found carries the canonical URL of the agent's entry in brand.json, the
///   identity of the signer, and the origin of its brand.json as the issuer of its revocation list.
/// - A mapping from an agent to its keys is confirmed as often as
///   [`AgentDiscovery`] fetches its documents. A `jwks_uri` that moved is a warning of the `tracing`
///   target `adcp_signing::trust`, and the keys of the old place are forgotten at once.
/// - The key origin is compared for the purpose of the message in hand (step 7 of the discovery).
///
/// A query without a counterparty is answered where a single agent has a key of that name. All
/// agents have to have been found for that: one that cannot be reached may have the key too, and
/// one that has no keys by its own documents does not count. Name the counterparty wherever
/// something other than the message proves it.
///
/// Nothing is spawned: spawn [`keep_fresh`](Self::keep_fresh), so that no message waits for the
/// documents of an agent. A clone shares all of it.
///
/// ```
/// use adcp_signing_trust::{agent::AgentResolver, fetch::Fetcher};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = AgentResolver::builder(Fetcher::new()?).build();
/// keys.add("https://buyer.example.com/mcp".parse()?)?;
/// keys.add("https://agency.example.net/adcp".parse()?)?;
/// assert_eq!(keys.agents(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AgentResolver(Arc<Inner>);

struct Inner {
    discovery: AgentDiscovery,
    keys: JwksResolver,
    clock: Arc<dyn Clock>,
    max_agents: usize,
    /// By canonical URL.
    agents: ByAgent<Known>,
    /// When all agents were last looked for.
    confirmed: Mutex<Option<UnixSeconds>>,
}

struct Known {
    url: AgentUrl,
    /// Where the keys are looked for now.
    placed: Mutex<Option<Resolution>>,
}

/// Settings of an [`AgentResolver`].
pub struct AgentResolverBuilder {
    fetcher: Fetcher,
    discovery: Option<AgentDiscovery>,
    policy: RevocationPolicy,
    clock: Arc<dyn Clock>,
    max_agents: usize,
    accept_published_test_keys: bool,
}

impl AgentResolver {
    /// A resolver of nobody's keys, with the settings above.
    pub fn builder(fetcher: Fetcher) -> AgentResolverBuilder {
        AgentResolverBuilder {
            fetcher,
            discovery: None,
            policy: RevocationPolicy::baseline(),
            clock: Arc::new(SystemClock),
            max_agents: MAX_AGENTS,
            accept_published_test_keys: false,
        }
    }

    /// Resolves the keys of this agent as well.
    ///
    /// # Errors
    /// [`AddAgentError`].
    pub fn add(&self, agent: AgentUrl) -> Result<(), AddAgentError> {
        let agent_url = agent.as_str().to_owned();
        let known = Known { url: agent, placed: Mutex::default() };
        add_agent(&mut self.0.agents.write(), self.0.max_agents, agent_url, known)?;
        *self.0.confirmed.lock() = None;
        Ok(())
    }

    /// Forgets an agent and its keys. Whether it was known.
    pub fn remove(&self, agent: &AgentUrl) -> bool {
        let known = self.0.agents.write().remove(agent.as_str());
        self.0.keys.remove(agent.as_str());
        known.is_some()
    }

    /// How many agents are known.
    pub fn agents(&self) -> usize {
        self.0.agents.read().len()
    }

    /// How the agents are found.
    pub fn discovery(&self) -> &AgentDiscovery {
        &self.0.discovery
    }

    /// Looks for all agents whose documents are due, and fetches the keys that are due.
    pub async fn refresh(&self) {
        // What fails is remembered and logged.
        let _ = self.confirm_all().await;
        self.0.keys.refresh().await;
    }

    /// Looks each `tick` which documents are due, and fetches them, for ever.
    pub async fn keep_fresh(&self, tick: Duration) -> Infallible {
        loop {
            self.refresh().await;
            tokio::time::sleep(tick).await;
        }
    }

    fn find<'a>(
        &'a self,
        known: Arc<Known>,
        query: KeyQuery<'a>,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError> {
        let (keyid, purpose) = (query.keyid(), KeyOriginPurpose::of_profile(query.profile()));
        if let Some(found) = self.0.discovery.look(&known.url) {
            return match self.place(&known, found, Some(purpose)) {
                Ok(()) => self.0.keys.find_of(known.url.as_str(), keyid),
                Err(error) => Answer::now(Err(error)),
            };
        }
        Answer::later(async move {
            let found = self.0.discovery.resolve(&known.url).await;
            self.place(&known, found, Some(purpose))?;
            self.0.keys.find_of(known.url.as_str(), keyid).await
        })
    }

    /// Takes what came of a discovery: the keys are looked for there, or are nobody's.
    fn place(
        &self,
        known: &Known,
        found: Result<Resolution, Arc<DiscoveryError>>,
        purpose: Option<KeyOriginPurpose>,
    ) -> Result<(), ResolveError> {
        let mut placed = known.placed.lock();
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                *placed = None;
                self.0.keys.remove(known.url.as_str());
                return Err(ResolveError::from(&*error));
            }
        };
        if placed.as_ref() != Some(&found) {
            let untrusted =
                |error: String| ResolveError::new(DiscoveryFailure::JwksUntrusted, error);
            let agent = found.to_agent().map_err(|error| untrusted(error.to_string()))?;
            let full = |error: String| ResolveError::new(DiscoveryFailure::JwksUnavailable, error);
            let has_moved = self.0.keys.set(agent).map_err(|error| full(error.to_string()))?;
            if has_moved {
                let (agent, jwks) = (known.url.as_str(), found.jwks_uri().origin());
                tracing::warn!(
                    target: "adcp_signing::trust",
                    %agent, %jwks, "the agent's keys are at another place now"
                );
            }
            *placed = Some(found.clone());
        }
        match purpose {
            Some(purpose) => {
                found.check_key_origin(purpose).map_err(|error| ResolveError::from(&error))
            }
            None => Ok(()),
        }
    }

    /// Looks for all agents, at most 16 at once. An error where one could not be reached, which may
    /// have any key.
    async fn confirm_all(&self) -> Result<(), ResolveError> {
        let all: Vec<_> = self.0.agents.read().values().map(Arc::clone).collect();
        let looks = all.into_iter().map(async |known| {
            let found = self.0.discovery.resolve(&known.url).await;
            let is_late = found.as_ref().is_err_and(|error| error.is_transient());
            let placed = self.place(&known, found, None);
            if is_late { placed } else { Ok(()) }
        });
        let looks: Vec<_> = stream::iter(looks).buffer_unordered(MAX_AT_ONCE).collect().await;
        looks.into_iter().collect()
    }

    async fn find_unnamed(&self, query: KeyQuery<'_>) -> Found {
        let is_confirmed = {
            let now = self.0.clock.now();
            self.0.confirmed.lock().is_some_and(|last| within(last, CONFIRMED_FOR, now))
        };
        if !is_confirmed {
            self.confirm_all().await?;
            *self.0.confirmed.lock() = Some(self.0.clock.now());
        }
        let Some(key) = self.0.keys.resolve(query).await? else { return Ok(None) };
        // The agent itself is confirmed, and its key origin is compared.
        let agent = key.agent_url().map(|url| of_agent(&self.0.agents, url)).transpose()?.flatten();
        match agent {
            Some(known) => self.find(known, query).await,
            None => Ok(None),
        }
    }
}

impl KeyResolver for AgentResolver {
    /// # Errors
    /// Every [`DiscoveryFailure`]. The message is that of the [`DiscoveryError`].
    fn resolve<'a>(
        &'a self,
        query: KeyQuery<'a>,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError> {
        if let Some(counterparty) = query.counterparty() {
            return match of_agent(&self.0.agents, counterparty) {
                Ok(Some(known)) => self.find(known, query),
                Ok(None) => Answer::now(Ok(None)),
                Err(error) => Answer::now(Err(error)),
            };
        }
        let sole = {
            let agents = self.0.agents.read();
            let sole = agents.values().next().filter(|_| agents.len() == 1);
            sole.map(Arc::clone)
        };
        match sole {
            Some(sole) => self.find(sole, query),
            None => Answer::later(self.find_unnamed(query)),
        }
    }
}

impl AgentResolverBuilder {
    /// Finds agents by this discovery: over MCP, under contract 3.3, unless set. Give it the same
    /// policy and clock.
    #[must_use]
    pub fn discovery(self, discovery: AgentDiscovery) -> Self {
        Self { discovery: Some(discovery), ..self }
    }

    /// Holds keys and documents no longer than this policy polls revocation lists:
    /// [`RevocationPolicy::baseline`] unless set.
    #[must_use]
    pub fn policy(self, policy: RevocationPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Sets the clock: the system's.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Sets how many agents may be known: 100,000.
    #[must_use]
    pub fn max_agents(self, max: usize) -> Self {
        Self { max_agents: max, ..self }
    }

    /// Accepts the test keys of the AdCP vectors and of the RFCs, whose private halves everybody
    /// has. Never do so where the answer to a request matters.
    #[must_use]
    pub fn accept_published_test_keys_in_tests(self) -> Self {
        Self { accept_published_test_keys: true, ..self }
    }

    /// The resolver.
    pub fn build(self) -> AgentResolver {
        let discovery = self.discovery.unwrap_or_else(|| {
            AgentDiscovery::builder(self.fetcher.clone())
                .policy(self.policy)
                .clock(Arc::clone(&self.clock))
                .max_held(self.max_agents, self.max_agents)
                .build()
        });
        let keys = JwksResolver::builder(self.fetcher)
            .policy(self.policy)
            .clock(Arc::clone(&self.clock))
            .max_agents(self.max_agents);
        let keys = if self.accept_published_test_keys {
            keys.accept_published_test_keys_in_tests()
        } else {
            keys
        };
        AgentResolver(Arc::new(Inner {
            discovery,
            keys: keys.build(),
            clock: self.clock,
            max_agents: self.max_agents,
            agents: RwLock::default(),
            confirmed: Mutex::default(),
        }))
    }
}

impl fmt::Debug for AgentResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentResolver").field("agents", &self.agents()).finish_non_exhaustive()
    }
}

impl fmt::Debug for AgentResolverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentResolverBuilder")
            .field("max_agents", &self.max_agents)
            .finish_non_exhaustive()
    }
}
