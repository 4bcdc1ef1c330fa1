//! From the URL of an agent to its keys: its capabilities, its operator's brand.json, its JWKS.

mod cache;
mod capabilities;
mod chain;
mod discovery;
mod error;
mod explain;
mod mcp;
mod purpose;
mod resolver;
mod trace;

pub use self::{
    capabilities::{AgentCapabilities, CapabilitiesError, FetchCapabilities},
    chain::{Binding, Bound, Named, Resolution},
    discovery::{AgentDiscovery, AgentDiscoveryBuilder},
    error::{Detail, DiscoveryError, FetchFailure},
    mcp::McpCapabilities,
    purpose::{KeyOriginPurpose, UnknownPurpose},
    resolver::{AgentResolver, AgentResolverBuilder},
    trace::{FetchedAt, Step, Trace, TraceStep},
};
