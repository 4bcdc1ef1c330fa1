//! What is known of each agent, by its canonical URL.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use adcp_signing_core::{
    ResolveError,
    resolver::{DiscoveryFailure, canonical_url},
};
use parking_lot::RwLock;

use super::AddAgentError;

pub(crate) type ByAgent<T> = RwLock<HashMap<String, Arc<T>>>;

/// What is known of the agent with this URL, in any spelling.
pub(crate) fn of_agent<T>(
    agents: &ByAgent<T>,
    agent_url: &str,
) -> Result<Option<Arc<T>>, ResolveError> {
    // Exactly first: callers that keep the canonical form spare the second look.
    if let Some(known) = agents.read().get(agent_url) {
        return Ok(Some(Arc::clone(known)));
    }
    let canonical = canonical_url(agent_url).map_err(|error| {
        ResolveError::new(
            DiscoveryFailure::AgentNotInBrandJson,
            "the URL of the counterparty has no canonical form",
        )
        .with_source(error)
    })?;
    Ok(agents.read().get(canonical.as_str()).map(Arc::clone))
}

/// Adds an agent that is not known, where there is room.
pub(crate) fn add_agent<T>(
    agents: &mut HashMap<String, Arc<T>>,
    max: usize,
    agent_url: String,
    known: T,
) -> Result<(), AddAgentError> {
    let len = agents.len();
    match agents.entry(agent_url) {
        Entry::Occupied(known) => {
            Err(AddAgentError::AlreadyKnown { agent_url: known.key().clone() })
        }
        Entry::Vacant(_) if len >= max => Err(AddAgentError::Full { max }),
        Entry::Vacant(entry) => {
            entry.insert(Arc::new(known));
            Ok(())
        }
    }
}
