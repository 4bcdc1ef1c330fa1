#![doc = include_str!("../README.md")]

mod address;
mod auth;
mod client;
mod environment;
mod failure;
mod http;
mod key_description;
mod key_uri;
mod provider;
mod secret;
mod session;
mod sign_request;
mod transit_key;

pub use self::{
    auth::VaultAuth,
    client::{VaultClient, VaultClientOptions},
    environment::Product,
    key_uri::VaultKeyUri,
    provider::VaultTransit,
    secret::Secret,
    transit_key::TransitKey,
};
