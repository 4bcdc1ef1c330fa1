//! Signing: `prepare → provider.sign → finalize`.
//!
//! The first and the last part are synchronous and shared by every way to sign, so an in-memory key
//! and a key in a service cannot drift apart. Signing changes nothing of a message: it hands out
//! the fields to set once all of it worked.

mod error;
#[cfg(feature = "http")]
mod http;
mod options;
mod prepared;
mod signer;
#[cfg(test)]
mod tests;

pub use self::{
    error::SignError,
    options::{AmbiguousUrls, DigestCoverage, SignOptions},
    prepared::{Parameters, Prepared, SignedFields, prepare},
    signer::Signer,
};
