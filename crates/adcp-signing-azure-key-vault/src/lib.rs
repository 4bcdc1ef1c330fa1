#![doc = include_str!("../README.md")]

mod answer;
mod config;
mod create;
mod credentials;
mod failure;
mod inspect;
mod key_identifier;
mod provider;
mod public_key;
mod signing_scheme;
mod transport;
mod uri;

pub use adcp_signing_core::provider::toolkit::ServiceAnswer;

pub use self::{
    config::AzureKeyVaultConfig,
    key_identifier::{KeyIdentifier, KeyIdentifierError},
    provider::AzureKeyVaultProvider,
    uri::AzureKeyVaultUri,
};
