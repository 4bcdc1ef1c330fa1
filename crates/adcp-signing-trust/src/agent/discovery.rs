//! `AgentDiscovery`: fetches what the chain of steps needs, and holds it within bounds.

use std::{fmt, sync::Arc};

use adcp_signing_core::{
    Clock, SystemClock, UnixSeconds,
    profile::{AgentMatch, ContractVersion, Profile},
    revocation::RevocationPolicy,
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    cache::{Cache, Fetched, Known},
    capabilities::{AgentCapabilities, CapabilitiesError, FetchCapabilities},
    chain::{Named, Resolution},
    error::{DiscoveryError, FetchFailure},
    mcp::McpCapabilities,
    purpose::KeyOriginPurpose,
    trace::Trace,
};
use crate::{
    brand::{AgentUrl, BrandJson},
    fetch::{Document, EntityTag, FetchError, Fetched as Got, Fetcher},
    guard::PublicUrl,
    jwks::fresh_for,
};

const WELL_KNOWN_BRAND_JSON: &str = "/.well-known/brand.json";
/// From how many bytes on a document is parsed on a thread of its own.
const LARGE: usize = 64 * 1024;
const MAX_AGENTS: usize = 100_000;
const MAX_RECORDS: usize = 10_000;
const MAX_CONCURRENT: usize = 32;

/// Finds where the keys of an agent are, from its URL alone: its capabilities, the brand.json that
/// they name, and the entry of the agent there ("Discovering an agent's signing keys via
/// `brand_json_url`", security guide, steps 1 to 7).
///
/// - An agent that names no brand.json has no keys: nothing is looked for at a well-known place.
/// - Capabilities and brand.json are held for as long as the server says, 300 seconds where it does
///   not, 30 at least, and never longer than revocation lists are polled. Then they are asked for
///   again, so that a mapping is confirmed as often. Within that bound they are held on while the
///   server cannot be reached; a document that is wrong replaces them.
/// - One fetch of a document runs at a time, and whoever needs it waits for it. A failure is
///   remembered for 30 seconds. At most 32 documents are fetched at once.
///
/// A clone shares all of it.
///
/// ```no_run
/// use adcp_signing_trust::{agent::{AgentDiscovery, KeyOriginPurpose}, fetch::Fetcher};
///
/// # async fn find() -> Result<(), Box<dyn std::error::Error>> {
/// let discovery = AgentDiscovery::builder(Fetcher::new()?).build();
/// let found = discovery.resolve(&"https://buyer.example.com/mcp".parse()?).await?;
/// found.check_key_origin(KeyOriginPurpose::RequestSigning)?;
/// println!("the keys of {} are at {}", found.agent(), found.jwks_uri().as_str());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AgentDiscovery(Arc<Inner>);

pub(super) struct Inner {
    pub(super) fetcher: Fetcher,
    capabilities: Arc<dyn FetchCapabilities>,
    clock: Arc<dyn Clock>,
    brand_json: Document,
    pub(super) matching: AgentMatch,
    turns: Semaphore,
    agents: Cache<AgentCapabilities>,
    records: Cache<Record>,
    /// Those at the well-known place of a domain, where redirects were followed: never the answer
    /// for a document that an agent names.
    of_domains: Cache<Record>,
}

/// A brand.json as it was fetched.
pub(super) struct Record {
    pub(super) brand: Arc<BrandJson>,
    tag: Option<EntityTag>,
}

/// Settings of an [`AgentDiscovery`].
pub struct AgentDiscoveryBuilder {
    fetcher: Fetcher,
    capabilities: Option<Arc<dyn FetchCapabilities>>,
    clock: Arc<dyn Clock>,
    policy: RevocationPolicy,
    brand_json: Document,
    matching: AgentMatch,
    max_agents: usize,
    max_records: usize,
    max_concurrent: usize,
}

impl AgentDiscovery {
    /// A discovery with the settings above, which asks agents over MCP.
    pub fn builder(fetcher: Fetcher) -> AgentDiscoveryBuilder {
        AgentDiscoveryBuilder {
            fetcher,
            capabilities: None,
            clock: Arc::new(SystemClock),
            policy: RevocationPolicy::baseline(),
            brand_json: Document::BRAND_JSON,
            matching: AgentMatch::Canonical,
            max_agents: MAX_AGENTS,
            max_records: MAX_RECORDS,
            max_concurrent: MAX_CONCURRENT,
        }
    }

    /// Where the keys of the agent are, by its operator's record. Compare the key origin for the
    /// purpose in hand next: [`Resolution::check_key_origin`].
    ///
    /// # Errors
    /// [`DiscoveryError`].
    pub async fn resolve(&self, agent: &AgentUrl) -> Result<Resolution, Arc<DiscoveryError>> {
        let capabilities = self.0.capabilities_of(agent).await.outcome?;
        let named = Named::of(agent, capabilities)?;
        let record = self.0.record_at(named.brand_json_url()).await.outcome?;
        Ok(named.bind(&record.brand, self.0.now())?.find(self.0.matching)?)
    }

