//! Signing: `prepare → provider.sign → finalize`.
//!
//! The first and the last part are synchronous and shared by every way to sign, so an in-memory key
//! and a key in a service cannot drift apart. Signing changes nothing of a message: it hands out
//! the fields to set once all of it worked.

mod error;
mod prepared;
mod signer;

pub use self::{
    error::SignError,
    prepared::{Parameters, Prepared, SignedFields, prepare},
    signer::{AmbiguousUrls, DigestCoverage, SignOptions, Signer},
};
