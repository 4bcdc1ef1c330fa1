#![doc = include_str!("../README.md")]

mod key_uri;

pub use adcp_signing_core::*;

pub use self::key_uri::{KeyUriError, UriOptions, provider_from_uri};
