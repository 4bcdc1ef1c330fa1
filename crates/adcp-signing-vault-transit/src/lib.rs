#![doc = include_str!("../README.md")]

mod address;
mod auth;
mod client;
mod config;
mod create;
mod environment;
mod failure;
mod http;
mod inspect;
mod key_description;
mod provider;
mod ready_client;
mod secret;
mod session;
mod settings;
mod sign_request;
mod uri;

pub use adcp_signing_core::provider::toolkit::ServiceAnswer;

pub use vaultrs;

pub use self::{
    auth::VaultAuth,
    client::{VaultClient, VaultClientOptions},
    config::VaultTransitConfig,
    environment::Product,
    provider::VaultTransitProvider,
    secret::Secret,
    uri::VaultTransitUri,
};
