#![doc = include_str!("../README.md")]

mod config;
mod create;
mod error;
mod inspect;
mod key;
mod module;
mod pin;
mod pool;
mod provider;
mod selector;
mod station;
mod token;
mod uri;

/// The binding to PKCS#11 modules whose types [`Pkcs11Config::connect_with_client`] takes.
pub use cryptoki;

pub use self::{
    config::Pkcs11Config,
    pin::{PinSource, UserPin},
    provider::Pkcs11Provider,
    selector::{KeySelector, TokenSelector},
    uri::Pkcs11Uri,
};
