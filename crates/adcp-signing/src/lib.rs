#![doc = include_str!("../README.md")]

mod from_uri;

pub use adcp_signing_core::*;
#[cfg(feature = "vault-transit")]
pub use adcp_signing_vault_transit as vault_transit;

pub use self::from_uri::{KeyUriError, UriOptions, provider_from_uri};
