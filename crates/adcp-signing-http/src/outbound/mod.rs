//! Signing what goes out: one adapter for each client.

mod error;
mod refusal;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "rmcp")]
pub mod rmcp;
#[cfg(feature = "tower")]
pub(crate) mod tower;
mod when;

pub use self::{
    error::SignedCallError,
    refusal::Refusal,
    when::{Asked, FetchCapability},
};
