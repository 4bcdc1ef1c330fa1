//! The discovery step by step, for people.

use std::{sync::Arc, time::Instant};

use adcp_signing_core::{JwkError, JwkSet};

use super::{
    cache::Known,
    chain::Named,
    discovery::Inner,
    error::{DiscoveryError, FetchFailure},
    purpose::KeyOriginPurpose,
    trace::{FetchedAt, Step, Trace},
};
use crate::{
    brand::AgentUrl,
    fetch::{Document, Fetched as Got},
    guard::PublicUrl,
};

impl Inner {
    pub(super) async fn run(
        &self,
        agent: &AgentUrl,
        purpose: KeyOriginPurpose,
        trace: &mut Trace,
    ) -> Result<(), DiscoveryError> {
        let (known, fetched) = timed(self.capabilities_of(agent)).await;
        let capabilities = trace.push_fetched(
            Step::Capabilities,
            agent.as_str(),
            known.outcome.map_err(Arc::unwrap_or_clone),
            |_| "the agent answered".to_owned(),
            Some(fetched),
        )?;
        let input = "identity.brand_json_url".to_owned();
        let named =
            trace.push(Step::BrandJsonUrl, input, Named::of(agent, capabilities), |named| {
                named.brand_json_url().as_str().to_owned()
            })?;
        let url = named.brand_json_url().clone();
        let domain = |url: &PublicUrl| url.registrable_domain().unwrap_or("no domain").to_owned();
        let domains = format!("{} and {}", domain(agent.public()), domain(&url));
        let is_same = named.is_on_the_agents_domain();
        if is_same {
            let same = "both are on one registrable domain".to_owned();
            trace.push(Step::OriginBinding, domains.clone(), Ok(()), |()| same)?;
        }
        let (known, fetched) = timed(self.record_at(&url)).await;
        let record = trace.push_fetched(
            Step::BrandJson,
            url.as_str(),
            known.outcome.map_err(Arc::unwrap_or_clone),
            |record| {
                format!("{:?}, {} agents", record.brand.variant(), record.brand.agents().len())
            },
            Some(fetched),
        )?;
        let bound = named.bind(&record.brand, self.now());
        let bound = if is_same {
            bound?
        } else {
            trace.push(Step::OriginBinding, domains, bound, |_| {
                "`authorized_operators` list the agent's domain".to_owned()
            })?
        };
        let found = bound.find(self.matching);
        if let Err(error @ DiscoveryError::JwksUntrusted { .. }) = found {
            let input = "the entry that lists the agent";
            return trace.push(Step::JwksSource, input, Err(error), |()| String::new());
        }
        let found = trace.push(Step::AgentEntry, agent.as_str(), found, |found| {
            let id = found.id().map_or_else(|| "no id".to_owned(), crate::text::shown);
            format!("{} ({id})", crate::text::shown(found.kind().as_str()))
        })?;
        trace.push(Step::JwksSource, found.agent().as_str(), Ok(()), |()| {
            found.jwks_uri().as_str().to_owned()
        })?;
        trace.push(Step::KeyOrigins, purpose.as_str(), found.check_key_origin(purpose), |()| {
            format!("the JWKS is at {}", found.jwks_uri().origin())
        })?;
        let begun = Instant::now();
        let keys = self.keys(agent, found.jwks_uri()).await;
        let fetched = FetchedAt { at: self.now(), millis: Some(millis(begun)) };
        trace.push_fetched(
            Step::Jwks,
            found.jwks_uri().as_str(),
            keys,
            |keys| keys.clone(),
            Some(fetched),
        )?;
        Ok(())
    }

    /// The names of the published keys.
    async fn keys(&self, agent: &AgentUrl, url: &PublicUrl) -> Result<String, DiscoveryError> {
        let got = self.fetcher.get(url, &Document::JWKS, None).await;
        let unavailable = |message: String| DiscoveryError::JwksUnavailable {
            agent_url: agent.clone(),
            cause: FetchFailure::other(message, self.now()).into(),
        };
        let untrusted =
            |reason: String| DiscoveryError::JwksUntrusted { agent_url: agent.clone(), reason };
        let reply = match got {
            Ok(Got::Document(reply)) => reply,
            Ok(Got::NotModified { .. }) => return Err(unavailable("an empty 304".to_owned())),
            Err(error) if error.is_untrusted() => return Err(untrusted(error.to_string())),
            Err(error) => {
                return Err(DiscoveryError::JwksUnavailable {
                    agent_url: agent.clone(),
                    cause: FetchFailure::of(&error, self.now()).into(),
                });
            }
        };
        match JwkSet::parse(reply.body()) {
            Ok(set) => {
                let named = set.keys().iter().filter_map(|key| key.kid()).take(16);
                let named = named.map(crate::text::shown).collect::<Vec<_>>().join(", ");
                Ok(format!("{} keys: {named}", set.keys().len()))
            }
            Err(error @ JwkError::PrivateMemberInSet { .. }) => Err(untrusted(error.to_string())),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }
}

async fn timed<T>(known: impl Future<Output = Known<T>>) -> (Known<T>, FetchedAt) {
    let begun = Instant::now();
    let known = known.await;
    let took = (!known.is_held).then(|| millis(begun));
    let fetched = FetchedAt { at: known.at, millis: took };
    (known, fetched)
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
