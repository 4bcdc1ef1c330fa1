#![doc = include_str!("../README.md")]

mod config;
mod failure;
mod key_identifier;
mod provider;
mod service_host;
mod signing_spec;
mod uri;

pub use adcp_signing_core::provider::toolkit::{Endpoint, EndpointError};

pub use self::{
    config::AwsKmsConfig,
    failure::KmsAnswer,
    key_identifier::{KeyIdentifier, KeyIdentifierError},
    provider::AwsKmsProvider,
    uri::AwsKmsUri,
};
