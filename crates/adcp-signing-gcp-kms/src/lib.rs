#![doc = include_str!("../README.md")]

mod config;
mod credentials;
mod endpoint;
mod failure;
mod key_version_name;
mod provider;
mod signing_scheme;
mod uri;

pub use self::{
    config::GcpKmsConfig,
    endpoint::{Endpoint, EndpointError},
    failure::KmsAnswer,
    key_version_name::{KeyVersionName, KeyVersionNameError},
    provider::GcpKmsProvider,
    uri::GcpKmsUri,
};
