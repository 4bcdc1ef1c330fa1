#![doc = include_str!("../README.md")]

mod config;
mod create;
mod credentials;
mod failure;
mod inspect;
mod key_version_name;
mod provider;
mod signing_scheme;
mod uri;

pub use adcp_signing_core::provider::toolkit::{Endpoint, EndpointError, ServiceAnswer};

pub use self::{
    config::GcpKmsConfig,
    key_version_name::{KeyVersionName, KeyVersionNameError},
    provider::GcpKmsProvider,
    uri::GcpKmsUri,
};