    /// The answer of [`resolve`](Self::resolve), where nothing has to be fetched for it.
    pub(super) fn look(&self, agent: &AgentUrl) -> Option<Result<Resolution, Arc<DiscoveryError>>> {
        let now = self.0.now();
        let named = match self.0.agents.look(agent.as_str(), now)?.outcome {
            Ok(capabilities) => Named::of(agent, capabilities),
            Err(error) => return Some(Err(error)),
        };
        let named = match named {
            Ok(named) => named,
            Err(error) => return Some(Err(error.into())),
        };
        Some(match self.0.records.look(named.brand_json_url().as_str(), now)?.outcome {
            Ok(record) => named
                .bind(&record.brand, now)
                .and_then(|bound| bound.find(self.0.matching))
                .map_err(Arc::new),
            Err(error) => Err(error),
        })
    }

    /// The brand.json at this URL, for a relying-party record: one that the verifier trusts without
    /// asking the agent ([`Resolution::by_relying_party`]).
    ///
    /// # Errors
    /// [`DiscoveryError::BrandJsonUnreachable`], [`DiscoveryError::BrandJsonMalformed`].
    pub async fn record(&self, url: &PublicUrl) -> Result<Arc<BrandJson>, Arc<DiscoveryError>> {
        self.0.record_at(url).await.outcome.map(|record| Arc::clone(&record.brand))
    }

    /// The brand.json of a domain that the verifier knows, such as that of an authenticated buyer:
    /// `https://DOMAIN/.well-known/brand.json`. Redirects are followed to the `www.` twin and back
    /// alone.
    ///
    /// # Errors
    /// As [`record`](Self::record), and [`DiscoveryError::BrandJsonUnreachable`] of a domain that is
    /// none.
    pub async fn record_of(
        &self,
        domain: &PublicUrl,
    ) -> Result<Arc<BrandJson>, Arc<DiscoveryError>> {
        let url = domain.at_origin(WELL_KNOWN_BRAND_JSON).map_err(|error| {
            let cause = FetchFailure::other(error.to_string(), self.0.now()).into();
            DiscoveryError::BrandJsonUnreachable { brand_json_url: domain.clone(), cause }
        })?;
        let document = self.0.brand_json.max_bytes();
        let document = Document::WELL_KNOWN_BRAND_JSON.with_max_bytes(document);
        let record = self.0.record_in(&self.0.of_domains, &url, &document).await;
        record.outcome.map(|record| Arc::clone(&record.brand))
    }

    /// Runs all steps for this purpose, up to the one that fails, and fetches the keys. For people:
    /// the keys are not held.
    pub async fn trace(&self, agent: &AgentUrl, purpose: KeyOriginPurpose) -> Trace {
        let mut trace = Trace::default();
        // The trace has the error too.
        let _ = self.0.run(agent, purpose, &mut trace).await;
        trace
    }
}

impl Inner {
    pub(super) fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    pub(super) async fn capabilities_of(&self, agent: &AgentUrl) -> Known<AgentCapabilities> {
        let fetch = async |_| {
            let _turn = self.turns.acquire().await;
            match self.capabilities.capabilities(agent).await {
                Ok(capabilities) => Ok(Fetched {
                    value: Arc::new(capabilities),
                    fresh_for: fresh_for(None, self.agents.max_age()),
                }),
                Err(error) => Err(self.warned(unreachable(agent, &error, self.now()))),
            }
        };
        self.agents.get(agent.as_str(), || self.now(), fetch).await
    }

    pub(super) async fn record_at(&self, url: &PublicUrl) -> Known<Record> {
        self.record_in(&self.records, url, &self.brand_json).await
    }

    async fn record_in(
        &self,
        records: &Cache<Record>,
        url: &PublicUrl,
        document: &Document,
    ) -> Known<Record> {
        let fetch = async |before: Option<Arc<Record>>| {
            let _turn = self.turns.acquire().await;
            self.fetch_record(url, document, before).await.map_err(|error| self.warned(error))
        };
        records.get(url.as_str(), || self.now(), fetch).await
    }

