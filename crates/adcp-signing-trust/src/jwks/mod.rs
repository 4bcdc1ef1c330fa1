//! Keys of agents from their JWKS over HTTPS, behind the verifier's key query.

mod agent;
mod budget;
mod known;
mod source;

use std::{collections::hash_map::Entry, convert::Infallible, fmt, sync::Arc, time::Duration};

use adcp_signing_core::{
    Answer, Clock, KeyQuery, KeyResolver, ResolveError, SystemClock, UnixSeconds, VerificationKey,
    resolver::{DiscoveryFailure, canonical_url},
    revocation::RevocationPolicy,
};
use futures_util::{StreamExt as _, stream};
use parking_lot::{Mutex, RwLock};

pub use self::agent::{Agent, AgentError};
pub(crate) use self::{
    agent::WELL_KNOWN_JWKS,
    budget::Budget,
    known::{ByAgent, add_agent, of_agent},
    source::{Context, JwksSource, Owner, fresh_for, within},
};
use self::{budget::Holders, source::COOLDOWN};
use crate::fetch::Fetcher;

/// How many sets are searched for a key that nobody has, and fetched at once.
const MAX_SEARCHED: usize = 16;

type Found = Result<Option<Arc<VerificationKey>>, ResolveError>;

/// Resolves keys of the agents that it was told of, from the JWKS that each publishes (AdCP
/// verifier checklist, step 7).
///
/// - Keys are parsed once and held for as long as the server says, 30 seconds at least, and never
///   longer than the revocation list's polling interval: 30 minutes, or 5 under
///   [`RevocationPolicy::production`]. Within that bound keys are held on where the server cannot be
///   reached.
/// - A `keyid` that is not among them is looked for again at once, but not within 30 seconds of the
///   last time.
/// - One fetch of a JWKS runs at a time, and whoever needs it waits for it. A failure is remembered
///   for 30 seconds.
/// - A `kid` that a set has twice stands for no usable key, and a published test key for nobody's.
///
/// A query without a counterparty is answered where a single agent has a key of that name, as by
/// [`StaticKeys`](adcp_signing_core::StaticKeys):
///
/// - The keys of every agent have to have been seen once, or the answer is
///   [`DiscoveryFailure::JwksUnavailable`]: another agent may have the key too.
/// - Where nobody has the key, all sets are looked through again at once if there are no more than 16
///   agents. With more, those alone that are due, and once in 30 seconds: a new key is found once
///   its set is.
/// - An agent can publish the public key of another one. Until both sets were seen with it, messages
///   of the other one are taken for its own. Name the counterparty wherever something other than the
///   message proves it.
///
/// Nothing is fetched before the first query, and nothing is spawned: spawn
/// [`keep_fresh`](Self::keep_fresh), so that no message waits for the keys of many agents. A clone
/// shares all of it.
///
/// ```
/// use adcp_signing_trust::{fetch::Fetcher, jwks::{Agent, JwksResolver}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = JwksResolver::builder(Fetcher::new()?).build();
/// // At /.well-known/jwks.json of the origin.
/// keys.add(Agent::new("https://buyer.example.com/adcp")?)?;
/// // Elsewhere, and revoked by the operator's list.
/// keys.add(
///     Agent::new("https://agency.example.net/mcp")?
///         .with_jwks_uri("https://keys.agency.example.net/jwks.json")?
///         .with_revocation_issuer("https://agency.example.net")?,
/// )?;
/// assert_eq!(keys.agents(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct JwksResolver(Arc<Inner>);

struct Inner {
    context: Context,
    max_agents: usize,
    /// By canonical URL.
    agents: ByAgent<JwksSource>,
    /// When the sets of many agents were last searched for a key that nobody had.
    searched: Mutex<Option<UnixSeconds>>,
}

/// Settings of a [`JwksResolver`].
pub struct JwksResolverBuilder {
    context: Context,
    max_agents: usize,
}

/// Why an agent was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddAgentError {
    /// The agent is known already. Remove it first, to look for its keys elsewhere.
    #[error("{agent_url} is known already; remove it first")]
    AlreadyKnown {
        /// The canonical URL.
        agent_url: String,
    },
    /// There are as many agents as there may be.
    #[error("{max} agents are known, and no more may be; remove one, or raise `max_agents`")]
    Full {
        /// How many there may be.
        max: usize,
    },
}

