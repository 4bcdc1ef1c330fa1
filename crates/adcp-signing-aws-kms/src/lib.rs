#![doc = include_str!("../README.md")]

mod config;
mod create;
mod credentials;
mod failure;
mod inspect;
mod key_identifier;
mod key_policy;
mod provider;
mod reply_limit;
mod service_host;
mod signing_spec;
mod uri;

pub use adcp_signing_core::provider::toolkit::{Endpoint, EndpointError, ServiceAnswer};

pub use self::{
    config::AwsKmsConfig,
    key_identifier::{KeyIdentifier, KeyIdentifierError},
    provider::AwsKmsProvider,
    uri::AwsKmsUri,
};
