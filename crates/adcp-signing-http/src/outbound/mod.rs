//! Signing what goes out: one adapter for each client.

#[cfg(feature = "a2a")]
pub(crate) mod a2a;
mod counterparties;
mod error;
mod refusal;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "rmcp")]
pub mod rmcp;
#[cfg(feature = "tower")]
pub(crate) mod tower;

pub use self::{
    counterparties::{Counterparties, FetchCapabilities},
    error::SignedCallError,
    refusal::Refusal,
};
