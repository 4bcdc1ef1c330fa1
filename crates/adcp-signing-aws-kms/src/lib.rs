#![doc = include_str!("../README.md")]

mod config;
mod endpoint;
mod failure;
mod key_identifier;
mod provider;
mod signing_spec;
mod uri;

pub use self::{
    config::AwsKmsConfig,
    endpoint::{Endpoint, EndpointError},
    failure::KmsAnswer,
    key_identifier::{KeyIdentifier, KeyIdentifierError},
    provider::AwsKmsProvider,
    uri::AwsKmsUri,
};
