//! What the fake Azure Key Vault answers and refuses, over plain TLS. That it is like the service
//! is for Microsoft's own client to say, in the tests of `adcp-signing-azure-key-vault`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod creation;
mod lifetime;
mod outage;
mod rotation;
mod signing;
mod vault;
mod versions;
