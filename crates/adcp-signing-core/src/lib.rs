#![doc = include_str!("../README.md")]

mod algorithm;
pub mod clock;
mod crypto;
pub mod digest;
mod fingerprint;
pub mod json;
pub mod jwk;
mod key;
pub mod message;
pub mod nonce;
pub mod operation;
pub mod profile;
pub mod provider;
mod purpose;
pub mod replay;
pub mod resolver;
pub mod revocation;
pub mod sign;
mod signature;
pub mod structured_fields;
pub mod target_uri;
pub mod verify;
pub mod webhook;

pub use self::{
    algorithm::Algorithm,
    fingerprint::Fingerprint,
    jwk::{AdcpUse, Jwk, JwkError, JwkSet, JwkSetError, PrivateJwk},
    key::{KeyError, PublicKey, VerifyError},
    provider::{ProviderError, ProviderErrorKind, SigningProvider},
    purpose::KeyPurpose,
    signature::{Signature, SignatureError},
};