    async fn fetch_record(
        &self,
        url: &PublicUrl,
        document: &Document,
        before: Option<Arc<Record>>,
    ) -> Result<Fetched<Record>, DiscoveryError> {
        let tag = before.as_ref().and_then(|record| record.tag.as_ref());
        let got = self.fetcher.get(url, document, tag).await;
        let max_age = self.records.max_age();
        match (got, before) {
            (Ok(Got::Document(reply)), _) => {
                let (age, tag) = (reply.max_age(), reply.tag().cloned());
                let brand = Arc::new(parse(url, reply.into_body(), self.now()).await?);
                let value = Arc::new(Record { brand, tag });
                Ok(Fetched { value, fresh_for: fresh_for(age, max_age) })
            }
            (Ok(Got::NotModified { max_age: age }), Some(before)) => {
                Ok(Fetched { value: before, fresh_for: fresh_for(age, max_age) })
            }
            // A condition was sent for what is held alone.
            (Ok(Got::NotModified { .. }), None) => Err(DiscoveryError::of_brand_fetch(
                url,
                &FetchError::Status { status: 304 },
                self.now(),
            )),
            (Err(error), _) => Err(DiscoveryError::of_brand_fetch(url, &error, self.now())),
        }
    }

    fn warned(&self, error: DiscoveryError) -> DiscoveryError {
        let code = error.code();
        tracing::warn!(target: "adcp_signing::trust", code, %error, "an agent was not found");
        error
    }
}

fn unreachable(agent: &AgentUrl, error: &CapabilitiesError, at: UnixSeconds) -> DiscoveryError {
    let cause = match error {
        CapabilitiesError::Fetch(error) => FetchFailure::of(error, at),
        error => FetchFailure::other(error.to_string(), at),
    };
    DiscoveryError::CapabilitiesUnreachable { agent_url: agent.clone(), cause: cause.into() }
}

/// Parses a document, on a thread of its own where it is large.
async fn parse(
    url: &PublicUrl,
    body: Vec<u8>,
    now: UnixSeconds,
) -> Result<BrandJson, DiscoveryError> {
    let parsed = if body.len() > LARGE {
        spawn_blocking(move || BrandJson::parse(&body)).await.map_err(|_| {
            DiscoveryError::BrandJsonUnreachable {
                brand_json_url: url.clone(),
                cause: FetchFailure::other("the runtime is being shut down".to_owned(), now).into(),
            }
        })?
    } else {
        BrandJson::parse(&body)
    };
    parsed.map_err(|error| DiscoveryError::of_brand_json(url, &error))
}

impl AgentDiscoveryBuilder {
    /// Asks agents for their capabilities in this way: over MCP unless set.
    #[must_use]
    pub fn capabilities(self, capabilities: impl FetchCapabilities + 'static) -> Self {
        Self { capabilities: Some(Arc::new(capabilities)), ..self }
    }

    /// Follows this contract: 3.3. Before that, brand.json has 256 KiB at most, and the URL of an
    /// agent has to stand in it as you write it.
    #[must_use]
    pub fn contract(self, contract: ContractVersion) -> Self {
        let profile = Profile::webhook_at(contract);
        let brand_json = Document::BRAND_JSON.with_max_bytes(profile.max_brand_json_bytes());
        Self { brand_json, matching: profile.agent_match(), ..self }
    }

    /// Holds documents no longer than this policy polls revocation lists:
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

    /// Sets of how many agents and how many brand.json documents are held: 100,000 and 10,000.
    /// Beyond that the oldest are forgotten, and fetched again when they are needed.
    #[must_use]
    pub fn max_held(self, agents: usize, records: usize) -> Self {
        Self { max_agents: agents, max_records: records, ..self }
    }

    /// Sets how many documents are fetched at once: 32. Others wait before their time runs. Zero
    /// means one; stay below what the fetcher allows at once.
    #[must_use]
    pub fn max_concurrent(self, max: usize) -> Self {
        Self { max_concurrent: max, ..self }
    }

    /// The discovery.
    pub fn build(self) -> AgentDiscovery {
        let max_age = self.policy.max_poll_interval();
        let over_mcp = || Arc::new(McpCapabilities::new(self.fetcher.clone())) as Arc<_>;
        AgentDiscovery(Arc::new(Inner {
            capabilities: self.capabilities.unwrap_or_else(over_mcp),
            fetcher: self.fetcher,
            clock: self.clock,
            brand_json: self.brand_json,
            matching: self.matching,
            turns: Semaphore::new(self.max_concurrent.clamp(1, Semaphore::MAX_PERMITS)),
            agents: Cache::new(self.max_agents, max_age),
            records: Cache::new(self.max_records, max_age),
            of_domains: Cache::new(self.max_records, max_age),
        }))
    }
}

impl fmt::Debug for AgentDiscovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentDiscovery").field("matching", &self.0.matching).finish_non_exhaustive()
    }
}

impl fmt::Debug for AgentDiscoveryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentDiscoveryBuilder")
            .field("matching", &self.matching)
            .field("max_concurrent", &self.max_concurrent)
            .finish_non_exhaustive()
    }
}