impl JwksResolver {
    /// A resolver of nobody's keys, with the settings above.
    pub fn builder(fetcher: Fetcher) -> JwksResolverBuilder {
        JwksResolverBuilder {
            context: Context {
                fetcher,
                clock: Arc::new(SystemClock),
                max_age: RevocationPolicy::baseline().max_poll_interval(),
                accept_published_test_keys: false,
                budget: Arc::new(Budget::new(Budget::MAX_KEYS)),
            },
            max_agents: 100_000,
        }
    }

    /// Resolves the keys of this agent as well.
    ///
    /// # Errors
    /// [`AddAgentError`].
    pub fn add(&self, agent: Agent) -> Result<(), AddAgentError> {
        let agent_url = agent.url().to_owned();
        let mut agents = self.0.agents.write();
        add_agent(&mut agents, self.0.max_agents, agent_url, agent.into_source())?;
        *self.0.searched.lock() = None;
        Ok(())
    }

    /// Resolves the keys of this agent from where it says now. Whether they were looked for in
    /// another place before, whose keys are forgotten.
    pub(crate) fn set(&self, agent: Agent) -> Result<bool, AddAgentError> {
        if self.0.agents.read().get(agent.url()).is_some_and(|source| source.is_of(&agent)) {
            return Ok(false);
        }
        let mut agents = self.0.agents.write();
        let (len, max) = (agents.len(), self.0.max_agents);
        match agents.entry(agent.url().to_owned()) {
            Entry::Occupied(known) if known.get().is_of(&agent) => Ok(false),
            Entry::Occupied(mut known) => {
                let before = known.insert(Arc::new(agent.into_source()));
                self.0.context.budget.retire(&before);
                *self.0.searched.lock() = None;
                Ok(true)
            }
            Entry::Vacant(_) if len >= max => Err(AddAgentError::Full { max }),
            Entry::Vacant(entry) => {
                entry.insert(Arc::new(agent.into_source()));
                *self.0.searched.lock() = None;
                Ok(false)
            }
        }
    }

    /// Forgets an agent and its keys. Whether it was known.
    pub fn remove(&self, agent_url: &str) -> bool {
        let Ok(agent_url) = canonical_url(agent_url) else { return false };
        let removed = self.0.agents.write().remove(agent_url.as_str());
        removed.is_some_and(|source| {
            self.0.context.budget.retire(&source);
            true
        })
    }

    /// How many agents are known.
    pub fn agents(&self) -> usize {
        self.0.agents.read().len()
    }

    /// How many keys are held.
    pub fn keys(&self) -> usize {
        self.0.context.budget.keys()
    }

    /// The key of this name that the agent has, by its canonical URL.
    pub(crate) fn find_of<'a>(
        &'a self,
        agent_url: &str,
        keyid: &'a str,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError> {
        let source = self.0.agents.read().get(agent_url).map(Arc::clone);
        match source {
            Some(source) => self.find(source, keyid),
            None => Answer::now(Ok(None)),
        }
    }

    fn find<'a>(
        &'a self,
        source: Arc<JwksSource>,
        keyid: &'a str,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError> {
        match source.look(keyid, &self.0.context) {
            Ok(known) => Answer::now(known),
            Err(needed) => {
                Answer::later(
                    async move { source.fetch_and_look(keyid, needed, &self.0.context).await },
                )
            }
        }
    }

    /// The key of this name, where a single agent has one, as far as is known without a fetch.
    fn find_unnamed<'a>(
        &'a self,
        keyid: &'a str,
    ) -> Option<Answer<'a, Option<Arc<VerificationKey>>, ResolveError>> {
        let agents = self.0.agents.read();
        if let (1, Some(sole)) = (agents.len(), agents.values().next()) {
            return Some(self.find(Arc::clone(sole), keyid));
        }
        // An agent whose keys were never seen may have the key too.
        if self.0.context.budget.sets() < agents.len() {
            return None;
        }
        drop(agents);
        match self.0.context.budget.holders(keyid) {
            Holders::Nobody => None,
            Holders::One(source) => Some(self.find(source, keyid)),
            Holders::Several => Some(Answer::now(Err(ResolveError::new(
                DiscoveryFailure::BrandJsonAmbiguous,
                "several agents have a key with this keyid; name the counterparty",
            )))),
        }
    }

    /// As [`find_unnamed`](Self::find_unnamed), after all sets that are due were fetched; with few
    /// agents, those where the key is missing too.
    async fn fetch_unnamed(&self, keyid: &str) -> Found {
        let sources: Vec<_> = self.0.agents.read().values().map(Arc::clone).collect();
        let is_few = sources.len() <= MAX_SEARCHED;
        let is_searched = !is_few && {
            let now = self.0.context.clock.now();
            self.0.searched.lock().is_some_and(|last| within(last, COOLDOWN, now))
        };
        if !is_searched {
            let fetches = sources.clone().into_iter().map(async |source| {
                if is_few {
                    // What fails is remembered.
                    drop(self.find(source, keyid).await);
                } else {
                    source.refresh(&self.0.context).await;
                }
            });
            stream::iter(fetches).buffer_unordered(MAX_SEARCHED).collect::<()>().await;
            *self.0.searched.lock() = Some(self.0.context.clock.now());
        }
        if let Some(found) = self.find_unnamed(keyid) {
            return found.await;
        }
        if self.0.context.budget.sets() >= self.agents() {
            return Ok(None);
        }
        let cause = sources.iter().find_map(|source| source.failure_without_keys());
        Err(cause.unwrap_or_else(|| {
            ResolveError::new(
                DiscoveryFailure::JwksUnavailable,
                "the keys of an agent were dropped for those of others; raise `max_keys`, or name \
                 the counterparty",
            )
        }))
    }

    /// Fetches the sets that are due, such as all of them at the start, at most 16 at once.
    pub async fn refresh(&self) {
        let sources: Vec<_> = self.0.agents.read().values().map(Arc::clone).collect();
        let fetches = sources.into_iter().map(async |source| {
            source.refresh(&self.0.context).await;
        });
        stream::iter(fetches).buffer_unordered(MAX_SEARCHED).collect::<()>().await;
    }

    /// Looks each `tick` which sets are due, and fetches them, for ever, so that no message waits
    /// for keys that are known. What could not be had is a warning of the `tracing` target
    /// `adcp_signing::trust`.
    pub async fn keep_fresh(&self, tick: Duration) -> Infallible {
        loop {
            self.refresh().await;
            tokio::time::sleep(tick).await;
        }
    }
}

