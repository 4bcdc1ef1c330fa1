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

/// These serve the crates of this workspace and may change in any release: use
/// [`Signer::prepare`].
#[doc(hidden)]
pub use self::prepared::{Parameters, prepare};
pub use self::{
    error::{KeyIdFault, SignError},
    options::{AmbiguousUrls, DigestCoverage, SignOptions},
    prepared::{Prepared, SignedFields},
    signer::Signer,
};
