#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

/// The programs of the guide are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/trust.md")]
struct Guide;

pub mod fetch;
pub mod guard;
pub mod jwks;
mod jws;
pub mod revocation;
