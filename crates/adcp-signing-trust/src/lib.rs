#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(feature = "fetch", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "fetch"),
    doc = "Where a URL of a counterparty may lead. The guide is shown with the feature `fetch`."
)]

/// The programs of the guide are tests.
#[cfg(all(doctest, feature = "fetch"))]
#[doc = include_str!("../../../docs/trust.md")]
struct Guide;

#[cfg(feature = "fetch")]
pub mod agent;
#[cfg(feature = "fetch")]
pub mod brand;
#[cfg(feature = "fetch")]
pub mod fetch;
#[cfg(feature = "fetch")]
pub mod governance;
pub mod guard;
#[cfg(feature = "fetch")]
mod jcs;
#[cfg(feature = "fetch")]
pub mod jwks;
#[cfg(feature = "fetch")]
mod jws;
#[cfg(feature = "fetch")]
mod published_test_keys;
#[cfg(feature = "fetch")]
pub mod response;
#[cfg(feature = "fetch")]
pub mod revocation;
#[cfg(feature = "fetch")]
mod site;
#[cfg(feature = "fetch")]
mod text;