impl KeyResolver for JwksResolver {
    /// # Errors
    /// - [`DiscoveryFailure::JwksUnavailable`]: the JWKS could not be fetched, or is none.
    /// - [`DiscoveryFailure::JwksUntrusted`]: its place must not be fetched from, it holds a private
    ///   key, or the key is a published test key.
    /// - [`DiscoveryFailure::BrandJsonAmbiguous`]: the query names no counterparty, and several
    ///   agents have a key of this name.
    /// - [`DiscoveryFailure::AgentNotInBrandJson`]: the counterparty's URL has no canonical form.
    fn resolve<'a>(
        &'a self,
        query: KeyQuery<'a>,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError> {
        let keyid = query.keyid();
        if let Some(counterparty) = query.counterparty() {
            return match of_agent(&self.0.agents, counterparty) {
                Ok(Some(source)) => self.find(source, keyid),
                Ok(None) => Answer::now(Ok(None)),
                Err(error) => Answer::now(Err(error)),
            };
        }
        self.find_unnamed(keyid).unwrap_or_else(|| Answer::later(self.fetch_unnamed(keyid)))
    }
}

impl fmt::Debug for JwksResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksResolver")
            .field("agents", &self.agents())
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}

impl JwksResolverBuilder {
    /// Holds keys no longer than this policy polls revocation lists: [`RevocationPolicy::baseline`]
    /// unless set.
    #[must_use]
    pub fn policy(mut self, policy: RevocationPolicy) -> Self {
        self.context.max_age = policy.max_poll_interval();
        self
    }

    /// Sets the clock: the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.context.clock = Arc::new(clock);
        self
    }

    /// Sets how many agents may be known: 100,000.
    #[must_use]
    pub fn max_agents(self, max: usize) -> Self {
        Self { max_agents: max, ..self }
    }

    /// Sets how many keys are held, 1,000 at least: 1,000,000. Beyond that the sets that were
    /// fetched first are dropped, and fetched again when they are needed.
    #[must_use]
    pub fn max_keys(mut self, max: usize) -> Self {
        self.context.budget = Arc::new(Budget::new(max));
        self
    }

    /// Accepts the test keys of the AdCP vectors and of the RFCs, whose private halves everybody
    /// has. Never do so where the answer to a request matters.
    #[must_use]
    pub fn accept_published_test_keys_in_tests(mut self) -> Self {
        self.context.accept_published_test_keys = true;
        self
    }

    /// The resolver.
    pub fn build(self) -> JwksResolver {
        JwksResolver(Arc::new(Inner {
            context: self.context,
            max_agents: self.max_agents,
            agents: RwLock::default(),
            searched: Mutex::default(),
        }))
    }
}

impl fmt::Debug for JwksResolverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksResolverBuilder")
            .field("max_agents", &self.max_agents)
            .finish_non_exhaustive()
    }
}
