#![doc = include_str!("../README.md")]

/// The programs of the guide are tests.
#[cfg(all(doctest, feature = "provider"))]
#[doc = include_str!("../../../docs/backends/new.md")]
struct WriteABackend;

#[cfg(feature = "provider")]
pub mod provider;
pub mod vectors;
