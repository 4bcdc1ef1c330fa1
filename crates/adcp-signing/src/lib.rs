#![doc = include_str!("../README.md")]

mod from_uri;

pub use adcp_signing_core::*;
#[cfg(feature = "gcp-kms")]
pub use adcp_signing_gcp_kms as gcp_kms;

pub use self::from_uri::{KeyUriError, UriOptions, provider_from_uri};
