#![doc = include_str!("../README.md")]

mod from_uri;

pub use adcp_signing_core::*;

pub use self::from_uri::{KeyUriError, UriOptions, provider_from_uri};
