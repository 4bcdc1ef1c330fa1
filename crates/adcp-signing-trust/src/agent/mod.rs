//! From the URL of an agent to its keys: its capabilities, its operator's brand.json, its JWKS.

mod capabilities;
mod chain;
mod error;
mod mcp;
mod purpose;

pub use self::{
    capabilities::{AgentCapabilities, CapabilitiesError, FetchCapabilities},
    chain::{Binding, Bound, Named, Resolution},
    error::{Detail, DiscoveryError, FetchFailure},
    mcp::McpCapabilities,
    purpose::{KeyOriginPurpose, UnknownPurpose},
};
